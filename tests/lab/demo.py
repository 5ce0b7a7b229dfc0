"""`make demo`: audits a posed fleet and this machine, and leaves a report worth showing. Everything happens on loopback.

The hosts are data (tests/lab/windows/hosts), served over the real protocols: WinRM with NTLM and with certificates checked,
SSH, and files as they would be carried home. One host has no WinRM service and one has another password, as in life.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tests.lab.sshd import free_port, keygen, user
from tests.lab.windows import months
from tests.lab.windows.host import WindowsHost, load_host
from tests.lab.windows.offline import carry_home
from tests.lab.windows.sshd import windows_sshd
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_tls import Authority
from tests.places import ROOT

PASSWORDS = {"DEMO_PASSWORD": "Demo-1", "DEMO_WRONG_PASSWORD": "Demo-2"}
# name in the fleet: (posed host, group)
WINRM = {
    "plant-node-a": ("nt40-enterprise-sp5-node", "plant"),
    "plant-node-b": ("nt40-enterprise-sp6a-rc", "plant"),
    "plant-web": ("nt40-server-sp6-iis4", "plant"),
    "plant-notes": ("nt40-server-sp6a-domino", "plant"),
    "plant-gateway": ("nt40-server-sp6a-sna4-sp4", "plant"),
    "office-terminal": ("nt40-terminal-server-sp5", "office"),
    "files-2000": ("windows-2000-server-sp4", "office"),
    "print-2003": ("windows-server-2003-r2-sp2", "office"),
    "erp-2008r2": ("windows-server-2008-r2-sp1", "datacentre"),
    "sql-2012r2": ("windows-server-2012-r2-ru", "datacentre"),
    "hyperv-2016": ("windows-server-2016-core", "datacentre"),
    "dc-2019": ("windows-server-2019", "datacentre"),
    "web-2022": ("windows-server-2022", "datacentre"),
    "core-2022": ("windows-server-2022-core", "datacentre"),
    "files-2022": ("windows-server-2022", "datacentre"),
    "intranet-2022": ("windows-server-2022", "datacentre"),
    "vault-2022": ("windows-server-2022", "datacentre"),
    "app-2025": ("windows-server-2025", "datacentre"),
    "laptop-11": ("windows-11-24h2", "office"),
}
# How many months behind; files-2022 has everything and waits for its restart, vault-2022 tells neither its UBR nor its updates.
BEHIND = {"dc-2019": 1, "web-2022": 8, "core-2022": 0, "intranet-2022": 0, "app-2025": 0, "laptop-11": 2}
SSH = {"kiosk-10": ("windows-10-22h2", "office")}
CARRIED = {
    "plant-notes-351": ("nt351-server-sp5-notes", "plant"),
    "lab-nt4": ("nt40-enterprise-sp5-node-q238009", "plant"),
}
_ATTESTATIONS = """\
- {rule: Q181350, targets: [plant-notes], state: done, by: k.lind, date: 2026-10-02, reference: "vendor's fix list, ticket 4711"}
- {rule: Q181350, targets: [plant-notes-351], state: restart-pending, by: k.lind, date: 2026-11-20, reference: "ticket 4712"}
"""
_WAIVERS = """\
- {rules: [windows-end-of-support], targets: ["@plant"], owner: plant operations, reason: "isolated network, replaced in 2027", expires: 2027-06-30}
"""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description="Audit a posed fleet and this machine.")
    parser.add_argument("--output", type=Path, default=Path("demo-report.html"), help="the report")
    parser.add_argument("--no-open", action="store_true", help="do not open it")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="auditor-demo-") as folder, contextlib.ExitStack() as stack:
        inventory = fleet(Path(folder), stack)
        _advisories(Path(folder))
        command = [
            sys.executable,
            "-m",
            "auditor",
            "audit",
            "--inventory",
            str(inventory),
            "--report",
            str(given.output.absolute()),
        ]
        env = {**os.environ, **PASSWORDS, "PYTHONPATH": str(ROOT)}
        code = subprocess.run(command, env=env, cwd=folder).returncode  # our own program
    if code not in (0, 1, 3) or not given.output.exists():
        return code or 4
    print(f"Report: {given.output.absolute()}")
    if not given.no_open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(given.output.absolute().as_uri())
    return 0


def _posed(name: str, posed: str) -> WindowsHost:
    """A posed host at its patch level on this day."""
    host, today = load_host(posed), datetime.now(UTC).date()
    of_month = months.cumulative(PRODUCTS.get(posed, "windows-server-2022"), today)
    if name in BEHIND:
        u = of_month[-1 - BEHIND[name]]
        return months.at(host, u.revision, u.kb)
    if name == "files-2022":
        return months.at(host, of_month[-2].revision, of_month[-1].kb, restart=True)
    if name == "vault-2022":
        host.denied_classes.append("Win32_QuickFixEngineering")
        return months.at(host, None)
    return host


PRODUCTS = {
    "windows-server-2019": "windows-server-2019",
    "windows-server-2025": "windows-server-2025",
    "windows-11-24h2": "windows-11-24h2",
}


def _advisories(folder: Path) -> None:
    """Microsoft's monthly documents, posed, in the advisory database beside the history."""
    (folder / "documents").mkdir()
    for name, content in months.documents(datetime.now(UTC).date()).items():
        (folder / "documents" / name).write_bytes(content)
    command = [sys.executable, "-m", "auditor", "advisories", "import", "--quiet", "documents", "--advisories", "advisories.db"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder, check=True)  # our own program


