"""Live progress on a terminal's standard error; silent everywhere else."""

from __future__ import annotations

import sys
from typing import Self

from auditor.foundation.sanitize import one_line
from auditor.model.run import TargetResult
from auditor.model.target import Target


class Progress:
    """One line per host that is done, and a bar; rich is loaded only for a terminal."""

    def __init__(self, targets: list[Target], quiet: bool) -> None:
        self._bar = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("Auditing"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=len(targets))

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def done(self, result: TargetResult) -> None:
        """Count a host, and show where the run stands."""
        if self._bar:
            said = result.error.kind if result.error else result.outcome
            self._bar.console.print(
                f"{one_line(result.target.name)}: {said} ({result.seconds:.1f} s)", markup=False, highlight=False
            )
            self._bar.advance(self._task)


class Counting:
    """One line that counts, on a terminal."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._what, self._shown = what, not quiet and sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr)

    def at(self, count: int) -> None:
        """Show a number, every hundredth."""
        if self._shown and count % 100 == 0:
            print(f"\r{self._what}: {count:,}", end="", file=sys.stderr, flush=True)
