"""Installed packages: dpkg's by dpkg-query(1), rpm's and apk's by their own files (rpm_packages.py, apk_packages.py). A host may have
several managers; what one of them does not tell makes the packages unknown.

Witness of completeness of dpkg's: the list's length in characters; and what every system of dpkg's has: dpkg itself, base-files
and a C library.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec.structs import replace

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.limits import MAX_NAME, MAX_PACKAGES
from auditor.collectors.linux import apk_packages, rpm_packages
from auditor.collectors.linux.script_output import ScriptOutput, Section
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import counted
from auditor.model.facts import Package
from auditor.versions.limit import MAX_VERSION

# PACKAGES is kept for the updates collector, which looks only for what is installed.
SH = r"""
PACKAGES= LISTED=127
if command -v dpkg-query >/dev/null 2>&1 && [ -s /var/lib/dpkg/status ]; then
  PACKAGES=$(dpkg-query -W -f "\${db:Status-Abbrev}\t\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\t\${Section}\n" 2>&1)
  LISTED=$?
fi
c_packages() {
  [ $LISTED = 127 ] && return 0
  printf "%s\n=characters= %s\n" "$PACKAGES" "${#PACKAGES}"
  return $LISTED
}
"""

_C_LIBRARY = re.compile(r"libc6(?:\.1)?|libc0\.[13]|musl")


def parse(output: ScriptOutput) -> CollectorResult:
    """`packages`, if every line of every manager's answer came."""
    section = output.get("packages")
    if section.text.startswith("managers="):
        return _recorded_before(section)
    dpkg, odd = _dpkg(section)
    found = (*dpkg, *rpm_packages.packages(output.get("rpm_packages")), *apk_packages.packages(output.get("apk_packages")))
    if not found:
        raise FactUnavailable("no packages of dpkg's, rpm's or apk's were found")
    return CollectorResult(
        {"packages": found}, partial=f"{counted(odd, 'line')} of dpkg-query could not be read" if odd else ""
    )


def _recorded_before(section: Section) -> CollectorResult:
    """Recordings of releases that read dpkg's packages only begin with the managers of the host."""
    first, _, rest = section.text.partition("\n")
    managers = first[:200].removeprefix("managers=").split()
    if others := [m for m in managers if m != "dpkg-query"]:
        raise FactUnavailable(f"this host has {', '.join(others)}, which was not read yet when this was recorded")
    if not managers:
        raise FactUnavailable("no package manager was found")
    found, odd = _dpkg(replace(section, text=rest))
    return CollectorResult(
        {"packages": found}, partial=f"{counted(odd, 'line')} of dpkg-query could not be read" if odd else ""
    )


def _dpkg(section: Section) -> tuple[tuple[Package, ...], int]:
    """dpkg's packages, and how many lines could not be read; none where the host has no database of dpkg's."""
    if not section.text.strip() and not section.status:
        return (), 0
    table, _, length = section.text.rstrip("\n").rpartition("\n=characters= ")
    if section.status:
        raise FactUnavailable(f"dpkg-query ended with exit status {section.status}: {table.strip()[:200]}")
    if length != str(len(table.encode("utf-8", "surrogateescape"))) and length != str(len(table)):
        raise FactUnavailable("the list of packages is not whole")
    read = [_package(line) for line in section.lines(MAX_PACKAGES, "packages")[:-1]]
    packages = tuple(p for p in read if isinstance(p, Package))
    names = {p.name for p in packages}
    missing = [name for name in ("dpkg", "base-files") if name not in names]
    if missing or not any(_C_LIBRARY.fullmatch(name) for name in names):
        lacking = missing[0] if missing else "a C library"
        raise FactUnavailable(f"the list of packages is not whole: it lacks {lacking}, which every such system has")
    return packages, read.count(None)


@lru_cache(maxsize=16384)  # the hosts of a fleet have most packages in common: parsed once, and held once in memory
def _package(line: str) -> Package | Literal["gone"] | None:
    """A line of dpkg-query: a package, "gone" where only its configuration or less is left, None for no such line.

    The second letter is its state (dpkg(1)): n not installed, c only its configuration, H half-installed, that is, the
    unpacking broke off. From U (unpacked) on, the version's files are there."""
    fields = line.split("\t")
    if len(fields) not in (6, 7) or len(fields[0]) < 2:
        return None
    status, name, version, arch, source, source_version = fields[:6]
    if status[1] in "nc":
        return "gone"
    if status[1] not in "HUFWti" or max(map(len, (name, arch, source))) > MAX_NAME or len(version) > MAX_VERSION:
        return None
    epoch, upstream, release = None, version, None
    if ":" in version:
        number, _, upstream = version.partition(":")
        epoch = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None
    if "-" in upstream:
        upstream, _, release = upstream.rpartition("-")
    if not upstream:
        return None
    return Package(
        name, epoch, upstream, release, arch, source or None, source_version or None,
        hold=status[0] == "h", half_installed=status[1] == "H", section=fields[6] or None if len(fields) > 6 else None,
    )  # fmt: skip


COLLECTOR = Collector(
    name="packages",
    sections=("packages", "rpm_packages", "apk_packages"),
    sh=SH + rpm_packages.SH + apk_packages.SH,
    parse=parse,
    provides=("PACKAGES",),
)
