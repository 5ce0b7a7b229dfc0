"""Pending security updates: what the security suites' package lists, as they lie on the host, offer of what is
installed. The lists are read in whatever compression they have (`apt-helper cat-file`); we compare the versions, apt is
not run. `--deep` adds what `apt-get -s upgrade` would do, its caches kept in memory (sources.list(5), apt.conf(5)).

Security suites are known by the names of their lists: `…_dists_bookworm-security_…`, `…_dists_jammy-security_…`,
`…_dists_stretch_updates_…` (Debian before 11).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.errors import CannotTell
from auditor.model.facts import Candidate, UpdateList, Updates

SH = r"""
SECURITY_LISTS="*_dists_*-security_*Packages* *_dists_*_updates_*Packages*"
c_update_lists() {
  cd /var/lib/apt/lists || return
  grep -s -E "^Date: " *_dists_*-security_InRelease *_dists_*-security_Release \
    *_dists_*_updates_InRelease *_dists_*_updates_Release /dev/null
  for file in $SECURITY_LISTS; do
    [ -f "$file" ] && [ ! -r "$file" ] && printf "%s may not be read by this user\n" "$file" >&2 && return 13
  done
  :
}
c_update_candidates() {
  cd /var/lib/apt/lists || return
  set --
  for file in $SECURITY_LISTS; do
    case $file in *[Dd]iff*) continue ;; esac
    [ -f "$file" ] && set -- "$@" "./$file"
  done
  printf "lists=%s\n" "$*"
  [ $# -gt 0 ] || return 0
  {
    printf "%s\n=lists=\n" "$PACKAGES"
    { unpack "$@" || printf "Failed: x\n"; } | grep -E "^(Package|Version|Architecture|Failed): "
  } | awk -F "\t" "
    !lists { if (\$0 == \"=lists=\") lists = 1; else have[\$2] = 1; next }
    /^P/ { flush(); name = substr(\$0, 10); version = arch = \"\"; next }
    /^V/ { version = substr(\$0, 10); next }
    /^A/ { arch = substr(\$0, 15); next }
    { print \"=failed=\" }
    END { flush() }
    function flush() { if ((name in have) && version != \"\") print name \"\t\" version \"\t\" arch; name = \"\" }"
}
unpack() {
  /usr/lib/apt/apt-helper cat-file "$@" 2>/dev/null && return
  for file; do
    printf "\n"
    case $file in
      *.gz) gzip -dc "$file" ;;
      *.xz) xz -dc "$file" ;;
      *.bz2) bzip2 -dc "$file" ;;
      *.lz4) lz4 -dc "$file" ;;
      *.zst) zstd -dc "$file" ;;
      *) cat "$file" ;;
    esac || return
  done
  printf "\n"
}
c_update_pins() { grep -s -h -E "^(Package|Pin|Pin-Priority): " /etc/apt/preferences /etc/apt/preferences.d/* /dev/null || :; }
c_update_simulation() {
  [ "$DEPTH" = deep ] || return 0
  printf "asked\n"
  apt-get -s -q -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true upgrade
}
"""

_DATED = re.compile(r"([^:]+)_(?:In)?Release:Date: (.+)")
_INST = re.compile(r"Inst (\S+) (?:\[\S+\] )?\((\S+) (.*) \[(\S+)\]\)")


def parse(answers: Answers) -> Reading:
    listed = answers.good("update_lists").text
    section = answers.good("update_candidates")
    first, _, table = section.text.partition("\n")
    if "=failed=" in table.splitlines():
        raise CannotTell("a package list could not be unpacked on the host")
    lists = tuple(_lists(listed, first.removeprefix("lists=").split()))
    candidates = {(f[0], f[2], f[1]) for f in (ln.split("\t") for ln in table.splitlines()) if len(f) == 3}
    pins = tuple(" · ".join(p.split("\n")) for p in re.split(r"\n(?=Package: )", answers.good("update_pins").text.strip()) if p)
    simulated = _simulated(answers)
    ordered = tuple(Candidate(*c) for c in sorted(candidates))
    return Reading({"updates": Updates(lists, ordered, pins, simulated)})


def _lists(listed: str, files: list[str]) -> list[UpdateList]:
    """One entry for each security suite of which a package list lies there; undated where its Release file is gone."""
    dates = {found[1]: _date(found[2]) for line in listed.splitlines() if (found := _DATED.fullmatch(line))}
    suites = {match[0] for f in files if (match := re.match(r"\./.*?_dists_[^/]*?(?:-security|_updates)(?=_)", f))}
    names = sorted(s.removeprefix("./") for s in suites)
    return [UpdateList(name, dates.get(name)) for name in names]


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _simulated(answers: Answers) -> tuple[Candidate, ...] | None:
    section = answers.get("update_simulation")
    if not section.text.startswith("asked"):
        return None
    if section.status:
        raise CannotTell(f"apt-get -s ended with exit status {section.status}: {section.error}")
    found = (_INST.match(line) for line in section.text.splitlines())
    return tuple(Candidate(m[1], m[4], m[2]) for m in found if m)


COLLECTOR = Collector(
    name="updates",
    sections=("update_lists", "update_candidates", "update_pins", "update_simulation"),
    sh=SH,
    parse=parse,
)
