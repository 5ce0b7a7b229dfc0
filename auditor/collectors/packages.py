"""Installed packages, by dpkg-query(1). rpm and apk are detected; their parsers come later, and until then packages of
such hosts are not known."""

from __future__ import annotations

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
    packages, odd = [], 0
    for line in table.splitlines():
        fields = line.split("\t")
        if len(fields) == 6 and fields[2]:
            if fields[0][1:2] not in "nc":  # n: not installed, c: only its configuration is left
                packages.append(_package(*fields))
        elif line.strip() and not (len(fields) == 6 and fields[0][1:2] in "nc"):
            odd += 1
    if not packages:
        raise CannotTell("dpkg-query listed no installed package")
    return Reading({"packages": tuple(packages)}, partial=f"{odd} lines of dpkg-query could not be read" if odd else "")


def _package(status: str, name: str, version: str, arch: str, source: str, source_version: str) -> Package:
    epoch, upstream, release = None, version, None
    if ":" in version:
        number, _, upstream = version.partition(":")
        epoch = int(number) if number.isdecimal() and len(number) < 10 else None
    if "-" in upstream:
        upstream, _, release = upstream.rpartition("-")
    return Package(name, epoch, upstream, release, arch, source or None, source_version or None, hold=status[:1] == "h")


COLLECTOR = Collector(name="packages", sections=("packages",), sh=SH, parse=parse)
