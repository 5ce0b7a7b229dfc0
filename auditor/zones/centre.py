"""The centre's side of one zone in one run: orders out, facts home, judged as if the hosts had been asked from here."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from auditor import __version__
from auditor.audit.assessment import HostSections
from auditor.audit.context import AuditContext
from auditor.audit.executor import LONGEST_WAIT, MOST_TOGETHER, Batch
from auditor.audit.isolated import IsolatedAssessor
from auditor.foundation.deadline import Stop
from auditor.foundation.messages import Say
from auditor.history.blobs import Damaged
from auditor.history.stored_sections import KnownSections, StoredSections
from auditor.model.facts import HostFacts
from auditor.model.requirements import DataRequirements
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.model.zone import BrokerSettings, WorkerSeen, Zone, ZoneSeen
from auditor.zones import messages, topology
from auditor.zones.asks import ask
from auditor.zones.ledger import UNSENT, Ledger, Planned
from auditor.zones.link import HEARTBEAT, BrokerLink, Delivery, Subscription
from auditor.zones.messages import READING, Answer, Hello, HostAnswer, Order, OrderRefused, OrderTaken, Place
from auditor.zones.sealing import Unsealed, private_key, public_key, seal, unseal

_PREFETCH = 32  # words of workers that are here and not yet dealt with; answers are of some 8 MB at most
_LOOK = 0.1  # seconds between looks at the time
_OLDEST = timedelta(hours=1)  # how long before its answer a host can have been read
_SECTIONS = frozenset(HostFacts.__struct_encode_fields__)
_UNFINISHED = ("interrupted", "worker-lost")  # errors after which the centre asks once more


class Site(Struct, frozen=True, kw_only=True):
    """What stays the same from run to run: the zone, the broker, and the history's file, where there is one."""

    name: str
    zone: Zone
    broker: BrokerSettings
    history: Path | None
    say: Say
    heartbeat: float = HEARTBEAT


