"""Every reader of what a host, a vendor or a person wrote: true samples of its input, and what must hold for any other.

A reader may say that it cannot tell, in its own way; it may not raise anything else, and what it gives must go through its own
form and back.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from auditor.audit.stored_facts import read_facts
from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.windows.host_facts import all_queries, windows_facts
from auditor.collectors.windows.readers import offline, powershell, regfile, shell
from auditor.errors import AuditorError, FactUnavailable, HostError
from auditor.evaluation.evaluate import evaluate
from auditor.foundation.deadline import Deadline, Stop
from auditor.history.store import Store
from auditor.inventory import ansible, native, waivers
from auditor.model.facts import HostFacts
from auditor.model.target import Target
from auditor.rulebook import overrides
from auditor.rulebook.loader import load
from auditor.transports.command import CommandResult
from auditor.transports.openssh import relaxed
from auditor.transports.permits import Nothing
from auditor.transports.replay import RecordedShell, RecordedWindows, open_recording
from auditor.transports.ssh import config_files, known_hosts
from auditor.transports.winrm import wsman
from tests.advisories import fuzz as advisories
from tests.advisories.made import text as article
from tests.conftest import NOW
from tests.given import NODE, RULES
from tests.lab.windows import cmd
from tests.lab.windows.host import load_host
from tests.lab.windows.powershell import answer as powershell_answer
from tests.lab.windows.powershell import pose
from tests.places import RECORDINGS

MARKER = "5f0c2a9be1d34c7786aa10b2"
REQUIREMENTS = load().requirements()
WANTED = all_queries(REQUIREMENTS)
BY_HAND = [rule for rule in RULES if not rule.generated]


class Parser(NamedTuple):
    seeds: list[bytes]
    check: Callable[[bytes], object]


def judged(facts: HostFacts) -> None:
    """Facts that go into the history and out again, and that every rule by hand can judge."""
    assert msgspec.json.decode(msgspec.json.encode(facts), type=HostFacts) == facts
    findings = evaluate(facts, BY_HAND, today=NOW.date())
    msgspec.json.encode(findings)


def posix(stdout: bytes) -> None:
    judged(linux_facts(CommandResult(0, stdout, stdout[:200], 0.0), MARKER, target="t", method="ssh", now=NOW))


def packed(stdout: bytes) -> None:
    """The same in the form that comes over SSH, then damaged as such."""
    posix(stdout)
    head, _, body = stdout.partition(b"=plain\n")
    posix(head + b"=gzip\n" + gzip.compress(body, 1))


def windows_shell(stdout: bytes) -> None:
    data = shell.read(CommandResult(0, stdout, b"", 0.0), MARKER, WANTED)
    judged(windows_facts(data, REQUIREMENTS, target="t", method="ssh", now=NOW))


def windows_powershell(stdout: bytes) -> None:
    data = powershell.read(CommandResult(0, stdout, stdout[:200], 0.0), MARKER, WANTED, True)
    judged(windows_facts(data, REQUIREMENTS, target="t", method="ssh", now=NOW))


def carried(content: bytes) -> None:
    for name in ("export.reg", "ver.txt", "net-start.txt"):
        judged(windows_facts(offline.read({name: content}, WANTED), REQUIREMENTS, target="t", method="files", now=NOW))


def registry_file(content: bytes) -> None:
    try:
        regfile.parse(content)
    except (ValueError, FactUnavailable):
        pass


def wsman_answer(content: bytes) -> None:
    try:
        body = wsman.body(content)
        list(wsman.rows(body))
        wsman.context(body)
    except HostError:
        pass


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """A reader of files; AuditorError is its way to say no."""

    def check(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            try:
                read(path)
            except AuditorError as e:
                if folder not in str(e):
                    raise AssertionError(f"the message does not say which file: {e}") from e

    return check


def facts_file(path: Path) -> None:
    for facts in read_facts((str(path),)):
        judged(facts)


def recording(content: bytes) -> None:
    """A zip archive that is said to be a recording: nothing is unpacked, nothing larger than it may be is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "host.zip")
        path.write_bytes(content)
        target = Target(name="t", connection="replay", path=str(path))
        try:
            session = open_recording(target, Deadline(10, "reading", Stop()), Nothing())
        except HostError:
            return
        assert isinstance(session, (RecordedWindows, RecordedShell))
        assert [p.name for p in Path(folder).iterdir()] == ["host.zip"]


def history(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.db")
        path.write_bytes(content)
        try:
            with Store(path, create=False) as store, store.guard("read"):
                store.runs(10)
        except AuditorError:
            pass


def _posed(name: str) -> bytes:
    command = shell.command(WANTED, MARKER)
    return cmd.run(load_host(name), " ".join(command.argv), command.stdin)[0]


def _powershell() -> bytes:
    command = powershell.command(WANTED, MARKER, True)
    answer = powershell_answer(pose(load_host("windows-server-2022")), " ".join(command.argv), command.stdin)
    assert answer
    return answer[0]


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in (RECORDINGS / "busybox-only").iterdir():
            archive.write(path, path.name)
    return out.getvalue()


def _history() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder, "a.db")):
            pass
        return Path(folder, "a.db").read_bytes()


