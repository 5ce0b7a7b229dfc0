"""Handing a mail to a server: STARTTLS or TLS with its certificate checked, a login where there is one, time limits."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from typing import Any, BinaryIO, TypeVar

from auditor.errors import HostError, MailError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline, Stop
from auditor.foundation.sanitize import one_line
from auditor.model.mailing import Mailing
from auditor.transports.tcp import connect, shut

PORTS = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409, RFC 8314, RFC 5321


# What is read of one reply (RFC 5321, 4.5.3.1.5: 512 octets a line; an EHLO's longest has some thirty).
_MOST_LINES, _MOST_BYTES = 200, 64_000
_PATIENCE = 5  # times the time-out of one step: what the whole exchange may take


class _Reply:
    """The server's side of the connection, of which one reply may have so many lines and bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.lines = self.bytes = 0

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self.lines, self.bytes = self.lines + 1, self.bytes + len(line)
        if self.lines > _MOST_LINES or self.bytes > _MOST_BYTES:
            raise smtplib.SMTPServerDisconnected(f"its reply has more than {_MOST_LINES} lines or {_MOST_BYTES // 1000} kB")
        return line

    def close(self) -> None:
        self._file.close()


class _Plain(smtplib.SMTP):
    """`handed`: the mail itself is on its way, and the server has not answered to it. `limit` ends the exchange from outside:
    smtplib's own time-out is one of each read, which a server that trickles never meets."""

    limit: Deadline
    handed = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # smtplib's hook for proxies
        step = self.limit.limit(timeout, "connecting")
        try:
            sock = connect(host, port, step)
        finally:
            step.done()
        sock.settimeout(timeout)
        watched = sock.dup()  # TLS takes the original over; both are one connection
        self.limit.watch(partial(_end, watched))
        return sock

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Reply(self.sock.makefile("rb"))
        if isinstance(self.file, _Reply):
            self.file.lines = self.file.bytes = 0
        return super().getreply()

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.handed = True
        answer = super().data(msg)
        self.handed = False
        return answer


def _end(sock: socket.socket) -> None:
    shut(sock)
    sock.close()


class _Tls(smtplib.SMTP_SSL, _Plain):
    pass


def send(mail: EmailMessage, mailing: Mailing, to: tuple[str, ...], stop: Stop | None = None) -> None:
    """Hand it over. Raises MailError, for people, where the server has not taken it for every recipient, or `stop` was asked
    for meanwhile."""
    refused = _talk(mailing, lambda server: server.send_message(mail, to_addrs=list(to)), stop)
    if refused:
        raise MailError(
            f"{mailing.server}:{mailing.port or PORTS[mailing.security]} refused some recipients: {_answers(refused)}"
        )


def reach(mailing: Mailing) -> None:
    """Connect, greet, and log in where a user is named, as `send` does, and hand over nothing. Raises MailError."""
    _talk(mailing, lambda server: server.ehlo_or_helo_if_needed())


_T = TypeVar("_T")


def _talk(mailing: Mailing, what: Callable[[_Plain], _T], stop: Stop | None = None) -> _T:
    """Do something at the server, connected and logged in. Every fault becomes a MailError, for people."""
    port = mailing.port or PORTS[mailing.security]
    where = f"{mailing.server}:{port}"
    server = None
    limit = Deadline(mailing.timeout * _PATIENCE, f"mailing by {where}", stop)
    try:
        server = _connection(mailing, port, limit)
        if mailing.security == "starttls":
            server.starttls(context=_tls(mailing))
        if mailing.user:
            server.login(mailing.user, secret_refs.resolve(mailing.password) if mailing.password else "")
        done = what(server)
        _part(server)
    except smtplib.SMTPRecipientsRefused as e:
        raise MailError(f"{where} refused every recipient: {_answers(e.recipients)}") from None
    except smtplib.SMTPAuthenticationError as e:
        raise MailError(f"{where} refused the login of {mailing.user}: {_said(e)}; check `user` and `password`") from None
    except smtplib.SMTPNotSupportedError as e:
        raise MailError(f"{where} does not offer what is asked ({e}); `security` and `user` say what that is") from None
    except smtplib.SMTPResponseException as e:
        raise MailError(f"{where} answered {e.smtp_code}: {_said(e)}") from None
    except smtplib.SMTPException as e:
        if limit.over or "timed out" in str(e):  # smtplib's own way to tell of a read that took too long
            raise _late(where, mailing, server, limit) from None
        raise MailError(f"{where} broke off: {e}", unanswered=bool(server and server.handed)) from None
    except ssl.SSLError as e:
        reason = getattr(e, "verify_message", "") or e.reason or str(e)
        raise MailError(
            f"the certificate of {where} is not trusted, or TLS failed: {reason}; `ca_file` names another authority"
        ) from None
    except TimeoutError:
        raise _late(where, mailing, server, limit) from None
    except OSError as e:
        if limit.over:
            raise _late(where, mailing, server, limit) from None
        raise MailError(f"{where} cannot be reached: {e.strerror or e}") from None
    except HostError as e:
        raise MailError(f"the password for {where} cannot be had: {e}") from None
    finally:
        limit.expire("timeout")
        limit.done()
        if server:
            server.close()
    return done


def _connection(mailing: Mailing, port: int, limit: Deadline) -> _Plain:
    """smtplib connects when it is made, so what guards it is the class's."""
    if mailing.security == "tls":
        tls: type[_Tls] = type("Watched", (_Tls,), {"limit": limit})
        return tls(mailing.server, port, timeout=mailing.timeout, context=_tls(mailing))
    plain: type[_Plain] = type("Watched", (_Plain,), {"limit": limit})
    return plain(mailing.server, port, timeout=mailing.timeout)


def _part(server: _Plain) -> None:
    """A server that is bad at parting has the mail all the same."""
    with contextlib.suppress(OSError):
        server.quit()


def _late(where: str, mailing: Mailing, server: _Plain | None, limit: Deadline) -> MailError:
    if limit.over == "interrupted":
        return MailError(f"it was stopped while {where} was asked", unanswered=bool(server and server.handed))
    said = (
        f"{where} did not answer within {mailing.timeout:g} s, or not with the whole within {mailing.timeout * _PATIENCE:g} s"
    )
    return MailError(said, unanswered=bool(server and server.handed))


def _tls(mailing: Mailing) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=mailing.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _answers(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address} ({code} {_plain(answer)})" for address, (code, answer) in refused.items())


def _said(e: smtplib.SMTPResponseException) -> str:
    return _plain(e.smtp_error)


def _plain(answer: bytes | str) -> str:
    return one_line(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)
