"""Who of a zone's hosts is asked when: the rules of failure, without a broker, a clock or a thread.

A host is asked at most twice, and never by two at once. The broker never gives an order to a second worker, it reports; so
only the ledger decides that a host is asked again, and only once nobody can be at it any more:

    an answer says that the process that read it died     at once
    the worker gave the order back unfinished              at once
    the broker reports that the worker is gone             once the order's time is over: it may be cut off and still ask
    nothing is heard of the order                          once the order's time is over
    the broker reports that nobody took it, or a worker    at once, and it does not count: nobody asked the host
    of another version refused it

Every order that was handed to the broker and is not known to have been left alone counts as a question to its hosts.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from auditor.model.run import TargetError
from auditor.model.target import Target

MOST_ASKED = 2
SLACK = 15.0  # seconds beyond an order's time, for words that are on their way
QUEUED = 30.0  # seconds for which an order may lie in its queue; the broker drops it then and says so
UNSENT = 10.0  # seconds for which it may wait for a connection; it is not sent any more then
GRACE = 60.0  # seconds without a word from any worker, after which a zone is down


class Planned(Struct, frozen=True):
    """An order to be sent: its number, its hosts, and how long a worker may be at it (seconds)."""

    number: int
    targets: tuple[Target, ...]
    seconds: float


class _Open(Struct):
    """An order that is out; `left` are its hosts without an answer."""

    left: dict[str, Target]
    seconds: float
    sent: float
    taken: float | None = None
    lost: float | None = None

    def over(self) -> float:
        """When nobody can be at it any more. Who is lost, and was not heard to begin, began at the latest when the loss was seen."""
        latest = self.sent + UNSENT + QUEUED if self.lost is None else self.lost
        return (self.taken if self.taken is not None else latest) + self.seconds + SLACK


class Ledger:
    """The hosts of one zone in one run. `window`: how many may be out at once; `batch`: how many one order holds; `now` is in seconds
    of any clock that only goes forward."""

    def __init__(self, targets: Iterable[Target], *, window: int, batch: int, now: float, grace: float = GRACE) -> None:
        self._waiting = deque(targets)
        self._window, self._batch, self._grace = window, batch, grace
        self._orders: dict[int, _Open] = {}
        self._asked: Counter[str] = Counter()
        self._number = 0
        self._able = self._active = now
        self._refusal = ""

    @property
    def done(self) -> bool:
        """Has every host its result?"""
        return not self._waiting and not self._orders

    def asked(self, name: str) -> int:
        """How often a host was asked."""
        return self._asked[name]

    def plan(self, now: float) -> Iterator[Planned]:
        """The orders that may go out now, as far as the window allows."""
        out = sum(len(order.left) for order in self._orders.values())
        while self._waiting and (out == 0 or out + self._batch <= self._window):
            targets = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._number += 1
            self._asked.update(t.name for t in targets)
            seconds = max(t.timeouts.total for t in targets)
            self._orders[self._number] = _Open({t.name: t for t in targets}, seconds, now)
            out += len(targets)
            yield Planned(self._number, tuple(targets), seconds)

    def heard(self, now: float, *, able: bool) -> None:
        """A worker said something; `able`: it is of our version."""
        if able:
            self._able, self._refusal = now, ""

    def taken(self, number: int, now: float) -> None:
        """A worker began with an order."""
        self._active = now
        if (order := self._orders.get(number)) and order.taken is None:
            order.taken = now

    def answered(self, number: int, name: str) -> Target | None:
        """The target that an answer is about; None where nobody waits for it: it is late, or a duplicate, or about another host."""
        order = self._orders.get(number)
        target = order.left.pop(name, None) if order else None
        if order and not order.left:
            del self._orders[number]
        return target

    def again(self, target: Target) -> bool:
        """Ask a host once more, since the one who asked says that he came to no end; False where it was asked often enough."""
        if self._asked[target.name] >= MOST_ASKED:
            return False
        self._waiting.appendleft(target)
        return True

    def refused(self, number: int, why: str) -> None:
        """A worker of another version did nothing of an order."""
        self._refusal = why
        self._untouched(number)

    def expired(self, number: int) -> None:
        """The broker says that nobody took an order."""
        self._untouched(number)

    def lost(self, number: int, now: float) -> bool:
        """The broker says that the worker of an order is gone; False where nobody waits for that order."""
        if order := self._orders.get(number):
            order.lost = now
        return order is not None

    def _untouched(self, number: int) -> None:
        if order := self._orders.pop(number, None):
            self._asked.subtract(order.left.keys())
            self._waiting.extendleft(reversed(order.left.values()))

    def given_up(self, now: float) -> Iterator[tuple[Target, TargetError]]:
        """The hosts that are asked no more, with the reason: of orders whose time is over for the second time, and all that wait where no worker is
        there to ask them."""
        for number, order in list(self._orders.items()):
            if now >= order.over():
                del self._orders[number]
                for target in order.left.values():
                    if not self.again(target):
                        yield target, _lost(order.taken is not None or order.lost is not None)
        idle = not any(o.taken is not None for o in self._orders.values())
        # Words alone are no work: a worker that greets and takes nothing holds nobody up for ever.
        down = now - self._able >= self._grace or now - self._active >= self._grace + 3 * QUEUED
        if idle and down and not self.done:
            for number in list(self._orders):
                self._untouched(number)
            error = self._down(now)
            while self._waiting:
                yield self._waiting.popleft(), error

    def rest(self) -> list[Target]:
        """Every host without a result; nothing is waited for any more."""
        left = [t for order in self._orders.values() for t in order.left.values()]
        left += self._waiting
        self._orders.clear()
        self._waiting.clear()
        return left

    def _down(self, now: float) -> TargetError:
        if self._refusal:  # and nobody fit since
            return TargetError("zone-down", f"no worker of its zone can do this: {self._refusal}")
        if now - self._able < self._grace:
            idle = f"{now - self._active:.0f} s"
            return TargetError(
                "zone-down", f"workers of its zone are heard of, and took no order for {idle}; look at their logs"
            )
        silent = f"no worker of its zone was heard of for {self._grace:g} s"
        return TargetError("zone-down", f"{silent}; is `auditor worker` running there, and does it reach the broker?")


def _lost(taken: bool) -> TargetError:
    if taken:
        return TargetError("worker-lost", "the workers that asked it ended or fell silent, twice; look at their logs")
    return TargetError("worker-lost", "two orders for it were not heard of again; look at the broker's log")
