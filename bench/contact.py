"""The product's own entries that the benchmark calls: the script it sends, and one contact in-process."""

from pathlib import Path
from secrets import token_hex

from msgspec.structs import replace

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import command
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.inventory.native import load
from auditor.model.target import KnownLogin
from auditor.rulebook.loader import load as load_rules

_RULES = load_rules()
_KNOWN: dict[str, KnownLogin] = {}


def script() -> str:
    """What the product asks of a host in one exec, byte for byte but for the marker."""
    return command("benchbenchbench", arguments(_RULES.requirements().linux), form="gzip", deep=False, sudo="none").quoted


def first_login(inventory: Path, host: str) -> None:
    """Reach, collect, parse and judge one host that no history knows."""
    _contact(inventory, host, None)


def known_login(inventory: Path, host: str) -> None:
    """The same for a host that the history knows: the fast path sends all of the login ahead."""
    _contact(inventory, host, _KNOWN.get(host))


def _contact(inventory: Path, host: str, known: KnownLogin | None) -> None:
    target = replace(load(inventory).targets[host], known_login=known)
    result = scan(target, AuditContext(rulebook=_RULES, clock=utc_now, marker=lambda: token_hex(12)), Stop())
    if result.error or not result.findings:
        raise RuntimeError(f"{host}: {result.error}")
    if result.known_login:
        _KNOWN[host] = result.known_login
