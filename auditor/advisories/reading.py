"""Many documents read into articles, in one process or several, without gathering them in memory.

Of an article that comes twice the newest revision counts. Lines are therefore kept in a temporary file until all
documents are read, and given out in the order in which the documents came.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import IO, NamedTuple

import msgspec

from auditor.advisories.article import Article
from auditor.advisories.documents import Document, Refusal, documents
from auditor.advisories.kb_text import read

_CHUNK = 200
_NAMED = re.compile(r"(?:^|[/:\\])(Q\d{4,7})\.TXT$", re.I)


class Line(NamedTuple):
    """One article, encoded; `revised` is the ISO date or ""."""

    id: str
    revised: str
    name: str
    encoded: bytes


class Twice(NamedTuple):
    """An article that came twice: which document counts and which was left out."""

    id: str
    taken: str
    left: str


class Reading:
    """All articles of `paths`. Iterate over `lines()` or `articles()` once; `refused` and `twice` are complete then."""

    def __init__(self, paths: Iterable[str], jobs: int = 1) -> None:
        self._paths, self._jobs = tuple(paths), jobs
        self.refused: list[Refusal] = []
        self.twice: list[Twice] = []

    def articles(self) -> Iterator[Article]:
        for line in self.lines():
            yield msgspec.json.decode(line, type=Article)

    def lines(self) -> Iterator[bytes]:
        """The articles as JSON, a line each, without its end."""
        with tempfile.TemporaryFile() as kept:
            yield from self._through(kept)

    def _through(self, kept: IO[bytes]) -> Iterator[bytes]:
        places: dict[str, tuple[int, int, str, str]] = {}  # id: offset, length, revised, name; in the order of first coming
        at = 0
        for result in self._results():
            if isinstance(result, Refusal):
                self.refused.append(result)
                continue
            before = places.get(result.id)
            if before is not None:
                newer = result.revised > before[2]
                same = result.revised == before[2]
                left, taken = (before[3], result.name) if newer else (result.name, before[3])
                self.twice.append(Twice(result.id, taken, f"{left}{' (the same revision)' if same else ''}"))
                if not newer:
                    continue
            kept.write(result.encoded)
            places[result.id] = (at, len(result.encoded), result.revised, result.name)
            at += len(result.encoded)
        for offset, length, _, _ in places.values():
            kept.seek(offset)
            yield kept.read(length)

    def _results(self) -> Iterator[Line | Refusal]:
        found = documents(self._paths)
        if self._jobs <= 1:
            for document in found:
                yield _line(document)
            return
        with ProcessPoolExecutor(self._jobs) as pool:
            waiting: list[Future[list[Line | Refusal]]] = []
            while True:
                chunk = list(islice(found, _CHUNK))
                if chunk:
                    waiting.append(pool.submit(_chunk, chunk))
                while waiting and (len(waiting) > 2 * self._jobs or not chunk):
                    yield from waiting.pop(0).result()
                if not chunk:
                    return


def _chunk(found: list[Document | Refusal]) -> list[Line | Refusal]:
    return [_line(document) for document in found]


_encoder = msgspec.json.Encoder()


def _line(document: Document | Refusal) -> Line | Refusal:
    if isinstance(document, Refusal):
        return document
    try:
        article = read(document.content, document.name)
        named = _NAMED.search(document.name)
        if named and named[1].upper() != article.id:
            raise ValueError(f"has the header of {article.id}: another article's, or a misnamed file")
    except ValueError as e:
        return Refusal(document.name, str(e))
    except RecursionError:
        return Refusal(document.name, "is nested too deeply")
    return Line(article.id, article.revised.isoformat() if article.revised else "", document.name, _encoder.encode(article))
