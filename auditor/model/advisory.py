"""A vendor's advisory as every reader gives it: what it is about, and which versions of which packages fix it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

from auditor.model.finding import Severity

Kind = Literal["security", "bugfix", "enhancement"]
KINDS: tuple[Kind, ...] = ("security", "bugfix", "enhancement")


class FixedPackage(Struct, frozen=True):
    """A package is fixed in `release` from `version` on. `release` is a product id, with what narrows it behind it
    (`rhel-9.4-eus`, `ubuntu-22.04-esm-apps`). `name` is the package's own for rpm, its source's for dpkg and apk. `version` is
    in the manager's notation, with the epoch where there is one. `arch`: the architectures it is there for, with blanks between,
    "" for all. `module`: the streams (`name:stream`) of which the package may be, with blanks between, "?" where it is of a module
    and nobody says of which stream, "" for a package of no module."""

    release: str
    name: str
    version: str
    arch: str = ""
    module: str = ""


class Advisory(Struct, frozen=True, kw_only=True):
    """`vendor_severity` is the vendor's own word, "" where it gives none. `references` are addresses, the advisory's own first.
    `withdrawn`: the vendor took it back, and nothing is asked by it any more."""

    id: str
    kind: Kind = "security"
    severity: Severity = "unrated"
    vendor_severity: str = ""
    published: date | None = None
    modified: date | None = None
    title: str = ""
    cves: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    fixes: tuple[FixedPackage, ...] = ()
    withdrawn: bool = False


class Coverage(Struct, frozen=True, kw_only=True):
    """What is known of the advisories of one host's release. `feeds`: the sources, as evidence shows them; `as_of`: the day up
    to which the oldest of them tells, None where none covers the release, and then `lacking` says why. `applicable`: how many
    advisories name something installed here, `security` those among them that are no mere bug fixes; `open`: how many of these are judged one by one, the others are fulfilled.
    `aside`: what is said and is not this host's to install. `max_age`: how old
    the feed may be by the inventory, None where it says nothing. `fulfilled`: how many advisories about flaws are fulfilled, None where that is `security` without the open ones. Of Windows `newest` is the month of the newest document, `released` the days on which
    monthly updates of it came, `documents` the months that are documented, and `reached` the day of the newest that is in force."""

    releases: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    as_of: date | None = None
    since: date | None = None
    lacking: str = ""
    applicable: int = 0
    security: int = 0
    open: int = 0
    aside: tuple[str, ...] = ()
    max_age: timedelta | None = None
    fulfilled: int | None = None
    newest: date | None = None
    released: tuple[date, ...] = ()
    documents: tuple[date, ...] = ()
    reached: date | None = None
