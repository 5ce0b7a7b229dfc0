"""What a rule found is found again on each host that says the same of all that the rule looked at.

Most hosts of a fleet are alike in most things and in no case in all: their counters and processes differ. So each rule's look at the
facts is watched. A judgement is a pure function, and with the same values in the fields that it looked at it would look at the same
fields and say the same. No rule declares what it looks at, so none can declare it wrongly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import msgspec

from auditor.model.encoded_facts import EncodedFacts
from auditor.model.facts import HostFacts, Volatile

T = TypeVar("T")
Fields = frozenset[str]

_MOST = 20_000  # findings that are remembered at most: children that judge have a limit of memory
_encode = msgspec.json.Encoder().encode
_encoded_name = dict(zip(HostFacts.__struct_fields__, HostFacts.__struct_encode_fields__, strict=True))


class WatchedFacts:
    """A host's facts, which note the fields that are looked at."""

    def __init__(self, facts: HostFacts) -> None:
        self._facts = facts
        self._seen = set[str]()

    def __getattr__(self, name: str) -> Any:
        self._seen.add(name)
        return getattr(self._facts, name)

    def look(self, fields: Fields) -> None:
        """Note fields that somebody looked at before, whose conclusion is used again."""
        self._seen |= fields

    def during(self, work: Callable[[], T]) -> tuple[T, Fields]:
        """What a piece of work gives, and the fields that it looked at."""
        before, self._seen = self._seen, set()
        try:
            return work(), frozenset(self._seen)
        finally:
            self._seen |= before


def watched(facts: HostFacts) -> HostFacts:
    """The same facts, watched."""
    return cast(HostFacts, WatchedFacts(facts))


class Shared:
    """What was found on the hosts so far."""

    def __init__(self) -> None:
        self._looks: dict[
            Hashable, list[Fields]
        ] = {}  # by what was asked: the fields that were looked at, as far as it was seen
        self._known = _Known()

    def host(self, facts: HostFacts, encoded: EncodedFacts, by: bytes) -> SharedOfHost:
        """The same for one host. `encoded`: its facts' JSON; `by`: a digest of all else that its answers depend on."""
        return SharedOfHost(self._looks, self._known, facts, encoded, by)


class _Known(dict[Hashable, Any]):
    """Answers by their questions, and how many findings they hold: what a host lacks of a feed is one answer of hundreds."""

    findings = 0

    def keep(self, asked: Hashable, answer: Any) -> None:
        self.findings += 1 + (len(answer[1]) if isinstance(answer, tuple) else 0)
        self[asked] = answer

    def forget(self) -> None:
        self.clear()
        self.findings = 0


class SharedOfHost:
    """One host's view of what is shared: its own facts are digested once for each set of fields."""

    def __init__(
        self,
        looks: dict[Hashable, list[Fields]],
        known: _Known,
        facts: HostFacts,
        encoded: EncodedFacts,
        by: bytes,
    ) -> None:
        self._looks, self._known, self._facts, self._encoded, self._by = looks, known, facts, encoded, by
        self._states: dict[Fields, bytes] = {}

    def __call__(self, asked: Hashable, seen: HostFacts, work: Callable[[], T]) -> T:
        """`work()`, which is pure and looks at the facts by `seen` alone (watched); known already where another host has the same in all that
        it looks at. `asked` says what is asked, and what the answer depends on beside the facts and `by`."""
        asked = (asked, self._by)
        looks = self._looks.setdefault(asked, [])
        for fields in looks:
            try:
                return cast(T, self._known[asked, self._state(fields)])
            except KeyError:
                pass
        made, fields = cast(WatchedFacts, seen).during(work)
        if self._known.findings >= _MOST:
            self._known.forget()
            self._looks.clear()
            looks = self._looks.setdefault(asked, [])
        if fields not in looks:
            looks.append(fields)
        self._known.keep((asked, self._state(fields)), made)
        return made

    def _state(self, fields: Fields) -> bytes:
        """A digest of what the host says in these fields, and of which fields these are."""
        state = self._states.get(fields)
        if state is None:
            digest = hashlib.sha256()
            for name in sorted(fields):
                body = self._body(name)
                digest.update(f"\n{name} {len(body)}\n".encode())
                digest.update(body)
            state = self._states[fields] = digest.digest()
        return state

    def _body(self, name: str) -> bytes:
        """What a judgement can see of a field: of collectors' outcomes not how long they took, of Windows' readings only how old the list of
        updates is."""
        if name == "outcomes":
            return _encode([(o.name, o.outcome, o.reason) for o in self._facts.outcomes])
        if name == "volatile" and self._facts.volatile and self._facts.platform.family == "windows":
            return _encode(Volatile(updates_searched=self._facts.volatile.updates_searched))
        return self._encoded.get(_encoded_name.get(name, name), b"") or _encode(getattr(self._facts, name))
