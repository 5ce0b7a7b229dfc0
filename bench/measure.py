"""Measuring a command: wall time, its whole process tree's CPU, its largest process's memory, its exit code.

Contestants take turns (A B C A B C …), so that a machine that grows slower or busier does so for all of
them alike; what is shown is the median with the smallest and the largest, because a mean hides one bad
round and a minimum all of them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

SHEPHERD = Path(__file__).with_name("shepherd.py")


@dataclass(frozen=True)
class Sample:
    """One run. `exit` is None where the limit ended it; `answered` counts hosts, where it can be told."""

    wall: float
    cpu: float = 0.0
    peak_mb: float = 0.0
    exit: int | None = 0
    answered: int | None = None


@dataclass(frozen=True)
class Contestant:
    """A command to measure. `prepare` runs before each round, unmeasured; `answered` reads its output."""

    name: str
    hosts: int
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    answered: Callable[[Path], int | None] = lambda _output: None


def once(contestant: Contestant, folder: Path, limit: float) -> Sample:
    """One run, ended after `limit` seconds or when the harness itself is ended."""
    contestant.prepare()
    output = folder / "stdout"
    spec = {"command": [str(word) for word in contestant.command], "limit": limit, "stdout": str(output)}
    spec["stderr"] = str(folder / "stderr")
    command = [sys.executable, "-I", "-S", str(SHEPHERD), json.dumps(spec)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        **contestant.environment,
    }
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder, start_new_session=True
    ) as shepherd:
        try:
            answer = json.loads(shepherd.communicate(timeout=limit + 30)[0])
        except BaseException:
            shepherd.terminate()  # it ends the command's whole tree before it goes
            raise
    sample = Sample(answer["wall"], answer["cpu"], answer["peak_kb"] / 1024, answer["exit"])
    return Sample(sample.wall, sample.cpu, sample.peak_mb, sample.exit, contestant.answered(output))


def rounds(contestants: Sequence[Contestant], count: int, folder: Path, limit: float) -> dict[str, list[Sample]]:
    """`count` interleaved rounds. One that ran into its time limit is not asked again."""
    folder.mkdir(exist_ok=True)
    results: dict[str, list[Sample]] = {c.name: [] for c in contestants}
    for number in range(count):
        for contestant in contestants:
            taken = results[contestant.name]
            if taken and taken[-1].exit is None:
                continue
            say(f"round {number + 1} of {count}: {contestant.name}, {contestant.hosts} hosts … ")
            sample = once(contestant, folder, limit)
            taken.append(sample)
            say(f"{sample.wall:.2f} s, exit {'time limit' if sample.exit is None else sample.exit}\n")
            if sample.exit not in (0, 1, 3):
                say("".join(f"    {line}\n" for line in errors(folder)))
    return results


def others(seconds: float = 2.0) -> float:
    """The share of this machine's CPU that somebody else is using, or that its own host is stealing."""

    def read() -> tuple[int, int]:
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    total, idle = read()
    time.sleep(seconds)
    total_then, idle_then = read()
    return 1 - (idle_then - idle) / max(total_then - total, 1)


def errors(folder: Path) -> list[str]:
    """The last lines a contestant wrote to stderr."""
    return (folder / "stderr").read_text(errors="replace").splitlines()[-3:]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, smallest and largest, as the table shows them."""
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def say(text: str) -> None:
    """Progress goes to stderr: stdout is the table's."""
    sys.stderr.write(text)
    sys.stderr.flush()