class ZoneRun:
    """One zone in one run of an executor."""

    def __init__(self, site: Site, targets: Sequence[Target], context: AuditContext, stop: Stop) -> None:
        """UsageFault where a key cannot be read."""
        self._site, self._context, self._stop = site, context, stop
        self._key = private_key(Path(site.broker.signing_key))
        self._theirs = public_key(Path(site.zone.key))
        self._run = f"{context.run}/{token_hex(4)}"  # a second pass of the same run is not answered by the first one's answers
        zone = site.zone
        self._ledger = Ledger(targets, window=2 * zone.jobs, batch=zone.batch, now=time.monotonic(), grace=zone.grace)
        self._hosts = len(targets)
        self._lost = self._sent = self._received = 0
        self._inbox: SimpleQueue[Delivery] = SimpleQueue()
        self._judged: SimpleQueue[Future[TargetResult]] = SimpleQueue()
        self._judging = 0
        self._done: deque[TargetResult] = deque()
        self._known: dict[str, KnownSections] = {}  # of hosts that are out
        self._workers: dict[str, WorkerSeen] = {}
        self._unable: set[str] = set()
        self._said: set[str] = set()
        self._strange = ""
        self._stored = StoredSections(site.history)

    @property
    def seen(self) -> ZoneSeen:
        """Who was heard of, and how it went."""
        workers = tuple(self._workers.values())
        return ZoneSeen(self._site.name, workers, self._hosts, self._lost, self._sent, self._received)

    def results(self, assessor: IsolatedAssessor) -> Iterator[Batch]:
        """Each host's result, exactly one for every target."""
        name = self._site.name
        subscriptions = [Subscription(topology.lock_queue(name), alone=True), Subscription(topology.answers(name))]
        link = BrokerLink(
            self._site.broker,
            subscriptions,
            self._inbox.put,
            lambda text: self._say(text, text),
            prefetch=_PREFETCH,
            purge=[topology.orders_queue(name)],
            heartbeat=self._site.heartbeat,
        )
        self._link = link
        try:
            with link, ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="judge") as pool:
                self._pool, self._assessor = pool, assessor
                yield from self._loop()
                link.purge(topology.orders_queue(name))
                link.sent_all(2.0)
        finally:
            self._stored.close()

    def _loop(self) -> Iterator[Batch]:
        began = 0.0
        while not (self._ledger.done and not self._judging and not self._done):
            if self._stop.requested.is_set():
                self._give_up(TargetError("interrupted", "the run was stopped before this host's answer came; run it again"))
            elif self._link.fault:
                self._give_up(TargetError("zone-down", str(self._link.fault)))
            else:
                self._step()
            self._collect()
            if not self._done:
                continue
            began = began or time.monotonic()
            last = self._ledger.done and not self._judging
            if len(self._done) >= MOST_TOGETHER or last or time.monotonic() - began >= LONGEST_WAIT:
                yield [self._done.popleft() for _ in range(min(MOST_TOGETHER, len(self._done)))]
                began = 0.0

    def _step(self) -> None:
        """Send what may go out, deal with what came, give up what is over."""
        if self._link.connected:
            for planned in self._ledger.plan(time.monotonic()):
                self._order(planned)
        try:
            self._deal(self._inbox.get(timeout=_LOOK if not self._judging else _LOOK / 5))
            for _ in range(_PREFETCH):
                self._deal(self._inbox.get_nowait())
        except Empty:
            pass
        for target, error in self._ledger.given_up(time.monotonic()):
            self._lost += 1
            if error.kind == "zone-down" and (why := self._link.trouble or self._strange):
                error = TargetError("zone-down", why)
            self._fail(target, error)

    def _give_up(self, error: TargetError) -> None:
        for target in self._ledger.rest():
            self._fail(target, error)
        time.sleep(_LOOK / 5 if self._judging else 0)

    # Out

    def _order(self, planned: Planned) -> None:
        families = set()
        asks = []
        for target in planned.targets:
            known = self._known[target.name] = self._stored.of(target.name)
            families.add(target.family or ("windows" if target.connection in ("winrm", "winreg") else known.family))
            asks.append(ask(target, known.digests))
        order = Order(
            place=Place(run=self._run, number=planned.number),
            zone=self._site.name,
            made=datetime.now(UTC),
            seconds=planned.seconds,
            auditor=__version__,
            reading=READING,
            deep=self._context.deep,
            linux=self._requirements("linux") if families - {"windows"} else None,
            windows=self._requirements("windows") if families - {"linux"} else None,
            asks=tuple(asks),
        )
        sealed = seal(self._key, messages.order_purpose(self._site.name), messages.encode(order))
        self._sent += len(sealed)
        self._link.publish(topology.ORDERS, self._site.name, sealed, within=UNSENT)

    def _requirements(self, family: str) -> DataRequirements:
        return self._context.requirements.of_family(family, self._context.rulebook)

    # Home

    def _deal(self, delivery: Delivery) -> None:
        self._received += len(delivery.body)
        try:
            if delivery.queue == topology.answers(self._site.name):
                self._own(delivery) if delivery.exchange == topology.LOST else self._word(delivery.body)
        except Unsealed as e:
            self._strange = f"a message of the zone was thrown away: {e}; is {self._site.zone.key} its workers' public key?"
            self._say("forged", f"the zone {self._site.name}: {self._strange}")
        self._link.settle(delivery)

    def _own(self, delivery: Delivery) -> None:
        """An order of ours that the broker sends back."""
        order = messages.read_order(unseal(self._key.public_key(), messages.order_purpose(self._site.name), delivery.body))
        if order.place.run != self._run:
            return
        if delivery.reason == "expired":
            self._ledger.expired(order.place.number)
        elif delivery.reason == "rejected":
            self._ledger.lost(order.place.number, time.monotonic())
            self._strange = "a worker threw an order away; is its `centre_key` the public key of this centre's signing key?"
            self._say("rejected", f"the zone {self._site.name}: {self._strange}")
        elif self._ledger.lost(order.place.number, time.monotonic()):
            self._say("lost", f"the zone {self._site.name}: a worker did not come to an end with an order ({delivery.reason})")

    def _word(self, body: bytes) -> None:
        word = messages.read_word(unseal(self._theirs, messages.answer_purpose(self._site.name), body))
        if isinstance(word, Hello):
            self._hello(word)
            return
        if word.place.run != self._run:
            return  # of a run before
        if isinstance(word, OrderRefused):
            if not word.busy:
                self._unable.add(word.worker)
            self._say("busy" if word.busy else word.why, f"the zone {self._site.name}: {word.why}")
        elif isinstance(word, OrderTaken):
            self._unable.discard(word.worker)
            # Who takes an order reads as we do, and so is of our version.
            self._workers[word.worker] = WorkerSeen(word.worker, __version__, datetime.now(UTC), True)
        self._ledger.heard(time.monotonic(), able=word.worker not in self._unable)
        if isinstance(word, OrderTaken):
            self._ledger.taken(word.place.number, time.monotonic())
        elif isinstance(word, OrderRefused):
            self._ledger.refused(word.place.number, word.why)
        else:
            for host in word.hosts:
                self._answer(word, host)

    def _hello(self, word: Hello) -> None:
        fit = word.reading == READING
        if not fit:
            self._unable.add(word.worker)
        self._workers[word.worker] = WorkerSeen(word.worker, word.auditor, datetime.now(UTC), fit)
        self._ledger.heard(time.monotonic(), able=word.worker not in self._unable)

    def _answer(self, word: Answer, host: HostAnswer) -> None:
        target = self._ledger.answered(word.place.number, host.name)
        if target is None:
            self._say(
                "late",
                f"the zone {self._site.name}: an answer came late, twice, or of a host that was not asked; it was dropped",
            )
            return
        if host.error and host.error.kind in _UNFINISHED:
            if not self._ledger.again(target):
                self._lost += 1
                self._fail(target, host.error, host)
            return
        if not host.sections:
            error = host.error or TargetError("protocol", "its worker sent an answer without facts")
            self._fail(target, error, host)
            return
        try:
            sections = self._sections(target, word, host)
        except (ValueError, sqlite3.Error, msgspec.MsgspecError) as e:
            self._fail(target, TargetError("protocol", f"what its worker sent is no host's facts: {e}"), host)
            return
        given = HostSections(target=target, sections=sections, error=host.error, now=self._context.clock())
        future = self._pool.submit(self._judge, given, host)
        self._judging += 1
        future.add_done_callback(self._judged.put)

    def _sections(self, target: Target, word: Answer, host: HostAnswer) -> dict[str, bytes]:
        """The facts by section, with what the history has. ValueError where they are none."""
        known = self._known[target.name]
        sections = {name: bytes(body) for name, body in host.sections.items()}
        for name in host.same:
            if name not in known.numbers:
                raise ValueError(f"it leaves out {name!r}, which is not known here")
            try:
                sections[name] = self._stored.body(known.numbers[name])
            except Damaged as e:
                raise ValueError(str(e)) from None
        if strange := sections.keys() - _SECTIONS:
            raise ValueError(f"there is no section {min(strange)!r}")
        # The worker's clock may be off by an hour: how long ago it read the host is what counts.
        read = msgspec.json.decode(sections["collected_at"], type=datetime) if "collected_at" in sections else word.now
        age = min(max(word.now - read, timedelta()), _OLDEST) if read.tzinfo else timedelta()
        sections["collected_at"] = messages.encode(self._context.clock() - age)
        sections["target"] = messages.encode(target.name)
        sections["schema"] = b'"auditor.facts/1"'
        return sections

    def _judge(self, given: HostSections, host: HostAnswer) -> TargetResult:
        left = given.target.timeouts.total
        result = self._assessor.assess(given, left, self._stop)
        return replace(result, seconds=host.seconds, relaxed=host.relaxed, asks=self._ledger.asked(given.target.name))

    def _collect(self) -> None:
        while True:
            try:
                self._done.append(self._judged.get_nowait().result())
            except Empty:
                return
            self._judging -= 1
            self._known.pop(self._done[-1].target.name, None)

    def _fail(self, target: Target, error: TargetError, host: HostAnswer | None = None) -> None:
        self._known.pop(target.name, None)
        self._done.append(
            TargetResult(
                target=target,
                outcome="failed" if host and host.outcome == "failed" else "unreachable",
                error=error,
                seconds=host.seconds if host else 0.0,
                asks=max(1, self._ledger.asked(target.name)),
            )
        )

    def _say(self, kind: str, text: str) -> None:
        """Once for each kind of message."""
        if kind not in self._said:
            self._said.add(kind)
            self._site.say(text)
