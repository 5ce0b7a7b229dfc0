"""A fleet of which some hosts are asked from this machine, and others by the workers of their zones, at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue

from auditor.audit.context import AuditContext
from auditor.audit.executor import Batch, LocalExecutor
from auditor.audit.isolated import IsolatedAssessor
from auditor.errors import AuditorError
from auditor.foundation.deadline import Stop
from auditor.foundation.memory import share_one_heap
from auditor.foundation.messages import Say
from auditor.inventory.inventory import Inventory
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.model.zone import ZoneSeen
from auditor.zones.centre import Site, ZoneRun


class FleetExecutor:
    """Hosts without a zone go the way of `local`; each zone has a thread and a connection of its own, so that what goes wrong in one
    costs that one."""

    def __init__(self, local: LocalExecutor, inventory: Inventory, history: Path | None, say: Say) -> None:
        self._local, self._inventory, self._history, self._say = local, inventory, history, say
        self._seen: dict[str, ZoneSeen] = {}

    @property
    def seen(self) -> tuple[ZoneSeen, ...]:
        """The zones that were asked, as they were last seen."""
        return tuple(self._seen.values())

    def run(self, targets: Sequence[Target], context: AuditContext, stop: Stop) -> Iterator[Batch]:
        """The results of all, as they arrive."""
        zones: dict[str | None, list[Target]] = {}
        for target in targets:
            zones.setdefault(target.zone, []).append(target)
        share_one_heap()
        # The children that read and judge are made before any thread and connection.
        with IsolatedAssessor(context) as assessor:
            own = zones.pop(None, [])
            sources = [self._zone(name or "", hosts, context, stop, assessor) for name, hosts in zones.items()]
            if own:
                sources.append(self._local.scan(own, context, stop, assessor))
            yield from _together(sources, stop)

    def _zone(
        self, name: str, targets: list[Target], context: AuditContext, stop: Stop, assessor: IsolatedAssessor
    ) -> Iterator[Batch]:
        """The results of one zone. A fault of it is the fault of its hosts."""
        given = set[str]()
        try:
            assert self._inventory.broker
            site = Site(
                name=name,
                zone=self._inventory.zones[name],
                broker=self._inventory.broker,
                history=self._history,
                say=self._say,
            )
            run = ZoneRun(site, targets, context, stop)
            try:
                for batch in run.results(assessor):
                    given.update(r.target.name for r in batch)
                    yield batch
            finally:
                self._seen[name] = run.seen
        except AuditorError as e:
            yield _lost(targets, given, TargetError("zone-down", f"{name}: {e}"))
        except Exception as e:
            what = f"a fault of auditor itself, please report it: {type(e).__name__}: {e}"
            yield _lost(targets, given, TargetError("internal", what))


def _lost(targets: list[Target], given: set[str], error: TargetError) -> Batch:
    return [TargetResult(target=t, outcome="unreachable", error=error) for t in targets if t.name not in given]


def _together(sources: Sequence[Iterator[Batch]], stop: Stop) -> Iterator[Batch]:
    """What several sources give, each pumped by a thread. No source runs ahead of who takes the results."""
    queue: Queue[Batch | BaseException | None] = Queue(maxsize=2)
    left = threading.Event()

    def pump(source: Iterator[Batch]) -> None:
        end: BaseException | None = None
        try:
            for batch in source:
                if left.is_set():
                    break
                queue.put(batch)
        except BaseException as e:
            end = e
        queue.put(end)

    threads = [threading.Thread(target=pump, args=(source,), name="zone") for source in sources]
    for thread in threads:
        thread.start()
    open_ = len(threads)
    try:
        while open_:
            said = queue.get()
            if isinstance(said, list):
                yield said
                continue
            open_ -= 1
            if said is not None:
                raise said
    finally:
        if open_:  # whoever took the results does so no more
            left.set()
            stop.now()
            while open_:
                open_ -= not isinstance(queue.get(), list)
        for thread in threads:
            thread.join()
