"""CSAF 2.0 advisories (OASIS standard) of Red Hat, SUSE and CIQ.

What is fixed are products under `fixed`, or under `recommended` (SUSE). A product id is only a name: what it stands for follows
from its relationship, "PACKAGE as a component of PLATFORM", whose platform may be a relationship itself (a module of a
platform). The package is told by its purl, and where it has none by its name-epoch:version-release.arch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from auditor.advisories.feeds import fields, release_names
from auditor.advisories.feeds.fields import OtherDocument
from auditor.advisories.feeds.osv import kind_of
from auditor.advisories.feeds.severity import severity
from auditor.model.advisory import Advisory, FixedPackage


class _Helper(Struct):
    purl: str = ""
    cpe: str = ""


class _Product(Struct):
    product_id: str = ""
    name: str = ""
    product_identification_helper: _Helper | None = None


class _Branch(Struct):
    category: str = ""
    name: str = ""
    product: _Product | None = None
    branches: list[_Branch] = []


class _Relationship(Struct):
    full_product_name: _Product
    product_reference: str
    relates_to_product_reference: str


class _Tree(Struct):
    branches: list[_Branch] = []
    full_product_names: list[_Product] = []
    relationships: list[_Relationship] = []


class _Status(Struct):
    fixed: list[str] = []
    recommended: list[str] = []
    known_affected: list[str] = []
    known_not_affected: list[str] = []


class _Vulnerability(Struct):
    cve: str = ""
    product_status: _Status | None = None


class _Revision(Struct):
    date: str = ""
    summary: str = ""


class _Tracking(Struct):
    id: str
    initial_release_date: str
    current_release_date: str
    revision_history: list[_Revision]
    status: str


class _Publisher(Struct):
    name: str
    namespace: str


class _Words(Struct):
    text: str = ""


class _Reference(Struct):
    category: str = ""
    url: str = ""


class _Document(Struct):
    category: str
    title: str
    publisher: _Publisher
    tracking: _Tracking
    aggregate_severity: _Words | None = None
    references: list[_Reference] = []


class Csaf(Struct):
    """The fields of a document that are read."""

    document: _Document
    product_tree: _Tree = field(default_factory=_Tree)
    vulnerabilities: list[_Vulnerability] = []


_decode = msgspec.json.Decoder(Csaf).decode
_MOST_PRODUCTS = 500_000
_LONGEST_ID = 500  # characters of a product id that names a package; real ones have some hundred
# Whose advisories have packages of distributions, by the beginning of the ids that are advisories. Red Hat's are of category
# csaf_vex for a time, so the category tells nothing; a document of one CVE (VEX) is none.
_PUBLISHERS = {
    "redhat.com": re.compile(r"RH[SBE]A-\d{4}:\d+"),
    "suse.com": re.compile(r"(?:open)?SUSE-[SRFO]U-.+", re.IGNORECASE),
    "ciq.com": re.compile(r"(?:CR[LX][SBEX]*A|CIQ[SBE]A)-.+"),
}


def read(content: bytes) -> Iterator[Advisory]:
    """The advisory of a document. ValueError (msgspec's too) with the reason where it is none that is read here."""
    csaf = _decode(content)
    document, tracking = csaf.document, csaf.document.tracking
    products = _Products(csaf.product_tree)
    products.check(csaf.vulnerabilities)
    host = re.sub(r"^https?://(?:www\.)?|/.*", "", document.publisher.namespace.lower())
    ids = next((ids for whose, ids in _PUBLISHERS.items() if host == whose or host.endswith(f".{whose}")), None)
    if ids is None:
        name = fields.title(document.publisher.name)
        raise OtherDocument(f"CSAF of {name}", f"was published by {name}, whose advisories name no packages that are read here")
    if not ids.fullmatch(tracking.id):
        kind = fields.title(document.category)
        raise OtherDocument(
            f"CSAF that is no advisory ({kind})", f"{tracking.id[:80]} is no advisory but a document of another kind ({kind})"
        )
    if tracking.status == "draft":
        raise ValueError("is a draft")
    streams = fields.streams_named(document.title)
    states = [v.product_status for v in csaf.vulnerabilities if v.product_status]
    # An advisory of fixed bugs names no CVE and no status: what its tree has is what it ships.
    wanted = {i: None for s in states for i in (*s.fixed, *s.recommended)} if states else dict.fromkeys(products.related)
    vendor = document.aggregate_severity.text if document.aggregate_severity else ""
    updated = next(
        (r.date for r in tracking.revision_history if r.summary == "Last updated version"), tracking.current_release_date
    )
    pages = [r for r in document.references if r.url.startswith("http") and not r.url.endswith(".json")]
    own = [r.url for r in pages if r.category == "self"] or [r.url for r in pages if "errata." in r.url]
    yield Advisory(
        id=tracking.id,
        kind=kind_of(tracking.id.removeprefix("C") if tracking.id.startswith("CRL") else tracking.id),
        severity=severity(vendor),
        vendor_severity=vendor,
        published=fields.day(tracking.initial_release_date),
        modified=fields.day(updated),
        title=fields.title(document.title),
        cves=fields.cves(v.cve for v in csaf.vulnerabilities),
        references=tuple(own[:1]),
        fixes=fields.across_architectures(
            (replace(found[0], release=release_names.narrowed(found[0].release, tracking.id)), found[1])
            for ident in wanted
            if (found := products.fix(ident, streams))
        ),
    )


# name-epoch:version-release.arch, the epoch and the architecture not everywhere; SUSE's have no epoch.
_NEVRA = re.compile(r"(?P<name>.+)-(?:(?P<epoch>\d{1,10}):)?(?P<version>[^:-]+)-(?P<release>[^:-]+)\.(?P<arch>[^.:-]+)")
_TAIL = re.compile(r"(?:\.rpm-|::)([\w.+-]+:[\w.+-]+)$")


class _Products:
    """The products of a tree, and what each is a component of."""

    def __init__(self, tree: _Tree) -> None:
        self.products: dict[str, _Product] = {}
        self.related: dict[str, _Relationship] = {}
        for r in tree.relationships:
            known = self.related.setdefault(r.full_product_name.product_id, r)
            if known is not r and known != r:
                raise ValueError(
                    f"defines the product id {r.full_product_name.product_id[:200]!r} twice, as different products"
                )
        self._platforms: dict[str, tuple[str | None, str]] = {}
        stack, seen = [*tree.branches], 0
        for product in tree.full_product_names:
            self._add(product)
        while stack:
            branch = stack.pop()
            stack.extend(branch.branches)
            seen += 1
            if seen > _MOST_PRODUCTS:
                raise ValueError(f"has more than {_MOST_PRODUCTS:,} branches")
            if branch.product:
                self._add(branch.product)

    def _add(self, product: _Product) -> None:
        known = self.products.setdefault(product.product_id, product)
        if known is not product and known != product:
            raise ValueError(f"defines the product id {product.product_id[:200]!r} twice, as different products")

    def check(self, vulnerabilities: list[_Vulnerability]) -> None:
        """ValueError where a product is named that is nowhere defined, or is in two states that exclude each other."""
        for r in self.related.values():
            for ident in (r.product_reference, r.relates_to_product_reference):
                self._known(ident)
            self._chain(r.full_product_name.product_id)
        for v in vulnerabilities:
            if (s := v.product_status) is None:
                continue
            for ident in (*s.fixed, *s.recommended, *s.known_affected, *s.known_not_affected):
                self._known(ident)
            both = ({*s.fixed} & {*s.known_affected, *s.known_not_affected}) | ({*s.known_affected} & {*s.known_not_affected})
            if both:
                raise ValueError(f"{v.cve or 'a vulnerability'}: {min(both)[:200]!r} is in two states that exclude each other")

    def _known(self, ident: str) -> None:
        if ident not in self.products and ident not in self.related:
            raise ValueError(f"names the product id {ident[:200]!r}, which it does not define")

    def _chain(self, ident: str) -> tuple[_Relationship, ...]:
        """The relationships from a product to its platform. ValueError where they go round in a circle."""
        chain = list[_Relationship]()
        while relationship := self.related.get(ident):
            if len(chain) > 5 or relationship.product_reference == relationship.full_product_name.product_id:
                raise ValueError(f"defines the product id {ident[:200]!r} by itself, in a circle")
            chain.append(relationship)
            ident = relationship.relates_to_product_reference
        return tuple(chain)

    def fix(self, ident: str, streams: str) -> tuple[FixedPackage, str] | None:
        """What a fixed product means, with its architecture: None for what is no binary package of a release that is known here."""
        relationship = self.related.get(ident)
        package = self.products.get(relationship.product_reference) if relationship else None
        if relationship is None or package is None or len(package.product_id) > _LONGEST_ID:
            return None
        release, module = self._platform(relationship.relates_to_product_reference)
        if release is None:
            return None
        purl = package.product_identification_helper.purl if package.product_identification_helper else ""
        if purl and not purl.startswith("pkg:rpm/"):
            return None
        name, version, arch, of = _by_purl(purl) if purl else _by_name(package.product_id)
        if not version or arch == "src":
            return None
        tail = _TAIL.search(package.product_id)
        module = module or of or (tail[1] if tail else "")
        if not module and fields.modular(version):
            module = streams
        return FixedPackage(release, name, version, "", module), arch

    def _platform(self, ident: str) -> tuple[str | None, str]:
        """The release of a platform, and the module (`name:stream`) that lies between it and a package."""
        if ident not in self._platforms:
            module, platform = "", ident
            for relationship in self._chain(ident):
                between = self.products.get(relationship.product_reference)
                helper = between.product_identification_helper if between else None
                if helper and helper.purl.startswith("pkg:rpmmod/"):
                    name, _, version = unquote(helper.purl.rpartition("/")[2]).partition("@")
                    module = f"{name}:{version.partition(':')[0]}"
                platform = relationship.relates_to_product_reference
            self._platforms[ident] = (self._release(platform), module)
        return self._platforms[ident]

    def _release(self, ident: str) -> str | None:
        product = self.products.get(ident)
        if product is None:
            return None
        cpe = product.product_identification_helper.cpe if product.product_identification_helper else ""
        return release_names.of_cpe(cpe) or release_names.of_ciq(cpe) or release_names.of_suse(product.name)


def _by_purl(purl: str) -> tuple[str, str, str, str]:
    """Name, epoch:version-release, architecture and module of a package URL (purl-spec, type rpm)."""
    path, _, query = purl.partition("?")
    name, at, version = path.rpartition("/")[2].partition("@")
    said = {key: values[0] for key, values in parse_qs(query.replace("+", "%2B")).items()}
    epoch = f"{said['epoch']}:" if said.get("epoch", "0") != "0" else ""
    module = ":".join(said.get("rpmmod", "").split(":")[:2])
    return unquote(name), f"{epoch}{unquote(version)}" if at else "", said.get("arch", ""), module


def _by_name(ident: str) -> tuple[str, str, str, str]:
    found = _NEVRA.fullmatch(_TAIL.sub("", ident))
    if not found:
        return "", "", "", ""
    epoch = f"{found['epoch']}:" if found["epoch"] and int(found["epoch"]) else ""
    return found["name"], f"{epoch}{found['version']}-{found['release']}", found["arch"], ""
