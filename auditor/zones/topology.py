"""The broker's side of zones: names of exchanges and queues, and each account's rights, least first.

Orders of a zone lie in a quorum queue of its own with a delivery limit of 0: the broker never gives an order to a second
worker, it reports what was not finished, and the centre decides. Words of a zone's workers come by an exchange of its own, so
that an account can speak for its own zone alone. Nothing is declared but by the operator (`auditor zones setup`): neither
account may.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.zones.ledger import QUEUED

ORDERS, LOST = "auditor.orders", "auditor.lost"  # exchanges
CENTRE = "auditor-centre"  # the centre's account: the common name of its certificate
# What workers say while no centre is there is of no use later.
_ANSWERS = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-max-length": 20_000,
    "x-max-length-bytes": 500_000_000,
    "x-message-ttl": 600_000,
}
MAX_MESSAGE = 33_554_432  # bytes; RabbitMQ's max_message_size, a little above sealing.MAX_SEALED


def account(zone: str) -> str:
    """The account of a zone's workers: the common name of their certificates."""
    return f"auditor-{zone}"


def orders_queue(zone: str) -> str:
    """Where the orders of a zone lie."""
    return f"auditor.orders.{zone}"


def answers(zone: str) -> str:
    """The exchange and the queue of what a zone's workers say, and of what the broker reports of its orders."""
    return f"auditor.answers.{zone}"


def lock_queue(zone: str) -> str:
    """What only one centre consumes at a time. A classic queue: quorum queues take no notice of exclusive consumers."""
    return f"auditor.centre.{zone}"


def definitions(zone: str, vhost: str) -> dict[str, Any]:
    """What `rabbitmqctl import_definitions` takes: the accounts, which have no password, their rights, and the queues of one
    zone. Importing it again changes nothing."""
    at, queue = {"vhost": vhost}, {"durable": True, "auto_delete": False}
    to_orders = {"source": ORDERS, "destination": orders_queue(zone)}
    to_answers = {"source": answers(zone), "destination": answers(zone)}
    to_lost = {"source": LOST, "destination": answers(zone)}
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(CENTRE), _user(account(zone))],
        "permissions": [
            {"user": CENTRE, **at, "configure": "^$", "write": r"^auditor\.orders$", "read": r"^auditor\.(orders|answers|centre)\..+$"},
            {"user": account(zone), **at, "configure": "^$", "write": f"^{re.escape(answers(zone))}$", "read": f"^{re.escape(orders_queue(zone))}$"},
        ],
        "exchanges": [
            {"name": name, **at, **queue, "type": "direct", "internal": name == LOST, "arguments": {}}
            for name in (ORDERS, LOST, answers(zone))
        ],
        "queues": [
            {"name": orders_queue(zone), **at, **queue, "arguments": _orders_arguments(zone)},
            {"name": answers(zone), **at, **queue, "arguments": _ANSWERS},
            {"name": lock_queue(zone), **at, **queue, "arguments": {}},
        ],
        "bindings": [
            {**at, **binding, "destination_type": "queue", "routing_key": zone, "arguments": {}}
            for binding in (to_orders, to_answers, to_lost)
        ],
    }  # fmt: skip


def _orders_arguments(zone: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": 0,
        "x-dead-letter-exchange": LOST,
        "x-dead-letter-routing-key": zone,
        # Or what was out when the broker was killed would be reported by nobody.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-message-ttl": int(QUEUED * 1000),
    }


def _user(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": "",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
        "limits": {"max-connections": 64, "max-channels": 64},
    }
