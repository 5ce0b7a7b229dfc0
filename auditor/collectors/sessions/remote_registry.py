"""Reading a Windows host by its remote registry."""

from __future__ import annotations

from auditor.collectors.collection import RawCollection, Request
from auditor.collectors.windows.readers import remote_registry
from auditor.model.facts import Platform
from auditor.transports.session import RemoteRegistry


def read(session: RemoteRegistry, request: Request) -> RawCollection:
    """The registry's values and keys, and the services. HostError where there is no session."""
    return RawCollection(
        marker=request.marker,
        requirements=request.requirements_of(Platform(family="windows")),
        data=remote_registry.read(session, request.requirements_of),
    )
