"""The HTTP below WinRM: sockets that the deadline can shut, no redirects, no environment, bounded bodies.

requests follows redirects with the login, believes proxies and certificate bundles that the environment names, and reads a
body to its end however long it is. None of that is wanted towards a host that may lie.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from auditor.errors import HostError
from auditor.transports.wsman import MAX_ANSWER

Dial = Callable[[str, int], socket.socket]  # opens the connection; it keeps what it needs to shut it from outside


class Adapter(HTTPAdapter):
    """Connections made by `dial`, answers of at most MAX_ANSWER bytes."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, _Http, self._dial),
            "https": _pool(HTTPSConnectionPool, _Https, self._dial),
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(request, *args, **kwargs)
        # requests reads bodies through this method of urllib3's response, the login's hook included.
        response.raw.stream = partial(_bounded, response.raw.stream)  # type: ignore[method-assign]
        return response


def _pool(base: type, connection: type, dial: Dial) -> type:
    return type(base.__name__, (base,), {"ConnectionCls": partial(connection, dial)})


def _bounded(stream: Callable[..., Iterator[bytes]], *args: Any, **kwargs: Any) -> Iterator[bytes]:
    size = 0
    for piece in stream(*args, **kwargs):
        size += len(piece)
        if size > MAX_ANSWER:
            raise HostError("protocol", f"an answer of more than {MAX_ANSWER // 1_000_000} MB; the rest was not read")
        yield piece


class _Http(HTTPConnection):
    def __init__(self, dial: Dial, *args: Any, **kwargs: Any) -> None:
        self._dial = dial
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port or 80)


class _Https(HTTPSConnection):
    def __init__(self, dial: Dial, *args: Any, **kwargs: Any) -> None:
        self._dial = dial
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return self._dial(self.host, self.port or 443)
