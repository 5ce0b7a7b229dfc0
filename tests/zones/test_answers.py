"""What a worker says is held against what was asked: forged, late, doubled and foreign words change nothing.

The worker here is the test's own, with the zone's real keys: what a stolen worker could do.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw
from msgspec.structs import replace

from auditor.audit.context import new_context
from auditor.audit.executor import LocalExecutor
from auditor.audit.service import AuditRequest, AuditRun
from auditor.foundation.deadline import Stop
from auditor.inventory.selection import open_inventory
from auditor.model.encoded_facts import encode_facts
from auditor.model.requirements import DataRequirements
from auditor.model.run import TargetError, TargetResult
from auditor.model.zone import BrokerSettings
from auditor.rulebook.loader import load
from auditor.zones import executor_for, messages, sealing, topology
from auditor.zones.link import BrokerLink, Delivery, Subscription
from auditor.zones.messages import READING, Answer, Hello, HostAnswer, Order, OrderTaken, Place, Word
from tests.given import LINUX
from tests.lab.installed import need
from tests.lab.rabbit import SERVER
from tests.lab.zones import SlowHost, ZoneLab

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

need("rabbitmq-server", SERVER)
HOSTS = "".join(f"  h{n}: {{address: 10.0.0.{n}, zone: plant}}\n" for n in range(3))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZoneLab]:
    with ZoneLab(tmp_path_factory.mktemp("zones"), ("plant",)) as lab:
        yield lab


class OwnWorker:
    """Takes the orders of the zone, and says what the test wants."""

    def __init__(self, lab: ZoneLab) -> None:
        self.keys = lab.keys
        files = {"ca_file": "ca.pem", "cert_file": "plant.pem", "key_file": "plant.key", "signing_key": "plant-signing.key"}
        self._settings = BrokerSettings(url=lab.url, **{k: str(lab.keys / v) for k, v in files.items()})
        self.key = sealing.private_key(lab.keys / "plant-signing.key")
        self.orders: SimpleQueue[Delivery] = SimpleQueue()

    def __enter__(self) -> OwnWorker:
        queue = Subscription(topology.orders_queue("plant"))
        self.link = BrokerLink(self._settings, [queue], self.orders.put, print, prefetch=8).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.link.__exit__()

    def order(self) -> tuple[Delivery, Order]:
        delivery = self.orders.get(timeout=20)
        centre = sealing.public_key(self.keys / "centre-signing.pub")
        return delivery, messages.read_order(sealing.unseal(centre, "order plant", delivery.body))

    def say(self, word: Word | bytes, key: Ed25519PrivateKey | None = None, purpose: str = "answer plant") -> None:
        plain = word if isinstance(word, bytes) else messages.encode(word)
        self.link.publish(topology.answers("plant"), "plant", sealing.seal(key or self.key, purpose, plain))


def facts(name: str, when: datetime | None = None) -> dict[str, Raw]:
    known = replace(LINUX, target=name, collected_at=when or datetime.now(UTC))
    return {section: Raw(body) for section, body in encode_facts(known).items()}


def good(name: str) -> HostAnswer:
    return HostAnswer(name=name, outcome="assessed", sections=facts(name), seconds=0.5)


def answer(order: Order, *hosts: HostAnswer, now: datetime | None = None) -> Answer:
    return Answer(worker="w", place=order.place, now=now or datetime.now(UTC), hosts=hosts)


class Centre:
    """A run of the zone in a thread of its own."""

    def __init__(self, lab: ZoneLab, hosts: str = HOSTS, history: Path | None = None, busy: float = 0.0) -> None:
        inventory = open_inventory(str(lab.inventory(f"defaults: {{timeouts: {{total: 3}}}}\nhosts:\n{hosts}")))
        self.said: list[str] = []
        self.results: dict[str, TargetResult] = {}
        targets, rules, self.stop = list(inventory.targets.values()), load(), Stop()
        executor, self.seen = executor_for(targets, LocalExecutor(), inventory, history, self.said.append)

        def work() -> None:
            if history:
                request = AuditRequest(inventory=inventory, rulebook=rules, targets=targets, history=history)
                with AuditRun(request) as run:
                    for result in run.results(executor, self.stop):
                        self.results[result.target.name] = result
                    run.finish(self.stop)
                return
            for batch in executor.run(targets, new_context(rules, inventory, run="a-run"), self.stop):
                for result in batch:
                    assert result.target.name not in self.results
                    self.results[result.target.name] = result
                time.sleep(busy)

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def end(self) -> dict[str, TargetResult]:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.results


def whole(results: dict[str, TargetResult]) -> None:
    for name in ("h0", "h1", "h2"):
        assert results[name].outcome == "assessed", results[name].error
        assert results[name].facts
        assert len(results[name].findings) > 5
    assert set(results) == {"h0", "h1", "h2"}


def _elsewhere(worker: OwnWorker, order: Order) -> None:
    worker.say(answer(order, good("h9"), good("")))
    place = Place(run="another", number=order.place.number)
    worker.say(Answer(worker="w", place=place, now=datetime.now(UTC), hosts=(wrong("h0"),)))
    worker.say(Answer(worker="w", place=Place(run=order.place.run, number=77), now=datetime.now(UTC), hosts=(wrong("h0"),)))


def wrong(name: str) -> HostAnswer:
    return HostAnswer(name=name, outcome="unreachable", error=TargetError("refused", "forged"))


def _forged(worker: OwnWorker, order: Order) -> None:
    worker.say(answer(order, wrong("h0")), Ed25519PrivateKey.generate())
    worker.say(answer(order, wrong("h0")), purpose="answer port")
    worker.say(answer(order, wrong("h0")), purpose="order plant")
    worker.link.publish(topology.answers("plant"), "plant", messages.encode(answer(order, wrong("h0"))))


def _bombs(worker: OwnWorker, order: Order) -> None:
    worker.say(b"[" * 1_000_000)
    worker.say(b'{"type":"answer","hosts":' + b"[" * 1_000_000)
    worker.say(bytes(sealing.MAX_PLAIN))
    packed = zstd.compress(bytes(200_000_000))
    signed = sealing._MARK + worker.key.sign(sealing._MARK + b"answer plant\n" + packed) + packed
    worker.link.publish(topology.answers("plant"), "plant", signed)


def _twice(worker: OwnWorker, order: Order) -> None:
    worker.say(answer(order, good("h0"), good("h0"), wrong("h0")))
    worker.say(answer(order, wrong("h0")))


@pytest.mark.parametrize("mischief", [_elsewhere, _forged, _bombs, _twice])
def test_what_was_not_asked_changes_nothing(lab: ZoneLab, mischief: Callable[[OwnWorker, Order], None]) -> None:
    with OwnWorker(lab) as worker:
        centre = Centre(lab)
        delivery, order = worker.order()
        assert [a.name for a in order.asks] == ["h0", "h1", "h2"]
        worker.say(OrderTaken(worker="w", place=order.place))
        mischief(worker, order)
        worker.say(answer(order, *map(good, ("h0", "h1", "h2"))))
        worker.link.settle(delivery)
        whole(centre.end())
    assert len(centre.said) == 1
    assert "dropped" in centre.said[0] or "thrown away" in centre.said[0]


def test_an_answer_larger_than_is_read(lab: ZoneLab) -> None:
    """200 MB never reach the centre: the broker refuses them, and the worker itself says that it is too much."""
    with OwnWorker(lab) as worker:
        with pytest.raises(ValueError, match="larger than is read"):
            worker.say(bytes(200_000_000))
        said: list[str] = []
        raw = BrokerLink(worker._settings, [], worker.orders.put, said.append).__enter__()
        raw.publish(topology.answers("plant"), "plant", bytes(200_000_000), within=30)
        end = time.monotonic() + 30
        while not said and time.monotonic() < end:
            time.sleep(0.1)
        raw.__exit__()
        assert "larger than configured max size" in said[0]
        centre = Centre(lab)
        delivery, order = worker.order()
        worker.say(answer(order, *map(good, ("h0", "h1", "h2"))))
        worker.link.settle(delivery)
        whole(centre.end())
        assert centre.said == []


@pytest.mark.parametrize(
    ("sections", "same", "said"),
    [
        ({"packages": Raw(b'"x"')}, (), "no host's facts"),
        ({"nothing": Raw(b"1")}, (), "no section 'nothing'"),
        ({"packages": Raw(b"[" * 60_000 + b"]" * 60_000)}, (), "no message at all"),
        ({}, ("packages",), "which is not known here"),
        ({"collected_at": Raw(b'"yesterday"')}, (), "no host's facts"),
    ],
)
def test_facts_that_are_none(lab: ZoneLab, sections: dict[str, Raw], same: tuple[str, ...], said: str) -> None:
    with OwnWorker(lab) as worker:
        centre = Centre(lab)
        delivery, order = worker.order()
        worker.say(OrderTaken(worker="w", place=order.place))
        bad = HostAnswer(name="h0", outcome="assessed", sections=facts("h0") | sections, same=same)
        worker.say(answer(order, good("h1"), good("h2")))
        worker.say(answer(order, bad))
        if said == "no message at all":  # then the host waits for its order's time, twice
            end = time.monotonic() + 20
            while len(centre.results) < 2 and time.monotonic() < end:
                time.sleep(0.1)
            centre.stop.now()
        worker.link.settle(delivery)
        results = centre.end()
    assert results["h0"].error
    assert not results["h0"].findings
    if said != "no message at all":
        assert said in results["h0"].error.message, results["h0"].error
    assert results["h1"].outcome == results["h2"].outcome == "assessed"


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=300)])
def test_a_worker_whose_clock_is_off(lab: ZoneLab, off: timedelta) -> None:
    """What counts is how long before its answer it read a host."""
    with OwnWorker(lab) as worker:
        centre = Centre(lab)
        delivery, order = worker.order()
        now = datetime.now(UTC) + off
        hosts = [
            HostAnswer(name=a.name, outcome="assessed", sections=facts(a.name, now - timedelta(seconds=40))) for a in order.asks
        ]
        worker.say(answer(order, *hosts, now=now))
        worker.link.settle(delivery)
        results = centre.end()
    whole(results)
    for result in results.values():
        assert result.facts
        age = datetime.now(UTC) - result.facts.collected_at
        assert timedelta(seconds=39) < age < timedelta(seconds=100)


def test_what_the_centre_has_is_not_sent_again(lab: ZoneLab, tmp_path: Path) -> None:
    """The second night's order says what is known of a host; its facts and findings are as if it had been sent."""
    nights: list[dict[str, TargetResult]] = []
    offered: list[dict[str, str]] = []
    for night in range(2):
        with OwnWorker(lab) as worker:
            centre = Centre(lab, history=tmp_path / "a.db")
            delivery, order = worker.order()
            offered.append(order.asks[0].has)
            left_out = tuple(order.asks[0].has)
            sent = [
                HostAnswer(
                    name=a.name,
                    outcome="assessed",
                    sections={n: b for n, b in facts(a.name).items() if n not in left_out},
                    same=left_out,
                )
                for a in order.asks
            ]
            worker.say(answer(order, *sent))
            worker.link.settle(delivery)
            whole(centre.end())
            nights.append(centre.results)
            assert night or not left_out
    assert offered[0] == {}
    assert "packages" in offered[1]
    for name in ("h0", "h1", "h2"):
        assert nights[0][name].findings == nights[1][name].findings
        assert nights[0][name].facts is not None
        assert nights[1][name].outcome == "assessed"


