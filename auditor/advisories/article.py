"""What was read from one advisory document: the record that `auditor advisories read` prints."""

from __future__ import annotations

import datetime
from typing import Literal

from msgspec import Struct

from auditor.model.finding import Severity


class Evidence(Struct, frozen=True):
    """The sentence or keyword that a field was taken from, and its line in the document, from 1."""

    line: int
    text: str


class ArticleFix(Struct, frozen=True, rename={"source": "from"}):
    """`product` first has the fix in this numbered service pack (`4`, `6a`)."""

    product: str
    service_pack: str
    source: Literal["prose", "keyword"] = "prose"


class ProductVersion(Struct, frozen=True):
    """One product line of the APPLIES TO list, with the service packs named beside it; `edition` (server, workstation) of
    products whose id names none."""

    product: str
    service_packs: tuple[str, ...] = ()
    edition: str = ""


class ArticleOffer(Struct, frozen=True):
    """A package of Microsoft's that an article offers, by the number under which a host lists it. `lines`: the product lines that
    it is for, all where there are none. `elsewhere`: another article holds it. `or_latest`: "the latest service pack" has the fix as well, whichever that was. `posted`: the folder of
    Microsoft's FTP server that holds it (`nt40/teardrop2-fix`), which several articles may offer; `superseded`:
    what is there is another, later fix."""

    package: str
    lines: tuple[str, ...] = ()
    elsewhere: bool = False
    or_latest: bool = False
    posted: str = ""
    superseded: bool = False


class ArticleContent(Struct, frozen=True):
    """What a package contains and replaces: articles, packages (`Q241041`) and bulletins (`MS01-026`), for these product lines; or what it
    is `without`, by the article's own word."""

    package: str
    lines: tuple[str, ...]
    items: tuple[str, ...]
    without: bool = False


class ArticleFixList(Struct, frozen=True):
    """A service pack of a product line corrects what these articles tell of, by the vendor's own list."""

    product: str
    service_pack: str
    articles: tuple[str, ...]


class Article(Struct, frozen=True, kw_only=True):
    """One article. Exactly one of fixes, hotfix_only, latest_sp, vendor_fix and no_fix tells where the fix comes from,
    except that product lines may differ within one article.

    `backlog` is the listen backlog that the article calls too small; `security`: it is about a vulnerability.
    `bulletins` announced its correction; `offers` are the packages to be had, `contains` what these hold of other articles, `fix_lists` what the article says of service packs' contents,
    `brought_by` the service pack that brought the fault, `before_packs` the service packs that were to have the fix when a keyword was written (kbWinNT400PreSP7Fix), `needs_pack` the lowest service pack of a product line on which they install. `confidence` is low where the reader is not sure, with its `doubts` in plain words. `hotfix`: the article offers a
    hotfix of its own (as well), for `hotfix_lines` where it names them; `file_versions` maps the files of the fix to their versions; `builds` are what
    these are known by (name, size, day; else name, version)."""

    id: str
    title: str
    revised: datetime.date | None
    applies_to: tuple[str, ...]
    fixes: tuple[ArticleFix, ...]
    hotfix_only: bool
    latest_sp: bool
    vendor_fix: bool
    no_fix: bool
    requires_component: str | None
    severity: Severity
    evidence: dict[str, tuple[Evidence, ...]]
    confidence: Literal["high", "low"] = "high"
    doubts: tuple[str, ...] = ()
    hotfix: bool = False
    hotfix_lines: tuple[str, ...] = ()
    backlog: int | None = None
    security: bool = False
    component_services: tuple[str, ...] = ()
    products: tuple[ProductVersion, ...] = ()
    file_versions: dict[str, str] = {}
    builds: tuple[str, ...] = ()
    offers: tuple[ArticleOffer, ...] = ()
    contains: tuple[ArticleContent, ...] = ()
    bulletins: tuple[str, ...] = ()
    fix_lists: tuple[ArticleFixList, ...] = ()
    brought_by: str = ""
    before_packs: tuple[ArticleFix, ...] = ()
    needs_pack: dict[str, str] = {}
    sha256: str = ""
    document: str = ""
