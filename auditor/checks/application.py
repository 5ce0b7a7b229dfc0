"""Which version of a server application a host has, for checks that are about one of them."""

from __future__ import annotations

from msgspec.structs import replace

from auditor.checks.judgement import Case, Judgement, unread
from auditor.model.finding import Remedy
from auditor.versions import server_products


def installed(product: str, case: Case, required: str, remedy: Remedy) -> server_products.Installed | Judgement:
    """The version and service pack that the host's own value tells, or the judgement "unknown" with the reason."""
    name, _ = server_products.split(product)
    key = server_products.key(product)
    observed = f"the service pack of {name}: not known"
    settles = f"settings: the version of {name}"
    if not key:
        why = f"no value of the registry that is known here tells which service pack {name} has"
        settles = f"an attestation, or the service pack of {name} as an administrator sees it"
        return Judgement("unknown", observed, required, why, resolved_by=settles, remedy=remedy)
    found = (case.facts.settings or {}).get(key)
    if found is None:
        return replace(unread(case.facts, "settings", f"The version of {name}", required), remedy=remedy)
    if found.state != "present":
        why = f"the value that tells the version of {name} is {'not set' if found.state == 'absent' else 'unreadable: ' + found.reason}"
        return Judgement("unknown", observed, required, why, resolved_by=settles, remedy=remedy)
    try:
        return server_products.read(product, found.value)
    except ValueError as e:
        return Judgement("unknown", f"{name}: {found.value[:60]}", required, str(e), resolved_by=settles, remedy=remedy)


def other_version(product: str, case: Case, required: str, remedy: Remedy) -> Judgement | None:
    """Why a check about this product is not applicable or cannot be told; None where the host has it. `remedy` is the question's, by
    which reports put together what hangs on it."""
    found = installed(product, case, required, remedy)
    if isinstance(found, Judgement):
        return found
    name, version = server_products.split(product)
    if found.version == version:
        return None
    return Judgement("not_applicable", f"{name} {found.version}", required, f"the advisory is about {product}")
