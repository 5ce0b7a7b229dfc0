"""Processes that still run code which was deleted or replaced on disk (proc(5): `(deleted)` in /proc/PID/maps).

Only executable mappings count: a deleted data file that is still mapped is no old code. Nor do files that no package ever
brought: code that a program wrote for itself, ran and threw away (libffi, the Java runtime's libraries, O_TMPFILE).
Processes of containers run their containers' files, not this host's. Without privilege only the user's own processes can
be read, so finding nothing says nothing; finding something still does.

Witness of completeness: every process that was there before and after, and has memory, has shown its `[vdso]`, which the
kernel maps into each; the lines are counted; any error but that of a process that ended makes it unknown.
"""

from __future__ import annotations

import re

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux import process_table
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import one_line
from auditor.model.facts import StaleProcess

# By sudo, too, only what is needed of a line is shown: from its permissions on, without the addresses before them.
_MAPS = "/usr/bin/find /proc -mindepth 2 -maxdepth 2 -name maps -exec /usr/bin/grep -H -o -E -e x..+/.+.deleted. -e .vdso. {} +"
SH = (
    process_table.SH
    + r"""
c_stale_processes() {
  if [ "$U" = 0 ] || [ "$BECOME" = none ]; then
    grep -H -o -E -e x..+/.+.deleted. -e .vdso. /proc/[0-9]*/maps 2>&1
  else
    as_sudo MAPS 2>&1
  fi | awk "{ print } END { print \"=rows= \" NR }"
}
c_processes_after() { printf "%s\n" /proc/[0-9]*; }
""".replace("MAPS", _MAPS)
)

_MAPPED = re.compile(r"/proc/(\d{1,10})/maps:x[ps] \S{1,20} \S{1,10} \d{1,20} {1,80}(/.*) \(deleted\)")
# How a line begins that is of an executable mapping. What grep shows of others begins within their path.
_EXECUTABLE = re.compile(r"/proc/\d{1,10}/maps:x[ps] ")
_READ = re.compile(r"/proc/(\d{1,10})/maps:\[vdso\]")
# A process that ended while it was read is no refusal.
_GONE = (": No such file or directory", ": No such process")
# What no package brings. Mapped and "deleted" by design: memfd_create(2), System V shared memory, shared anonymous memory,
# graphics buffers, O_TMPFILE (open(2)). Places for what is thrown away (hier(7)). Libraries that programs unpack for
# themselves: libffi's closures, GStreamer's orc, and those of Java: JNA, jffi, and *-jni and netty's by name.
_PLACES = re.compile(
    r"/(?:memfd:|SYSV[0-9a-f]{8}|dev/|\[aio\]|anon_hugepage|i915$|drm mm object$|tmp/|var/tmp/|run/|var/run/|proc/)"
)
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib")
_THROWN = re.compile(r".*(?:/\.cache/|/(?:cache|tmp|temp)/[^/]+$)", re.IGNORECASE)
_UNPACKED = re.compile(r".*jni.*\d{4}.*", re.IGNORECASE)  # a number of its own, as whoever unpacks for one run gives it
_NAMES = re.compile(
    r"#\d+|ffi\w{6}|orcexec\.\w{1,12}|jna-?\d+.*|jffi-?\d+.*|lib(?:netty|jansi|jnidispatch|lz4-java|sqlitejdbc|zstd-jni|rocksdbjni|leveldbjni|snappyjava)\S*",
    re.IGNORECASE,
)


def no_packages(path: str) -> bool:
    """Was this file never any package's?"""
    name = path.rpartition("/")[2]
    if path.startswith(_SYSTEM):  # there packages bring even libraries of these names
        return re.fullmatch(r"#\d+", name) is not None
    return bool(_PLACES.match(path) or _THROWN.match(path) or _NAMES.fullmatch(name) or _UNPACKED.fullmatch(name))


def parse(output: ScriptOutput) -> CollectorResult:
    """`stale_processes`, `processes`, and the volatile `pids`."""
    section = output.get("stale_processes")
    lines = section.lines(what="mappings")
    known, unread = _known(output)
    stale: dict[str, set[str]] = {}
    pids: dict[str, set[int]] = {}
    for line in lines:
        found = _MAPPED.fullmatch(line)
        if not found or no_packages(found[2]):
            continue
        process = known.get(int(found[1]))
        if process and process.apart:
            continue
        name = process.name if process else "?"
        stale.setdefault(name, set()).add(found[2])
        pids.setdefault(name, set()).add(int(found[1]))
    facts = {
        "processes": tuple(sorted({p.name for p in known.values()})) or None,
        "stale_processes": tuple(StaleProcess(name, tuple(sorted(paths))) for name, paths in sorted(stale.items())),
        "pids": {name: tuple(sorted(ids)) for name, ids in pids.items()},
    }
    why = unread or _not_whole(output, lines, known)
    if not why and section.status not in (0, 77):
        why = f"the host answered with exit status {section.status}: {one_line(section.error)}"
    return (
        CollectorResult(facts | {"stale_processes": facts["stale_processes"] or None}, partial=why)
        if why
        else CollectorResult(facts)
    )


def _known(output: ScriptOutput) -> tuple[dict[int, process_table.Process], str]:
    try:
        return process_table.processes(output), ""
    except FactUnavailable as e:
        return {}, str(e)


def _not_whole(output: ScriptOutput, lines: list[str], known: dict[int, process_table.Process]) -> str:
    """Why these lines do not tell of all processes, or ""."""
    if not (output.root or output.sudo):
        return "without root's rights only this user's own processes can be read"
    read = {int(found[1]) for line in lines if (found := _READ.fullmatch(line))}
    odd = next((ln for ln in lines if _EXECUTABLE.match(ln) and not _MAPPED.fullmatch(ln)), "")
    if odd:
        return f"a line of the maps is not whole: {one_line(odd, 80)}"
    refused = [ln for ln in lines if not ln.startswith(("/proc/", "=rows= ")) and not ln.endswith(_GONE)]
    if output.sudo and not output.root and not read:
        return f"sudo-denied: {one_line(refused[0]) if refused else 'sudo refused'}"
    if lines[-1:] != [f"=rows= {len(lines) - 1}"]:
        return "the list of mapped files is not whole"
    after = {int(x[6:]) for x in output.good("processes_after").lines() if re.fullmatch(r"/proc/\d{1,10}", x)}
    if 1 not in after:
        return "the list of processes is not whole"
    missing = sorted(pid for pid, p in known.items() if p.mapped and pid in after and pid not in read)
    if missing:
        names = ", ".join(f"{one_line(known[pid].name, 30)} ({pid})" for pid in missing[:3])
        count = f"{len(missing)} process{'es' if len(missing) > 1 else ''}"
        return f"the maps of {count} could not be read even with root's rights (a container?): {names}"
    if refused:
        return f"reading the maps failed: {one_line(refused[0])}"
    return ""


COLLECTOR = Collector(
    name="stale_processes",
    sections=("process_names", "stale_processes", "processes_after"),
    sh=SH,
    parse=parse,
    privileged=(_MAPS,),
    slow=True,
    reads=("identity",),
)
