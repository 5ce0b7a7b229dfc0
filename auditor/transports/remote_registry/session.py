r"""The remote registry over SMB: the only network path to a stock Windows NT 4.0 or 2000 (extra `smb`: impacket).

Nothing is run on the host and nothing is written: the pipes `winreg` and `svcctl` are opened for reading. The login is
NTLMv2, whatever the server says it would take; neither an NTLMv1 nor an LM response nor a password is ever sent, so NT 4.0
needs service pack 4. What SMB cannot give is a server that proves who it is, and impacket does not check the server's
signatures: an answer is as good as the network it came through.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.model.windows import Subkeys, Table, Value
from auditor.transports import tcp
from auditor.transports.permits import Permits
from auditor.transports.session import LiveSession, SessionKind

if TYPE_CHECKING:
    from auditor.transports.remote_registry.rpc import Registry
    from auditor.transports.remote_registry.smb import RpcPipe

T = TypeVar("T")
# NT 4.0 has SMB only within a NetBIOS session, on the second port; since 2000 it is on the first.
PORTS = (445, 139)
MAX_VALUE = 1_000_000  # bytes
MAX_SUBKEYS = 20_000
START_SECONDS = 1.0  # what a service needs to start

_TYPES = {
    0: "REG_NONE", 1: "REG_SZ", 2: "REG_EXPAND_SZ", 3: "REG_BINARY", 4: "REG_DWORD", 5: "REG_DWORD_BIG_ENDIAN", 6: "REG_LINK",
    7: "REG_MULTI_SZ", 8: "REG_RESOURCE_LIST", 9: "REG_FULL_RESOURCE_DESCRIPTOR", 10: "REG_RESOURCE_REQUIREMENTS_LIST",
    11: "REG_QWORD",
}  # fmt: skip
_SIZES = {"REG_DWORD": 4, "REG_QWORD": 8}
# winerror.h; what is not here is told by its number
_NO_FILE, _NO_PATH = 2, 3
_WHY = {
    5: "access denied",
    6: "the server lost the key",
    161: "only HKLM, HKU and HKCR can be read from afar",
    1018: "the key is being deleted",
}


class WinregSession(LiveSession):
    """Values and keys as they are asked for, e.g. `HKLM\\SYSTEM\\Select`, `Current`. What concerns one question is in its
    answer (absent, unreadable and why); HostError means that there will be no more answers."""

    kind: SessionKind = "remote-registry"
    compress = False

    def __init__(self, target: Target, deadline: Deadline, permits: Permits) -> None:
        self._target, self._deadline, self._permits = target, deadline, permits
        self._place = target.address or target.name
        self._sock: socket.socket | None = None
        self._line: RpcPipe | None = None
        self._registry: Registry | None = None
        self._limit: Deadline | None = None
        self._over: HostError | None = None

    def __enter__(self) -> Self:
        target = self._target
        if target.jump:
            raise HostError(
                "jump-failed", f"{target.name}: `winreg` goes to the host directly; use winrm or openssh with `jump`"
            )
        if not (target.user and target.password):
            raise HostError("auth-failed", f"{target.name}: `winreg` needs `user` and `password` (or --user and --secret)")
        _need_impacket()
        password = secret_refs.resolve(target.password)
        try:
            self._sock, port = self._connect()
            self._place = f"{target.address or target.name} port {port}"
            self._limit = self._deadline.limit(target.timeouts.connect * 3, "logging in over SMB").watch(self._shut)
            self._registry = self._step(lambda: self._log_in(port, password))
            self._limit.done()
            self._limit = self._deadline.limit(target.timeouts.command, "reading the remote registry").watch(self._shut)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Leaving politely ends the server's session at once; where it does not answer, the limit closes the socket.
        if self._line and not self._over and error is None:
            line = self._line
            try:
                self._step(line.log_off)
            except HostError:
                pass  # everything has been read already
        self._close()

    def value(self, key: str, name: str) -> Value:
        """One value; the default value's name is the empty one. Texts end at their first NUL."""
        self._permits.registry("value", key, name)
        code, size, kind, raw = self._step(lambda: self._reg.value(key, name, MAX_VALUE))
        if code in (_NO_FILE, _NO_PATH):
            return Value("absent")
        if code:
            return Value("unreadable", reason=_why(code))
        if size > MAX_VALUE:
            return Value("unreadable", _type(kind), reason=f"{size} bytes, of which more than {MAX_VALUE} are not read")
        return typed(_type(kind), raw)

    def subkeys(self, key: str) -> Subkeys:
        self._permits.registry("subkeys", key, None)
        code, names = self._step(lambda: self._reg.subkeys(key, MAX_SUBKEYS))
        if code in (_NO_FILE, _NO_PATH):
            return Subkeys("absent")
        if code:
            return Subkeys("unreadable", reason=_why(code))
        if len(names) >= MAX_SUBKEYS:
            return Subkeys("unreadable", reason=f"more than {MAX_SUBKEYS} subkeys, which no such key has")
        return Subkeys("present", tuple(names))

    def services(self) -> Table:
        """Name and State as Win32_Service has them, from the service manager; it does not list the start mode (the value
        Start of the service's key has it)."""
        from auditor.transports.remote_registry.rpc import services

        assert self._line
        line = self._line
        found = self._step(lambda: services(line))
        if isinstance(found, int):
            return Table("unreadable", reason=f"the service manager: {_why(found)}")
        return Table("present", tuple({"Name": name, "State": state, "StartMode": None} for name, state in found))

    @property
    def _reg(self) -> Registry:
        assert self._registry
        return self._registry

    def _connect(self) -> tuple[socket.socket, int]:
        """The port given, else the first of the usual ones that does not refuse."""
        from auditor.transports.remote_registry.errors import as_host_error

        ports = (self._target.port,) if self._target.port else PORTS
        for port in ports:
            limit = self._deadline.limit(self._target.timeouts.connect, "connecting")
            try:
                return tcp.connect(self._target.address or self._target.name, port, limit), port
            except OSError as e:
                place = f"{self._place} port {port}"
                if limit.over or limit.left < 0.01:
                    error = limit.error()
                    raise HostError(error.kind, f"{place}: {error}") from None
                if not isinstance(e, ConnectionRefusedError) or port == ports[-1]:
                    both = f"{self._place} ports {' and '.join(map(str, ports))}" if len(ports) > 1 else place
                    raise as_host_error(e, both if isinstance(e, ConnectionRefusedError) else place) from None
            finally:
                limit.done()
        raise AssertionError("the last port returns or raises")

    def _log_in(self, port: int, password: str) -> Registry:
        from auditor.transports.remote_registry.rpc import Registry
        from auditor.transports.remote_registry.smb import RpcPipe

        assert self._sock
        assert self._limit
        target = self._target
        domain, _, user = (target.user or "").rpartition("\\")
        self._line = RpcPipe(self._sock, target.address or target.name, port, target.timeouts.total)
        self._line.log_in(domain, user, password)
        try:
            return Registry(self._line)
        except Exception as e:
            # Since Vista the service is started by the first who asks, and that one is sent away.
            if not self._line.starts(e):
                raise
            time.sleep(min(START_SECONDS, self._limit.left / 2))
            return Registry(self._line)

    def _step(self, step: Callable[[], T]) -> T:
        """One exchange; whatever it raises becomes a HostError, and after that there is none."""
        if self._over:
            raise self._over
        try:
            return step()
        except Exception as e:
            self._over = self._explained(e)
            raise self._over from None

    def _explained(self, e: Exception) -> HostError:
        from auditor.transports.remote_registry.errors import as_host_error

        if self._limit and (self._limit.over or self._limit.left < 0.01):
            error = self._limit.error()
            return HostError(error.kind, f"{self._place}: {error}")
        if self._line and self._line.meter.spent:
            return HostError("protocol", f"{self._place}: the server sends without end; the rest was not read")
        return as_host_error(e, self._place)

    def _shut(self) -> None:
        if self._sock:
            tcp.shut(self._sock)

    def _close(self) -> None:
        if self._limit:
            self._limit.done()
        if self._sock:
            self._sock.close()


def typed(kind: str, raw: bytes) -> Value:
    """A value from its bytes, as the registry keeps them."""
    if kind in _SIZES:
        if len(raw) != _SIZES[kind]:
            return Value("unreadable", kind, reason=f"a {kind} of {len(raw)} bytes")
        return Value("present", kind, int.from_bytes(raw, "little"))
    text = raw.decode("utf-16-le", "replace")
    if kind in ("REG_SZ", "REG_EXPAND_SZ"):
        return Value("present", kind, text.partition("\0")[0])
    if kind == "REG_MULTI_SZ":
        return Value("present", kind, tuple(t for t in text.split("\0") if t))
    return Value("present", kind, raw.hex())


def _type(number: int) -> str:
    return _TYPES.get(number, f"REG_{number}")


def _why(code: int) -> str:
    return _WHY.get(code, f"error {code} (winerror.h)")


def _need_impacket() -> None:
    try:
        import impacket  # noqa: F401
    except ImportError as e:
        raise HostError("internal", f"`winreg` needs impacket ({e}): pip install 'auditor[smb]'") from None
