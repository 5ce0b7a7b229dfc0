r"""Other Microsoft products on the host that have monthly updates of their own, by their services, each with its build where that can be read.

SQL Server: Instance Names\SQL names the key of each instance, whose Setup#PatchLevel is the patched build (Version stays that of the service pack, and
the minor number counts service packs: 13.2.5698.0 is 13.0.5698). Exchange Server: the file version of Bin\ExSetup.exe below Setup#MsiInstallPath; the
registry's own numbers know cumulative updates only. Edge: its updater's value pv. Of Office Click-to-Run and .NET Framework it is told that they are there: the monthly
documents have links instead of their builds, or numbers of updates that no host lists. WMI asks again for what the first answers call for; other ways
tell that a product is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import cell, found, rows, subkeys
from auditor.collectors.windows.queries import SERVICES, SERVICES_KEY, QuerySet, RegistryQuery, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.facts import InstalledProduct
from auditor.model.requirements import DataRequirements
from auditor.model.windows import WindowsRawData

_SQL = r"HKLM\SOFTWARE\Microsoft\Microsoft SQL Server"
_EXCHANGE = r"HKLM\SOFTWARE\Microsoft\ExchangeServer\v15\Setup#MsiInstallPath"
_INSTANCE = re.compile(r"MSSQLSERVER|MSSQL\$(\w{1,32})", re.I)
_ID = re.compile(r"MSSQL[\w.$-]{1,60}", re.I)
_FOLDER = re.compile(r"[A-Za-z]:\\[^'\"*?<>|\x00-\x1f]{1,200}")
_MOST_INSTANCES = 50
_YEARS = {
    "10.0": "2008",
    "10.50": "2008-r2",
    "11.0": "2012",
    "12.0": "2014",
    "13.0": "2016",
    "14.0": "2017",
    "15.0": "2019",
    "16.0": "2022",
    "17.0": "2025",
}
_EXCHANGES = {"15.0": "2013", "15.1": "2016", "15.2": "2019"}
_FIRST_SUBSCRIPTION = 2562  # the build of Exchange Server Subscription Edition, which shares 15.2 with 2019
_EDGE_SERVICES = {"edgeupdate", "microsoftedgeelevationservice"}
_EDGE = tuple(
    rf"HKLM\SOFTWARE\{node}Microsoft\EdgeUpdate\Clients\{{56EB18F8-B008-4CBD-B6D2-8C97FE7E9062}}#pv"
    for node in ("WOW6432Node\\", "")
)
_BY_SERVICE = {
    "clicktorunsvc": "office-click-to-run",
    "clr_optimization_v4.0.30319_32": "net-framework-4",
}
# What `more` may ask, for people and as patterns; the file of Exchange by FILE_WQL.
LISTED = (rf"{_SQL}\Instance Names\SQL#{{instance}}", rf"{_SQL}\{{its key}}\Setup#PatchLevel", _EXCHANGE, *_EDGE)
PATTERNS = (
    re.compile(rf"{re.escape(_SQL)}\\Instance Names\\SQL#\w{{1,32}}", re.I),
    re.compile(rf"{re.escape(_SQL)}\\MSSQL[\w.$-]{{1,60}}\\Setup#PatchLevel", re.I),
    *(re.compile(re.escape(what), re.I) for what in (_EXCHANGE, *_EDGE)),
)


def more(data: WindowsRawData) -> QuerySet:
    """What the answers call for beside them, as far as it was not asked yet."""
    try:
        services = _services(data)
    except FactUnavailable:
        return QuerySet()
    values = [what for instance in _instances(services) for what in _of_instance(data, instance)]
    files = []
    if any(s.startswith("msexchange") for s in services):
        values.append(_EXCHANGE)
        files = [path for path in (_setup_file(data),) if path]
    if not _EDGE_SERVICES.isdisjoint(services):
        values += [what for what in _EDGE if what == _EDGE[0] or (_EDGE[0] in data.values and not _text(data, _EDGE[0]))]
    return QuerySet(
        values=tuple(RegistryQuery(v) for v in values if v not in data.values),
        files=tuple(f for f in files if f"file-version:{f}" not in data.values),
    )


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`products`; the version is None where it was not or could not be read."""
    services = _services(data)
    products = [_sql(data, instance) for instance in _instances(services)]
    if any(s.startswith("msexchange") for s in services):
        products.append(_exchange(data))
    if not _EDGE_SERVICES.isdisjoint(services):
        version = next((v for what in _EDGE if (v := _text(data, what))), "")
        products.append(InstalledProduct("edge", "", version if re.fullmatch(r"\d{1,4}(\.\d{1,6}){3}", version) else None))
    products += [InstalledProduct(name) for name in dict.fromkeys(p for s, p in _BY_SERVICE.items() if s in services)]
    return CollectorResult({"products": tuple(products)})


def _services(data: WindowsRawData) -> set[str]:
    """The names of services, in small letters, from the list and the registry: what neither has is not there."""
    names = {n.lower() for n in subkeys(data, SERVICES_KEY) or ()}
    try:
        return names | {cell(r, "Name").lower() for r in rows(data, SERVICES)}
    except FactUnavailable:
        return names


def _instances(services: set[str]) -> list[str]:
    matches = (m for s in sorted(services) if (m := _INSTANCE.fullmatch(s)))
    return [(m[1] or "MSSQLSERVER").upper() for m in matches][:_MOST_INSTANCES]


def _of_instance(data: WindowsRawData, instance: str) -> Iterator[str]:
    name = rf"{_SQL}\Instance Names\SQL#{instance}"
    yield name
    ident = _text(data, name)
    if _ID.fullmatch(ident):
        yield rf"{_SQL}\{ident}\Setup#PatchLevel"


def _text(data: WindowsRawData, what: str) -> str:
    try:
        value = found(data, what)
    except FactUnavailable:
        return ""
    return str(value.data) if value else ""


def _sql(data: WindowsRawData, instance: str) -> InstalledProduct:
    version = _text(data, [*_of_instance(data, instance)][-1])
    m = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{1,5})(?:\.(\d{1,5}))?", version)
    line = "" if not m else f"{m[1]}.{'50' if m[1] == '10' and m[2].startswith('5') else '0'}"
    if not m or line not in _YEARS:
        return InstalledProduct("sql-server", instance)
    return InstalledProduct(f"sql-server-{_YEARS[line]}", instance, f"{line}.{m[3]}.{m[4] or 0}")


def _setup_file(data: WindowsRawData) -> str:
    folder = _text(data, _EXCHANGE).rstrip("\\")
    return rf"{folder}\Bin\ExSetup.exe" if _FOLDER.fullmatch(folder) else ""


def _exchange(data: WindowsRawData) -> InstalledProduct:
    version = _text(data, f"file-version:{_setup_file(data)}")
    m = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{1,5})\.(\d{1,5})", version)
    numbers = [int(n) for n in m.groups()] if m else []
    year = _EXCHANGES.get(f"{numbers[0]}.{numbers[1]}") if numbers else None
    if year is None:
        return InstalledProduct("exchange")
    if year == "2019" and numbers[2] >= _FIRST_SUBSCRIPTION:
        year = "se"
    return InstalledProduct(f"exchange-{year}", "", ".".join(map(str, numbers)))


COLLECTOR = WindowsCollector(
    name="products",
    queries=lambda requirements: QuerySet(tables=(SERVICES,), keys=(RegistryQuery(SERVICES_KEY),)),
    parse=parse,
    more=more,
)
