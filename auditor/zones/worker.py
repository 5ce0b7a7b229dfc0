"""`auditor worker`: takes a zone's orders, asks the hosts, sends their facts home. It judges nothing and keeps nothing.

The main thread takes orders one by one; each has a thread of its own, with one more for each of its hosts. Answers are
read in children that can be ended, as everywhere (audit/isolated.py).
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue

from msgspec import Raw

from auditor import __version__
from auditor.audit.executor import scan_all
from auditor.audit.isolated import IsolatedAssessor
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.foundation.memory import share_one_heap
from auditor.foundation.messages import Say
from auditor.history.blobs import Digests
from auditor.model.canonical import APART, SMALL, canonical
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.rulebook.rulebook import Rulebook
from auditor.zones import messages, topology
from auditor.zones.link import HEARTBEAT, BrokerLink, Delivery, Subscription
from auditor.zones.messages import READING, Answer, Ask, Hello, HostAnswer, Order, OrderRefused, OrderTaken, Word
from auditor.zones.order_context import NotKnown, OrderContexts, empty_context
from auditor.zones.sealing import Unsealed, private_key, public_key, seal, unseal
from auditor.zones.stopped import StopWatch
from auditor.zones.worker_settings import WorkerSettings

_MOST_PLACES = 20_000  # orders that are remembered, so that none is done twice
_OLDEST = timedelta(days=1)  # an order of another day is none of this night's, even where clocks differ by hours
_STEP_BACK = 30.0  # seconds for which a worker keeps what it refused, so that others get the next
_LARGE = 8_000_000  # bytes of facts, above which an answer is sent in parts
_LARGEST = 24_000_000  # bytes of one host's facts; those of a large server have two million
_PATIENCE = 10.0  # seconds for which an order waits for free jobs: less than ledger.SLACK
_LATE = 0.5  # seconds in which what was under way before it left the queue arrives
_LEAVE = 5.0  # seconds for the words of hosts that were cut off


class Worker:
    """One process for one zone. LinkFault where the broker is not set up for it, UsageFault where a key cannot be read."""

    def __init__(self, settings: WorkerSettings, rules: Rulebook, say: Say, heartbeat: float = HEARTBEAT) -> None:
        self._settings, self._say, self._heartbeat = settings, say, heartbeat
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._own_key = private_key(Path(settings.broker.signing_key))
        self._centre = public_key(Path(settings.centre_key))
        self._contexts = OrderContexts(rules, utc_now)
        self._inbox: SimpleQueue[Delivery] = SimpleQueue()
        self._seen: OrderedDict[messages.Place, None] = OrderedDict()
        self._digests, self._turn = Digests(), threading.Lock()
        self._orders = 1  # that it takes at once
        self._watch = StopWatch()
        self._free, self._freed = settings.jobs, threading.Condition()

    def run(self, stop: Stop) -> None:
        """Until it is told to stop."""
        share_one_heap()
        queue = Subscription(topology.orders_queue(self._settings.zone))
        # The children are made before any connection and thread, so that none of them holds one.
        with (
            IsolatedAssessor(empty_context(utc_now), encoded_only=True) as self._assessor,
            BrokerLink(
                self._settings.broker, [queue], self._inbox.put, self._say, prefetch=1, heartbeat=self._heartbeat
            ) as link,
        ):
            self._link = link
            for thread in self._serve(stop):
                thread.join(_LEAVE)
            with contextlib.suppress(Empty):  # what came while it was ending goes to another worker
                while True:
                    self._take(self._inbox.get(timeout=_LATE), stop)
            link.sent_all(_LEAVE / 4)

    def _serve(self, stop: Stop) -> list[threading.Thread]:
        """Begin with each order that comes; the threads of those that are not done when it stops."""
        threads: list[threading.Thread] = []
        greeted = 0.0
        while not stop.requested.is_set():
            if self._link.fault:
                raise self._link.fault
            if time.monotonic() - greeted >= self._heartbeat and self._link.connected:
                self._speak(
                    Hello(worker=self._name, now=utc_now(), auditor=__version__, reading=READING, jobs=self._settings.jobs),
                    fresh=2 * self._heartbeat,
                )
                greeted = time.monotonic()
            try:
                delivery = self._inbox.get(timeout=0.1)
            except Empty:
                continue
            threads = [t for t in threads if t.is_alive()]
            thread = threading.Thread(target=self._take, args=(delivery, stop), name="order")
            thread.start()
            threads.append(thread)
        return threads

    def _take(self, delivery: Delivery, stop: Stop) -> None:
        """One order; a fault of our own costs that order, which the centre then hears of."""
        try:
            self._read(delivery, stop)
        except Exception as e:
            self._say(f"a fault of auditor itself, please report it: {type(e).__name__}: {e}")
            self._link.settle(delivery, good=False)

    def _read(self, delivery: Delivery, stop: Stop) -> None:
        """One order, from its signature to its acknowledgement."""
        zone = self._settings.zone
        try:
            order = messages.read_order(unseal(self._centre, messages.order_purpose(zone), delivery.body))
        except Unsealed as e:
            self._say(f"an order was thrown away: {e}")
            self._link.settle(delivery, good=False)
            return
        refusal = self._refusal(order, stop)
        if refusal:
            self._say(f"order {order.place.number} of run {order.place.run} was refused: {refusal.why}")
            self._speak(refusal)
            if stop.requested.wait(_STEP_BACK):
                return  # unsettled, what it refused keeps the broker from sending more to one that leaves
        elif self._new(order.place):
            self._fit(len(order.asks))
            if self._begin(len(order.asks)):
                try:
                    self._do(order, stop)
                finally:
                    self._begin(-len(order.asks))
            else:
                self._speak(
                    OrderRefused(worker=self._name, place=order.place, why=f"its worker {self._name} is busy", busy=True)
                )
        self._link.settle(delivery)

    def _begin(self, hosts: int) -> bool:
        """Wait until so many hosts may be asked; False where it takes longer than the centre's slack allows. Negative: they are done."""
        with self._freed:
            if hosts > 0 and not self._freed.wait_for(lambda: self._free >= hosts, _PATIENCE):
                return False
            self._free -= hosts
            self._freed.notify_all()
            return True

    def _refusal(self, order: Order, stop: Stop) -> OrderRefused | None:
        """Why nothing of an order is done; None where it is."""

        def refused(why: str) -> OrderRefused:
            return OrderRefused(worker=self._name, place=order.place, why=why)

        if stop.requested.is_set():
            return refused(f"its worker {self._name} is ending")
        if order.zone != self._settings.zone:
            return refused(f"it is for the zone {order.zone!r}")
        if order.reading != READING:
            return refused(f"its worker {self._name} is auditor {__version__}, and the centre {order.auditor}")
        if abs(utc_now() - order.made) > _OLDEST:
            return refused("it is more than a day old by the worker's clock")
        if len(order.asks) > self._settings.jobs:
            return refused(
                f"it has {len(order.asks)} hosts, and its worker asks {self._settings.jobs} at once (`batch:` of the zone)"
            )
        try:
            self._contexts.of(order)
        except NotKnown as e:
            return refused(str(e))
        return None

    def _new(self, place: messages.Place) -> bool:
        """Was this order not seen before? Nothing is asked twice because somebody sends an order again."""
        with self._turn:
            if place in self._seen:
                self._say(f"order {place.number} of run {place.run} came again and was left alone")
                return False
            self._seen[place] = None
            if len(self._seen) > _MOST_PLACES:
                self._seen.popitem(last=False)
            return True

    def _do(self, order: Order, stop: Stop) -> None:
        """Ask the hosts of an order and send what came of each as it comes."""
        self._speak(OrderTaken(worker=self._name, place=order.place))
        asks, began = {ask.name: ask for ask in order.asks}, time.monotonic()
        targets, refused = self._targets(order.asks)
        self._answer(order.place, refused)
        if targets:
            with ThreadPoolExecutor(len(targets), thread_name_prefix="host") as pool:
                context = self._contexts.of(order)
                for batch in scan_all(targets, context, pool, stop, self._settings.per_jump, self._assessor.assess):
                    stopped = self._watch.since(began)
                    self._answer(order.place, [self._told(r, asks[r.target.name], stopped) for r in batch])

    def _fit(self, hosts: int) -> None:
        """Take as many orders of this size at once as the jobs allow."""
        with self._turn:
            more = max(1, self._settings.jobs // hosts) - self._orders
            self._orders += max(0, more)
        if more > 0:
            self._link.take_more(more)

    def _targets(self, asks: Iterable[Ask]) -> tuple[list[Target], list[HostAnswer]]:
        """The targets that this worker serves, and the answers for those that it does not."""
        targets, refused = [], []
        for ask in asks:
            try:
                targets.append(self._settings.target(ask))
            except ValueError as e:
                refused.append(HostAnswer(name=ask.name, outcome="unreachable", error=TargetError("access-denied", str(e))))
        return targets, refused

    def _told(self, result: TargetResult, ask: Ask, stopped: bool) -> HostAnswer:
        """A host's answer, without what the centre has. `stopped`: this process was, meanwhile, and what has not ended well says
        nothing of the host."""
        if stopped and result.outcome != "assessed":
            error = TargetError("interrupted", f"its worker {self._name} was stopped while it asked; look at that machine")
            return HostAnswer(name=ask.name, outcome="unreachable", error=error, seconds=result.seconds)
        sections, same = {}, []
        for name, body in (result.encoded or {}).items():
            if name in APART or body == b"null":
                sections[name] = Raw(body)
                continue
            if len(body) > SMALL and name in ask.has:
                with self._turn:
                    known_by = self._digests.of(name, body)
                if known_by.hex() == ask.has[name]:
                    same.append(name)
                    continue
            sections[name] = Raw(canonical(name, body))
        return HostAnswer(
            name=ask.name,
            outcome=result.outcome,
            error=result.error,
            sections=sections,
            same=tuple(same),
            seconds=result.seconds,
            relaxed=(*result.target.relaxed, *result.relaxed),
        )

    def _answer(self, place: messages.Place, hosts: Iterable[HostAnswer]) -> None:
        part, size = list[HostAnswer](), 0
        for host in hosts:
            grown = sum(len(bytes(body)) for body in host.sections.values())
            if grown > _LARGEST:
                error = TargetError("limit", f"what was read of its answer is larger than {_LARGEST // 1_000_000} MB")
                host, grown = HostAnswer(name=host.name, outcome="failed", error=error, seconds=host.seconds), 0
            if part and size + grown > _LARGE:
                self._speak(Answer(worker=self._name, place=place, now=utc_now(), hosts=tuple(part)))
                part, size = [], 0
            part.append(host)
            size += grown
        if part:
            self._speak(Answer(worker=self._name, place=place, now=utc_now(), hosts=tuple(part)))

    def _speak(self, word: Word, fresh: float | None = None) -> None:
        zone = self._settings.zone
        sealed = seal(self._own_key, messages.answer_purpose(zone), messages.encode(word))
        self._link.publish(topology.answers(zone), zone, sealed, fresh=fresh)
