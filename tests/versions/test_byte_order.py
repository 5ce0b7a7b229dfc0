"""The keys' byte order, held against the vendors' own libraries: libapt (Debian's python3-apt) and librpm (python3-rpm),
over 100,000 pairs made from real versions; apk's against the vectors that apk-tools publishes its order with.
"""

from __future__ import annotations

import random
import re
import subprocess
import tarfile
from collections.abc import Callable

import pytest

from auditor.versions import apk, deb, rpm
from tests.conftest import SHARED
from tests.versions.test_deb import RISING
from tests.versions.test_rpm import REAL

PAIRS = 100_000
# Debian's own Python has the libraries' bindings, ours has not. Lines `A\tB` in, -1, 0 or 1 out.
_APT = "import apt_pkg, sys; apt_pkg.init_system()\nfor l in sys.stdin: a, b = l.split(); n = apt_pkg.version_compare(a, b); print((n > 0) - (n < 0))"
_RPM = """import rpm, sys
for l in sys.stdin:
    print(rpm.labelCompare(*[(lambda e, r: (e or "0", *r.rsplit("-", 1)))(*v.split(":")) for v in l.split()]))"""


def _versions(of: str) -> list[str]:
    """Real versions: of this machine and our samples, and of the real hosts and advisories where they lie beside us."""
    if of == "deb":
        said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}\n"], capture_output=True, text=True, check=True).stdout
        found = {*RISING, *said.split()}
    else:
        found = {
            f"{e}:{a}-{b}" for a, b, e in zip(REAL, reversed(REAL), "01" * len(REAL), strict=False) if not set(":-") & {*a, *b}
        }
    for archive in ("derived-dev", "osv-dev"):
        path = SHARED / "advisories" / "feeds" / f"{archive}.tar.xz"
        if path.exists():
            with tarfile.open(path) as opened:
                for member in opened:
                    file = opened.extractfile(member)
                    if member.name.endswith(".tsv") and file:
                        rows = [line.split("\t") for line in file.read().decode().splitlines()]
                        if of == "deb" and "dpkg" in member.name:
                            found |= {row[1] for row in rows}
                        elif of == "rpm" and "rpm-qa" in member.name:
                            found |= {f"{row[1]}:{row[2]}-{row[3]}" for row in rows}
                    elif of == "rpm" and "almalinux" in member.name and file:
                        found |= set(re.findall(r'"fixed": "(\d+:[^"-]+-[^"-]+)"', file.read().decode()))
    return sorted(found)


def _pairs(versions: list[str]) -> list[tuple[str, str]]:
    """Half of them neighbours, by changing a piece of one: two versions of one package differ in little."""
    chance = random.Random(11)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < PAIRS:
        a, b = chance.choice(versions), chance.choice(versions)
        if chance.random() < 0.5:
            pieces = re.findall(r"\d+|[A-Za-z]+|[^A-Za-z\d]", a)
            at = chance.randrange(len(pieces))
            if pieces[at] not in ("-", ":"):
                pieces[at] = chance.choice(re.findall(r"\d+|[A-Za-z]+|[+~.]", b))
            b = "".join(pieces)
        pairs.append((a, b))
    return pairs


@pytest.mark.parametrize(("of", "key", "theirs"), [("deb", deb.key, _APT), ("rpm", rpm.key, _RPM)])
def test_the_order_of_bytes_is_the_vendors(of: str, key: Callable[[str], bytes], theirs: str) -> None:
    pairs: list[tuple[str, str, bytes, bytes]] = []
    for a, b in _pairs(_versions(of)):
        try:
            pairs.append((a, b, key(a), key(b)))
        except ValueError:
            continue  # a change that made it no version: what those are is tested beside each key
    assert len(pairs) > 0.9 * PAIRS
    said = subprocess.run(
        ["/usr/bin/python3", "-c", theirs], input="".join(f"{a}\t{b}\n" for a, b, _, _ in pairs), capture_output=True, text=True, check=True
    ).stdout.split()  # fmt: skip
    wrong = [(a, b, n) for (a, b, x, y), n in zip(pairs, said, strict=True) if (x > y) - (x < y) != int(n)]
    assert wrong == []
    assert {"-1", "0", "1"} <= set(said)


# From apk-tools' test/unit/version.data.
APK = """2.34 > 0.1.0_alpha|0.1.0_alpha < 0.1.3_alpha|0.1.0_alpha2 > 0.1.0_alpha|2.2.39-r1 > 1.0.4-r3|1.1 > 1.1_alpha1|1.2 < 1.3_alpha
1.3_alpha2 < 1.3_alpha3|0.8_beta4 < 4.8-r1|2.3.0b-r1 < 2.3.0b-r2|0.12.3 > 0.12|3.1_p16 < 3.1_p17|1.06-r6 < 006|006 > 1.0.0|1.2.2-r1 > 1.2.2
2.59 < 20050718-r1|2.01.01_alpha10 > 0.94|1.39 > 1.00_beta2|1.02 < 1.03-r1|4.2.52_p2-r1 < 4.2.52_p4-r2|2.5.1-r8 < 2.5.1a-r1|2.0.0_rc3-r1 > 1.5
0.10.0 < 0.10.1_rc1|1.1a < 1.3a|2.10.1 > 02.08.01b|1.2.12.04 < 1.2.12.05|1.07-r1 < 1.07.5|4.5_p1-r1 > 4.5_p1|0.9.8c-r1 < 0.9.8d|1.7 < 1.7b
2.9.11_pre20051101-r3 > 2.9.11_pre20051101|1.6.8_p12-r1 > 1.6.8_p9-r2|7.0.17 < 7.0.174|0.9.28-r2 < 0.9.28.1|1.3-r0 < 1.3.1-r0|1.0_p10-r0 > 1.0_p9-r0
0.1.0_alpha_pre2 < 0.1.0_alpha|1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0|6.0_pre1 < 6.0|6.0_p1 > 6.0|8.2.0 < 8.2.001|8.2.0015 < 8.2.002
1.0~1234 < 1.0~2345|1.0~1234-r1 < 1.0~2345-r0|1.0~1234-r1 > 1.0~1234-r0|0.2.0-r1 = 0.2.0-r1|1.0 < 1.1"""


@pytest.mark.parametrize("line", APK.replace("\n", "|").split("|"))
def test_apk_as_published(line: str) -> None:
    a, order, b = line.split()
    x, y = apk.key(a), apk.key(b)
    assert (x < y, x == y, x > y) == (order == "<", order == "=", order == ">")
    assert apk.older(a, b) is (order == "<")


NO_APK = ["", "0.1bc", "0.1bc1", "0.1a1", "0.1a.1", "0.1_pre2~", "0.1_pre2~1234xbcd", "0.1_pre2~1234abcd_pre1", "0.1_foobar", "0.1-pre1.1", "0.1-r",
          "0.1-r2_pre1", "0.1-r2-r3", "0.1-r2.1", ".1", "a", "_pre1", "-r1", "0.1_", "0.1_-r0", "0.1__alpha", "0.1_1_alpha", "1" * 300]  # fmt: skip


@pytest.mark.parametrize("version", NO_APK)
def test_no_version_of_apks(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        apk.key(version)


@pytest.mark.parametrize("version", ["0.1_pre2~1234abcd", "0.1_p1_pre2", "0.1_alpha1_pre2", "0.1_git20240101_pre1"])
def test_versions_of_apks(version: str) -> None:
    assert apk.key(version)
