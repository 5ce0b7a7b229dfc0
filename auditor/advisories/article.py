"""What was read from one advisory document: the record that `auditor advisories read` prints."""

from __future__ import annotations

import datetime
from typing import Literal

from msgspec import Struct

from auditor.model.finding import Obligation, Severity


class Evidence(Struct, frozen=True):
    """The sentence or keyword that a field was taken from, and its line in the document, from 1."""

    line: int
    text: str


class ArticleFix(Struct, frozen=True, rename={"source": "from"}):
    """`product` first has the fix in this numbered service pack (`4`, `6a`)."""

    product: str
    service_pack: str
    source: Literal["prose", "keyword"] = "prose"


class ArticleSetting(Struct, frozen=True):
    """A value that an administrator is told to set. `key` is a registry key, or a file or component where `type` is
    None; `recommended` is None where the article leaves the value to the administrator."""

    key: str
    value: str
    type: str | None
    recommended: str | None


class ProductVersion(Struct, frozen=True):
    """One product line of the APPLIES TO list, with the service packs named beside it; `edition` (server, workstation) of
    products whose id names none."""

    product: str
    service_packs: tuple[str, ...] = ()
    edition: str = ""


class Article(Struct, frozen=True, kw_only=True):
    """One article. Exactly one of fixes, hotfix_only, latest_sp, vendor_fix and no_fix tells where the fix comes from,
    except that product lines may differ within one article.

    `backlog` is the listen backlog that the article calls too small; `security`: it is about a vulnerability.
    `confidence` is low where the reader is not sure, with its `doubts` in plain words. `hotfix`: the article offers a
    hotfix of its own (as well), for `hotfix_lines` where it names them; `file_versions` maps the files of the fix to their versions."""

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
    settings: tuple[ArticleSetting, ...]
    severity: Severity
    evidence: dict[str, tuple[Evidence, ...]]
    confidence: Literal["high", "low"] = "high"
    doubts: tuple[str, ...] = ()
    obligation: Obligation | None = None
    hotfix: bool = False
    hotfix_lines: tuple[str, ...] = ()
    backlog: int | None = None
    security: bool = False
    component_services: tuple[str, ...] = ()
    products: tuple[ProductVersion, ...] = ()
    file_versions: dict[str, str] = {}
    sha256: str = ""
    document: str = ""
