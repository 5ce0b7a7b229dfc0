"""The scripts for hosts without a network: collect.cmd by Wine's own cmd and reg, collect-nt4.cmd line by line over exports
of posed hosts, because Wine's findstr cannot filter. Both answers go through `replay` as a user's would.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.windows.offline_scripts import scripts
from auditor.collectors.windows.readers.powershell import ARGV
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.rulebook.loader import load
from tests.lab.windows.cmd import run
from tests.lab.windows.host import HOSTS, WindowsHost, load_host
from tests.lab.windows.offline import export
from tests.lab.windows.powershell import pose, update
from tests.lab.wine import Wine
from tests.places import ROOT

RULES = load()
SCRIPTS = scripts(RULES.requirements())
POSED = ROOT / "tests" / "lab/windows/hosts"


def replay(path: Path) -> TargetResult:
    audit = AuditContext(rulebook=RULES, clock=utc_now, marker=lambda: "0123456789abcdef")
    return scan(Target(name="carried", connection="replay", path=str(path)), audit, Stop())


def test_collect_cmd_by_wine(tmp_path: Path) -> None:
    services = export(load_host("nt40-enterprise-sp5-node"), r"HKLM\SYSTEM\CurrentControlSet\Services", "unicode")
    with Wine(tmp_path, POSED / "nt40-enterprise-sp5-node" / "registry.reg") as wine:
        wine.import_registry(services.decode("utf-16").replace("\r\n", "\n"))
        for name in ("collect.cmd", "collect.ps1"):
            (tmp_path / name).write_bytes(SCRIPTS[name].encode())
        done = wine.cmd(b"set COMPUTERNAME=NODEA\r\nset COMSPEC=C:\\windows\\system32\\cmd.exe\r\ncall collect.cmd\r\n")
    assert b"The answer is in" in done.stdout, done
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("auditor-")) == ["auditor-NODEA"]
    result = replay(tmp_path / "auditor-NODEA")
    assert result.facts is not None
    platform = result.facts.platform
    assert (platform.product, platform.service_pack, platform.build) == ("windows-nt-4.0-enterprise", "5", "1381")
    assert result.facts.hotfixes == ()
    outcomes = {o.name: o for o in result.facts.outcomes}
    assert "PowerShell said nothing" in outcomes["missing_updates"].reason  # Wine's is a stub
    assert next(f.verdict for f in result.findings if f.rule == "Q238009") == "noncompliant"
    zipped = shutil.make_archive(str(tmp_path / "answer"), "zip", tmp_path / "auditor-NODEA")
    assert replay(Path(zipped)).facts.platform == platform  # type: ignore[union-attr]


def test_what_powershell_said_is_read_beside_it(tmp_path: Path) -> None:
    host = pose(load_host("windows-10-22h2"), updates=[update("KB5035845", severity="Critical")])
    folder = tmp_path / "auditor-KIOSK"
    folder.mkdir()
    lines = SCRIPTS["collect.cmd"].partition(":lines\r\n")[2].encode()
    (folder / "answer.txt").write_bytes(run(host, "cmd /q /d", lines)[0])
    (folder / "answer-powershell.txt").write_bytes(run(host, " ".join(ARGV), SCRIPTS["collect.ps1"].encode())[0])
    facts = replay(folder).facts
    assert facts is not None
    assert [u.kb for u in facts.missing_updates or ()] == ["KB5035845"]
    assert {h.id for h in facts.hotfixes or ()} == set(host.expected["hotfixes"])  # a shell alone does not tell them
    assert facts.platform.product == "windows-10-22h2"


OLD = [n for n in HOSTS if n.startswith(("nt40", "windows-2000"))]


@pytest.mark.parametrize("name", OLD)
def test_collect_nt4(name: str, tmp_path: Path) -> None:
    host = load_host(name)
    folder = Batch(host, tmp_path).run(SCRIPTS["collect-nt4.cmd"])
    result = replay(folder)
    assert result.facts is not None
    facts, expected = result.facts, host.expected
    platform = facts.platform
    assert platform.product == expected["product"]
    assert platform.service_pack == expected["service_pack"]
    assert platform.build == expected["build"]
    assert sorted({h.id for h in facts.hotfixes or ()}) == sorted(expected["hotfixes"])
    assert facts.reboot is not None
    assert facts.reboot.required == expected["reboot"]
    assert {s.name for s in facts.services or ()} == set(host.services)
    assert not [o for o in facts.outcomes if o.outcome == "failed"], facts.outcomes


def test_what_is_nobodys_business_stays_there(tmp_path: Path) -> None:
    host = load_host("nt40-enterprise-sp5-node")
    nt = host.key(r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion")
    assert nt is not None
    assert "RegisteredOwner" in nt or len(nt) > 4
    folder = Batch(host, tmp_path).run(SCRIPTS["collect-nt4.cmd"])
    kept = {
        line.partition("=")[0].strip('"') for line in (folder / "kept0.reg").read_text("cp1252").splitlines() if "=" in line
    }
    assert kept <= {"CurrentVersion", "CurrentBuildNumber", "ProductName", "CSDVersion"}


def test_scripts_are_ascii_with_short_lines() -> None:
    for name, text in SCRIPTS.items():
        assert text.isascii()
        assert name.endswith(".ps1") or text.endswith("\r\n")
        longest = max(len(line) for line in text.splitlines())
        assert longest < 2047, f"{name}: cmd of NT 4.0 and 2000 takes 2,047 characters"
        assert not re.search(r"\b(reg (add|delete|import)|regedit (?!/e)|format|shutdown)\b", text)


class Batch:
    """The few kinds of lines of collect-nt4.cmd, over a posed host's exports."""

    def __init__(self, host: WindowsHost, folder: Path) -> None:
        self.host, self.folder, self.status = host, folder, 0
        self.form = "regedit4" if host.expected["version"] == "4.0" else "unicode"

    def run(self, script: str) -> Path:
        out = self.folder / "auditor-HOST"
        out.mkdir()
        for line in script.replace("%D%", str(out)).replace("%TEMP%", str(self.folder)).split("\r\n"):
            self._do(line.replace("\\", os.sep) if "reg" not in line and "echo" not in line else line)
        return out

    def _do(self, line: str) -> None:
        if found := re.fullmatch(r'start /wait regedit /e "(.+?)" "HKEY_LOCAL_MACHINE\\(.+)"', line):
            key = f"HKLM\\{found[2]}"
            if self.host.key(key) is not None:  # of a key that is not there, regedit writes nothing
                self._path(found[1]).write_bytes(export(self.host, key, self.form))  # type: ignore[arg-type]
        elif found := re.fullmatch(r'type "(.+?)" \| findstr /b /i (.+?) ?> (.+)', line):
            wanted = [w.replace('\\"', '"').lower() for w in re.findall(r'/c:"((?:\\"|[^"])+)"', found[2])]
            source = self._path(found[1])
            # `type` prints UTF-16 as text.
            text = source.read_bytes().decode("utf-16" if self.form == "unicode" else "cp1252") if source.exists() else ""
            lines = [x for x in text.splitlines() if x.lower().startswith(tuple(wanted))]
            self.status = 0 if lines else 1
            if found[3] != "nul":
                self._path(found[3].strip('"')).write_bytes("".join(f"{x}\r\n" for x in lines).encode("cp1252", "replace"))
        elif found := re.fullmatch(r'(?:if not (errorlevel 1|exist "(.+?)") )?echo (.+?)>>? ?"(.+)"', line):
            if not found[1] or (not self._path(found[2]).exists() if found[2] else self.status == 0):
                with self._path(found[4]).open("ab") as file:
                    file.write(f"{found[3]}\r\n".encode("cp1252"))
        elif found := re.fullmatch(r'(ver|net start) > "(.+)"', line):
            self._path(found[2]).write_bytes(run(self.host, found[1])[0])
        elif found := re.fullmatch(r'del "(.+)"', line):
            self._path(found[1]).unlink(missing_ok=True)
        else:
            assert re.match(r"@echo off|rem |set D=|if exist .* del |if not exist|echo The answer|$", line), line

    def _path(self, text: str) -> Path:
        return Path(text.replace("\\", os.sep))
