"""Packages of rpm's, by one `rpm -qa` (rpm(8)).

rpm makes a database where there is none, even for a question, so it is asked only where one lies. It ends with 0 where it has passed
over what it could not read, so anything it says on its error output makes the list unknown.

Witness of completeness: the list's length in characters; nothing but warnings among the errors; and what every system of rpm's
has: rpm itself and a C library. A database of a user's own, as Debian's rpm keeps it, is no host's.
"""

from __future__ import annotations

import re
from functools import lru_cache

from auditor.collectors.limits import MAX_NAME, MAX_PACKAGES
from auditor.collectors.linux.script_output import Section
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import Package
from auditor.versions.limit import MAX_EPOCH, MAX_VERSION

SH = r"""
c_rpm_packages() {
  command -v rpm >/dev/null 2>&1 || return 0
  folder=$(rpm --eval "%_dbpath" 2>/dev/null)  # Debian asks a shell for it, which may have its own to say
  case $folder in /var/* | /usr/*) ;; *) return 0 ;; esac
  for file in "$folder/Packages" "$folder/Packages.db" "$folder/rpmdb.sqlite" ""; do
    [ -n "$file" ] && [ -e "$file" ] && break
  done
  [ -n "$file" ] || return 0
  label="(none)"
  rpm --querytags | grep -q -x MODULARITYLABEL && label="%{MODULARITYLABEL}"
  listed=$(rpm -qa --qf "%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t$label\t%{VENDOR}\t%{INSTALLTIME}\n")
  status=$?
  printf "%s\n=characters= %s\n" "$listed" "${#listed}"
  return $status
}
"""

_C_LIBRARY = re.compile(r"glibc|musl|libc\.so\.6|glibc-core")


def packages(section: Section) -> tuple[Package, ...]:
    """What rpm lists; () where the host has no database of rpm's. FactUnavailable where that is not all."""
    if not section.text.strip() and not section.status and not section.error:
        return ()
    table, _, length = section.text.rstrip("\n").rpartition("\n=characters= ")
    if section.status:
        raise FactUnavailable(f"rpm ended with exit status {section.status}: {one_line(section.error or table, 200)}")
    if section.error and not section.error.startswith("warning:"):
        raise FactUnavailable(f"rpm could not read all of its database: {one_line(section.error, 200)}")
    if length not in (str(len(table.encode("utf-8", "surrogateescape"))), str(len(table))):
        raise FactUnavailable("rpm's list of packages is not whole")
    found = []
    for line in section.lines(MAX_PACKAGES, "packages")[:-1]:
        if (package := _package(line)) is None:
            raise FactUnavailable(f"a line of rpm's list cannot be read: {one_line(line, 80)}")
        if package.name != "gpg-pubkey":  # a key that rpm keeps as a package
            found.append(package)
    names = {p.name for p in found}
    lacking = "rpm" if "rpm" not in names else "" if any(_C_LIBRARY.fullmatch(n) for n in names) else "a C library"
    if lacking:
        raise FactUnavailable(f"rpm's list of packages is not whole: it lacks {lacking}, which every such system has")
    return tuple(sorted(found, key=lambda p: (p.name, p.full_version, p.arch or "")))  # rpm's own order is its database's


@lru_cache(maxsize=16384)  # the hosts of a fleet have most packages in common: parsed once, and held once in memory
def _package(line: str) -> Package | None:
    fields = line.split("\t")
    if len(fields) != 9:
        return None
    name, epoch, version, release, arch, source, label, *_ = (None if f == "(none)" else f for f in fields)
    if not name or not version or not release or max(map(len, fields)) > MAX_NAME or len(version) + len(release) > MAX_VERSION:
        return None
    if epoch is not None and (not re.fullmatch(r"[0-9]{1,10}", epoch) or int(epoch) > MAX_EPOCH):
        return None
    return Package(name, int(epoch) if epoch and int(epoch) else None, version, release, arch, source, None, label, "rpm")
