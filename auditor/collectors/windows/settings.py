"""The registry values and file versions that the loaded rules ask for. Nothing here knows a rule."""

from __future__ import annotations

from auditor.collectors.collector import Reading
from auditor.collectors.windows.lookup import as_text
from auditor.collectors.windows.queries import Ask, Questions, WindowsCollector
from auditor.model.facts import Setting
from auditor.model.requirements import Asked
from auditor.model.windows import Readings


def _asks(asked: Asked) -> Questions:
    values = tuple(Ask(k.removeprefix("registry:")) for k in asked.windows if k.startswith("registry:"))
    return Questions(
        values=values,
        files=tuple(k.removeprefix("file-version:") for k in asked.windows if k.startswith("file-version:")),
    )


def parse(readings: Readings, asked: Asked) -> Reading:
    settings: dict[str, Setting | None] = {}
    for key in asked.windows:
        value = readings.values.get(key.removeprefix("registry:"))
        if value is None:
            settings[key] = Setting("unreadable", reason=f"{readings.way} does not read it")
        elif value.state == "present":
            settings[key] = Setting("present", as_text(value), type=value.type)
        else:
            settings[key] = Setting(value.state, reason=value.reason)
    denied = sum(1 for s in settings.values() if s and s.state == "unreadable")
    return Reading({"settings": settings}, partial=f"{denied} of {len(settings)} settings could not be read" if denied else "")


COLLECTOR = WindowsCollector(name="settings", asks=_asks, parse=parse)
