"""One connection to RabbitMQ with a thread of its own: it beats while others judge, and comes back after it was lost.

What is to be sent waits in a queue until the broker has confirmed it. What was received is acknowledged on the connection on
which it came, or not at all: a connection that was lost has returned it already.
"""

from __future__ import annotations

import contextlib
import os
import select
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Self

from amqp.exceptions import AccessRefused, AMQPError, NotFound, ResourceLocked
from kombu import Connection
from kombu.exceptions import OperationalError
from msgspec import Struct

from auditor.errors import AuditorError
from auditor.model.zone import BrokerSettings

HEARTBEAT = 10.0  # seconds; after two without a word a peer is gone (AMQP 0-9-1, 4.2.7)
_CONNECT = 10.0  # seconds
_BEAT = 1.0  # seconds between looks at the heartbeats; the broker may ask for shorter ones than we do
_MOMENT = 0.001  # seconds for what is there already
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds before it connects again
_LOSSES = (AMQPError, OperationalError, OSError)


class LinkFault(AuditorError):
    """The broker cannot be used as it is set up; the message says what to do."""


class Delivery(Struct, frozen=True):
    """A message that came. `exchange` is where it was published, which the broker says."""

    queue: str
    exchange: str
    body: bytes
    reason: str  # why the broker sends back what is ours: rejected, expired, delivery_limit; "" for what is none of ours
    tag: int
    connection: int


class _Job(Struct, frozen=True):
    """What is to be done with a channel; `again`: on the next connection too, where this one is lost over it."""

    work: Callable[[Any], None]
    again: bool = True


class Subscription(Struct, frozen=True):
    """What is consumed; `alone`: by nobody else."""

    queue: str
    alone: bool = False


