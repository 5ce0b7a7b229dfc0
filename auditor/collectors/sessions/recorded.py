"""Reading what was recorded of a Windows host: its data, or files to make some of."""

from __future__ import annotations

from auditor.collectors.collection import RawCollection, Request
from auditor.collectors.windows.host_facts import all_queries, platform_of
from auditor.collectors.windows.readers import offline
from auditor.model.facts import Platform
from auditor.transports.session import RecordedSession


def read(session: RecordedSession, request: Request) -> RawCollection:
    """The recorded data, or what the recorded files say."""
    windows = request.requirements_of(Platform(family="windows"))
    recorded = session.data()
    data = recorded or offline.read(session.files(), all_queries(windows))
    requirements = request.requirements_of(platform_of(data)) if recorded else windows
    return RawCollection(marker=request.marker, requirements=requirements, data=data)
