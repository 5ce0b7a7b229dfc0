"""Packages of Alpine's apk, from its installed database (apk-package(5)): apk itself is not run.

Witness of completeness: every package of the database has its checksum; the rows are counted; and what every Alpine has: musl and
the layout of its folders.
"""

from __future__ import annotations

from auditor.collectors.limits import MAX_NAME, MAX_PACKAGES
from auditor.collectors.linux.script_output import Section
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import Package
from auditor.versions.limit import MAX_VERSION

_LAYOUT = {"alpine-baselayout", "alpine-baselayout-data", "wolfi-baselayout"}
SH = r"""
c_apk_packages() {
  for file in /lib/apk/db/installed /usr/lib/apk/db/installed ""; do
    [ -n "$file" ] && [ -e "$file" ] && break
  done
  [ -n "$file" ] || return 0
  grep -E "^[CPVAo]:" "$file" | awk "
    /^C:/ { told(); sums++; next }
    /^P:/ { name = substr(\$0, 3); next }
    /^V:/ { version = substr(\$0, 3); next }
    /^A:/ { arch = substr(\$0, 3); next }
    /^o:/ { source = substr(\$0, 3) }
    END { told(); print \"=rows= \" rows + 0 \" \" sums + 0 }
    function told() {
      if (name != \"\") { print name \"\t\" version \"\t\" arch \"\t\" source; rows++ }
      name = version = arch = source = \"\"
    }"
}
"""


def packages(section: Section) -> tuple[Package, ...]:
    """What the database lists; () where the host has none. FactUnavailable where that is not all."""
    if not section.text.strip() and not section.status and not section.error:
        return ()
    if section.status or section.error:
        raise FactUnavailable(f"apk's database cannot be read: {one_line(section.error, 200) or section.status}")
    lines = section.lines(MAX_PACKAGES, "packages")
    count = len(lines) - 1
    if lines[-1:] != [f"=rows= {count} {count}"]:
        raise FactUnavailable("apk's list of packages is not whole")
    found = tuple(_package(line) for line in lines[:-1])
    names = {p.name for p in found}
    lacking = "musl" if "musl" not in names else "" if names & _LAYOUT else "a base layout"
    if lacking:
        raise FactUnavailable(f"apk's list of packages is not whole: it lacks {lacking}, which every such system has")
    return found


def _package(line: str) -> Package:
    fields = line.split("\t")
    if len(fields) != 4 or not fields[0] or not fields[1] or len(fields[1]) > MAX_VERSION or max(map(len, fields)) > MAX_NAME:
        raise FactUnavailable(f"a package of apk's database cannot be read: {one_line(line, 80)}")
    name, version, arch, source = fields
    upstream, _, release = version.rpartition("-r")
    of = (upstream, f"r{release}") if upstream else (version, None)
    return Package(name, None, of[0], of[1], arch or None, source or None, version, None, "apk")
