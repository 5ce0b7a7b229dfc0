"""Many orders through one zone's window: is any lost, and does the centre's memory grow with them?

`python -m bench.zones_window [ORDERS] [FOLDER]`: a real RabbitMQ, the product's executor as the centre, one host an order, and a worker
that answers without asking anybody, so that orders and answers are all there is. Results are counted and thrown away.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from auditor.audit.context import new_context
from auditor.audit.executor import LocalExecutor
from auditor.foundation.deadline import Stop
from auditor.inventory.selection import open_inventory
from auditor.model.run import TargetError
from auditor.model.zone import BrokerSettings
from auditor.rulebook.loader import load
from auditor.zones import executor_for, messages, sealing, topology
from auditor.zones.link import BrokerLink, Delivery, Subscription
from auditor.zones.messages import Answer, HostAnswer, OrderTaken
from tests.lab.zones import ZoneLab


def answering(url: str, keys: Path) -> None:
    """A worker that answers at once, until it is ended."""
    settings = BrokerSettings(
        url=url, ca_file=f"{keys}/ca.pem", cert_file=f"{keys}/plant.pem", key_file=f"{keys}/plant.key", signing_key=""
    )
    centre, own = sealing.public_key(keys / "centre-signing.pub"), sealing.private_key(keys / "plant-signing.key")
    orders: SimpleQueue[Delivery] = SimpleQueue()
    with BrokerLink(settings, [Subscription(topology.orders_queue("plant"))], orders.put, print, prefetch=64) as link:
        while True:
            delivery = orders.get()
            order = messages.read_order(sealing.unseal(centre, "order plant", delivery.body))
            error = TargetError("refused", "nobody was asked")
            hosts = tuple(HostAnswer(name=a.name, outcome="unreachable", error=error) for a in order.asks)
            for word in (
                OrderTaken(worker="w", place=order.place),
                Answer(worker="w", place=order.place, now=datetime.now(UTC), hosts=hosts),
            ):
                link.publish(topology.answers("plant"), "plant", sealing.seal(own, "answer plant", messages.encode(word)))
            link.settle(delivery)


def resident() -> float:
    """MB of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name, ZoneLab(Path(name) / "lab") as lab:
        hosts = "".join(f"  h{n}: {{address: 10.{n >> 16}.{n >> 8 & 255}.{n & 255}}}\n" for n in range(1, count + 1))
        path = lab.inventory(f"defaults: {{zone: plant}}\nhosts:\n{hosts}", "{plant: {jobs: 64, batch: 1}}")
        inventory = open_inventory(str(path))
        targets = list(inventory.targets.values())
        worker = multiprocessing.get_context("spawn").Process(target=answering, args=(lab.url, lab.keys), daemon=True)
        worker.start()
        executor, seen = executor_for(targets, LocalExecutor(), inventory, None, print)
        began, done, least, most, names = time.monotonic(), 0, 0.0, 0.0, set[str]()
        for batch in executor.run(targets, new_context(load(), inventory, run="window"), Stop()):
            names.update(r.target.name for r in batch)
            done += len(batch)
            if done >= count // 50:
                now = resident()
                least, most = least or now, max(most, now)
        seconds = time.monotonic() - began
        worker.terminate()
        lost = count - len(names)
        print(f"{count} orders in {seconds:.0f} s ({count / seconds:.0f} a second): {lost} lost, {done - len(names)} twice; the centre held {least:.1f} MB after the first fiftieth and {most:.1f} MB at most ({most / least:.2f} times); {seen()[0].sent / count:.0f} bytes out and {seen()[0].received / count:.0f} home an order")  # fmt: skip


if __name__ == "__main__":
    main()
