"""updateinfo.xml, the advisories beside a repository of rpms (createrepo_c's, as dnf and zypper read it): Fedora, EPEL, Amazon,
Oracle, and every other maker of one.

An entity declaration is refused before anything is parsed; elements are let go as soon as they were read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from auditor.advisories.feeds import fields, release_names
from auditor.advisories.feeds.severity import severity
from auditor.model.advisory import Advisory, FixedPackage, Kind

_KINDS: dict[str, Kind] = {"security": "security", "bugfix": "bugfix", "recommended": "bugfix"}
FIRST_ELEMENT = re.compile(rb"<updates?[\s>/]")


def read(content: bytes) -> Iterator[Advisory]:
    """Every update of a file. ValueError where it is no XML that is read; what came before the fault is given."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("declares a document type or entities, which no updateinfo needs")
    if b"\0" in content:
        raise ValueError("is no UTF-8")
    nameless = depth = 0
    root: Element | None = None
    try:
        for event, element in ElementTree.iterparse(BytesIO(content), events=("start", "end")):
            if event == "start":
                root, depth = (element if root is None else root), depth + 1
                continue
            depth -= 1
            if element.tag == "update":
                if (found := _advisory(element)) is not None:
                    yield found
                else:
                    nameless += 1
            if depth == 1 and root is not None:
                root.clear()
    except (ElementTree.ParseError, LookupError) as e:  # a LookupError: an encoding that there is not
        raise ValueError(f"is no whole XML: {e}") from None
    if nameless:
        raise ValueError(f"has {nameless} without an id")


def _advisory(update: Element) -> Advisory | None:
    ident = (update.findtext("id") or "").strip()
    if not ident:
        return None
    kind, word = update.get("type", "").lower(), (update.findtext("severity") or "").strip()
    title = fields.title(update.findtext("title") or update.findtext("summary") or ident)
    references = update.findall("references/reference")
    own = [r.get("href", "") for r in references if r.get("type") == "self" and r.get("href", "").startswith("http")]
    return Advisory(
        id=ident,
        kind=_KINDS.get(kind, "enhancement"),
        severity=severity(word),
        vendor_severity=word,
        published=_day(update, "issued"),
        modified=_day(update, "updated") or _day(update, "issued"),
        title=title,
        cves=fields.cves(
            f"{r.get('id', '')} {r.get('title', '')}" for r in references if kind == "security" or r.get("type") == "cve"
        ),
        references=tuple(own[:1]),
        fixes=fields.across_architectures(_fixes(update, ident, title)),
        withdrawn=update.get("status", "").lower() in ("retracted", "obsolete"),
    )


def _day(update: Element, name: str) -> date | None:
    element = update.find(name)
    text = "" if element is None else (element.get("date") or element.text or "").strip()
    return fields.day(text) or fields.day_of_epoch(text)


def _fixes(update: Element, ident: str, title: str) -> Iterator[tuple[FixedPackage, str]]:
    streams = fields.streams_named(title)
    for collection in update.iterfind("pkglist/collection"):
        module = collection.find("module")
        of = f"{module.get('name')}:{module.get('stream')}" if module is not None else ""
        for package in collection.iterfind("package"):
            name, version, built = package.get("name", ""), package.get("version", ""), package.get("release", "")
            release = release_names.of_updateinfo(ident, f".{built}")
            if not (name and version and built and release) or package.get("arch") == "src":
                continue
            epoch = package.get("epoch") or "0"
            whole = f"{version}-{built}" if epoch == "0" else f"{epoch}:{version}-{built}"
            yield (
                FixedPackage(release, name, whole, "", of or (streams if fields.modular(whole) else "")),
                package.get("arch") or "noarch",
            )
