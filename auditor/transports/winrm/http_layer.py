"""The HTTP below WinRM: sockets that the deadline can shut, no redirects, no environment, bounded bodies.

requests follows redirects with the login, believes proxies and certificate bundles that the environment names, and reads a
body to its end however long it is. None of that is wanted towards a host that may lie.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import TooManyRedirects
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util.wait import wait_for_read

from auditor.errors import HostError
from auditor.transports.winrm.wsman import MAX_ANSWER

Dial = Callable[[str, int], socket.socket]  # opens the connection; it keeps what it needs to shut it from outside


class Adapter(HTTPAdapter):
    """Connections made by `dial`, a proxy's too; answers of at most MAX_ANSWER bytes, none of which leads elsewhere."""

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.opened: list[HTTPConnection] = []
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Every message of a login goes through here as well, so that none of them follows a redirect."""
        response = super().send(request, *args, **kwargs)
        if response.is_redirect:
            response.close()
            raise TooManyRedirects(f"it answers with HTTP {response.status_code}")
        return response

    def close(self) -> None:
        """urllib3 leaves the sockets of a closed pool to the garbage collector."""
        for connection in self.opened:
            connection.close()
        super().close()

    def _pools(self) -> dict[str, type]:
        return {
            "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": staticmethod(partial(_Http, self))}),
            "https": type("HttpsPool", (_HttpsPool,), {"ConnectionCls": staticmethod(partial(_Https, self))}),
        }


class _HttpsPool(HTTPSConnectionPool):
    def _validate_conn(self, conn: Any) -> None:
        """Connect, without urllib3's warning: a certificate that is not checked is said in the report, once."""
        if conn.is_closed:
            conn.connect()


class _Bounded(HTTPResponse):
    """requests reads every body through `stream`, the login's hook included."""

    def stream(self, *args: Any, **kwargs: Any) -> Generator[bytes]:
        size = 0
        for piece in super().stream(*args, **kwargs):
            size += len(piece)
            if size > MAX_ANSWER:
                self.close()
                raise HostError("protocol", f"an answer of more than {MAX_ANSWER // 1_000_000} MB; the rest was not read")
            yield piece


class _Http(HTTPConnection):
    def __init__(self, adapter: Adapter, *args: Any, **kwargs: Any) -> None:
        self._adapter = adapter
        adapter.opened.append(self)
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return self._adapter.dial(self.host, self.port or 80)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _bounded(super().getresponse())


class _Https(HTTPSConnection):
    def __init__(self, adapter: Adapter, *args: Any, **kwargs: Any) -> None:
        self._adapter = adapter
        adapter.opened.append(self)
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        return self._adapter.dial(self.host, self.port or 443)

    def _tunnel(self) -> None:
        """A proxy's answer to CONNECT that was cut off counts as a whole one to http.client; TLS over what is left of the
        connection would never be closed."""
        super()._tunnel()
        if wait_for_read(self.sock, timeout=0) and not self.sock.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError("the proxy ended the connection")

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        return _bounded(super().getresponse())


def _bounded(response: HTTPResponse) -> HTTPResponse:
    response.__class__ = _Bounded  # urllib3 has no way to name the class it makes
    return response
