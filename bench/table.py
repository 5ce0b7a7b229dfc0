"""The one Markdown table, the line about the machine, and the place in the documentation where both stand."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from bench.measure import Sample, spread

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
HEAD = (
    "command",
    "hosts",
    "median [min–max] s",
    "hosts/s",
    "own CPU ms per host",
    "peak MB",
    "exit",
    "remark",
)
NOTE = (
    "Own CPU is that of the client's whole process tree, without sshd and what runs on the hosts; "
    "peak MB is the largest single process, and about 9 MB is the least that can be told."
)


@dataclass(frozen=True)
class Row:
    """A line of the table; without samples it says in its remark why it was not measured."""

    command: str
    hosts: int
    samples: Sequence[Sample] = ()
    remark: str = ""
    local: bool = False  # touches no host, or is no throughput: hosts/s says nothing

    def cells(self) -> list[str]:
        if not self.samples:
            return [self.command, str(self.hosts or ""), "not measured", "", "", "", "", self.remark]
        walls, cpus = (
            [s.wall for s in self.samples],
            [s.cpu * 1000 / max(self.hosts, 1) for s in self.samples],
        )
        exits = sorted({"time limit" if s.exit is None else str(s.exit) for s in self.samples})
        answers = sorted({s.answered for s in self.samples if s.answered is not None})
        seen = f"{'–'.join(map(str, answers))} of {self.hosts} answered" if answers else ""
        return [
            self.command,
            str(self.hosts or ""),
            spread(walls, 3 if median(walls) < 2 else 2),
            "" if self.local or "time limit" in exits else f"{self.hosts / median(walls):.1f}",
            f"{median(cpus):.1f}" if any(cpus) else "",
            f"{max(s.peak_mb for s in self.samples):.1f}" if any(s.peak_mb for s in self.samples) else "",
            ", ".join(exits),
            "; ".join(part for part in (seen, self.remark) if part),
        ]


def ratio(ours: Row, theirs: Row) -> str:
    """`1.05 × xargs ssh, tuned`: how many times as many hosts a second ours does."""
    if any(sample.exit != 0 for sample in theirs.samples):
        return f"{theirs.command} did not finish: no comparison"
    mine, other = (median(s.wall for s in row.samples) for row in (ours, theirs))
    return f"{other / mine:.2f} × {theirs.command}"


def table(rows: Sequence[Row]) -> str:
    """All rows as one Markdown table."""
    rule = ["---", "--:", "--:", "--:", "--:", "--:", "---", "---"]
    lines = [list(HEAD), rule, *(row.cells() for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def machine(today: date, extra: Sequence[str]) -> str:
    """What the figures were taken on; without it they mean nothing."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.split(",")[0]
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = [f"{today.isoformat()}: {cores} cores shared by clients and sshd", f"{memory:.0f} GB"]
    facts += [f"Linux {platform.release()}", f"Python {platform.python_version()}", ssh, *extra]
    return f"{', '.join(facts)}.\n{NOTE}"


def write(document: Path, text: str) -> None:
    """Replace what stands between the two markers; everything else in the document is people's."""
    before, found_begin, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise SystemExit(f"{document}: has no lines {BEGIN} and {END} to write between")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
