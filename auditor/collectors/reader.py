"""Collecting from one host: the reader of its session's kind, and the Windows Update Agent where the inventory wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from auditor.collectors.collection import PosixOptions, RawCollection, Request, RequirementsOf
from auditor.collectors.sessions import recorded, remote_registry, shell, update_agent, wmi
from auditor.transports.session import Session, SessionKind

# One reader for each kind of session; a new kind is a file and a line here.
READERS: dict[SessionKind, Callable[[Any, Request], RawCollection]] = {
    "shell": shell.read,
    "wmi": wmi.read,
    "remote-registry": remote_registry.read,
    "recorded": recorded.read,
}


def collect(
    session: Session, requirements_of: RequirementsOf, marker: str, posix: PosixOptions, *, missing_updates: bool = False
) -> RawCollection:
    """Ask everything. Raises HostError where there is no session, or where nothing at all may be asked."""
    request = Request(requirements_of=requirements_of, marker=marker, posix=posix)
    collection = READERS[session.kind](session, request)
    has_answer = session.has_update_agent_answer
    wanted = missing_updates if has_answer is None else has_answer
    if wanted and collection.of_windows:
        collection = update_agent.added(session, collection)
    return replace(collection, recorded_at=session.recorded_at, relaxed=session.relaxed)
