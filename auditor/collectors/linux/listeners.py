"""Listening TCP sockets with their accept queues, by ss(8), in the host's own network namespace.

For a listening socket `Recv-Q` is the number of connections that wait to be accepted and `Send-Q` the limit of that
queue: min(what the program asked for, net.core.somaxconn) at the time of listen(2). Without ss, or where the kernel's
sock_diag is closed to it (every limit reads 0 then), the sockets are known from /proc/net/tcp and their limits are not.
Without privilege ss names only the user's own processes.

Witness of completeness: the kernel's own table, /proc/net/tcp, read before ss and after it. A row of ss counts only where
the table has its address and port; what only one of them has is a listener of unknown limit; of more rows than sockets those
with the smallest limits count. A program can write anything into its name, so of a row only the last process id
is taken, and its name from the list of processes. The port that we came in by has to be there.
"""

from __future__ import annotations

import re
import socket
import struct
from collections import Counter, defaultdict

from msgspec import Struct

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.limits import MAX_LISTENERS
from auditor.collectors.linux.process_table import processes
from auditor.collectors.linux.script_output import UNPRIVILEGED, ScriptOutput
from auditor.errors import FactUnavailable
from auditor.foundation.sanitize import counted, one_line
from auditor.model.facts import Listener

SH = r"""
c_listeners() {
  tool=
  for file in /usr/bin/ss /usr/sbin/ss /bin/ss; do
    [ -x "$file" ] && tool=$file && break
  done
  if [ -z "$tool" ]; then
    printf "there is no ss on this host\n" >&2
    return 127
  fi
  if [ "$U" = 0 ] || [ "$BECOME" = none ]; then
    "$tool" -H -l -t -n -p
    return
  fi
  as_sudo "$tool" -H -l -t -n -p && return
  "$tool" -H -l -t -n -p || return 1
  return 77
}
c_listeners_proc() {
  if [ ! -r /proc/net/tcp ]; then
    printf "/proc/net/tcp cannot be read\n" >&2
    return 1
  fi
  files=/proc/net/tcp
  [ -r /proc/net/tcp6 ] && files="$files /proc/net/tcp6"
  grep -h ": [0-9A-F]*:[0-9A-F]* [0-9A-F]*:[0-9A-F]* 0A " $files
  [ $? -le 1 ]
}
c_listeners_before() { c_listeners_proc; }
"""

_PID = re.compile(r",pid=(\d{1,10}),fd=\d{1,10}\)\)\s*$")
Endpoint = tuple[str, int]


class _Row(Struct, frozen=True):
    """A socket as ss has it; `on_lo`: bound to the loopback device, whatever its address."""

    address: str
    port: int
    queue: int
    backlog: int
    pid: int | None
    on_lo: bool

    @property
    def at(self) -> Endpoint:
        return self.address, self.port


def parse(output: ScriptOutput) -> CollectorResult:
    """`listeners`, and the volatile `queues`."""
    before, after = _kernels(output, "listeners_before"), _kernels(output, "listeners_proc")
    table = before & after  # what was there all the time
    if output.came_by is not None and all(port != output.came_by for _, port in before | after):
        raise FactUnavailable(
            f"we came in by TCP port {output.came_by}, and the list of sockets does not have it: it is not whole"
        )
    section = output.get("listeners")
    if section.status not in (0, UNPRIVILEGED):
        return _without_limits(output, section.error or f"ss ended with exit status {section.status}")
    rows = _rows(section.lines(MAX_LISTENERS, "listening sockets"))
    confirmed, lacking, alone = _confirmed(rows, before | after, table)
    if not confirmed and table:
        return _without_limits(output, "ss lists nothing, and the kernel's own table has listening sockets")
    partial = []
    if lacking:
        partial.append(f"ss lacks {len(lacking)} listening sockets that the kernel's own table has")
    if alone:
        partial.append(f"the kernel's own table lacks {len(alone)} listening sockets that ss has")
    if section.status == UNPRIVILEGED:
        partial.append(f"sudo-denied: {one_line(section.error) or 'sudo refused'}")
    told = any(row.backlog for row in confirmed)
    if confirmed and not told:
        partial.append("ss answered without queue limits")
    unnamed = sum(1 for row in confirmed if row.pid is None)
    if unnamed and not (output.root or (output.sudo and section.status == 0)):
        partial.append(
            f"the processes of {unnamed} of {counted(len(confirmed), 'listener')} are not known; root's rights would tell"
        )
    names = _names(output)
    found = {Listener(address, port) for address, port in [*lacking, *alone]}
    queues: Counter[str] = Counter()
    pids: defaultdict[str, set[int]] = defaultdict(set)
    for row in confirmed:
        name = names.get(row.pid) if row.pid is not None else None
        listener = Listener(f"{row.address}%lo" if row.on_lo else row.address, row.port, row.backlog if told else None, name)
        found.add(listener)
        queues[listener.endpoint] += row.queue
        if name and row.pid is not None:
            pids[name].add(row.pid)
    facts = {"listeners": _ordered(found), "queues": dict(queues), "pids": {k: tuple(sorted(v)) for k, v in pids.items()}}
    return CollectorResult(facts, partial="; ".join(partial))


