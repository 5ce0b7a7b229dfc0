"""Assessment in child processes, which can be ended where a host's answer takes too much time or memory."""

from __future__ import annotations

import hashlib
import pickle
import threading
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Raw, Struct

from auditor.audit.assessment import HostResponse, HostSections, assess, assess_sections
from auditor.audit.context import AuditContext
from auditor.audit.section_decoder import SectionDecoder
from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.foundation.isolation import Guard
from auditor.foundation.remembered import Remembered
from auditor.model.encoded_facts import EncodedFacts
from auditor.model.finding import Finding
from auditor.model.run import Outcome, TargetError, TargetResult

READING_SECONDS = 20.0  # what reading one answer may take at most; the largest honest ones take less than one
_LEAST_SECONDS = 5.0  # what it gets at least, where a host has used up its own time limit
_FAR = float("inf")


class _Result(Struct, frozen=True):
    """A result on its way between processes; `findings` stay encoded until they are first needed."""

    outcome: Outcome
    error: TargetError | None
    facts: EncodedFacts | None
    findings: Raw
    held: tuple[str, ...]
    fulfilled: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Result).decode
_apart = msgspec.msgpack.Decoder(tuple[Raw, ...]).decode
_decode_finding = msgspec.msgpack.Decoder(Finding).decode


class IsolatedAssessor:
    """Assesses the hosts of one run in child processes. A context manager."""

    _MOST_STATES = 256  # states of a fleet's hosts; each keeps its findings once
    _MOST = 16_000_000  # bytes of findings; each is held once, in whatever state it occurs

    def __init__(self, context: AuditContext, *, encoded_only: bool = False) -> None:
        """`encoded_only`: the results' facts are wanted as JSON alone, which saves decoding them."""
        self._context, self._encoded_only = context, encoded_only
        self._guard = Guard(self._in_child)
        self._states = Remembered[bytes, tuple[Finding, ...]](self._MOST_STATES)
        self._findings = Remembered[bytes, Finding](self._MOST)
        self._sections, self._turn = SectionDecoder(), threading.Lock()

    def __enter__(self) -> Self:
        self._guard.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._guard.__exit__(kind, error, trace)

    def assess(self, given: HostResponse | HostSections, seconds_left: float, stop: Stop) -> TargetResult:
        """The result of `assess`. A host whose answer passes a limit of time or memory is `failed`. `seconds_left` is what
        remains of the host's own time limit; waiting for a free child costs it nothing."""
        seconds = min(READING_SECONDS, max(seconds_left, min(_LEAST_SECONDS, given.target.timeouts.total)))
        try:
            answer = self._guard.compute(pickle.dumps(given), Deadline(seconds, "reading its answer", stop, at=_FAR))
            result = _decode(answer)
            encoded = given.sections if isinstance(given, HostSections) and result.outcome != "failed" else result.facts
            with self._turn:
                facts = self._sections.decode(encoded) if encoded and not self._encoded_only else None
                findings = self._shared(bytes(result.findings))
        except HostError as e:
            return TargetResult(target=given.target, outcome="failed", error=TargetError(e.kind, str(e)))
        except msgspec.MsgspecError as e:
            error = TargetError("limit", f"a field that was read of its answer passes a limit: {e}")
            return TargetResult(target=given.target, outcome="failed", error=error)
        return TargetResult(
            target=given.target,
            outcome=result.outcome,
            error=result.error,
            facts=facts,
            findings=findings,
            encoded=encoded,
            held=result.held,
            fulfilled=result.fulfilled,
        )

    def _in_child(self, pickled: bytes) -> bytes:
        given: HostResponse | HostSections = pickle.loads(pickled)  # the parent's own
        if isinstance(given, HostResponse):
            result = assess(given, self._context)
            encoded = result.encoded
        else:
            result = assess_sections(given, self._context, self._sections)
            encoded = None  # the parent has them
        return _encode(
            _Result(result.outcome, result.error, encoded, Raw(_encode(result.findings)), result.held, result.fulfilled)
        )

    def _shared(self, encoded: bytes) -> tuple[Finding, ...]:
        """Findings, held once for all hosts in the same state, and each once for all that have it."""
        key = hashlib.sha256(encoded).digest()
        return self._states.get(key, 1, lambda: tuple(self._finding(bytes(f)) for f in _apart(encoded)))

    def _finding(self, encoded: bytes) -> Finding:
        return self._findings.get(encoded, len(encoded), lambda: _decode_finding(encoded))
