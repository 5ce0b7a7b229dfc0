"""What the broker refuses, by real attempts at one that the printed script set up, and whom our own side does not believe.

Beside the broker's virtual host `auditor` there is `spare`, with the same names, where an account of our own may do everything:
what is refused in the one has to work in the other.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from amqp import AMQPError, Connection, Message, sasl

from auditor.model.zone import BrokerSettings
from auditor.zones.link import BrokerLink, Subscription
from auditor.zones.topology import CENTRE, LOST, ORDERS, account, answers, definitions, lock_queue, orders_queue
from tests.lab.certificates import make_certificate
from tests.lab.hostile import listening, shut
from tests.lab.installed import need
from tests.lab.rabbit import SERVER
from tests.lab.zones import ZoneLab

ZONES = ("plant", "port")
Attempt = Callable[[Any], Any]  # of a channel


def get(queue: str) -> Attempt:
    return lambda c: c.basic_get(queue, no_ack=True)


def consume(queue: str, **how: bool) -> Attempt:
    return lambda c: c.basic_consume(queue, callback=print, **how)


def put(exchange: str, key: str, body: str = "something", **properties: str) -> Attempt:
    return lambda c: c.basic_publish(Message(body, **properties), exchange, key)


REFUSED: dict[str, tuple[str, int, Attempt]] = {
    "reads another zone's orders": ("plant", 403, get(orders_queue("port"))),
    "reads another zone's answers": ("plant", 403, get(answers("port"))),
    "reads its own answers": ("plant", 403, get(answers("plant"))),
    "takes the centre's lock": ("plant", 403, consume(lock_queue("plant"), exclusive=True)),
    "answers for another zone": ("plant", 403, put(answers("port"), "port")),
    "orders": ("plant", 403, put(ORDERS, "plant")),
    "sends orders back": ("plant", 403, put(LOST, "plant")),
    "publishes to a queue itself": ("plant", 403, put("", answers("port"))),
    "publishes elsewhere": ("plant", 403, put("amq.direct", "plant")),
    "says it is another": ("plant", 406, put(answers("plant"), "plant", user_id=account("port"))),
    "declares a queue": ("plant", 403, lambda c: c.queue_declare("auditor.new", durable=True)),
    "declares a queue without a name": ("plant", 403, lambda c: c.queue_declare("", exclusive=True)),
    "declares an exchange": ("plant", 403, lambda c: c.exchange_declare("auditor.new", "fanout")),
    "binds its own answers": ("plant", 403, lambda c: c.queue_bind(answers("plant"), ORDERS, "port")),
    "binds its own orders": ("plant", 403, lambda c: c.queue_bind(orders_queue("plant"), ORDERS, "port")),
    "binds an exchange": ("plant", 403, lambda c: c.exchange_bind(answers("plant"), ORDERS, "port")),
    "unbinds its own answers": ("plant", 403, lambda c: c.queue_unbind(answers("plant"), answers("plant"), "plant")),
    "empties another's orders": ("plant", 403, lambda c: c.queue_purge(orders_queue("port"))),
    "the centre answers": ("centre", 403, put(answers("plant"), "plant")),
    "the centre publishes to a queue itself": ("centre", 403, put("", orders_queue("plant"))),
    "the centre declares a queue": ("centre", 403, lambda c: c.queue_declare("auditor.newer", durable=True)),
    "the centre binds": ("centre", 403, lambda c: c.queue_bind(answers("plant"), ORDERS, "plant")),
    "deletes another's orders": ("plant", 403, lambda c: c.queue_delete(orders_queue("port"))),
    "the centre deletes a queue": ("centre", 403, lambda c: c.queue_delete(lock_queue("plant"))),
    "deletes another's exchange": ("plant", 403, lambda c: c.exchange_delete(answers("port"))),
}
ALLOWED: dict[str, tuple[str, Attempt]] = {
    "takes its own orders": ("plant", consume(orders_queue("plant"))),
    "empties its own orders": ("plant", lambda c: c.queue_purge(orders_queue("plant"))),
    "says who it is": ("plant", put(answers("plant"), "plant", user_id=account("plant"))),
    "the centre takes its lock": ("centre", consume(lock_queue("plant"), exclusive=True)),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZoneLab]:
    """Certificates are named by their place below its keys."""
    need("rabbitmq-server", SERVER)
    made = ZoneLab(tmp_path_factory.mktemp("rights"), ZONES, "ssl_options.versions.1 = tlsv1.3\n")
    ZoneLab(made.keys / "foreign")
    for name in ("auditor-nobody", "guest", "operator"):
        make_certificate(made.broker.ca, name, server=False)
    make_certificate(made.broker.ca, account("plant"), server=True, file="serving")
    with made as lab:
        for zone in ZONES:
            lab.broker.ctl("import_definitions", given=without_limits(zone))
        yield lab


def without_limits(zone: str) -> str:
    given = definitions(zone, "spare")
    given["users"] = [{"name": "operator", "password_hash": "", "tags": ["impersonator"]}]
    given["permissions"] = [{"user": "operator", "vhost": "spare", "configure": ".*", "write": ".*", "read": ".*"}]
    given["exchanges"] = [exchange | {"internal": False} for exchange in given["exchanges"]]
    return json.dumps(given)


@contextmanager
def connected(lab: ZoneLab, name: str, vhost: str = "auditor", login: Any = None) -> Iterator[Any]:
    """A connection that shows a certificate; none for ""."""
    shown = {"certfile": f"{lab.keys}/{name}.pem", "keyfile": f"{lab.keys}/{name}.key"} if name else {}
    trusted = {"ca_certs": f"{lab.keys}/ca.pem", "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": "127.0.0.1"}
    how = {"ssl": trusted | shown, "authentication": login or sasl.EXTERNAL(), "connect_timeout": 10, "confirm_publish": True}
    connection = Connection(host=f"127.0.0.1:{lab.broker.port}", virtual_host=vhost, **how)
    try:
        connection.connect()
        yield connection
    finally:
        connection.close()
        connection.collect()


@pytest.mark.parametrize(("name", "code", "attempt"), REFUSED.values(), ids=REFUSED)
def test_refused(lab: ZoneLab, name: str, code: int, attempt: Attempt) -> None:
    with connected(lab, name) as connection, pytest.raises(AMQPError) as refusal:
        attempt(connection.channel())
    assert refusal.value.reply_code == code


@pytest.mark.parametrize("attempt", [attempt for _, _, attempt in REFUSED.values()], ids=REFUSED)
def test_the_same_is_done_where_it_is_allowed(lab: ZoneLab, attempt: Attempt) -> None:
    with connected(lab, "operator", "spare") as connection:
        attempt(connection.channel())


@pytest.mark.parametrize(("name", "attempt"), ALLOWED.values(), ids=ALLOWED)
def test_allowed(lab: ZoneLab, name: str, attempt: Attempt) -> None:
    with connected(lab, name) as connection:
        attempt(connection.channel())


def test_orders_and_answers_reach_whom_they_are_for(lab: ZoneLab) -> None:
    with connected(lab, "centre") as c, connected(lab, "plant") as p, connected(lab, "port") as other:
        centre, plant, port = c.channel(), p.channel(), other.channel()
        centre.queue_purge(answers("plant"))
        put(ORDERS, "plant", "order")(centre)
        assert get(orders_queue("port"))(port) is None
        assert get(orders_queue("plant"))(plant).body == "order"
        put(answers("plant"), "plant", "answer")(plant)
        assert get(answers("port"))(centre) is None
        assert get(answers("plant"))(centre).body == "answer"


class Password(sasl.PLAIN):  # type: ignore[misc]  # amqp has no types
    """Sends a password, whether or not the broker takes any."""

    mechanism = b"EXTERNAL"

    def start(self, connection: Any) -> Any:
        assert connection.mechanisms == [b"EXTERNAL"]
        self.mechanism = b"PLAIN"
        return super().start(connection)


# What is shown and said; the code, where the broker gives one; what it writes into its log.
STRANGERS: dict[str, tuple[str, dict[str, Any], int | None, str]] = {
    "no certificate": ("", {}, None, "Certificate required"),
    "another authority": ("foreign/zones/plant", {}, None, "Unknown CA"),
    "a certificate for servers": ("serving", {}, None, "invalid_ext_key_usage"),
    "no account": ("auditor-nobody", {}, 403, "user 'auditor-nobody' - invalid credentials"),
    "guest": ("guest", {}, 403, "user 'guest' - invalid credentials"),
    "a password": ("plant", {"login": Password("guest", "guest")}, None, "invalid authentication mechanism 'PLAIN'"),
    "an empty password": ("plant", {"login": Password(CENTRE, "")}, None, "invalid authentication mechanism 'PLAIN'"),
    "another virtual host": ("plant", {"vhost": "spare"}, 530, "access to vhost 'spare' refused"),
    "the first virtual host": ("centre", {"vhost": "/"}, 530, "access to vhost '/' refused"),
}


@pytest.mark.parametrize(("name", "how", "code", "why"), STRANGERS.values(), ids=STRANGERS)
def test_not_let_in(lab: ZoneLab, name: str, how: dict[str, Any], code: int | None, why: str) -> None:
    before = len(lab.broker.log())
    with pytest.raises((OSError, AMQPError)) as refusal, connected(lab, name, **how):
        pass
    assert getattr(refusal.value, "reply_code", None) == code
    assert soon(lambda: why in lab.broker.log()[before:])


def soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


# The host that we mean; what the server shows; what we say of it, nothing where we speak with it.
SERVERS: dict[str, tuple[str, str, str]] = {
    "the broker": ("127.0.0.1", "broker", ""),
    "a worker": ("127.0.0.1", "plant", "certificate purpose"),
    "another authority": ("127.0.0.1", "foreign/zones/broker", "unable to get local issuer certificate"),
    "another host": ("localhost", "broker", "not valid for 'localhost'"),
}


def settings(lab: ZoneLab, name: str, host: str, port: int) -> BrokerSettings:
    files = (f"{lab.keys}/{file}" for file in ("ca.pem", f"{name}.pem", f"{name}.key"))
    return BrokerSettings(f"amqps://{host}:{port}/auditor", *files)


@pytest.mark.parametrize(("host", "shown", "why"), SERVERS.values(), ids=SERVERS)
def test_who_poses_as_the_broker_hears_nothing(lab: ZoneLab, host: str, shown: str, why: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.keys / f"{shown}.pem", lab.keys / f"{shown}.key")
    heard, said = [], list[str]()

    def serve(c: socket.socket, over: threading.Event) -> None:
        word = b""
        try:
            with context.wrap_socket(c.dup(), server_side=True) as tls:
                word = tls.recv(65536)
        finally:
            heard.append(word)
            shut(c)

    with listening(serve) as (_, port), BrokerLink(settings(lab, "centre", host, port), [], print, said.append) as link:
        link.publish(ORDERS, "plant", b"order")
        assert soon(lambda: bool(said) and len(heard) >= 2), "it tries again"
        assert not link.connected
    assert b"".join(heard)[:4] == (b"" if why else b"AMQP")
    assert ("its certificate is not trusted" in said[0]) is bool(why)
    assert why in said[0]


def test_a_link_to_the_broker(lab: ZoneLab) -> None:
    queue = Subscription(orders_queue("plant"))
    with BrokerLink(settings(lab, "plant", "127.0.0.1", lab.broker.port), [queue], print, print) as link:
        assert link.ready(10)


def test_importing_again_changes_nothing(lab: ZoneLab) -> None:
    def state() -> list[list[str]]:
        asked = ("list_permissions", "list_queues name arguments", "list_bindings")
        return [sorted(lab.broker.ctl("-p", "auditor", *words.split()).splitlines()) for words in asked]

    before = state()
    assert any(account("plant") in line for line in before[0])
    for zone in ZONES:
        lab.broker.ctl("import_definitions", given=lab.printed(zone, "definitions"))
    assert state() == before


@pytest.mark.parametrize("password", ["", "guest", account("plant")])
@pytest.mark.parametrize("name", [CENTRE, account("plant"), "guest"])
def test_no_password_works(lab: ZoneLab, name: str, password: str) -> None:
    with pytest.raises(RuntimeError, match="failed to authenticate user"):
        lab.broker.ctl("authenticate_user", name, password)


def test_a_password_that_works(lab: ZoneLab) -> None:
    lab.broker.ctl("add_user", "somebody", "password")
    assert "Success" in lab.broker.ctl("authenticate_user", "somebody", "password")
    lab.broker.ctl("delete_user", "somebody")
