"""The product's own entries that the benchmark calls: the script it sends, and one contact in-process."""

from pathlib import Path
from secrets import token_hex

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import command
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.inventory.native import load
from auditor.rulebook.loader import load as load_rules

_RULES = load_rules()


def script() -> str:
    """What the product asks of a host in one exec, byte for byte but for the marker."""
    return command("benchbenchbench", arguments(_RULES.requirements().linux), form="gzip", deep=False, sudo="none").quoted


def contact(inventory: Path, host: str) -> None:
    """Reach, collect, parse and judge one host."""
    result = scan(
        load(inventory).targets[host], AuditContext(rulebook=_RULES, clock=utc_now, marker=lambda: token_hex(12)), Stop()
    )
    if result.error or not result.findings:
        raise RuntimeError(f"{host}: {result.error}")