def test_heartbeats_while_the_centre_is_busy(lab: ZoneLab) -> None:
    """Whoever takes the results does not come back for four heartbeats of the broker: the connection stays, and nothing is lost."""
    with OwnWorker(lab) as worker:
        centre = Centre(lab, busy=12.0)
        delivery, order = worker.order()
        worker.say(OrderTaken(worker="w", place=order.place))
        worker.say(answer(order, good("h0")))
        time.sleep(3)
        worker.say(answer(order, good("h1"), good("h2")))
        worker.link.settle(delivery)
        whole(centre.end())
    assert centre.said == []


def test_an_order_again_and_one_of_another_zone(lab: ZoneLab, tmp_path: Path) -> None:
    """A real worker does nothing for a broker that shows it an order twice, an order of another zone, or none of the centre's."""
    with SlowHost(tmp_path / "host") as host:
        settings = lab.settings("plant", f"[{host.served()}]")
        centre_key = sealing.private_key(lab.keys / "centre-signing.key")
        ask = messages.Ask(name="real", connection="ssh", address="127.0.0.1", port=host.port, user="root")
        order = Order(
            place=Place(run="r", number=1),
            zone="plant",
            made=datetime.now(UTC),
            seconds=20.0,
            auditor="x",
            reading=READING,
            linux=load().requirements(family="linux"),
            asks=(ask,),
        )

        def sealed(order: Order, purpose: str = "order plant", key: Ed25519PrivateKey = centre_key) -> bytes:
            return sealing.seal(key, purpose, messages.encode(order))

        def numbered(number: int, **more: Any) -> Order:
            return replace(order, place=Place(run="r", number=number), **more)

        first = sealed(order)
        local = replace(ask, address="127.0.0.2")
        shown = [
            first,
            first,  # again
            sealed(numbered(2), "order port"),
            sealed(numbered(3, zone="port")),
            sealed(numbered(4), key=Ed25519PrivateKey.generate()),
            messages.encode(numbered(5)),
            sealed(numbered(6, made=datetime.now(UTC) - timedelta(days=2))),
            sealed(numbered(7, asks=(local,))),
            sealed(numbered(8, linux=DataRequirements(linux=("sysctl:kernel.secret",)))),
        ]
        files = {"ca_file": "ca.pem", "cert_file": "centre.pem", "key_file": "centre.key", "signing_key": "centre-signing.key"}
        broker = BrokerSettings(url=lab.url, **{k: str(lab.keys / v) for k, v in files.items()})
        words: SimpleQueue[Delivery] = SimpleQueue()
        said: list[Word] = []
        log = settings.with_suffix(".log")
        with (
            lab.worker("plant", settings) as worker,
            BrokerLink(broker, [Subscription(topology.answers("plant"))], words.put, print) as link,
        ):
            for message in shown:
                link.publish(topology.ORDERS, "plant", message)
            host.wait_asked(1)
            end = time.monotonic() + 90
            theirs = sealing.public_key(lab.keys / "plant-signing.pub")
            while time.monotonic() < end and {1, 3, 6, 7, 8} - {
                w.place.number for w in said if isinstance(w, (Answer, messages.OrderRefused))
            }:
                delivery = words.get(timeout=40)
                link.settle(delivery)
                if delivery.exchange != topology.LOST:
                    said.append(messages.read_word(sealing.unseal(theirs, "answer plant", delivery.body)))
            assert worker.poll() is None
        hosts = {w.place.number: h for w in said if isinstance(w, Answer) for h in w.hosts}
        assert hosts[1].outcome in ("assessed", "partial")
        assert hosts[7].error
        assert "none of the `targets:`" in hosts[7].error.message
        refused = {w.place.number: w.why for w in said if isinstance(w, messages.OrderRefused)}
        assert set(refused) == {3, 6, 8}
        assert "for the zone 'port'" in refused[3]
        assert "a day old" in refused[6]
        assert "do not know sysctl:kernel.secret" in refused[8]
        assert any(isinstance(w, Hello) for w in said)
        assert len(host.asked()) == 1
        text = log.read_text()
        assert "came again and was left alone" in text
        assert text.count("thrown away") == 3
