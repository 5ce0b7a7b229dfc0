"""From what a Windows host says of itself to a product id, by the table in windows_products.py."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from auditor.versions.windows_products import HARMLESS_SUITES, PRODUCTS, SESSION_HOSTS, Product

WindowsKind = Literal["workstation", "server"]
_LAST_OF_SUITES = 6000  # from Vista on no suite decides, and "Terminal Server" stands in every server's list


class Identity(Struct, frozen=True):
    """`product` is None where the table has no such system, `windows-nt-4.0` or `windows-2000` where only the edition is
    open; `doubt` says why. `edition` and `name` are what the table tells beyond the id."""

    product: str | None
    edition: str | None = None
    doubt: str = ""
    name: str | None = None


def identify(
    version: str,
    build: int | None,
    kind: WindowsKind | None,
    suites: tuple[str, ...] | None,
    *,
    edition: str | None = None,
    r2: bool | None = False,
) -> Identity:
    """`kind` and `suites` are None where they are not known, `suites` () where there are none; `edition` is EditionID.
    `r2`: the host says that it is an R2 release of the same build (Windows Server 2003)."""
    if edition in SESSION_HOSTS:
        kind = "workstation"
    rows = [p for p in PRODUCTS if (build in p.builds if build is not None else p.version == version)]
    if not rows:
        return Identity(None, doubt=f"no Windows with version {version} and build {build} is known to this release of auditor")
    if kind is None:
        return _vague({p.id for p in rows}, "whether it is a workstation or a server is not known")
    rows = [p for p in rows if p.type == kind]
    if not rows:
        return Identity(None, doubt=f"no {kind} with version {version} and build {build} is known to this release of auditor")
    if build is None and version == "6.3":
        return Identity(None, doubt="the build is not known, and every Windows since 8.1 says 6.3")
    if len({p.builds for p in rows}) > 1 and build is None:
        return _vague({p.id for p in rows}, "the build is not known")
    if (build is None or build < _LAST_OF_SUITES) and (doubt := _doubt(rows, suites)):
        return _vague({p.id for p in rows}, doubt)
    if edition is None and any(p.editions for p in rows):
        return _vague({p.id for p in rows}, "its EditionID is not known, and several products have this build")
    if r2 is None and any(p.r2 for p in rows):
        return Identity(None, doubt="whether it is an R2 release is not known: neither WMI nor its ProductName could be read")
    decided = [p for p in rows if _fits(p, suites or (), edition, r2)]
    plain = [p for p in rows if not (p.suites or p.editions or p.r2)]
    row = next(iter(decided or plain), None)
    return (
        Identity(row.id, row.edition or None, name=row.name) if row else Identity(None, doubt=f"no edition {edition} is known")
    )


@lru_cache(maxsize=256)
def possible(version: str | None, build: str | None) -> frozenset[str] | None:
    """The ids of all products that have this version and build, as facts write them (`10.0`, `20348.2700`); None where neither
    tells. The registry of every Windows since 8.1 says 6.3, so that alone leaves all of those."""
    number = re.match(r"\d{1,6}", build or "")
    told = re.match(r"\d{1,3}\.\d{1,3}", version or "")
    if number and (ids := frozenset(p.id for p in PRODUCTS if int(number[0]) in p.builds)):
        return ids
    if told is None:
        return None
    versions = ("6.3", "10.0") if told[0] == "6.3" else (told[0],)
    return frozenset(p.id for p in PRODUCTS if p.version in versions)


def _doubt(rows: list[Product], suites: tuple[str, ...] | None) -> str:
    """Why the suites leave the edition open, "" where they do not."""
    if not any(p.suites for p in rows):
        return ""
    if suites is None:
        return "which edition it is, is not known: its ProductSuite could not be read"
    known = {s.lower() for p in PRODUCTS for s in p.suites}.union(s.lower() for s in HARMLESS_SUITES)
    strange = [s for s in suites if s.lower() not in known]
    return f"which edition it is, is not known: its ProductSuite says {', '.join(strange)}" if strange else ""


def _fits(row: Product, suites: tuple[str, ...], edition: str | None, r2: bool | None) -> bool:
    said = {s.lower() for s in suites}
    return bool(any(s.lower() in said for s in row.suites) or (row.editions and edition in row.editions) or (row.r2 and r2))


def _vague(ids: set[str], doubt: str) -> Identity:
    """The id that covers all of them, where there is one."""
    if len(ids) == 1:
        return Identity(next(iter(ids)), doubt=doubt)
    for common in ("windows-nt-4.0", "windows-2000"):
        if all(i.startswith(f"{common}-") for i in ids):
            return Identity(common, doubt=doubt)
    return Identity(None, doubt=doubt)
