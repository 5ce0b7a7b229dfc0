r"""Installed services, their state and start type (Win32_Service, or what a shell tells of the same).

The service manager silently leaves out of its list what the account may not query, so the list proves presence and not
absence. The names of the registry's Services keys prove absence: a service that a rule looks for and that only the registry
knows is listed without its state; where there is no list at all, all the registry's names are (drivers among them).
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import cell, rows, subkeys
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, QuerySet, RegistryQuery, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.facts import Service
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`services` with their state, as far as the account may see it."""
    listed, partial = _listed(data)
    try:
        names = subkeys(data, SERVICES_KEY) or ()
    except FactUnavailable as e:
        if not listed:
            raise FactUnavailable(f"{partial}; {e}") from None
        # What is there is known; what is not there is not, and that is what rules ask.
        raise FactUnavailable(f"{len(listed)} services are listed, but whether all are cannot be told: {e}") from None
    if not names:
        raise FactUnavailable("the registry names no service, which no Windows does: this account may not see them")
    known = {s.name.lower() for s in listed}
    more = [n for n in names if n.lower() not in known and (not known or _asked_for(n, requirements))]
    listed += [Service(name) for name in more]
    return CollectorResult({"services": tuple(sorted(listed, key=lambda s: s.name.lower()))}, partial)


def _listed(data: WindowsRawData) -> tuple[list[Service], str]:
    try:
        found = [r for r in rows(data, SERVICES) if cell(r, "Name")]
    except FactUnavailable as e:
        return [], f"names by the registry only, states not known: {e}"
    if not found:
        return [], "names by the registry only, states not known: the service manager shows this account none"
    return [Service(cell(r, "Name"), cell(r, "State").lower() or None, cell(r, "StartMode").lower() or None) for r in found], ""


def _asked_for(name: str, requirements: DataRequirements) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in requirements.services)


COLLECTOR = WindowsCollector(
    name="services",
    queries=lambda requirements: QuerySet(tables=(SERVICES,), keys=(RegistryQuery(SERVICES_KEY),)),
    parse=parse,
)
