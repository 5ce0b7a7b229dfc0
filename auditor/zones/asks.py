"""A target of the inventory as an order names it: without secrets, paths, or how far it is trusted."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.foundation.secret_refs import ZONE
from auditor.model.target import NETWORKED, Target
from auditor.zones.messages import Ask, Hop


def ask(target: Target, has: Mapping[str, str]) -> Ask:
    """The host of an order. `has`: the digests (hex) of the sections that are known of it."""
    assert target.connection in NETWORKED, "the inventory lets no other host into a zone"
    assert target.address
    become = target.become
    return Ask(
        name=target.name,
        connection=target.connection,  # type: ignore[arg-type]  # it is networked
        address=target.address,
        port=target.port,
        user=target.user,
        secret=_alias(target.password),
        sudo=become is not None,
        sudo_secret=_alias(become.password) if become else None,
        scheme=target.scheme,
        auth=target.auth,
        address_family=target.address_family,
        family=target.family,
        missing_updates=target.missing_updates,
        timeouts=target.timeouts,
        jump=tuple(Hop(address=h.address or h.name, port=h.port, user=h.user, secret=_alias(h.password)) for h in target.jump),
        has=dict(has),
    )


def _alias(reference: str | None) -> str | None:
    """The worker's name of a secret."""
    if reference is None:
        return None
    assert reference.startswith(ZONE), "the inventory lets no other reference into a zone"
    return reference.removeprefix(ZONE)
