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
from functools import lru_cache

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.errors import CannotTell
from auditor.model.facts import Candidate, UpdateList, Updates

SH = r"""
SECURITY_LISTS="*_dists_*-security_*Packages* *_dists_*_updates_*Packages*"
c_update_lists() {
  cd /var/lib/apt/lists || return
  grep -s -E "^(Date|Codename): |^ [0-9a-f]{64} +[0-9]+ .*binary-[^/]*/Packages\$" *_dists_*-security_InRelease \
    *_dists_*-security_Release *_dists_*_updates_InRelease *_dists_*_updates_Release /dev/null
  for file in $SECURITY_LISTS; do
    [ -f "$file" ] && [ ! -r "$file" ] && printf "%s may not be read by this user\n" "$file" >&2 && return 13
  done
  :
}
c_update_candidates() {
  cd /var/lib/apt/lists || return
  {
    printf "%s\n=lists=\n" "$PACKAGES"
    for file in $SECURITY_LISTS; do
      case $file in *[Dd]iff*) continue ;; esac
      [ -f "$file" ] || continue
      printf "=list= %s %s\n" "$file" "$(unpack "./$file" | wc -c)"
      { unpack "./$file" || printf "\n=failed=\n"; } | grep -E "^(Package|Version|Architecture): |^=failed="
    done
  } | awk -F "\t" "
    !lists { if (\$0 == \"=lists=\") lists = 1; else have[\$2] = 1; next }
    /^P/ { flush(); name = substr(\$0, 10); stanzas++; next }
    /^V/ { version = substr(\$0, 10); next }
    /^A/ { arch = substr(\$0, 15); next }
    /^=list= / { flush(); told(); list = substr(\$0, 8); next }
    { print }
    END { flush(); told() }
    function flush() { if ((name in have) && version != \"\") print name \"\t\" version \"\t\" arch; name = version = arch = \"\" }
    function told() { if (list != \"\") print \"=list= \" list \" \" stanzas; stanzas = 0 }"
}
unpack() {
  case $1 in
    *_Packages) cat "$1"; return ;;
    *.gz) tool=gzip ;;
    *.xz) tool=xz ;;
    *.bz2) tool=bzip2 ;;
    *.lz4) tool=lz4 ;;
    *) tool=zstd ;;
  esac
  # The tool of the format starts in a fraction of the time of apt-helper, which knows all formats and is always there.
  if command -v $tool >/dev/null 2>&1; then $tool -dc "$1" 2>/dev/null; else /usr/lib/apt/apt-helper cat-file "$1"; fi
}
c_update_pins() { grep -s -h -E "^(Package|Pin|Pin-Priority): " /etc/apt/preferences /etc/apt/preferences.d/* /dev/null || :; }
c_update_simulation() {
  [ "$DEPTH" = deep ] || return 0
  printf "asked\n"
  apt-get -s -q -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true upgrade
}
"""

_RELEASE_LINE = re.compile(r"([^:]+)_(?:In)?Release:(?:(Date|Codename): (.+)| [0-9a-f]{64} +(\d+) (\S+))")
_LIST = re.compile(
    r"(?P<suite>.*?_dists_(?P<dist>[^/]*?)(?:-security|_updates))_(?P<path>.+_binary-[a-z0-9-]+_Packages)(?:\.\w+)?"
)
_ALIASES = ("stable", "oldstable", "oldoldstable", "testing")
_INST = re.compile(r"Inst (\S+) (?:\[\S+\] )?\((\S+) (.*) \[(\S+)\]\)")


def parse(answers: Answers) -> Reading:
    said = _release_files(answers.good("update_lists").text)
    table = answers.good("update_candidates").text.split("\n")
    if "=failed=" in table:
        raise CannotTell("a package list could not be unpacked on the host")
    lists = _lists([words for line in table if (words := line.split())[:1] == ["=list="] and len(words) == 4], said)
    candidates = {c for line in table if (c := _candidate(line))}
    pins = tuple(" · ".join(p.split("\n")) for p in re.split(r"\n(?=Package: )", answers.good("update_pins").text.strip()) if p)
    ordered = tuple(sorted(candidates, key=lambda c: (c.package, c.arch, c.version)))
    return Reading({"updates": Updates(lists, ordered, pins, _simulated(answers))})


@lru_cache(maxsize=16384)  # what a suite offers is the same for all hosts of a release: held once in memory
def _candidate(line: str) -> Candidate | None:
    words = line.split("\t")
    return Candidate(words[0], words[2], words[1]) if len(words) == 3 else None


def _release_files(text: str) -> dict[str, dict[str, str]]:
    """By suite: its Date and Codename, and the size in bytes of each unpacked package list."""
    said: dict[str, dict[str, str]] = {}
    for line in text.split("\n"):
        if found := _RELEASE_LINE.fullmatch(line):
            suite, field, value, size, path = found.groups()
            said.setdefault(suite, {})[field or path.replace("/", "_")] = value or size
    return said


def _lists(rows: list[list[str]], said: dict[str, dict[str, str]]) -> tuple[UpdateList, ...]:
    """One entry for each security suite of which a list lies there. A list that is empty, or not as long as its Release
    file says, was cut off: what it offers is not known."""
    suites: dict[str, UpdateList] = {}
    for _, file, size, stanzas in rows:
        found = _LIST.fullmatch(file)
        if not found:
            continue
        suite = said.get(found["suite"], {})
        expected = [value for path, value in suite.items() if path.endswith(found["path"])]
        if (expected and size not in expected) or (not expected and stanzas == "0"):
            raise CannotTell(
                f"the package list {file} is not whole: {size} bytes unpacked, {' or '.join(expected) or 'more'} expected"
            )
        codename = suite.get("Codename", "").removesuffix("-security")
        release = codename if found["dist"] in (codename, *_ALIASES) else found["dist"]
        suites[found["suite"]] = UpdateList(found["suite"], _date(suite.get("Date", "")), release or None)
    return tuple(suites[name] for name in sorted(suites))


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
    found = (_INST.match(line) for line in section.text.split("\n"))
    return tuple(Candidate(m[1], m[4], m[2]) for m in found if m)


COLLECTOR = Collector(
    name="updates",
    sections=("update_lists", "update_candidates", "update_pins", "update_simulation"),
    sh=SH,
    parse=parse,
)
