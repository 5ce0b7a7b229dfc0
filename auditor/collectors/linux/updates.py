"""Pending security updates: what the security suites' package lists, as they lie on the host, offer of what is
installed. The lists are read in whatever compression they have (`apt-helper cat-file`); we compare the versions, apt is
not run. `--deep` adds what `apt-get -s upgrade` would do, its caches kept in memory (sources.list(5), apt.conf(5)).

Security suites are known by the names of their lists: `…_dists_bookworm-security_…`, `…_dists_jammy-security_…`,
`…_dists_stretch_updates_…` (Debian before 11). Names are those of URLs, whose ports stand in them (`mirror:3142_…`).

Witness of completeness: a suite's Release file names its components, its architectures and the length of each list, and each
list of a component and an architecture that something installed is of (dpkg's Section tells the component) must lie
there, as long as it says. What no list covers is named in `uncovered`. Rows are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TypeVar

from msgspec.structs import replace

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.limits import MAX_NAME, MAX_PACKAGES
from auditor.collectors.linux.apt_lists import (
    PackageList,
    Release,
    check_whole,
    has,
    of_distribution,
    package_list,
    releases_of,
    suite_of,
)
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.model.facts import Candidate, SourceOffer, Updates
from auditor.versions.limit import MAX_VERSION

SH = r"""
SECURITY_LISTS="*_dists_*-security_*Packages* *_dists_*_updates_*Packages*"
c_update_lists() {
  cd /var/lib/apt/lists || return
  grep -s -E "^(Date|Codename|Origin|Label|Components|Architectures): |^ [0-9a-f]{64} +[0-9]+ .*binary-[^/]*/Packages\$" *_dists_*-security_InRelease \
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
      case $file in *Packages.diff*) continue ;; esac
      [ -f "$file" ] || continue
      printf "=list= %s %s\n" "$file" "$(unpack "./$file" | wc -c)"
      { unpack "./$file" || printf "\n=failed=\n"; } | grep -E "^(Package|Source|Version|Architecture): |^=failed="
    done
  } | awk -F "\t" "
    !lists { if (\$0 == \"=lists=\") lists = 1; else { have[\$2] = 1; of[\$5] = 1 }; next }
    /^P/ { flush(); name = substr(\$0, 10); stanzas++; next }
    /^S/ { source = substr(\$0, 9); next }
    /^V/ { version = substr(\$0, 10); next }
    /^A/ { arch = substr(\$0, 15); next }
    /^=list= / { flush(); told(); list = substr(\$0, 8); next }
    { print }
    END { flush(); told(); print \"=rows= \" rows + 0 }
    function row(text) { print text; rows++ }
    function flush(part) {
      if (version != \"\") {
        if (source == \"\") source = name
        if (split(source, part, \" \") < 2) part[2] = version
        gsub(/[()]/, \"\", part[2])
        if ((name in have) || (name ~ /^linux-image-/ && (part[1] in of))) row(name \"\t\" version \"\t\" arch \"\t\" part[1] \"\t\" part[2])
        if ((part[1] in of) && !((part[1], part[2]) in seen)) { seen[part[1], part[2]] = 1; row(\"=source=\t\" part[1] \"\t\" part[2]) }
      }
      name = version = arch = source = \"\"
    }
    function told() { if (list != \"\") row(\"=list= \" list \" \" stanzas); stanzas = 0; split(\"\", seen) }"
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
c_update_pins() {
  set -- /etc/apt/preferences
  for file in /etc/apt/preferences.d/*; do
    case ${file##*/} in  # apt_preferences(5): no other ending than pref, no other characters
      *[!A-Za-z0-9_.-]*) ;;
      *.pref) set -- "$@" "$file" ;;
      *.*) ;;
      *) set -- "$@" "$file" ;;
    esac
  done
  grep -s -h -E "^(Package|Pin|Pin-Priority): " "$@" /dev/null || :
}
c_update_simulation() {
  [ "$DEPTH" = deep ] || return 0
  printf "asked\n"
  apt-get -s -q -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true upgrade
}
"""

_INST = re.compile(r"Inst (\S+) (?:\[\S+\] )?\((\S+) (.*) \[(\S+)\]\)")
_MOST_CANDIDATES = 100_000
_MOST_LISTS = 200


def parse(output: ScriptOutput) -> CollectorResult:
    """`updates`: what the security suites' lists offer for installed packages."""
    releases = releases_of(output.good("update_lists").lines(what="lines of Release files"))
    table = output.good("update_candidates").lines(_MOST_CANDIDATES, "candidates")
    if "=failed=" in table:
        raise FactUnavailable("a package list could not be unpacked on the host")
    if table[-1:] != [f"=rows= {len(table) - 1}"]:
        raise FactUnavailable("what the security suites offer did not come whole")
    lists: list[PackageList] = []
    offered: list[tuple[str, Candidate | SourceOffer]] = []
    since = 0
    for line in table[:-1]:
        if line.startswith("=list= "):
            if len(lists) >= _MOST_LISTS:
                raise FactUnavailable(f"more than {_MOST_LISTS} package lists lie there, the limit up to which they are read")
            if found := package_list(line):
                lists.append(found)
                offered[since:] = [(found.suite, o) for _, o in offered[since:]]
            else:
                del offered[since:]
            since = len(offered)
        elif offer := _offer(line):
            offered.append(("", offer))
    check_whole(lists, releases)
    suites = {x.suite: suite_of(x, releases.get(x.suite)) for x in lists}
    candidates = {_of_suite(o, s) for s, o in offered if isinstance(o, Candidate)}
    sources = {_of_suite(o, s) for s, o in offered if isinstance(o, SourceOffer)}
    pins = tuple(" · ".join(p) for p in _stanzas(output.good("update_pins").lines(1500, "lines of apt preferences")))
    updates = Updates(
        tuple(suites[name] for name in sorted(suites)),
        tuple(sorted(candidates, key=lambda c: (c.package, c.arch, c.version, c.suite or ""))),
        pins,
        _simulated(output),
        tuple(sorted(sources, key=lambda o: (o.source, o.version, o.suite or ""))),
        _uncovered(output, lists, releases),
    )
    return CollectorResult({"updates": updates})


def _stanzas(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("Package: ") or not found:
            found.append([])
        found[-1].append(line)
    return found


@lru_cache(maxsize=16384)  # what a suite offers is the same for all hosts of a release: held once in memory
def _offer(line: str) -> Candidate | SourceOffer | None:
    words = line.split("\t")
    if len(line) > 2 * MAX_NAME + 2 * MAX_VERSION:
        return None
    if words[0] == "=source=":
        return SourceOffer(words[1], words[2]) if len(words) == 3 else None
    if len(words) == 5:
        return Candidate(words[0], words[2], words[1], words[3], words[4])
    return Candidate(words[0], words[2], words[1]) if len(words) == 3 else None


T = TypeVar("T", Candidate, SourceOffer)


@lru_cache(maxsize=32768)
def _of_suite(offer: T, suite: str) -> T:
    """The same offer, of a suite."""
    return replace(offer, suite=suite)


def _uncovered(output: ScriptOutput, lists: list[PackageList], releases: dict[str, Release]) -> tuple[str, ...]:
    """Installed packages of a component and architecture that a suite has, and of which no list lies here: what is
    offered of them is not known. `NAME (COMPONENT, ARCHITECTURE)`, sorted."""
    installed = [f for line in output.get("packages").lines(MAX_PACKAGES, "packages") if len(f := line.split("\t")) > 6]
    arches = Counter(f[3] for f in installed if f[3] != "all")
    native = arches.most_common(1)[0][0] if arches else "all"
    codename = _codename(output)
    own = [x for x in lists if of_distribution(suite_of(x, releases.get(x.suite)), codename)]
    there = {(x.suite, x.component.rpartition("/")[2], x.arch) for x in own}
    suites = {x.suite for x in own}
    missing = []
    covered: dict[tuple[str, str], bool] = {}
    for status, name, _, arch, _, _, section, *_ in installed:
        component = section.partition("/")[0] if "/" in section else "main"
        wanted = native if arch == "all" else arch
        if status[1:2] in ("n", "c") or not suites:
            continue
        if (component, wanted) not in covered:
            held = [s for s in suites if has(releases.get(s), component, wanted)]
            nobody = not held and component != "main"  # a component of somebody else's; main is the distribution's
            covered[component, wanted] = nobody or any((s, component, wanted) in there for s in held)
        if not covered[component, wanted]:
            missing.append(f"{name[:MAX_NAME]} ({component}, {wanted})")
    return tuple(sorted(missing)[:500])


def _codename(output: ScriptOutput) -> str | None:
    """The host's release, VERSION_CODENAME of os-release(5)."""
    section = output.sections.get("os_release")
    found = re.search(r"^VERSION_CODENAME=[\"']?([a-z0-9.-]{1,40})", section.text[:20_000], re.MULTILINE) if section else None
    return found[1] if found else None


def _simulated(output: ScriptOutput) -> tuple[Candidate, ...] | None:
    section = output.get("update_simulation")
    if not section.text.startswith("asked"):
        return None
    if section.status:
        raise FactUnavailable(f"apt-get -s ended with exit status {section.status}: {section.error}")
    found = (_INST.match(line) for line in section.lines(what="lines of apt-get"))
    return tuple(Candidate(m[1], m[4], m[2]) for m in found if m)


COLLECTOR = Collector(
    name="updates",
    sections=("update_lists", "update_candidates", "update_pins", "update_simulation"),
    sh=SH,
    parse=parse,
    uses=("PACKAGES",),
    reads=("packages", "os_release"),
)
