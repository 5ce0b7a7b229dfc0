"""A WS-Management server on loopback that poses as a Windows host: WinRM with its logins and its operations.

One thread per connection. `requests` and `connections` count; `log` says everything that was asked, in plain lines:
`Enumerate root/cimv2 SELECT …`, `Pull`, `Release`, `StdRegProv.GetDWORDValue HKLM\\KEY#NAME`, `StdRegProv.EnumKey HKLM\\KEY`,
`Create shell`, `Command …`, `Send`, `Stdin …` for each line of a command's input, `Receive`, `Signal`, `Delete shell`, `Identify`.
"""

from __future__ import annotations

import socket
import threading
from typing import Self

from tests.lab.windows.host import WindowsHost
from tests.lab.windows.wsman_auth import Users, server_bindings
from tests.lab.windows.wsman_faults import Faults, Mischief
from tests.lab.windows.wsman_http import Connection, Gone
from tests.lab.windows.wsman_registry import StdRegProv
from tests.lab.windows.wsman_shell import Shells
from tests.lab.windows.wsman_tls import TlsFiles
from tests.lab.windows.wsman_wmi import Wmi


class WsmanServer:
    """`auth`: which of ntlm, basic and certificate are offered. `user` may be written `DOMAIN\\user`; a client
    certificate must be made out to `user@localhost`."""

    def __init__(
        self,
        host: WindowsHost,
        user: str = "auditor",
        password: str = "Secret-1",
        auth: tuple[str, ...] = ("ntlm",),
        tls: TlsFiles | None = None,
        require_encryption: bool = True,
        faults: Faults | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.host, self.auth, self.tls, self.address = host, auth, tls, address
        self.faults = faults = faults or Faults()
        self.require_encryption = require_encryption and tls is None
        self.upn = f"{user.rpartition(chr(92))[2]}@localhost"
        self.log: list[str] = []
        self.requests = self.connections = self.port = 0
        self.closing = threading.Event()
        self.mischief = Mischief(faults)
        self.wmi, self.registry = Wmi(host, faults), StdRegProv(host, faults)
        self.shells = Shells(host, faults, self.log, self.closing)
        self.users = Users(user, password)
        self.context = tls.context() if tls else None
        self.bindings = server_bindings(tls.der()) if tls else None
        self.lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}/wsman"

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listener = socket.create_server((self.address, 0), family=family, backlog=128)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self.lock:
            for s in self._sockets:
                _shut(s)
        for t in self._threads:
            t.join()
        self.users.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, (client, *_) = self._listener.accept()
            except OSError:
                return  # closed
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self._sockets.add(sock)
                self._threads = [t for t in self._threads if t.is_alive()]
                thread = threading.Thread(target=self._serve, args=(sock, client), daemon=True)
                self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket, client: str) -> None:
        sock = raw
        try:
            if self.context:
                sock = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                with self.lock:
                    self._sockets.discard(raw)
                    self._sockets.add(sock)
                    if self.closing.is_set():
                        raise Gone
                sock.do_handshake()
            Connection(self, sock, client).serve()
        except (Gone, OSError):
            pass  # a client may go whenever it likes
        finally:
            with self.lock:
                self._sockets.discard(sock)
            sock.close()


def _shut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # an SSLSocket's own would take the TLS object from its reader
    except OSError:
        pass  # it is closed already
