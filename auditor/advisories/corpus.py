"""Many documents read into articles, in one process or several, without gathering them in memory.

Of an article that comes twice the newest revision counts. Lines are therefore kept in a temporary file until all
documents are read, and given out in the order in which the documents came.
"""

from __future__ import annotations

import pickle
import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, NamedTuple

import msgspec

from auditor.advisories.article import Article
from auditor.advisories.documents import Document, Refusal, documents
from auditor.advisories.sources.kb.article_reader import read
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.foundation.isolation import Guard

_CHUNK, _CHUNK_BYTES = 200, 20_000_000
_SECONDS, _SECONDS_CHUNK = 10.0, 60.0  # for one document, and for a chunk, which takes a third of a second
_NAMED = re.compile(r"(?:^|[/:\\])(Q\d{4,7})\.TXT$", re.I)


class ReadLine(NamedTuple):
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


class CorpusReader:
    """All articles of `paths`. Iterate over `lines()` or `articles()` once; `refused` and `twice` are complete then."""

    def __init__(self, paths: Iterable[str], jobs: int = 1) -> None:
        self._paths, self._jobs = tuple(paths), jobs
        self.refused: list[Refusal] = []
        self.twice: list[Twice] = []

    def articles(self) -> Iterator[Article]:
        """Every article that counts, as it is read; what was refused is known once the last was given."""
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

    def _results(self) -> Iterator[ReadLine | Refusal]:
        """Chunk by chunk, in processes that can be ended: what a document costs is bounded, whatever stands in it."""
        chunks = _chunks(documents(self._paths))
        with Guard(_work, self._jobs) as guard, ThreadPoolExecutor(self._jobs) as pool:
            waiting: deque[Future[list[ReadLine | Refusal]]] = deque()
            for chunk in chunks:
                waiting.append(pool.submit(_read, guard, chunk))
                if len(waiting) > 2 * self._jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()


def _chunks(found: Iterable[Document | Refusal]) -> Iterator[list[Document | Refusal]]:
    """So many documents, or so many bytes."""
    chunk: list[Document | Refusal] = []
    size = 0
    for document in found:
        chunk.append(document)
        size += len(document.content) if isinstance(document, Document) else 0
        if len(chunk) >= _CHUNK or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read(guard: Guard, chunk: list[Document | Refusal]) -> list[ReadLine | Refusal]:
    """A chunk; one by one where together they take too long, so that only those are refused that do."""
    try:
        return _asked(guard, chunk, _SECONDS_CHUNK)
    except HostError as e:
        if len(chunk) == 1:
            name = chunk[0].name
            return [Refusal(name, f"cannot be read within {_SECONDS:g} s and the memory for it: {e}")]
    found: list[ReadLine | Refusal] = []
    for document in chunk:
        try:
            found += _asked(guard, [document], _SECONDS)
        except HostError as e:
            found.append(Refusal(document.name, f"was given up: {e}"))
    return found


def _asked(guard: Guard, chunk: list[Document | Refusal], seconds: float) -> list[ReadLine | Refusal]:
    said = guard.compute(pickle.dumps(chunk), Deadline(seconds, "reading documents"))
    found: list[ReadLine | Refusal] = pickle.loads(said)  # our own child's
    return found


def _work(given: bytes) -> bytes:
    return pickle.dumps([_line(document) for document in pickle.loads(given)])


_encoder = msgspec.json.Encoder()


def _line(document: Document | Refusal) -> ReadLine | Refusal:
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
    return ReadLine(article.id, article.revised.isoformat() if article.revised else "", document.name, _encoder.encode(article))
