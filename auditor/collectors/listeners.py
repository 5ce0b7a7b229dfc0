"""Listening TCP sockets with their accept queues, by ss(8), in the host's own network namespace.

For a listening socket `Recv-Q` is the number of connections that wait to be accepted and `Send-Q` the limit of that
queue: min(what the program asked for, net.core.somaxconn) at the time of listen(2). Without ss, or where the kernel's
sock_diag is closed to it (every limit reads 0 then), the sockets are known from /proc/net/tcp and their limits are not.
Without privilege ss names only the user's own processes.
"""

from __future__ import annotations

import re
import socket
import struct

from auditor.collectors.answers import UNPRIVILEGED, Answers
from auditor.collectors.collector import Collector, Reading
from auditor.model.facts import Listener
from auditor.printable import one_line

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
"""

_PROCESS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+)')


def parse(answers: Answers) -> Reading:
    section = answers.get("listeners")
    if section.status not in (0, UNPRIVILEGED):
        return _from_proc(answers, section.error or f"ss ended with exit status {section.status}")
    lines = [line for line in section.text.split("\n") if line.strip()]
    rows = [row for line in lines if (row := _row(line))]
    if not rows and _listening(answers):
        return _from_proc(answers, "ss lists nothing, and the kernel's own table has listening sockets")
    partial = []
    if len(rows) < len(lines):
        partial.append(f"{len(lines) - len(rows)} lines of ss could not be read")
    if section.status == UNPRIVILEGED:
        partial.append(f"sudo-denied: {one_line(section.error) or 'sudo refused'}")
    told = any(backlog for _, _, _, backlog, _ in rows)
    if rows and not told:
        partial.append("ss answered without queue limits")
    unnamed = sum(1 for *_, processes in rows if not processes)
    if unnamed and not (answers.root or (answers.sudo and section.status == 0)):
        partial.append(f"the processes of {unnamed} of {len(rows)} listeners are not known; root's rights would tell")
    found: dict[tuple[str, int, int | None, str | None], None] = {}
    queues: dict[str, int] = {}
    pids: dict[str, tuple[int, ...]] = {}
    for _ in range(len(lines) - len(rows)):
        found["a line of ss that could not be read", 0, None, None] = None  # reachable, for all we know, and its limit unknown
    for address, port, queue, backlog, processes in rows:
        name = processes[0][0] if processes else None
        key = (address, port, backlog if told else None, name)
        found[key] = None
        endpoint = Listener(address, port).endpoint
        queues[endpoint] = queues.get(endpoint, 0) + queue
        if name:
            pids[name] = tuple(sorted({*pids.get(name, ()), *(pid for _, pid in processes)}))
    listeners = tuple(Listener(*key) for key in sorted(found, key=lambda k: (k[1], k[0], k[2] or 0, k[3] or "")))
    return Reading({"listeners": listeners, "queues": queues, "pids": pids}, partial="; ".join(partial))


def _row(line: str) -> tuple[str, int, int, int, list[tuple[str, int]]] | None:
    """State, Recv-Q, Send-Q, local and peer address:port, then users:(("name",pid=1,fd=3),…)."""
    fields = line.split(None, 5)
    if len(fields) < 5 or fields[0] != "LISTEN" or not (fields[1].isdecimal() and fields[2].isdecimal()):
        return None
    address, _, port = fields[3].rpartition(":")
    if not port.isdecimal():
        return None
    address = address.partition("%")[0].strip("[]")
    processes = [(name, int(pid)) for name, pid in _PROCESS.findall(fields[5])] if len(fields) > 5 else []
    return "::" if address == "*" else address, int(port), int(fields[1]), int(fields[2]), processes


def _from_proc(answers: Answers, why: str) -> Reading:
    listeners, queues = set(), {}
    for fields in _listening(answers):
        hexed, _, port = fields[1].partition(":")
        listener = Listener(_address(hexed), int(port, 16))
        listeners.add(listener)
        queues[listener.endpoint] = int(fields[4].partition(":")[2] or "0", 16)
    ordered = tuple(sorted(listeners, key=lambda x: (x.port, x.address)))
    return Reading({"listeners": ordered, "queues": queues}, partial=f"queue limits are not known: {one_line(why)}")


def _listening(answers: Answers) -> list[list[str]]:
    """The fields of each listening socket (state 0A) in /proc/net/tcp and tcp6; CannotTell where they were not read."""
    rows = (line.split() for line in answers.good("listeners_proc").text.split("\n"))
    return [fields for fields in rows if len(fields) > 4 and fields[3] == "0A"]


def _address(hexed: str) -> str:
    """/proc/net/tcp writes addresses as 32-bit words in the host's byte order (little-endian here and on the hosts
    that are read)."""
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", hexed):
        raise ValueError(f"not an address of /proc/net/tcp: {hexed!r}")
    words = [int(hexed[i : i + 8], 16) for i in range(0, len(hexed), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"<{len(words)}I", *words))


COLLECTOR = Collector(
    name="listeners",
    sections=("listeners", "listeners_proc"),
    sh=SH,
    parse=parse,
    privileged=("/usr/bin/ss -H -l -t -n -p", "/usr/sbin/ss -H -l -t -n -p", "/bin/ss -H -l -t -n -p"),
    slow=True,
)
