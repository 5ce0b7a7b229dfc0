"""Whatever a broker, workers and time do: each host has one result, is asked at most twice, and never by two at once."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from auditor.model.target import Target, Timeouts
from auditor.zones.ledger import MOST_ASKED, QUEUED, SLACK, UNSENT, Ledger

TOTAL = 30.0


def hosts(count: int) -> list[Target]:
    return [Target(name=f"h{n}", address=f"10.0.0.{n}", timeouts=Timeouts(total=TOTAL)) for n in range(count)]


class World:
    """A broker and workers that follow the rules they have to follow, and otherwise do what chance says."""

    def __init__(self, seed: int, count: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.ledger = Ledger(hosts(count), window=8, batch=self.chance.choice((1, 3, 8)), now=0.0)
        self.queue: list[tuple[int, list[str], float]] = []  # order, hosts, when it expires
        self.work: list[tuple[int, list[str], float]] = []  # order, hosts that are not done, until when a worker is at it
        self.asked: dict[str, list[tuple[float, float]]] = {}
        self.results: dict[str, str] = {}
        self.words: list[tuple[float, str, int, str]] = []

    def step(self) -> None:
        self.now += self.chance.uniform(0, 6)
        for planned in self.ledger.plan(self.now):
            fate = self.chance.random()
            if fate < 0.05:
                continue  # the broker lost it
            late = self.chance.uniform(0, UNSENT)
            self.queue.append((planned.number, [t.name for t in planned.targets], self.now + late + QUEUED))
        self.broker()
        self.workers()
        for word in sorted(self.words):
            if word[0] <= self.now:
                self.words.remove(word)
                self.tell(*word[1:])
        for target, error in self.ledger.given_up(self.now):
            self.result(target.name, error.kind)

    def broker(self) -> None:
        for order in list(self.queue):
            number, names, until = order
            if self.now > until:
                self.queue.remove(order)
                self.say("expired", number)
            elif self.chance.random() < 0.3:
                self.queue.remove(order)
                if self.chance.random() < 0.1:
                    self.say("refused", number)
                    continue
                self.say("taken", number)
                self.work.append((number, names, self.now + TOTAL))
                for name in names:
                    self.asked.setdefault(name, []).append((self.now, self.now + TOTAL))

    def workers(self) -> None:
        for work in list(self.work):
            number, names, until = work
            fate = self.chance.random()
            if self.now > until or fate < 0.05:  # killed, stopped, or cut off: then it may be at it until its time is over
                self.work.remove(work)
                if self.chance.random() < 0.8:
                    self.say("lost", number)
                if self.chance.random() < 0.2:
                    for name in names:
                        self.say("answer", number, name, delay=self.chance.uniform(0, 200))
            elif fate < 0.6 and names:
                name = names.pop()
                start, _ = self.asked[name][-1]
                self.asked[name][-1] = (start, self.now)
                self.say(self.chance.choice(("answer", "answer", "answer", "died")), number, name)
                if self.chance.random() < 0.2:
                    self.say("answer", number, name, delay=self.chance.uniform(0, 100))

    def say(self, what: str, number: int, name: str = "", delay: float = 0.0) -> None:
        if self.chance.random() < 0.05 and what != "refused":
            return  # a word is lost
        self.words.append((self.now + self.chance.uniform(0, SLACK / 2) + delay, what, number, name))

    def tell(self, what: str, number: int, name: str) -> None:
        self.ledger.heard(self.now, able=what != "refused")
        if what == "taken":
            self.ledger.taken(number, self.now)
        elif what == "refused":
            self.ledger.refused(number, "another version")
        elif what == "expired":
            self.ledger.expired(number)
        elif what == "lost":
            self.ledger.lost(number, self.now)
        elif target := self.ledger.answered(number, name):
            if what == "died" and self.ledger.again(target):
                return
            self.result(target.name, what)

    def result(self, name: str, what: str) -> None:
        assert name not in self.results, f"{name} has two results"
        self.results[name] = what


@pytest.mark.parametrize("seed", range(600))
def test_at_most_twice_and_never_two_at_once(seed: int) -> None:
    world = World(seed, count := 3 + seed % 20)
    for _ in range(3000):
        world.step()
        if world.ledger.done:
            break
    assert world.ledger.done, "it comes to an end"
    for _ in range(60):
        world.step()  # what comes late changes nothing
    assert len(world.results) == count
    for name, times in world.asked.items():
        assert len(times) <= MOST_ASKED, f"{name} was asked {times}"
        for (_, end), (begin, _) in pairwise(times):
            assert begin >= end, f"{name} was asked by two at once: {times}"


def ledger(count: int = 2, **more: float) -> Ledger:
    return Ledger(hosts(count), window=8, batch=8, now=0.0, **more)


def sent(book: Ledger, now: float) -> list[tuple[int, list[str]]]:
    return [(p.number, [t.name for t in p.targets]) for p in book.plan(now)]


def test_a_dead_worker_is_waited_for_as_long_as_it_may_ask() -> None:
    book = ledger()
    assert sent(book, 0.0) == [(1, ["h0", "h1"])]
    book.taken(1, 5.0)
    book.lost(1, 20.0)
    assert list(book.given_up(5.0 + TOTAL + SLACK - 0.1)) == []
    assert sent(book, 40.0) == []
    assert list(book.given_up(5.0 + TOTAL + SLACK)) == []
    assert sent(book, 51.0) == [(2, ["h1", "h0"])]


def test_a_lost_worker_whose_beginning_was_not_heard_of() -> None:
    """It may have begun just before it was lost, long after the order was sent."""
    book = ledger()
    assert sent(book, 0.0)
    book.heard(35.0, able=True)
    book.lost(1, 35.0)
    assert list(book.given_up(35.0)) == []
    book.heard(35.0 + TOTAL, able=True)
    assert sent(book, 35.0 + TOTAL) == []
    assert list(book.given_up(35.0 + TOTAL + SLACK - 0.1)) == []
    assert sent(book, 35.0 + TOTAL + SLACK - 0.1) == [], "nobody else asks while it may be at it"


def test_a_dead_child_is_asked_again_at_once_and_only_once() -> None:
    book = ledger(1)
    for number in (1, 2):
        assert sent(book, number) == [(number, ["h0"])]
        target = book.answered(number, "h0")
        assert target
        assert book.again(target) is (number == 1)
    assert book.done
    assert book.asked("h0") == 2


def test_what_nobody_took_or_could_do_does_not_count() -> None:
    book = ledger(1)
    for number in range(1, 9):
        assert sent(book, number) == [(number, ["h0"])]
        assert book.asked("h0") == 1
        book.heard(number, able=True)
        book.expired(number) if number % 2 else book.refused(number, "why")
    assert sent(book, 9) == [(9, ["h0"])]


@pytest.mark.parametrize(("able", "said"), [(None, "no worker of its zone was heard"), (False, "auditor 1, and the centre 2")])
def test_a_zone_without_a_fit_worker_is_down(able: bool | None, said: str) -> None:
    book = ledger(20, grace=60.0)
    numbers = [number for number, _ in sent(book, 0.0)]
    if able is not None:
        book.heard(1.0, able=able)
        book.refused(numbers[0], "auditor 1, and the centre 2")
        book.heard(59.0, able=able)
    assert list(book.given_up(59.9)) == []
    down = list(book.given_up(60.0))
    assert len(down) == 20
    assert {e.kind for _, e in down} == {"zone-down"}
    assert all(said in e.message for _, e in down)
    assert book.done


def test_the_window_holds() -> None:
    book = Ledger(hosts(100), window=10, batch=4, now=0.0)
    out = sent(book, 0.0)
    assert [len(names) for _, names in out] == [4, 4]
    assert book.answered(out[0][0], out[0][1][0])
    assert sent(book, 1.0) == []
    assert book.answered(out[0][0], out[0][1][1])
    assert [len(names) for _, names in sent(book, 1.0)] == [4]


def test_answers_that_nobody_waits_for() -> None:
    book = ledger(1)
    assert sent(book, 0.0)
    assert book.answered(1, "other") is None
    assert book.answered(7, "h0") is None
    assert book.answered(1, "h0")
    assert book.answered(1, "h0") is None, "twice"
    assert book.done


def test_workers_that_greet_and_take_nothing_hold_nobody_up_for_ever() -> None:
    book, now, down = ledger(5, grace=15.0), 0.0, []
    while not book.done and now < 1000:
        now += 2.0
        book.heard(now, able=True)
        for number, _ in sent(book, now):
            last = number
        if now % 30 == 0:
            book.expired(last)
        down += list(book.given_up(now))
    assert now <= 15.0 + 3 * QUEUED + 2
    assert len(down) == 5
    assert all("took no order" in error.message for _, error in down)
