"""Processes that still run code which was deleted or replaced on disk (proc(5): `(deleted)` in /proc/PID/maps).

Only executable mappings count: a deleted data file that is still mapped is no old code. Without privilege only the
user's own processes can be read, so finding nothing says nothing; finding something still does.
"""

from __future__ import annotations

import re

from auditor.collectors.answers import Answers
from auditor.collectors.collector import Collector, Reading
from auditor.model.facts import StaleProcess
from auditor.printable import one_line

SH = r"""
c_process_names() { grep -s "" /proc/[0-9]*/comm || :; }
c_stale_processes() {
  # Every process has a [vdso] line: it shows that its maps were read. Errors count, so they stay in the answer.
  if [ "$U" = 0 ] || [ "$BECOME" = none ]; then
    grep -H -E "^[^ ]+ ..x. .*( \(deleted\)|\[vdso\])\$" /proc/[0-9]*/maps 2>&1
  else
    as_sudo /usr/bin/find /proc -mindepth 2 -maxdepth 2 -name maps -exec /usr/bin/grep -H -F -e deleted -e vdso {} +
  fi
  [ $? -ne 127 ]
}
"""

_MAPPED = re.compile(r"/proc/(\d+)/maps:\S+ ..x. \S+ \S+ \d+ +(/.*) \(deleted\)")
# Mapped and "deleted" by design: memfd_create(2), System V shared memory, shared anonymous memory, graphics buffers.
_BY_DESIGN = re.compile(r"/(memfd:|SYSV[0-9a-f]{8}|dev/zero|dev/shm/|\[aio\]|anon_hugepage|i915|drm|tmp/\.gl)")


def parse(answers: Answers) -> Reading:
    names = _names(answers)
    section = answers.good("stale_processes")
    lines = section.text.split("\n")
    files: dict[str, set[str]] = {}
    pids: dict[str, set[int]] = {}
    for line in lines:
        found = _MAPPED.fullmatch(line)
        if found and not _BY_DESIGN.match(found[2]):
            name = names.get(found[1], "?")
            files.setdefault(name, set()).add(found[2])
            pids.setdefault(name, set()).add(int(found[1]))
    stale = tuple(StaleProcess(name, tuple(sorted(paths))) for name, paths in sorted(files.items()))
    facts = {
        "processes": tuple(sorted(set(names.values()))) or None,
        "stale_processes": stale,
        "pids": {name: tuple(sorted(ids)) for name, ids in pids.items()},
    }
    denied = sum(1 for line in lines if line.startswith("grep: ") and not line.endswith(_GONE))
    read = {line.split("/")[2] for line in lines if line.startswith("/proc/") and line.endswith("[vdso]")}
    if (answers.root or answers.sudo) and "1" in read and not denied:
        return Reading(facts)
    if answers.sudo and not answers.root and not read:
        why = f"sudo-denied: {one_line(section.error) or 'sudo refused'}"
    elif answers.root or answers.sudo:
        count = f"{denied} {'process' if denied == 1 else 'processes'}" if denied else "some processes"
        why = f"the maps of {count} could not be read even with root's rights (a container?)"
    else:
        why = "without root's rights only this user's own processes can be read"
    return Reading(facts | {"stale_processes": stale or None}, partial=why)


# A process that ended while it was read is no refusal.
_GONE = (": No such file or directory", ": No such process")


def _names(answers: Answers) -> dict[str, str]:
    pairs = (line.split("/comm:", 1) for line in answers.good("process_names").text.split("\n") if "/comm:" in line)
    return {path.removeprefix("/proc/"): name for path, name in pairs}


COLLECTOR = Collector(
    name="stale_processes",
    sections=("process_names", "stale_processes"),
    sh=SH,
    parse=parse,
    privileged=("/usr/bin/find /proc -mindepth 2 -maxdepth 2 -name maps -exec /usr/bin/grep -H -F -e deleted -e vdso {} +",),
    slow=True,
)