class BrokerLink:
    """A context: it connects when entered. `received` gets each Delivery, `say` what people should know; both are called by its
    thread."""

    def __init__(
        self,
        settings: BrokerSettings,
        subscriptions: Sequence[Subscription],
        received: Callable[[Delivery], None],
        say: Callable[[str], None],
        *,
        prefetch: int = 32,
        purge: Sequence[str] = (),
        heartbeat: float = HEARTBEAT,
    ) -> None:
        """`purge`: queues that are emptied at the start, once it is sure that nobody else consumes."""
        self._settings, self._subscriptions = settings, subscriptions
        self._received, self._say = received, say
        self._prefetch, self._purge, self._heartbeat = prefetch, list(purge), heartbeat
        self._out: SimpleQueue[_Job] = SimpleQueue()
        self._next: _Job | None = None
        self._locked_since, self._agreed = 0.0, heartbeat
        self._ending = threading.Event()
        self._ready = threading.Event()
        self._connection = 0
        self.fault: LinkFault | None = None
        self.trouble = ""  # why there is no connection now
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._do(_Job(lambda channel: None, again=False))
        self._thread.join(5.0)
        if not self._thread.is_alive():  # it waits on them
            os.close(self._wake)
            os.close(self._waker)

    def ready(self, seconds: float) -> bool:
        """Wait for the connection; False where there is none after so long. LinkFault where there will be none."""
        until = time.monotonic() + seconds
        while not self._ready.wait(0.05) and time.monotonic() < until and not self.fault:
            pass
        if self.fault:
            raise self.fault
        return self._ready.is_set()

    @property
    def connected(self) -> bool:
        """Is there a connection now?"""
        return self._ready.is_set()

    def publish(self, exchange: str, key: str, body: bytes, *, within: float | None = None, fresh: float | None = None) -> None:
        """Send a message, now or once there is a connection, and again where it is not sure that the broker has it. `within`:
        within so many seconds or not at all, and never again, since the broker may have it without having said so. `fresh`: seconds after which the broker throws it away."""
        properties = {"expiration": str(int(fresh * 1000))} if fresh else {}
        until = time.monotonic() + within if within is not None else None

        def work(channel: Any) -> None:
            if until is None or time.monotonic() < until:
                message = channel.prepare_message(
                    body, content_type="application/octet-stream", content_encoding="binary", properties=properties
                )
                channel.basic_publish(message, exchange=exchange, routing_key=key)

        self._do(_Job(work, again=within is None))

    def settle(self, delivery: Delivery, *, good: bool = True) -> None:
        """Acknowledge what came, after all that was published before; `good` False: reject it, so that the broker reports it."""

        def work(channel: Any) -> None:
            if delivery.connection == self._connection:
                channel.basic_ack(delivery.tag) if good else channel.basic_reject(delivery.tag, requeue=False)

        self._do(_Job(work))

    def take_more(self, count: int) -> None:
        """Let so many more messages be here unsettled. They come by a consumer that is added: a quorum queue goes by what was said
        before consuming began, and a consumer that is ended may cost a message that is under way to it."""
        self._prefetch += count
        self._do(_Job(lambda channel: self._consume(channel, count), again=False))  # the next connection begins with all

    def purge(self, queue: str) -> None:
        """Empty a queue."""
        self._do(_Job(lambda channel: channel.queue_purge(queue)))

    def sent_all(self, seconds: float) -> bool:
        """Wait until everything is sent; False where it is not after so long."""
        done = threading.Event()
        self._do(_Job(lambda channel: done.set()))
        return done.wait(seconds)

    def _do(self, job: _Job) -> None:
        self._out.put(job)
        with contextlib.suppress(BlockingIOError):  # the pipe is full of what wakes it
            os.write(self._waker, b"x")

    # Below: the thread.

    def _run(self) -> None:
        pause, said = _FIRST_PAUSE, ""
        while not self._ending.is_set() and not self.fault:
            try:
                with self._connect() as connection:
                    channel = self._open(connection)
                    pause, said = _FIRST_PAUSE, ""
                    self.trouble = ""
                    self._ready.set()
                    self._serve(connection, channel)
            except ssl.SSLCertVerificationError as e:
                if said != "certificate":  # a broker that was lost may come back as somebody else
                    self._say_once(f"its certificate is not trusted: {e.verify_message}", "")
                said = "certificate"
            except _LOSSES as e:
                if fault := self._lasting(e):
                    self.fault = LinkFault(f"{self._named()}: {fault}")
                else:
                    self._say_once(str(e) or type(e).__name__, said)
                    said = said or "lost"
            finally:
                self._ready.clear()
            self._ending.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _say_once(self, what: str, said: str) -> None:
        self.trouble = f"{self._named()} cannot be reached: {what}"
        if not said:
            self._say(f"{self._named()} cannot be used now, and is tried again: {what}")

    def _named(self) -> str:
        return f"the broker {self._settings.host}"

    def _connect(self) -> Any:
        s = self._settings
        connection = Connection(
            hostname=s.host,
            port=s.port,
            virtual_host=s.vhost,
            transport="pyamqp",
            ssl={
                "ca_certs": s.ca_file,
                "certfile": s.cert_file,
                "keyfile": s.key_file,
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": s.host,  # amqp checks no name where none is given
            },
            login_method="EXTERNAL",
            connect_timeout=_CONNECT,
            heartbeat=self._heartbeat,
            transport_options={"confirm_publish": True},
        )
        connection.connect()
        self._agreed = float(connection.connection.heartbeat or self._heartbeat)  # the broker may ask for less
        return connection

    def _open(self, connection: Any) -> Any:
        self._connection += 1
        channel = connection.channel()
        self._consume(channel, self._prefetch)
        while self._purge:
            channel.queue_purge(self._purge.pop())
        return channel

    def _consume(self, channel: Any, prefetch: int) -> None:
        channel.basic_qos(0, prefetch, False)
        for s in self._subscriptions:
            channel.basic_consume(s.queue, exclusive=s.alone, callback=self._callback(s.queue))

    def _callback(self, queue: str) -> Callable[[Any], None]:
        number = self._connection

        def take(message: Any) -> None:
            info, headers = message.delivery_info, message.headers or {}
            body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
            reason = str(headers.get("x-first-death-reason", ""))
            self._received(Delivery(queue, str(info["exchange"]), body, reason, int(info["delivery_tag"]), number))

        return take

    def _serve(self, connection: Any, channel: Any) -> None:
        beaten = time.monotonic()
        sock = connection.connection.transport.sock
        while not self._ending.is_set():
            self._send(channel)
            if not sock.pending():
                select.select([sock, self._wake], [], [], _BEAT)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            with contextlib.suppress(TimeoutError):  # nothing more is there
                while True:
                    connection.drain_events(timeout=_MOMENT)
            if time.monotonic() - beaten >= _BEAT:
                connection.heartbeat_check()
                beaten = time.monotonic()

    def _send(self, channel: Any) -> None:
        """Do what is waiting; what fails is done again on the next connection."""
        while True:
            if self._next is None:
                try:
                    self._next = self._out.get_nowait()
                except Empty:
                    return
            job = self._next
            self._next = job if job.again else None
            job.work(channel)
            self._next = None

    def _lasting(self, e: BaseException) -> str:
        """Why trying again will not help; "" where it may. Of a centre that was cut off the broker knows only after a while."""
        if isinstance(e, ResourceLocked) or (isinstance(e, AccessRefused) and "exclusive" in str(e)):
            self._locked_since = self._locked_since or time.monotonic()
            lasts = time.monotonic() - self._locked_since > 4 * self._agreed
            return "another auditor takes this zone's answers already; one centre is enough" if lasts else ""
        self._locked_since = 0.0
        if isinstance(e, (AccessRefused, NotFound)):
            return f"its set-up is not what `auditor zones setup` prints: {e}"
        return ""
