"""The main flow for one host: reach it, collect, assess."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from auditor.audit.assessment import HostResponse, assess
from auditor.audit.context import AuditContext
from auditor.audit.redaction import redacted
from auditor.collectors.collection import PosixOptions, RawCollection
from auditor.collectors.reader import collect
from auditor.errors import HostError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.facts import Platform
from auditor.model.requirements import DataRequirements
from auditor.model.run import TargetError, TargetResult
from auditor.model.target import Target
from auditor.transports import open_session
from auditor.transports.ssh.config import resolved

# (response, seconds left of the host's time limit, stop) -> result
Assessor = Callable[[HostResponse, float, Stop], TargetResult]


def scan(target: Target, context: AuditContext, stop: Stop, assessor: Assessor | None = None) -> TargetResult:
    """Reach one host, read its facts, hold them against the rules. Never raises for what a host does. `assessor`: who reads
    the answer; None reads it in this process."""
    started = time.monotonic()
    try:
        collection = collect_from(target, context, stop)
    except HostError as e:
        error = redacted(TargetError(e.kind, str(e)), secret_refs.given(secrets_of(target)))
        return TargetResult(target=target, outcome="unreachable", error=error, seconds=round(time.monotonic() - started, 3))
    now = context.clock()
    response = HostResponse(
        target=target,
        collection=collection,
        method=method(target),
        now=now,
        secrets=secret_refs.given(secrets_of(target)),
    )
    left = target.timeouts.total - (time.monotonic() - started)
    result = assessor(response, left, stop) if assessor else assess(response, context)
    seconds = round(time.monotonic() - started, 3)
    return replace(result, seconds=seconds, relaxed=collection.relaxed)


def prepared(target: Target, stop: Stop) -> Target:
    """A target with what ssh_config says of it. HostError where that cannot be honoured."""
    if target.fault:
        raise HostError("resolve", target.fault)
    if target.zone:
        raise HostError(
            "zone-down",
            f"{target.name} is asked by the workers of its zone {target.zone}; `auditor scan` and `auditor audit` go through them",
        )
    return resolved(target, Deadline(target.timeouts.total, f"reading what ssh_config says of {target.name}", stop))


def collect_from(target: Target, context: AuditContext, stop: Stop, *, raw: bool = False) -> RawCollection:
    """Ask the host everything that the rules need to know. `raw`: uncompressed, for recordings. HostError where there is no
    session."""
    deadline = Deadline(target.timeouts.total, f"reading {target.name}", stop)
    password, sudo = b"", "none"
    if target.become:
        sudo = "sudo-password" if target.become.password else "sudo"
        password = f"{secret_refs.resolve(target.become.password)}\n".encode() if target.become.password else b""

    def requirements_of(platform: Platform) -> DataRequirements:
        return context.requirements.of(platform, context.rulebook)

    with open_session(target, deadline, context.requirements.permitted(context.rulebook)) as session:
        posix = PosixOptions(deep=context.deep, sudo=sudo, password=password, raw=raw)
        return collect(session, requirements_of, context.marker(), posix, missing_updates=target.missing_updates)


def secrets_of(target: Target) -> tuple[str | None, ...]:
    """The secret references of the host and of those on the way to it."""
    hops = [h.password for h in target.jump]
    return (target.password, target.become.password if target.become else None, *hops)


def method(target: Target) -> str:
    """How the facts are read, for the evidence."""
    through = f" through {', '.join(h.name for h in target.jump)}" if target.jump else ""
    return f"{target.connection}{through}"
