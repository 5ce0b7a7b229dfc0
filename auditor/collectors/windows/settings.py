"""The registry values and file versions that the loaded rules ask for. Nothing here knows a rule."""

from __future__ import annotations

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import as_text
from auditor.collectors.windows.queries import QuerySet, RegistryQuery, WindowsCollector
from auditor.model.facts import Setting
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData


def _asks(requirements: DataRequirements) -> QuerySet:
    values = tuple(RegistryQuery(k.removeprefix("registry:")) for k in requirements.windows if k.startswith("registry:"))
    return QuerySet(
        values=values,
        files=tuple(k.removeprefix("file-version:") for k in requirements.windows if k.startswith("file-version:")),
    )


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`settings`: registry values and file versions that rules ask for."""
    settings: dict[str, Setting | None] = {}
    for key in requirements.windows:
        value = data.values.get(key.removeprefix("registry:"))
        if value is None:
            settings[key] = Setting("unreadable", reason=f"{data.method} does not read it")
        elif value.state == "present":
            settings[key] = Setting("present", as_text(value), type=value.type)
        else:
            settings[key] = Setting(value.state, reason=value.reason)
    denied = sum(1 for s in settings.values() if s and s.state == "unreadable")
    return CollectorResult(
        {"settings": settings}, partial=f"{denied} of {len(settings)} settings could not be read" if denied else ""
    )


COLLECTOR = WindowsCollector(name="settings", queries=_asks, parse=parse)
