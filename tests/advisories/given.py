"""Small documents of every form, ours: what vendors publish, with nothing but what is read."""

from __future__ import annotations

import json
from typing import Any


def osv(ident: str, *fixes: tuple[str, str, str], title: str = "Important: a security update", **more: Any) -> bytes:
    """An OSV document; `fixes`: ecosystem, package and fixed version."""
    affected = [
        {
            "package": {"ecosystem": e, "name": n},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": v}]}],
        }
        for e, n, v in fixes
    ]
    return json.dumps(
        {
            "id": ident,
            "summary": title,
            "published": "2026-11-01T00:00:00Z",
            "modified": "2026-11-20T00:00:00Z",
            "affected": affected,
        }
        | more
    ).encode()


def nevra_product(nevra: str, purl: str = "") -> dict[str, Any]:
    """A leaf of a product tree that is an rpm."""
    product: dict[str, Any] = {"product_id": nevra, "name": nevra}
    if purl:
        product["product_identification_helper"] = {"purl": purl}
    return {"category": "product_version", "name": nevra, "product": product}


def platform(ident: str, cpe: str = "", name: str = "") -> dict[str, Any]:
    """A leaf of a product tree that is a distribution."""
    product: dict[str, Any] = {"product_id": ident, "name": name or ident}
    if cpe:
        product["product_identification_helper"] = {"cpe": cpe}
    return {"category": "product_name", "name": name or ident, "product": product}


def component(package: str, of: str) -> dict[str, Any]:
    """A relationship; its own product id is `OF:PACKAGE`."""
    return {
        "category": "default_component_of",
        "full_product_name": {"product_id": f"{of}:{package}", "name": f"{package} of {of}"},
        "product_reference": package,
        "relates_to_product_reference": of,
    }


def csaf(
    ident: str,
    branches: list[dict[str, Any]],
    relationships: list[dict[str, Any]],
    status: dict[str, list[str]],
    *,
    namespace: str = "https://www.redhat.com",
    title: str = "Red Hat Security Advisory: a security update",
    severity: str = "Important",
) -> bytes:
    """A CSAF document with one vulnerability."""
    return json.dumps(
        {
            "document": {
                "category": "csaf_security_advisory",
                "csaf_version": "2.0",
                "title": title,
                "publisher": {"category": "vendor", "name": "The publisher", "namespace": namespace},
                "aggregate_severity": {"text": severity},
                "references": [{"category": "self", "summary": ident, "url": f"https://errata.example/{ident}"}],
                "tracking": {
                    "id": ident, "status": "final", "version": "2", "initial_release_date": "2026-11-01T00:00:00+00:00",
                    "current_release_date": "2026-11-29T00:00:00+00:00",
                    "revision_history": [{"number": "1", "date": "2026-11-01T00:00:00+00:00", "summary": "Initial version"},
                                         {"number": "2", "date": "2026-11-05T00:00:00+00:00", "summary": "Last updated version"}],
                },
            },
            "product_tree": {"branches": [{"category": "vendor", "name": "V", "branches": branches}], "relationships": relationships},
            "vulnerabilities": [{"cve": "CVE-2026-0001", "product_status": status}],
        }
    ).encode()  # fmt: skip


def updateinfo(*updates: str) -> bytes:
    """An updateinfo.xml of some updates."""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<updates>' + "".join(updates) + "</updates>").encode()


def update(
    ident: str, packages: str, *, kind: str = "security", severity: str = "Important", module: str = "", status: str = "final"
) -> str:
    """One update; `packages`: NAME EPOCH VERSION RELEASE ARCH each, with ; between."""
    rows = "".join(
        '<package name="{}" epoch="{}" version="{}" release="{}" arch="{}"><filename>x.rpm</filename></package>'.format(
            *row.split()
        )
        for row in packages.split(";")
    )
    return (
        f'<update from="x" status="{status}" type="{kind}" version="2.0"><id>{ident}</id><title>{ident} title</title><severity>{severity}</severity>'
        '<issued date="2026-11-01 10:00:00"/><updated date="2026-11-02 10:00:00"/><references>'
        '<reference href="https://cve.example/CVE-2026-0002" id="CVE-2026-0002" type="cve" title="CVE-2026-0002"/></references>'
        f'<pkglist><collection short="x"><name>x</name>{module}{rows}</collection></pkglist></update>'
    )


DSA = b"""[29 Nov 2026] DSA-9001-1 openssl - security update
\t{CVE-2026-1111 CVE-2026-1112}
\t[bullseye] - openssl <end-of-life>
\t[bookworm] - openssl 3.0.17-1~deb12u3
\t[trixie] - openssl 3.5.1-1+deb13u1
\tNOTE: nothing
[28 Nov 2026] DSA-9000-2 curl - regression update
\t[bookworm] - curl 7.88.1-10+deb12u15
[27 Nov 2026] DSA-8999-1 vlc - security update
\t{CVE-2026-2222}
\t[bookworm] - vlc <not-affected> (Vulnerable code not present)
[26 Nov 2026] DSA-8998-1 linux - security update
\t{CVE-2026-3333}
\t[bookworm] - linux 6.1.140-1
"""
