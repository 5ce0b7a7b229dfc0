"""Handing a mail to a server: STARTTLS or TLS with its certificate checked, a login where there is one, time limits."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from typing import Any

from auditor import secrets
from auditor.errors import HostError, MailError
from auditor.model.mailing import Mailing

PORTS = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409, RFC 8314, RFC 5321


class _Plain(smtplib.SMTP):
    """`handed`: the mail itself is on its way, and the server has not answered to it."""

    handed = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.handed = True
        answer = super().data(msg)
        self.handed = False
        return answer


class _Tls(smtplib.SMTP_SSL, _Plain):
    pass


def send(mail: EmailMessage, mailing: Mailing, to: tuple[str, ...]) -> None:
    """Hand it over. Raises MailError, for people, where the server has not taken it for every recipient."""
    port = mailing.port or PORTS[mailing.security]
    where = f"{mailing.server}:{port}"
    server = None
    try:
        server = _connection(mailing, port)
        if mailing.security == "starttls":
            server.starttls(context=_tls(mailing))
        if mailing.user:
            server.login(mailing.user, secrets.resolve(mailing.password) if mailing.password else "")
        refused = server.send_message(mail, to_addrs=list(to))
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
        if "timed out" in str(e):  # smtplib's own way to tell of a read that took too long
            raise _late(where, mailing, server) from None
        raise MailError(f"{where} broke off: {e}", unanswered=bool(server and server.handed)) from None
    except ssl.SSLError as e:
        reason = getattr(e, "verify_message", "") or e.reason or str(e)
        raise MailError(
            f"the certificate of {where} is not trusted, or TLS failed: {reason}; `ca_file` names another authority"
        ) from None
    except TimeoutError:
        raise _late(where, mailing, server) from None
    except OSError as e:
        raise MailError(f"{where} cannot be reached: {e.strerror or e}") from None
    except HostError as e:
        raise MailError(f"the password for {where} cannot be had: {e}") from None
    finally:
        if server:
            server.close()
    if refused:
        raise MailError(f"{where} refused some recipients: {_answers(refused)}")


def _connection(mailing: Mailing, port: int) -> _Plain:
    if mailing.security == "tls":
        return _Tls(mailing.server, port, timeout=mailing.timeout, context=_tls(mailing))
    return _Plain(mailing.server, port, timeout=mailing.timeout)


def _part(server: _Plain) -> None:
    """A server that is bad at parting has the mail all the same."""
    with contextlib.suppress(OSError):
        server.quit()


def _late(where: str, mailing: Mailing, server: _Plain | None) -> MailError:
    return MailError(f"{where} did not answer within {mailing.timeout:g} s", unanswered=bool(server and server.handed))


def _tls(mailing: Mailing) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=mailing.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _answers(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address} ({code} {_plain(answer)})" for address, (code, answer) in refused.items())


def _said(e: smtplib.SMTPResponseException) -> str:
    return _plain(e.smtp_error)


def _plain(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
