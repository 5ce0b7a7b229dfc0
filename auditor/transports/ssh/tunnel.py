"""A TCP connection through SSH jump hosts, as a real socket, so that TLS and HTTP need not know."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from msgspec.structs import replace
from paramiko import SSHException

from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.transports.permits import Nothing
from auditor.transports.ssh.session import SshSession
from auditor.transports.tcp import shut

_GONE = (OSError, EOFError, SSHException)  # what paramiko raises once the session below a channel has ended


class Tunnel:
    """One way to the target's port through its jump hosts. `socket()` gives our end of a socket pair, whose other end two
    threads join with the SSH channel; closing either side ends both."""

    def __init__(self, target: Target, port: int, deadline: Deadline) -> None:
        self._session = SshSession(replace(target, port=port), deadline, Nothing())
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.__exit__(kind, error, trace)
        for thread in self._threads:
            thread.join(5)

    def socket(self) -> socket.socket:
        """HostError `jump-failed` and the like where there is no way."""
        channel = self._session.beyond_jumps()
        ours, theirs = socket.socketpair()

        def out() -> None:
            try:
                while piece := theirs.recv(65536):
                    channel.sendall(piece)
                channel.shutdown_write()
            except _GONE:
                pass  # one of the two is gone, and the other learns it below
            finally:
                with contextlib.suppress(*_GONE):
                    channel.close()

        def back() -> None:
            try:
                while piece := channel.recv(65536):
                    theirs.sendall(piece)
            except _GONE:
                pass  # as above
            finally:
                shut(theirs)
                theirs.close()

        for pump in (out, back):
            thread = threading.Thread(target=pump, name="tunnel", daemon=True)
            thread.start()
            self._threads.append(thread)
        return ours
