"""What can go wrong between a centre, a broker and workers, each on a real RabbitMQ: nothing is lost, invented, or asked too often.

The hosts are real sshd that keep a log of who asked them from when to when: at most twice, and never two at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.lab.installed import need
from tests.lab.rabbit import SERVER
from tests.lab.zones import SlowHost, ZoneLab
from tests.places import RECORDINGS, ROOT

need("rabbitmq-server", SERVER)
TOTAL = 6  # seconds that a host may take
REPLAYED = f"{{hosts: [10.0.0.0/8], recording: {RECORDINGS / 'debian-12-root'}}}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZoneLab]:
    with ZoneLab(tmp_path_factory.mktemp("zones"), ("plant", "port")) as lab:
        yield lab


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SlowHost]:
    with SlowHost(tmp_path / "host", 2.0) as host:
        yield host


class Audit:
    """`auditor audit` under way."""

    def __init__(self, lab: ZoneLab, hosts: str, folder: Path, zones: str = "") -> None:
        inventory = folder / "inventory.yaml"
        text = f"defaults: {{timeouts: {{total: {TOTAL}, command: {TOTAL}}}}}\nhosts:\n{hosts}"
        inventory.write_text(lab.inventory(text, zones).read_text().replace("broker: ", f"history: {folder}/a.db\nbroker: "))
        (folder / "zones").symlink_to(lab.keys) if not (folder / "zones").exists() else None
        command = [sys.executable, "-m", "auditor", "audit", "--inventory", str(inventory), "--format", "json", "--no-report"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, seconds: float = 120) -> dict[str, dict[str, Any]]:
        """The targets of its document by name."""
        out, self.errors = self.process.communicate(timeout=seconds)
        self.seconds = time.monotonic() - self.began
        assert "Traceback" not in self.errors
        assert self.process.returncode in (0, 1, 3), self.errors
        return {t["name"]: t for t in json.loads(out)["targets"]}


def real(host: SlowHost, name: str = "real") -> str:
    return f"  {name}: {{address: 127.0.0.1, port: {host.port}, user: root, zone: plant}}\n"


def replayed(count: int, zone: str = "plant") -> str:
    return "".join(f"  {zone}{n}: {{address: 10.0.0.{n + 1}, zone: {zone}}}\n" for n in range(count))


def fair(host: SlowHost, most: int) -> None:
    asked = host.asked()
    assert 0 < len(asked) <= most, asked
    assert all(end <= begin for (_, end), (begin, _) in pairwise(asked)), f"two at once: {asked}"


def well(targets: dict[str, dict[str, Any]]) -> None:
    for name, target in targets.items():
        assert target["outcome"] in ("assessed", "partial"), (name, target["error"])
        assert len(target["findings"]) > 5


def test_a_killed_worker(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    settings = lab.settings("plant", f"[{host.served()}, {REPLAYED}]")
    with ExitStack() as stack:
        workers = [stack.enter_context(lab.worker("plant", settings)) for _ in range(2)]
        audit = Audit(lab, real(host), tmp_path)
        host.wait_asked(1)
        held = _holder(lab, workers)
        held.kill()
        well(audit.end())
        fair(host, 2)
        assert len(host.asked()) == 2
        assert "a worker did not come to an end" in audit.errors


def _holder(lab: ZoneLab, workers: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The worker that is at an order now: it has a connection to the host."""
    for worker in workers:
        for link in Path(f"/proc/{worker.pid}/task").iterdir():
            if (link / "comm").read_text().startswith("host"):
                return worker
    connections = [len(list(Path(f"/proc/{w.pid}/fd").iterdir())) for w in workers]
    return workers[connections.index(max(connections))]


