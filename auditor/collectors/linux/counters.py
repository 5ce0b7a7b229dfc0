"""The kernel's counters of refused and dropped connections: /proc/net/netstat, since the network namespace was made.

Each connection that found the accept queue full counts once in ListenOverflows and once in ListenDrops, which counts
other drops besides; TCPReqQFullDrop and TCPReqQFullDoCookies count full SYN queues without and with SYN cookies.

Witness of completeness: a line of names and a line of as many values.
"""

from __future__ import annotations

import re

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable

SH = r"""
c_counters() { grep "^TcpExt:" /proc/net/netstat; }
"""

KEPT = ("ListenOverflows", "ListenDrops", "TCPReqQFullDrop", "TCPReqQFullDoCookies")


def parse(output: ScriptOutput) -> CollectorResult:
    """`counters`: those of KEPT that this kernel has."""
    lines = output.good("counters").lines(100)
    if len(lines) < 2:
        raise FactUnavailable("/proc/net/netstat has no TcpExt lines")
    names, values = lines[0].split(), lines[1].split()
    if len(lines) != 2 or len(names) != len(values):
        raise FactUnavailable("/proc/net/netstat has not one value for each name")
    table = dict(zip(names, values, strict=True))
    counters = {name: int(table[name]) for name in KEPT if re.fullmatch(r"\d{1,18}", table.get(name, ""))}
    missing = [name for name in KEPT if name not in counters]
    return CollectorResult({"counters": counters}, partial=f"this kernel has no {', '.join(missing)}" if missing else "")


COLLECTOR = Collector(name="counters", sections=("counters",), sh=SH, parse=parse)
