r"""Which Windows this is: version, build, edition, suites and service pack, by their registry values.

CSDVersion's leading number is the service pack (Q222507, Q266433, Q293322: hotfixes stamp "Service Pack 4 RC 1.2" and the
like, and the numeric major version is then wrong). Service Pack 6a writes "Service Pack 6" too; only the value Installed
of HotFix\Q246009 tells it apart. Windows 10 and later keep CurrentVersion at 6.3, and Windows 11 calls itself
"Windows 10" in ProductName: the build decides. The machine id is a digest of MachineGuid.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from auditor.collectors.collector import CollectorResult
from auditor.collectors.windows.lookup import build_of, cell, found, number, rows, text
from auditor.collectors.windows.queries import CONTROL, NT, OS, VISTA, WINDOWS_10, QuerySet, RegistryQuery, WindowsCollector
from auditor.errors import FactUnavailable
from auditor.model.facts import Platform, Volatile
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Cell, WindowsRawData
from auditor.versions import service_pack
from auditor.versions.windows_product import WindowsKind, identify

T = TypeVar("T")
_NT4, _2000, _FIRST_UBR = 1381, 2195, 9200  # Windows 8 and Server 2012 are the oldest lines that write a UBR
_TYPE = rf"{CONTROL}\ProductOptions#ProductType"
_SUITE = rf"{CONTROL}\ProductOptions#ProductSuite"
SP6A = rf"{NT}\HotFix\Q246009#Installed"
_ARCH = rf"{CONTROL}\Session Manager\Environment#PROCESSOR_ARCHITECTURE"
_MACHINE = r"HKLM\SOFTWARE\Microsoft\Cryptography#MachineGuid"
_ASKS = QuerySet(
    values=(
        RegistryQuery(f"{NT}#CurrentVersion", unless=OS),
        RegistryQuery(f"{NT}#CurrentBuildNumber", unless=OS),
        RegistryQuery(f"{NT}#ProductName", unless=OS),
        RegistryQuery(f"{NT}#CSDVersion", before=WINDOWS_10),
        RegistryQuery(f"{NT}#UBR", since=_FIRST_UBR),
        RegistryQuery(f"{NT}#EditionID", since=VISTA),
        RegistryQuery(f"{NT}#InstallationType", since=VISTA),
        RegistryQuery(_TYPE),
        RegistryQuery(_SUITE, before=VISTA),
        RegistryQuery(SP6A, since=_NT4, before=_NT4 + 1),
        RegistryQuery(_ARCH),
        RegistryQuery(_MACHINE, since=2600),
    ),
    tables=(OS,),
)
_ARCHITECTURES = {"amd64": "x86_64", "x86": "x86", "arm64": "aarch64", "ia64": "ia64", "alpha": "alpha"}
_KINDS: dict[str, WindowsKind] = {
    "WINNT": "workstation", "SERVERNT": "server", "LANMANNT": "server",  # the registry
    "1": "workstation", "2": "server", "3": "server",  # Win32_OperatingSystem; 2 is a domain controller
}  # fmt: skip


def parse(data: WindowsRawData, requirements: DataRequirements) -> CollectorResult:
    """`platform`, `machine_id`, and the volatile clock."""
    os = _os(data)
    missing: list[str] = []
    version, build = _version(data, os), build_of(data)
    if version is None:
        raise FactUnavailable("no part of this host told its version: neither its registry, nor WMI, nor `ver`")
    if build is not None and build >= WINDOWS_10:
        version = "10.0"
    kind = _kind(data, os, missing)
    suites = _told(lambda: _suites(data), missing) if build is None or build < VISTA else None
    named = _told(lambda: text(data, f"{NT}#EditionID")) if build and build >= VISTA else None
    identity = identify(version, build, kind, suites, edition=named, r2=_r2(data, os))
    if identity.doubt:
        missing.append(identity.doubt)
    ubr = _told(lambda: number(data, f"{NT}#UBR"), missing) if build is not None and build >= _FIRST_UBR else None
    platform = Platform(
        family="windows",
        product=identity.product,
        version=version,
        service_pack=_told(lambda: _service_pack(data, os, build, identity.product), missing),
        csd_version=_told(lambda: _csd_version(data, os)),
        build=None if build is None else str(build) if ubr is None else f"{build}.{ubr}",
        edition=identity.edition or named,
        suites=suites,
        arch=_arch(data),
        name=identity.name or _name(data, os, build),
        installation=_told(lambda: text(data, f"{NT}#InstallationType")),
    )
    return CollectorResult(
        {"platform": platform, "machine_id": _machine_id(data), "volatile": _volatile(os)}, "; ".join(missing)
    )


def _told(read: Callable[[], T | None], missing: list[str] | None = None) -> T | None:
    """What `read` gives; None, with the reason noted, where the host did not tell."""
    try:
        return read()
    except FactUnavailable as e:
        if missing is not None:
            missing.append(str(e))
        return None


def _os(data: WindowsRawData) -> dict[str, Cell]:
    return next(iter(_told(lambda: rows(data, OS)) or ()), {})


def _version(data: WindowsRawData, os: dict[str, Cell]) -> str | None:
    """`4.0`: from the registry, else from WMI, else the digits that `ver` prints."""
    said = _told(lambda: text(data, f"{NT}#CurrentVersion")) or cell(os, "Version") or data.texts.get("ver", "")
    digits = re.search(r"(\d{1,3}\.\d{1,3})(?!\d)", said[:300])
    if not digits:
        return None
    return digits[1][:-1] if re.fullmatch(r"\d\.\d0", digits[1]) else digits[1]  # `ver` writes 3.50 and 5.00


def _kind(data: WindowsRawData, os: dict[str, Cell], missing: list[str]) -> WindowsKind | None:
    """ProductType: WinNT is a workstation, ServerNT and LanmanNT (a domain controller) are servers (Q152078)."""
    said = cell(os, "ProductType") or _told(lambda: text(data, _TYPE), missing) or ""
    return _KINDS.get(said.upper())


def _r2(data: WindowsRawData, os: dict[str, Cell]) -> bool | None:
    """Windows Server 2003 R2 has the build of 2003; WMI and ProductName tell it."""
    name = _told(lambda: text(data, f"{NT}#ProductName")) or ""
    return cell(os, "OtherTypeDescription").startswith("R2") or name.endswith(" R2") or (False if os or name else None)


def _suites(data: WindowsRawData) -> tuple[str, ...]:
    """ProductSuite; absent on plain editions, and then there is none."""
    value = found(data, _SUITE)
    if value is None:
        return ()
    names = value.data if isinstance(value.data, tuple) else (str(value.data),)
    return tuple(n for n in names if n.strip())


def _service_pack(data: WindowsRawData, os: dict[str, Cell], build: int | None, product: str | None) -> str | None:
    """`0` for none, `6a`; the text as it stands where it is of no known form."""
    if build is not None and build >= WINDOWS_10:
        return "0"  # there are no service packs any more
    said = _csd_version(data, os)
    if not said:
        return "0"
    try:
        pack = service_pack.parse(said)
    except ValueError:
        return said
    if pack.candidate and (build is None or build > _2000):
        return said  # stamping over a final pack is known of hotfixes for NT 4.0 and 2000 only; later this is a beta
    plain = f"{pack.number}{pack.letter}"
    if plain == "6" and build == _NT4 and product != "windows-nt-4.0-terminal-server":
        return "6a" if number(data, SP6A) == 1 else "6"
    return plain


def _csd_version(data: WindowsRawData, os: dict[str, Cell]) -> str | None:
    """CSDVersion; Windows NT 3.1 has it as a number, 0x300 (Q132475), whose meaning its second service pack shared
    (Q110481): it stays `CSD003`, which no rule takes for a pack."""
    if os and f"{NT}#CSDVersion" not in data.values:
        return cell(os, "CSDVersion") or None
    value = found(data, f"{NT}#CSDVersion")
    return None if value is None else f"CSD{value.data >> 8:03}" if isinstance(value.data, int) else str(value.data)


def _arch(data: WindowsRawData) -> str | None:
    said = _told(lambda: text(data, _ARCH)) or ""
    return _ARCHITECTURES.get(said.lower(), said.lower()) or None


def _name(data: WindowsRawData, os: dict[str, Cell], build: int | None) -> str | None:
    name = cell(os, "Caption") or _told(lambda: text(data, f"{NT}#ProductName")) or ""
    eleven = build is not None and build >= 22000 and name.startswith("Windows 10")
    return f"Windows 11{name.removeprefix('Windows 10')}" if eleven else name or None


def _machine_id(data: WindowsRawData) -> str | None:
    guid = (_told(lambda: text(data, _MACHINE)) or "").strip("{}").lower()
    return hashlib.sha256(b"auditor:" + guid.encode()).hexdigest()[:32] if re.fullmatch(r"[0-9a-f-]{36}", guid) else None


def _volatile(os: dict[str, Cell]) -> Volatile:
    clock, boot = when(cell(os, "LocalDateTime")), when(cell(os, "LastBootUpTime"))
    return Volatile(uptime=(clock - boot).total_seconds() if clock and boot else None, clock=clock)


_CIM = re.compile(r"(\d{14})\.(\d{6})([+-])(\d{3})")


def when(text: str) -> datetime | None:
    """A time as WMI writes it: `20240102030405.000000+060` (CIM_DATETIME, minutes from UTC), or ISO 8601 over WS-Man."""
    try:
        if cim := _CIM.fullmatch(text):
            zone = timezone(timedelta(minutes=int(cim[3] + cim[4])))
            return datetime.strptime(cim[1], "%Y%m%d%H%M%S").replace(microsecond=int(cim[2]), tzinfo=zone).astimezone(UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return at.astimezone(UTC) if at.tzinfo else None


COLLECTOR = WindowsCollector(name="platform", queries=lambda requirements: _ASKS, parse=parse, first=True)
