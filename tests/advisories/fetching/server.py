"""A real HTTP server of files on this machine, which also misbehaves where a test asks it to."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Answer = Callable[[http.server.BaseHTTPRequestHandler, bytes], None]


class FileServer(http.server.ThreadingHTTPServer):
    """Gives the files below a folder, with ETag and Range. `odd`: by path, what is done instead; `asked`: every request, with
    the headers that matter and the status it got."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.odd: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, path: str) -> list[tuple[str, int]]:
        """What was asked of a path: the range, and the status."""
        return [(range_, status) for p, range_, status in self.asked if p == path]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        path = self.server.folder / self.path.lstrip("/")
        body = path.read_bytes() if path.is_file() else b""
        if odd := self.server.odd.get(self.path):
            odd(self, body)
        elif not path.is_file():
            self.give(404, b"")
        elif self.headers.get("If-None-Match") == etag(body):
            self.give(304, b"")
        elif (wanted := self.headers.get("Range")) and self.headers.get("If-Range") == etag(body):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            self.give(206, body[start:], etag(body), range_=f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.give(200, body, etag(body))

    def give(self, status: int, body: bytes, tag: str = "", length: int | None = None, range_: str = "") -> None:
        """One answer; `length` is what it says of its length."""
        self.server.asked.append((self.path, self.headers.get("Range") or "", status))
        self.send_response(status)
        if tag:
            self.send_header("ETag", tag)
        if range_:
            self.send_header("Content-Range", range_)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def breaks_off(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """The first half of a body whose whole length was promised; only once."""
    assert isinstance(handler, _Handler)
    del handler.server.odd[handler.path]
    handler.give(200, body[: len(body) // 2], etag(body), len(body))
    handler.close_connection = True


def never_ends(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """Bytes without an end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
    except OSError:
        handler.close_connection = True


def another_file(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """The rest of another file, to whoever asks for the rest of one."""
    assert isinstance(handler, _Handler)
    other = body[::-1]
    handler.give(206, other[10:], etag(other), range_=f"bytes 10-{len(other) - 1}/{len(other)}")


def without_a_length(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """Two thirds of a body, of a length that was not told."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body[: len(body) * 2 // 3])
    handler.close_connection = True


def trickles(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """A byte now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    try:
        for n in range(len(body)):
            handler.wfile.write(body[n : n + 1])
            handler.wfile.flush()
            time.sleep(0.2)
    except OSError:
        handler.close_connection = True


def says(status: int, **headers: str) -> Answer:
    """An answer without a body."""

    def answer(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        assert isinstance(handler, _Handler)
        handler.server.asked.append((handler.path, "", status))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    """A server of a folder, while the context lasts."""
    with FileServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