_REG = (
    b'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]\r\n"CurrentVersion"="4.0"\r\n'
    b'"CSDVersion"="Service Pack 6"\r\n"Size"=dword:0000002a\r\n"Bytes"=hex:01,02,\\\r\n  03\r\n"Several"=hex(7):61,00,00,00,00,00\r\n'
)
_SOAP = b"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Header/><s:Body>
<n:EnumerateResponse><w:Items><p:Win32_Service xmlns:p="x"><p:Name>ClusSvc</p:Name><p:State xsi:nil="true"/></p:Win32_Service></w:Items>
<w:EndOfSequence/></n:EnumerateResponse></s:Body></s:Envelope>"""
_INVENTORY = b"""defaults: {user: audit, timeouts: {connect: 5, total: 60}}
groups: {web: {labels: {site: fra}}, db: {become: {method: sudo, password: "env:X"}, jump: [gate]}}
hosts:
  gate: {address: gate.example.com, port: 2222}
  web1: {address: 192.0.2.1, groups: [web]}
  db1: {connection: winrm, groups: [db], password: "file:x", user: 'CORP\\audit'}
schedule: {nightly: {at: "02:00", timezone: Europe/Berlin, window: 4h, days: [mon]}, often: {every: 6h, targets: ["@web"]}}
agent: {jobs: 4, report: r.html, heartbeat: ["true"]}
mail: {server: 127.0.0.1, sender: a@example.com, to: [b@example.com], heartbeat: 7d}
retention: {nightly: 90d, monthly: 3y}
deadlines: {critical: 14d}
"""
_RULE = b"""- id: made
  title: a rule
  severity: important
  obligation: required
  family: linux
  branches: [{products: [debian-12], check: {kind: any_of, checks: [{kind: package, name: openssl, fixed: "3.0"}, {kind: setting, key: "sysctl:a.b", at_least: 3}]}}]
  remediation: r
  meaning: m
  matters: m
  references: [{title: t, url: "https://example.com"}]
  provenance: {source: made, retrieved: 2026-01-01}
"""
_HOST_KEYS = (
    b"web1,192.0.2.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Z0m7zJm0z0m7zJm0z0m7zJm0z0m7zJm0z0m7zJm0z comment\n"
    b"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==\n"
    b"@revoked [web2]:2222 ssh-ed25519 AAAA\n@cert-authority *.example.com ssh-ed25519 AAAA\n# c\n"
)
_SSH = b"Host web* !web9\n  HostName %h.example.com\n  User audit\n  Port 2222\n  ProxyJump gate,other:22\nMatch host x\n  IdentityFile ~/.ssh/%r\n"
_ANSIBLE = b"[web]\nweb[01:20:2].example.com ansible_port=2222 ansible_user='a b'\n[web:vars]\nansible_become=yes\n[all:children]\nweb\n"
_ANSIBLE_JSON = json.dumps(
    {
        "_meta": {"hostvars": {"a": {"ansible_host": "192.0.2.1", "ansible_connection": "winrm"}}},
        "all": {"children": ["web"]},
        "web": {"hosts": ["a"]},
    }
).encode()


def _waivers(path: Path) -> None:
    faults: list[str] = []
    waivers.read_waivers(path, faults, faults)
    waivers.read_attestations(path, faults, faults)
    overrides.read(path, faults)
    assert all(str(path) in fault for fault in faults)


PARSERS: dict[str, Parser] = {
    "posix": Parser([(RECORDINGS / n / "stdout").read_bytes() for n in ("debian-12-root", "busybox-only")], posix),
    "posix-gzip": Parser([(RECORDINGS / "busybox-only" / "stdout").read_bytes()], packed),
    "windows-shell": Parser([_posed("nt40-server-sp6a-domino"), _posed("windows-server-2022")], windows_shell),
    "windows-powershell": Parser([_powershell()], windows_powershell),
    "carried-home": Parser([_REG, b"Windows NT Version 4.0  \r\n"], carried),
    "registry-file": Parser([_REG, _REG.decode().encode("utf-16"), b"REGEDIT4" + _REG[36:]], registry_file),
    "ws-man": Parser([_SOAP], wsman_answer),
    "recording": Parser([_zip()], recording),
    "facts": Parser([msgspec.json.encode(NODE)], in_file("a.json", facts_file)),
    "history": Parser([_history()], history),
    "inventory": Parser([_INVENTORY], in_file("inventory.yaml", lambda p: native.load(p))),
    "ansible-ini": Parser([_ANSIBLE], in_file("hosts.ini", ansible.read)),
    "ansible-json": Parser([_ANSIBLE_JSON], in_file("hosts.json", ansible.read)),
    "ansible-yaml": Parser([b"all:\n  children: {web: {hosts: {a: {ansible_host: x}}}}\n"], in_file("hosts.yml", ansible.read)),
    "rules-yaml": Parser([_RULE], in_file("rules.yaml", lambda p: load((str(p),)))),
    "rules-jsonl": Parser(
        [msgspec.json.encode(r) + b"\n" for r in RULES[:2]], in_file("rules.jsonl", lambda p: load((str(p),)))
    ),
    "waivers": Parser(
        [
            b'- {rules: [linux-somaxconn], targets: ["@web"], owner: kim, reason: r, expires: 2027-03-31}\n',
            b"- {rule: Q181350, targets: [n], state: done, by: kim, date: 2026-11-01}\n",
        ],
        in_file("waivers.yaml", _waivers),
    ),
    "known-hosts": Parser([_HOST_KEYS], in_file("known_hosts", lambda p: known_hosts.read([p]).keys("web1", 22))),
    "ssh-config": Parser([_SSH], in_file("config", lambda p: list(config_files.lines(str(p), [20])))),
    "ssh-g": Parser([b"hostname x\nport 22\n"], lambda content: relaxed.read(content.decode("utf-8", "replace"))),
    "article": Parser(
        [article(STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.").encode()], advisories.check
    ),
}