def fleet(folder: Path, stack: contextlib.ExitStack, winrm: Mapping[str, tuple[str, str]] = WINRM) -> Path:
    """Start the servers and write the inventory that reaches them."""
    authority = Authority(folder, "authority")
    tls = authority.server("localhost")
    hosts: dict[str, dict[str, object]] = {"this-machine": {"connection": "local", "groups": ["datacentre"]}}
    for number, (name, (posed, group)) in enumerate(winrm.items()):
        secure = number % 2 == 1  # half of them over TLS, half with NTLM's own encryption
        server = stack.enter_context(
            WsmanServer(_posed(name, posed), "audit", PASSWORDS["DEMO_PASSWORD"], tls=tls if secure else None)
        )
        hosts[name] = {"connection": "winrm", "port": server.port, "scheme": "https" if secure else "http", "groups": [group]}
    hosts["web-2019"] = {**hosts["dc-2019"], "password": "env:DEMO_WRONG_PASSWORD"}
    hosts["old-backup"] = {"connection": "winrm", "port": free_port(), "scheme": "http", "groups": ["office"]}
    if shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin"):
        key = keygen(folder / "key")
        for name, (posed, group) in SSH.items():
            sshd = stack.enter_context(windows_sshd(folder / name, posed, "powershell"))
            sshd.allow(key.with_suffix(".pub"))
            known = folder / f"{name}.known"
            known.write_text(sshd.known_hosts_line("127.0.0.1"))
            hosts[name] = {"connection": "ssh", "address": "127.0.0.1", "port": sshd.port, "user": user(), "key_file": str(key),
                           "known_hosts": str(known), "groups": [group]}  # fmt: skip
    for name, (posed, group) in CARRIED.items():
        carry_home(load_host(posed), folder / name, "regedit4")
        hosts[name] = {"connection": "replay", "path": name, "groups": [group]}
    inventory = {
        "defaults": {"address": "localhost", "user": "audit", "password": "env:DEMO_PASSWORD", "ca_file": str(authority.file)},
        "groups": {"plant": {}, "office": {}, "datacentre": {}},
        "hosts": hosts,
        "waivers": "waivers.yaml",
        "attestations": "attestations.yaml",
    }
    (folder / "waivers.yaml").write_text(_WAIVERS)
    (folder / "attestations.yaml").write_text(_ATTESTATIONS)
    (folder / "inventory.yaml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    return folder / "inventory.yaml"


if __name__ == "__main__":
    sys.exit(main())
