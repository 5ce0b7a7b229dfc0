"""One GET, with limits: what was got before is asked for only if it changed, what broke off is continued, and nothing is
larger or slower than it may be.

Proxies are used only where one is named: the environment's are not looked at. A redirect never leaves TLS.
"""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from auditor import __version__
from auditor.foundation.sanitize import one_line

MAX_FILE = 2_000_000_000  # bytes; the largest feed (Red Hat's archive) has some hundred million
_SOCKET_SECONDS = 30.0  # without a byte
_TOTAL_SECONDS = 3600.0  # for one file
_CHUNK = 1 << 16


class FetchFault(Exception):
    """A file that could not be got; the message says why, and what to do."""


class DownloadOptions(Struct, frozen=True):
    """How to reach a server. `proxy`: an address, None for a direct way; `ca_file`: authorities instead of the system's."""

    proxy: str | None = None
    ca_file: Path | None = None
    most: int = MAX_FILE
    seconds: float = _TOTAL_SECONDS


class _Known(Struct):
    """What is known of a file that was got: what its server called this version of it."""

    etag: str = ""
    modified: str = ""


class _SameScheme(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after != "https"):
            raise FetchFault(f"{req.full_url} leads away from {before.upper()}, to {one_line(newurl, 200)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def get(address: str, to: Path, by: DownloadOptions) -> bool:
    """Get a file; False where it is as it was. FetchFault where it cannot be had; what lay there before is then untouched."""
    beside, part = to.with_name(to.name + ".state"), to.with_name(to.name + ".part")
    known, partial = _state(beside) if to.exists() else _Known(), _state(part.with_name(part.name + ".state"))
    headers = {"User-Agent": f"auditor/{__version__}", "Accept-Encoding": "identity"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    elif known.modified:
        headers["If-Modified-Since"] = known.modified
    if part.exists() and (partial.etag or partial.modified):
        headers |= {"Range": f"bytes={part.stat().st_size}-", "If-Range": partial.etag or partial.modified}
    try:
        request = urllib.request.Request(address, headers=headers)
        with _opener(by).open(request, timeout=min(_SOCKET_SECONDS, by.seconds)) as answer:
            if answer.status == 206 and not _continues(answer, part, partial):
                part.unlink(missing_ok=True)
                raise FetchFault(
                    f"{address}: the server goes on with another file than it began with; the next fetch begins anew"
                )
            _take(address, answer, part, by)
            state = _Known(answer.headers.get("ETag") or "", answer.headers.get("Last-Modified") or "")
    except urllib.error.HTTPError as e:
        if e.code == 304 and to.exists() and (known.etag or known.modified):
            return False
        if e.code == 416 and part.exists():  # what was begun is another file's
            part.unlink()
        raise FetchFault(f"{address}: the server answers {e.code} {one_line(e.reason or '', 100)}") from None
    except (OSError, http.client.HTTPException, ValueError) as e:
        reason = getattr(e, "reason", None) or e
        raise FetchFault(f"{address} cannot be had: {one_line(str(reason) or type(e).__name__, 200)}") from None
    part.replace(to)
    beside.write_bytes(msgspec.json.encode(state))
    part.with_name(part.name + ".state").unlink(missing_ok=True)
    return True


def _continues(answer: http.client.HTTPResponse, part: Path, known: _Known) -> bool:
    """Is a part of a file the one that was asked for: of the same version, and from where it broke off (RFC 9110, 206)?"""
    if not part.exists() or not (known.etag or known.modified):
        return False
    same = (
        known.etag == (answer.headers.get("ETag") or "")
        if known.etag
        else known.modified == answer.headers.get("Last-Modified")
    )
    return same and (answer.headers.get("Content-Range") or "").startswith(f"bytes {part.stat().st_size}-")


def _take(address: str, answer: http.client.HTTPResponse, part: Path, by: DownloadOptions) -> None:
    """The body into a file beside its place; what came is kept where it breaks off, to be continued."""
    continued = answer.status == 206
    length = answer.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    size = part.stat().st_size if continued else 0
    if (
        expected is None
        and answer.headers.get("Transfer-Encoding", "").lower() != "chunked"
        and not address.startswith("file:")
    ):
        raise FetchFault(f"{address}: the server does not say how long it is, so whether all of it comes could not be told")
    if expected is not None and size + expected > by.most:
        raise FetchFault(f"{address} would be {size + expected:,} bytes, more than the {by.most:,} that are taken")
    part.with_name(part.name + ".state").write_bytes(
        msgspec.json.encode(_Known(answer.headers.get("ETag") or "", answer.headers.get("Last-Modified") or ""))
    )
    end, got = time.monotonic() + by.seconds, 0
    with part.open("ab" if continued else "wb") as file:
        while chunk := answer.read1(_CHUNK):
            file.write(chunk)
            got += len(chunk)
            if size + got > by.most:
                raise FetchFault(f"{address} is larger than the {by.most:,} bytes that are taken")
            if time.monotonic() > end:
                raise FetchFault(f"{address} took longer than {by.seconds:g} s; the next fetch goes on from here")
    if size + got == 0:
        part.unlink()
        raise FetchFault(f"{address} is empty")
    if expected is not None and got < expected:
        raise FetchFault(
            f"{address} broke off after {size + got:,} of {size + expected:,} bytes; the next fetch goes on from here"
        )


def _opener(by: DownloadOptions) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=str(by.ca_file) if by.ca_file else None)
    proxies = {"http": by.proxy, "https": by.proxy} if by.proxy else {}
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context), _SameScheme()
    )


def _state(path: Path) -> _Known:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Known)
    except (OSError, msgspec.MsgspecError):
        return _Known()
