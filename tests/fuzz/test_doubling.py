"""Doubling what a reader is given costs at most three times the time: every reader is linear, or what it reads is capped.

Each row repeats the piece of input that some pattern, list or merge of a reader once was, or could be, slow on. Processor time is
compared, the least of several runs, of sizes that take long enough to be measured; what is refused for its size costs nothing.
"""

from __future__ import annotations

import gc
import gzip
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.advisories.feeds import csaf, debian_lists, fields
from auditor.advisories.feeds.document import form_of
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case
from auditor.checks.listen_backlog import ListenBacklogCheck
from auditor.checks.security_updates import SecurityUpdatesCheck
from auditor.collectors.linux.script_output import parse_output
from auditor.collectors.windows import lookup
from auditor.collectors.windows.readers import offline, regfile
from auditor.errors import FactUnavailable, HostError
from auditor.evaluation.applicability import Host
from auditor.evaluation.evaluate import evaluate
from auditor.foundation.sanitize import one_line, printable
from auditor.inventory import ansible
from auditor.model.facts import Candidate, HostFacts, Hotfix, Listener, Package, Platform, Program, Service, UpdateList, Updates
from auditor.model.windows import WindowsRawData
from auditor.transports.openssh import errors
from auditor.transports.ssh import known_hosts
from auditor.transports.winrm import seal, wsman
from auditor.versions import apk, deb, kernel_release, rpm, service_pack, windows_product
from tests.advisories import given
from tests.advisories.made import text as article
from tests.conftest import NOW
from tests.fuzz.parsers import MARKER, PARSERS, WANTED
from tests.given import LINUX, RULES, WHEN
from tests.places import RECORDINGS

_RECORDED = (RECORDINGS / "debian-12-lacking" / "stdout").read_bytes()
_LEAST = 0.02  # seconds below which nothing is compared
TRIES = (1, 3, 3)  # runs of which the quickest counts: the machine may be busy with something else, and then it is tried again


def section(name: str, body: bytes) -> bytes:
    """The recorded answer with another body of one section."""
    head, _, rest = _RECORDED.partition(f"\n{MARKER}<{name}\n".encode())
    tail = rest.partition(f"\n{MARKER}>{name} ".encode())[2]
    return head + f"\n{MARKER}<{name}\n".encode() + body + f"\n{MARKER}>{name} ".encode() + tail


def posix(name: str, piece: bytes, head: bytes = b"", tail: bytes = b"") -> Callable[[int], Callable[[], object]]:
    return lambda n: lambda: PARSERS["posix"].check(section(name, head + piece * n + tail))


def parser(name: str, make: Callable[[int], bytes]) -> Callable[[int], Callable[[], object]]:
    def sized(n: int) -> Callable[[], object]:
        content = make(n)
        return lambda: PARSERS[name].check(content)

    return sized


def refusing(read: Callable[[], object]) -> Callable[[], object]:
    def check() -> object:
        try:
            return read()
        except (ValueError, FactUnavailable, HostError) as e:
            return e

    return check


def case(facts: HostFacts) -> Case:
    return Case(facts, None, WHEN.date(), Host(facts).packages, Host(facts).sources)


def _case_of(facts: HostFacts, check: CheckKind) -> Callable[[], object]:
    return lambda: check.judge(case(facts))


def _windows(**more: object) -> HostFacts:
    given = {"hotfixes": (), "services": (), "programs": (), "settings": {}, **more}
    platform = Platform(family="windows", product="windows-nt-4.0-server", version="4.0", service_pack="6a")
    return HostFacts(target="w", collected_at=WHEN, platform=platform, **given)  # type: ignore[arg-type]


def _soap(body: bytes) -> bytes:
    return b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>' + body + b"</s:Body></s:Envelope>"


def _in_file(
    read: Callable[[Path], object], make: Callable[[int], bytes], name: str, folder: Path
) -> Callable[[int], Callable[[], object]]:
    def sized(n: int) -> Callable[[], object]:
        path = folder / f"{n}-{name}"
        path.write_bytes(make(n))
        return lambda: read(path)

    return sized