def test_a_worker_that_is_stopped_and_goes_on(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    settings = lab.settings("plant", f"[{host.served()}, {REPLAYED}]")
    with ExitStack() as stack:
        workers = [stack.enter_context(lab.worker("plant", settings)) for _ in range(2)]
        audit = Audit(lab, real(host), tmp_path)
        host.wait_asked(1)
        held = _holder(lab, workers)
        held.send_signal(signal.SIGSTOP)
        host.wait_asked(2, 60)
        held.send_signal(signal.SIGCONT)
        well(audit.end())
        fair(host, 2)
        time.sleep(2)
        host.pause(0)
        well(Audit(lab, real(host) + replayed(30), tmp_path).end())  # and what the stopped one says late disturbs nobody
        assert len(host.asked()) == 3


def test_a_worker_that_is_stopped_for_a_moment(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    """It goes on before its order's time is over, and its own deadline is over: that is no time-out of the host's."""
    settings = lab.settings("plant", f"[{host.served()}, {REPLAYED}]")
    with lab.worker("plant", settings) as worker:
        audit = Audit(lab, real(host), tmp_path)
        host.wait_asked(1)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(TOTAL + 2)
        worker.send_signal(signal.SIGCONT)
        well(audit.end())
        fair(host, 2)
        assert len(host.asked()) == 2


def test_a_dead_child(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    """Its host is asked once more at once; a second death is the host's result."""
    settings = lab.settings("plant", f"[{host.served()}]")
    host.pause(0)
    with lab.worker("plant", settings) as worker:
        well(Audit(lab, real(host), tmp_path).end())
        stopped = _grandchildren(worker.pid)
        assert stopped
        for child in stopped:
            os.kill(child, signal.SIGSTOP)
        audit = Audit(lab, real(host), tmp_path)
        host.wait_asked(2)
        time.sleep(1)
        for child in stopped:
            os.kill(child, signal.SIGKILL)
        well(audit.end())
        assert audit.seconds < 15
        assert len(host.asked()) == 3


def _grandchildren(pid: int) -> list[int]:
    def children(of: int) -> list[int]:
        return [int(p) for p in Path(f"/proc/{of}/task/{of}/children").read_text().split()]

    return [grandchild for child in children(pid) for grandchild in children(child)]


def test_a_broker_that_is_killed_and_comes_back(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    settings = lab.settings("plant", f"[{host.served()}, {REPLAYED}]")
    with lab.worker("plant", settings):
        audit = Audit(lab, real(host) + replayed(30), tmp_path)
        host.wait_asked(1)
        lab.broker.kill()
        time.sleep(1)
        lab.restart()
        well(audit.end())
        fair(host, 2)
        assert "cannot be used now" in audit.errors
        well(Audit(lab, replayed(5), tmp_path).end())


def test_a_queue_that_is_purged(lab: ZoneLab, tmp_path: Path) -> None:
    """What was purged is asked for again once it can be nowhere any more."""
    settings = lab.settings("plant", f"[{REPLAYED}]")
    audit = Audit(lab, replayed(3), tmp_path, zones="{plant: {grace: 100}}")
    _wait(lambda: "auditor.orders.plant\t1" in lab.broker.ctl("list_queues", "-p", "auditor", "name", "messages"))
    lab.broker.ctl("purge_queue", "-p", "auditor", "auditor.orders.plant")
    with lab.worker("plant", settings):
        well(audit.end())
    assert audit.seconds > 10 + 30 + TOTAL


def _wait(what: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_zone_without_a_worker(lab: ZoneLab, tmp_path: Path) -> None:
    """It is down after its grace, nothing of it stays in the queue, and the other zone is as ever."""
    with lab.worker("port", lab.settings("port", f"[{REPLAYED}]")):
        audit = Audit(lab, replayed(20) + replayed(20, "port"), tmp_path, zones="{plant: {grace: 3}, port: {}}")
        targets = audit.end()
    well({n: t for n, t in targets.items() if n.startswith("port")})
    down = [t["error"] for n, t in targets.items() if n.startswith("plant")]
    assert len(down) == 20
    assert {e["kind"] for e in down} == {"zone-down"}
    assert all("no worker of its zone was heard of for 3 s" in e["message"] for e in down)
    assert audit.process.returncode in (1, 3)
    # The broker counts every few seconds.
    _wait(lambda: "auditor.orders.plant\t0" in lab.broker.ctl("list_queues", "-p", "auditor", "name", "messages"))


def test_versions_that_differ(lab: ZoneLab, tmp_path: Path) -> None:
    """A zone whose workers are of another version is refused, and no other; a fit worker beside an unfit one does it all."""
    plant, port = lab.settings("plant", f"[{REPLAYED}]"), lab.settings("port", f"[{REPLAYED}]")
    zones = "{plant: {grace: 3}, port: {}}"
    with lab.worker("plant", plant, version="0.0.1"):
        with lab.worker("port", port):
            targets = Audit(lab, replayed(9) + replayed(9, "port"), tmp_path, zones).end()
        well({n: t for n, t in targets.items() if n.startswith("port")})
        refused = [t["error"] for n, t in targets.items() if n.startswith("plant")]
        assert {e["kind"] for e in refused} == {"zone-down"}
        assert all("is auditor 0.0.1, and the centre" in e["message"] for e in refused), refused
        with lab.worker("plant", plant):
            well(Audit(lab, replayed(40), tmp_path, "{plant: {}}").end())


def test_two_centres(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    """The second one is told; the first one goes on undisturbed."""
    host.pause(4)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with lab.worker("plant", lab.settings("plant", f"[{host.served()}, {REPLAYED}]", "jobs: 1\n")):
        one = Audit(lab, "".join(real(host, f"r{n}") for n in range(5)), first, "{plant: {jobs: 1, batch: 1}}")
        host.wait_asked(1)
        targets = Audit(lab, replayed(3), second).end()
        assert {t["error"]["kind"] for t in targets.values()} == {"zone-down"}
        assert all("another auditor takes this zone's answers" in t["error"]["message"] for t in targets.values())
        well(one.end())
        assert len(host.asked()) == 5
        fair(host, 5)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_centre(lab: ZoneLab, host: SlowHost, tmp_path: Path, how: signal.Signals) -> None:
    host.pause(60)
    with lab.worker("plant", lab.settings("plant", f"[{host.served()}, {REPLAYED}]")):
        audit = Audit(lab, real(host) + replayed(3), tmp_path)
        host.wait_asked(1)
        audit.process.send_signal(how)
        told = time.monotonic()
        targets = audit.end()
        assert time.monotonic() - told < 10
        assert targets["real"]["error"]["kind"] == "interrupted"
        assert set(targets) == {"real", "plant0", "plant1", "plant2"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_worker(lab: ZoneLab, host: SlowHost, tmp_path: Path, how: signal.Signals) -> None:
    """It ends within ten seconds, gives back what it cannot end, and another does it at once."""
    host.pause(4)
    settings = lab.settings("plant", f"[{host.served()}, {REPLAYED}]")
    with lab.worker("plant", settings) as worker:
        audit = Audit(lab, real(host), tmp_path)
        host.wait_asked(1)
        worker.send_signal(how)
        told = time.monotonic()
        assert worker.wait(10) == 0
        assert time.monotonic() - told < 10
        host.pause(0)
        with lab.worker("plant", settings):
            well(audit.end())
    assert len(host.asked()) == 2


def test_limits_hold_for_each_host(lab: ZoneLab, host: SlowHost, tmp_path: Path) -> None:
    """Of eight hosts in one order one says nothing: it alone is late."""
    host.pause(1000)
    with lab.worker("plant", lab.settings("plant", f"[{host.served()}, {REPLAYED}]")):
        audit = Audit(lab, real(host) + replayed(7), tmp_path)
        targets = audit.end()
    silent = targets.pop("real")
    assert silent["error"]["kind"] == "timeout" or silent["outcome"] == "partial", silent
    assert TOTAL - 1 < silent["seconds"] < TOTAL + 5
    well(targets)
    assert max(t["seconds"] for t in targets.values()) < 3
    assert len(host.asked()) == 1
