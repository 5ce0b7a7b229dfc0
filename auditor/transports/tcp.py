"""TCP connections that keep to a deadline: names are looked up, addresses tried and sockets closed within it."""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

from auditor.foundation.deadline import Deadline


def shut(sock: socket.socket) -> None:
    """Wakes whoever is blocked on the socket, which close() does not."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is gone already


def round_trip(sock: socket.socket) -> float:
    """Seconds to the peer and back as the kernel measured it (tcp(7), tcpi_rtt in microseconds), which no busy interpreter
    disturbs; 0.0 where the system does not tell."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 72)
    except (AttributeError, OSError):
        return 0.0
    return int.from_bytes(info[68:72], sys.byteorder) / 1e6 if len(info) == 72 else 0.0


def connect(address: str, port: int, limit: Deadline, family: str = "any") -> socket.socket:
    """A TCP connection without Nagle's delay: our messages are small and wait for nobody. `family`: `inet`, `inet6` or `any`."""
    found: list[Any] = [f for f in _resolve(address, port, limit) if family == "any" or f[0] == _FAMILIES[family]]
    if not found:
        raise socket.gaierror(
            socket.EAI_NONAME, f"it has no address of the family {family}, which ssh_config asks for (AddressFamily)"
        )
    fault: OSError = OSError("no address")
    for number, (its_family, kind, protocol, _, place) in enumerate(found):
        sock = socket.socket(its_family, kind, protocol)
        limit.watch(lambda sock=sock: shut(sock))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        sock.settimeout(limit.left / (len(found) - number))
        try:
            sock.connect(place)
        except OSError as e:
            sock.close()
            fault = e
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise fault


_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def _resolve(name: str, port: int, limit: Deadline) -> list[tuple[Any, ...]]:
    """getaddrinfo() knows no time limit, so a name is looked up by a thread that may be left behind."""
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass  # not an address but a name, or not even that
    found: list[Any] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as e:
            found.append(e if isinstance(e, OSError) else socket.gaierror(socket.EAI_NONAME, "this is no host name"))
        done.set()

    limit.watch(done.set)
    threading.Thread(target=look_up, daemon=True, name="resolve").start()
    done.wait()
    if not found:
        raise socket.gaierror(socket.EAI_AGAIN, "the name service does not answer")
    if isinstance(found[0], OSError):
        raise found[0]
    return found