_REG = b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM]\r\n"
_LIST = b"=list= m_dists_bookworm-security_main_binary-amd64_Packages 1 1\n"
LINEAR: dict[str, tuple[int, Callable[[int], Callable[[], object]]]] = {
    # What a POSIX host says.
    "names of lists": (2000, posix("update_candidates", b"a_dists_", b"=list= ", b"-security_main_binary-amd64_Packages 1 1\n=rows= 1\n")),
    "rows of lists": (100, posix("update_candidates", _LIST)),
    "candidates": (4000, posix("update_candidates", b"zlib1g\t1\tamd64\tzlib\t1\n")),
    "lines of release files": (8000, posix("update_lists", b"m_dists_bookworm-security_InRelease: " + b"0" * 64 + b" 1 main/binary-amd64/Packages\n")),
    "pins": (800, posix("update_pins", b"Package: *\nPin: origin x\nPin-Priority: 1\n")),
    "os-release, long": (40_000, posix("os_release", b"'a' ", b"PRETTY_NAME=")),
    "os-release, lines": (40, posix("os_release", b'NAME="' + b"a b" * 1000 + b'"\n')),
    "listeners": (2000, posix("listeners", b'LISTEN 0 5 0.0.0.0:80 0.0.0.0:* users:(("a",pid=1,fd=3))\n')),
    "listeners of the kernel": (2000, posix("listeners_proc", b"  1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 1\n")),
    "mappings": (4000, posix("stale_processes", b"/proc/1/maps:xp 0 0:0 1 /usr/lib/" + b"a/" * 500 + b"jn (deleted)\n")),
    "processes": (8000, posix("process_names", b"1 u host name\n")),
    "packages": (8000, posix("packages", b"ii \tp\t1.0-1\tamd64\tp\t1.0-1\tutils\n")),
    "rpms": (8000, posix("rpm_packages", b"p\t(none)\t1.0\t1.el9\tx86_64\ts.src.rpm\t(none)\tv\t1\n")),
    "apks": (8000, posix("apk_packages", b"p\t1.0-r1\tx86_64\ts\n")),
    "repositories": (400, posix("repositories", b"deb http://x y z\n", b"=file= /etc/apt/sources.list\n")),
    "repositories of one stanza": (4000, posix("repositories", b"Types: deb\n", b"=file= /etc/apt/sources.list.d/x.sources\n")),
    "images": (2000, posix("kernels", b"image=/boot/vmlinuz-6.1.0-64-64-64-64\n")),
    "settings": (8000, posix("settings", b"file:/etc/x#y\tline\ty=1\n")),
    "includes of sshd": (400, posix("settings", b"file:/etc/ssh/sshd_config#Port\tline\tInclude /etc/ssh/sshd_config.d/*.conf\nfile:/etc/ssh/sshd_config#Port\tin /etc/ssh/sshd_config.d/a.conf\tPort 1\n")),
    "marks": (100_000, lambda n: lambda: parse_output(b"\n" + MARKER.encode() + b"=plain\n" + (b"\n" + MARKER.encode() + b"<a") * n, MARKER, None)),
    "members of gzip": (20_000, lambda n: lambda: parse_output(f"\n{MARKER}=gzip\n".encode() + gzip.compress(b"") * n, MARKER, None)),
    "a bomb of zlib": (8, lambda n: lambda: parse_output(f"\n{MARKER}=gzip\n".encode() + zlib.compress(bytes(4_000_000 * n), wbits=31), MARKER, None)),
    # What a Windows host says.
    "repeated elements": (20_000, parser("ws-man", lambda n: _soap(b"<e:EnumerateResponse xmlns:e='e'><e:Items><i>" + b"<p>1</p>" * n + b"</i></e:Items></e:EnumerateResponse>"))),
    "a long namespace": (20_000, parser("ws-man", lambda n: _soap(b'<r xmlns:p="' + b"u" * n + b'">' + b"<p:a/>" * (n // 10) + b"</r>"))),
    "deep keys": (16_000, lambda n: lambda: offline.read({"a.reg": _REG + b"[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services" + b"\\a" * n + b"]\r\n\r\n"}, WANTED)),
    "hex that goes on": (20_000, lambda n: refusing(lambda: regfile.parse(_REG + b'"a"=hex:\\\r\n' + b"  00,\\\r\n" * n + b"  00\r\n\r\n"))),
    "text over lines": (4000, lambda n: refusing(lambda: regfile.parse(_REG + b'"a"="' + (b"x" * 60 + b"\r\n") * n + b'"\r\n\r\n'))),
    "what is absent": (16_000, parser("windows-shell", lambda n: b"\n" + MARKER.encode() + b"=plain\n" + b"x\r\n" * n)),
    "ver": (4000, lambda n: lambda: lookup.build_of(WindowsRawData(method="x", texts={"ver": "1" * n + "." + "1" * n}))),
    "service pack": (2000, lambda n: refusing(lambda: [service_pack.parse("6" + " " * n + "x")])),
    "sealed type": (8000, lambda n: refusing(lambda: seal.opened('multipart/encrypted; a="' + ";" * n, b"", lambda a, b: a, 16))),
    # Versions.
    "deb": (200_000, lambda n: refusing(lambda: deb.key("1" + ".a" * n))),
    "deb with an epoch": (200_000, lambda n: refusing(lambda: deb.key("1:" + "1." * n))),
    "rpm": (200_000, lambda n: refusing(lambda: rpm.key("1" + ".a" * n))),
    "rpm's bytes": (200_000, lambda n: refusing(lambda: rpm.key("1" + "~" * n))),
    "apk": (200_000, lambda n: refusing(lambda: apk.key("1" + "_p1" * n))),
    # Feeds of advisories.
    "streams of a title": (200_000, lambda n: lambda: fields.streams_named("a+" * n)),
    "form of a document": (100_000, lambda n: refusing(lambda: form_of(b"<!---->" * n))),
    "package URL": (100_000, lambda n: lambda: list(csaf.read(given.csaf("RHSA-2026:1", [given.nevra_product("x" + ".rpm-" * n)], [], {})))),
    "list of Debian's": (20_000, lambda n: refusing(lambda: list(debian_lists.read(b"[1 Jan 2026] DSA-1-1 x\n\t[a] - " + b" " * n + b"x")))),
    "kernel release": (2000, lambda n: refusing(lambda: kernel_release.flavour("1-" + "64" * n + "!"))),
    "windows version": (100_000, lambda n: lambda: windows_product.possible("1" * n, "1" * n)),
    # Judging.
    "hotfixes": (4000, lambda n: lambda: evaluate(_windows(hotfixes=tuple(Hotfix(f"Q{n}{i}") for i in range(n))), RULES, today=NOW.date())),
    "services": (4000, lambda n: lambda: evaluate(_windows(services=tuple(Service(f"svc{i}") for i in range(n))), RULES, today=NOW.date())),
    "programs": (8000, lambda n: lambda: evaluate(_windows(programs=tuple(Program(f"prog{i}") for i in range(n))), RULES, today=NOW.date())),
    "many listeners": (2000, lambda n: _case_of(HostFacts(target="x", collected_at=WHEN, listeners=tuple(Listener("0.0.0.0", 1 + i % 60000, 9 + i) for i in range(n))), ListenBacklogCheck(above=5, reachable_only=True))),
    "many candidates": (4000, lambda n: _case_of(_offered(n), SecurityUpdatesCheck())),
    "facts": (20_000, parser("facts", lambda n: b'{"schema":"auditor.facts/1","target":"t","collected_at":"2026-01-01T00:00:00Z","platform":{"family":"linux"},"packages":[' + b",".join([b'{"name":"a","epoch":null,"version":"1","release":null,"arch":null,"source":null,"source_version":null}'] * n) + b"]}")),
    # What stands in files of others.
    "articles, one phrase": (4000, parser("article", lambda n: article(STATUS="This problem was corrected in SP1.\n" * n).encode())),
    "articles, packs": (2000, parser("article", lambda n: article(STATUS="".join(f"Service Pack {i}, a\n" for i in range(n))).encode())),
    "articles, blanks": (200, parser("article", lambda n: article(STATUS=("ab" + " " * 200 + "x REG\n") * n).encode())),
    "articles, running": (24, parser("article", lambda n: article(STATUS="This was corrected in a thing running " + "1" * n + "x Service Pack 3.").encode())),
    "an alias of itself": (200, parser("inventory", lambda n: b"&a [" + b"x," * n + b"*a]\n")),
    "directives": (8000, parser("inventory", lambda n: b"".join(b"%%TAG !a%d! x\n" % i for i in range(n)) + b"---\na\n")),
    "text for people": (200_000, lambda n: lambda: printable("\u202e" * n)),
    "one line for people": (2_000_000, lambda n: lambda: one_line("\u202e" * n)),
    "log of ssh": (8000, lambda n: lambda: errors.of_log("debug1: x\n" + "@" * n + "\n", "h")),
}  # fmt: skip


def _offered(n: int) -> HostFacts:
    from msgspec.structs import replace

    lists = (UpdateList("s", WHEN, "bookworm", "Debian", "Debian-Security"),)
    candidates = (Candidate("p", "amd64", "1" + "!" * 200), *(Candidate("p", "amd64", str(i)) for i in range(n)))
    return replace(LINUX, packages=(Package("p", None, "1", None, "amd64", None, None),), updates=Updates(lists, candidates))


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """Processor time, the least of some. The garbage of the tests before is not collected meanwhile: it costs by what they left."""
    found = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(times):
            began = time.process_time()
            run()
            found.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(found)


def doubles(make: Callable[[int], Callable[[], object]], n: int, times: int = 3) -> tuple[float, float]:
    """Times of one size and of twice that, of a size that takes long enough; and long before it takes for ever."""
    make(n // 8 or 1)()  # what is loaded and compiled once
    once = seconds(make(n), times)
    return once, seconds(make(2 * n), times) if once < 20 else float("inf")


def check_linear(what: str, make: Callable[[int], Callable[[], object]], n: int) -> None:
    """Twice the size costs at most three times the time."""
    for times in TRIES:
        once, twice = doubles(make, n, times)
        if twice <= max(3 * once, _LEAST):
            return
    raise AssertionError(f"{what}: {n} took {once:.3f} s, {2 * n} took {twice:.3f} s")


@pytest.mark.parametrize("what", LINEAR)
def test_doubling_costs_at_most_three_times_the_time(what: str) -> None:
    n, make = LINEAR[what]
    check_linear(what, make, n)


@pytest.mark.parametrize("name", PARSERS)
def test_a_true_sample_over_and_over(name: str) -> None:
    """Each reader's own samples, behind each other: whatever it makes of that, it is linear."""
    seed = max(PARSERS[name].seeds, key=len)
    n = max(2, 200_000 // max(1, len(seed)))
    check_linear(name, lambda k: lambda: PARSERS[name].check(seed * k), n)


def test_the_property_can_fail() -> None:
    """Cubic, so that a busy machine does not hide it."""

    def cubic(n: int) -> Callable[[], object]:
        return lambda: [x for x in range(n) for y in range(n) if n in list(range(n))]

    once, twice = doubles(cubic, 150)
    assert twice > 3 * once


def test_lookups_in_known_hosts(tmp_path: Path) -> None:
    def make(n: int) -> bytes:
        return b"".join(
            b"*.a%d ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Z0m7zJm0z0m7zJm0z0m7zJm0z0m7zJm0z0m7zJm0z\n" % i for i in range(n)
        )

    sized = _in_file(lambda p: [known_hosts.read([p]).keys("web1", 22) for _ in range(3)], make, "known_hosts", tmp_path)
    check_linear("known_hosts", sized, 4000)


def test_ansible_inventories(tmp_path: Path) -> None:
    for name, make in {
        "hosts.ini": lambda n: b"[web]\n" + b"".join(b"h%d\n" % i for i in range(n)),
        "groups.ini": lambda n: (
            b"".join(b"[g%d:children]\ng%d\n" % (i, i + 1) for i in range(n // 40)) + b"[g%d]\nh\n" % (n // 40)
        ),
        "vars.ini": lambda n: b"[all:vars]\n" + b"".join(b"v%d=1\n" % i for i in range(n)) + b"[web]\nh\n",
        "hosts.json": lambda n: b'{"web": {"hosts": [' + b",".join(b'"h%d"' % i for i in range(n)) + b"]}}",
    }.items():
        check_linear(name, _in_file(ansible.read, make, name, tmp_path), 4000)


def test_wsman_rows_are_bounded() -> None:
    with pytest.raises(HostError, match="namespace"):
        wsman.body(_soap(b'<r xmlns:p="' + b"u" * 400 + b'"/>'))
