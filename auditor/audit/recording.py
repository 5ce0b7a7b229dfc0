"""Keeping a host's raw answer in a folder, which the transport `replay` reads."""

from __future__ import annotations

from pathlib import Path

import msgspec

from auditor.audit.context import AuditContext
from auditor.audit.redaction import redacted, redacted_bytes
from auditor.audit.scan import collect_from, method, prepared, secrets_of
from auditor.collectors.linux.script import DIGEST
from auditor.errors import UsageFault
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.transports.replay import Recording, write


class Recorded(msgspec.Struct, frozen=True):
    """What was written: `size` in bytes, `truncated` why the answer is not whole; `whole` is False where its end is missing."""

    size: int
    truncated: TargetError | None
    whole: bool


def record(target: Target, folder: Path, context: AuditContext) -> Recorded:
    """Ask a host and write its answer to `folder`, without the secrets that it was given. HostError where there is no session,
    UsageFault where the folder cannot be written."""
    stop = Stop()
    target = prepared(target, stop)
    collection = collect_from(target, context, stop, raw=True)
    result, data = collection.result, collection.data
    recording = Recording(
        target=target.name,
        recorded_at=context.clock(),
        kind="windows-readings" if data else "windows-shell" if collection.windows else "posix",
        marker=collection.marker,
        script=DIGEST,
        method=method(target),
        exit_status=result.exit_status if result else None,
        seconds=round(result.seconds, 3) if result else 0.0,
        truncated=collection.truncated,
    )
    secrets = secret_refs.given(secrets_of(target))
    if result:
        contents = {"stdout": redacted_bytes(result.stdout, secrets), "stderr": redacted_bytes(result.stderr, secrets)}
    else:
        contents = {"readings.json": msgspec.json.format(msgspec.json.encode(redacted(data, secrets)), indent=1)}
    try:
        write(folder, recording, contents)
    except OSError as e:
        raise UsageFault(f"{folder} cannot be written: {e.strerror}") from None
    ended = result is None or (not collection.truncated and f"{collection.marker}.end".encode() in result.stdout)
    return Recorded(sum(len(c) for c in contents.values()), collection.truncated, ended)