def _rows(lines: list[str]) -> list[_Row]:
    """State, Recv-Q, Send-Q, local and peer address:port, then users:(("name",pid=1,fd=3),…). Other lines are no rows: what
    they leave out, the kernel's table has."""
    rows = []
    for line in lines:
        fields = line.split(None, 5)
        if len(fields) < 5 or fields[0] != "LISTEN" or not all(re.fullmatch(r"\d{1,10}", x) for x in fields[1:3]):
            continue
        address, _, port = fields[3].rpartition(":")
        if not re.fullmatch(r"\d{1,5}", port):
            continue
        address, _, device = address.strip("[]").partition("%")
        address = address.strip("[]")
        pid = _PID.search(fields[5][-60:]) if len(fields) > 5 else None
        queue, backlog = int(fields[1]), int(fields[2])
        own = int(pid[1]) if pid else None
        rows.append(_Row("::" if address == "*" else address, int(port), queue, backlog, own, device.rstrip("]") == "lo"))
    return rows


def _confirmed(
    rows: list[_Row], known: Counter[Endpoint], table: Counter[Endpoint]
) -> tuple[list[_Row], list[Endpoint], list[Endpoint]]:
    """The rows that the kernel's table has, what of the table no row has, and what rows the table has not."""
    by_place: defaultdict[Endpoint, list[_Row]] = defaultdict(list)
    for row in rows:
        by_place[row.at].append(row)
    confirmed: list[_Row] = []
    for at, of_it in by_place.items():
        confirmed += sorted(of_it, key=lambda r: r.backlog)[: known[at]]
    seen = Counter(row.at for row in confirmed)
    lacking = sorted(at for at, count in table.items() if seen[at] < count)
    return confirmed, lacking, sorted(at for at in by_place if at not in known)


def _names(output: ScriptOutput) -> dict[int, str]:
    try:
        return {pid: p.name for pid, p in processes(output).items()}
    except FactUnavailable:
        return {}


def _without_limits(output: ScriptOutput, why: str) -> CollectorResult:
    queues: dict[str, int] = {}
    listeners = set()
    for fields in _listening(output, "listeners_proc"):
        listener = Listener(*_endpoint(fields[1]))
        listeners.add(listener)
        queues[listener.endpoint] = int(fields[4].partition(":")[2][:8] or "0", 16)
    return CollectorResult(
        {"listeners": _ordered(listeners), "queues": queues}, partial=f"queue limits are not known: {one_line(why)}"
    )


def _ordered(listeners: set[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(listeners, key=lambda x: (x.port, x.address, x.backlog or 0, x.process or "")))


def _kernels(output: ScriptOutput, section: str) -> Counter[Endpoint]:
    return Counter(_endpoint(fields[1]) for fields in _listening(output, section))


def _listening(output: ScriptOutput, section: str) -> list[list[str]]:
    """The fields of each listening socket (state 0A) in /proc/net/tcp and tcp6; FactUnavailable where they were not read."""
    rows = (line.split(None, 5) for line in output.good(section).lines(MAX_LISTENERS, "listening sockets"))
    return [fields for fields in rows if len(fields) > 4 and fields[3] == "0A"]


def _endpoint(local: str) -> Endpoint:
    """/proc/net/tcp writes addresses as 32-bit words in the host's byte order (little-endian here and on the hosts
    that are read)."""
    hexed, _, port = local.partition(":")
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", hexed) or not re.fullmatch(r"[0-9A-F]{4}", port):
        raise ValueError(f"not an address of /proc/net/tcp: {local[:60]!r}")
    words = [int(hexed[i : i + 8], 16) for i in range(0, len(hexed), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"<{len(words)}I", *words)), int(port, 16)


COLLECTOR = Collector(
    name="listeners",
    sections=("listeners_before", "listeners", "listeners_proc"),
    sh=SH,
    parse=parse,
    privileged=("/usr/bin/ss -H -l -t -n -p", "/usr/sbin/ss -H -l -t -n -p", "/bin/ss -H -l -t -n -p"),
    slow=True,
    reads=("process_names", "identity"),
)
