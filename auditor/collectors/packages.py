"""Installed packages, by dpkg-query(1). rpm and apk are detected; their parsers come later, and until then packages of
such hosts are not known."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.errors import CannotTell
from auditor.model.facts import Package

# PACKAGES is kept for the updates collector, which looks only for what is installed.
SH = r"""
MANAGERS=
for tool in dpkg-query rpm apk; do
  command -v "$tool" >/dev/null 2>&1 && MANAGERS="$MANAGERS $tool"
done
PACKAGES= LISTED=127
case $MANAGERS in *dpkg-query*)
  PACKAGES=$(dpkg-query -W -f "\${db:Status-Abbrev}\t\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\n" 2>&1)
  LISTED=$? ;;
esac
c_packages() {
  printf "managers=%s\n" "$MANAGERS"
  printf "%s\n" "$PACKAGES"
  return $LISTED
}
"""


def parse(answers: Answers) -> Reading:
    section = answers.get("packages")
    first, _, table = section.text.partition("\n")
    managers = first.removeprefix("managers=").split()
    if "dpkg-query" not in managers:
        found = f"this host has {', '.join(managers)}, which is not read yet" if managers else "no package manager was found"
        raise CannotTell(found)
    if section.status:
        raise CannotTell(f"dpkg-query ended with exit status {section.status}: {table.strip()[:200]}")
    read = [_package(line) for line in table.split("\n") if line]
    packages = tuple(p for p in read if isinstance(p, Package))
    if not packages:
        raise CannotTell("dpkg-query listed no installed package")
    odd = read.count(None)
    return Reading({"packages": packages}, partial=f"{odd} lines of dpkg-query could not be read" if odd else "")


@lru_cache(maxsize=16384)  # the hosts of a fleet have most packages in common: parsed once, and held once in memory
def _package(line: str) -> Package | Literal["gone"] | None:
    """A line of dpkg-query: a package, "gone" where only its configuration or less is left, None for no such line."""
    fields = line.split("\t")
    if len(fields) != 6 or len(fields[0]) < 2:
        return None
    status, name, version, arch, source, source_version = fields
    if status[1] in "nc":  # n: not installed, c: only its configuration is left
        return "gone"
    epoch, upstream, release = None, version, None
    if ":" in version:
        number, _, upstream = version.partition(":")
        epoch = int(number) if number.isdecimal() and len(number) < 10 else None
    if "-" in upstream:
        upstream, _, release = upstream.rpartition("-")
    if not upstream:
        return None
    return Package(name, epoch, upstream, release, arch, source or None, source_version or None, hold=status[0] == "h")


COLLECTOR = Collector(name="packages", sections=("packages",), sh=SH, parse=parse)
