"""`auditor commands`: everything that can be run or asked on a host."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from auditor.cli import options
from auditor.collectors.script import DIGEST, PRIVILEGED, SCRIPT
from auditor.collectors.windows.listing import Listing, listing
from auditor.collectors.windows.powershell import SCRIPT as POWERSHELL
from auditor.rulebook import load


@click.command()
@click.option("--script", is_flag=True, help="Only the text of the collection script for POSIX systems, byte for byte.")
@click.option("--powershell", is_flag=True, help="Only the text of the PowerShell script, byte for byte.")
@click.option("--family", type=click.Choice(["linux", "windows"]), help="Only what concerns these hosts.")
@options.rules
@options.formats("text", "json")
def commands(script: bool, powershell: bool, family: str | None, rule_paths: tuple[str, ...], form: str | None) -> None:
    """Everything that can be run or asked on a host, and the least rights that allow it.

    POSIX systems get one script: sh -c SCRIPT auditor MARKER FORM DEPTH PRIVILEGE [SETTING]... Windows is asked WMI
    queries and registry values, or gets one shell command; which values depends on the loaded rules.
    """
    if script or powershell:
        click.echo(SCRIPT if script else POWERSHELL, nl=False)
        return
    windows = listing(load(rule_paths).asked())
    if form == "json":
        linux = {"script": SCRIPT, "sha256": DIGEST, "sudo": PRIVILEGED}
        shown = {k: v for k, v in (("linux", linux), ("windows", windows)) if family in (None, k)}
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=1))
        return
    if family != "linux":
        click.echo("\n".join(_windows(windows)))
    if family != "windows":
        click.echo("\n".join(_linux()))


def _windows(all_: Listing) -> Iterator[str]:
    yield "WINDOWS\n"
    yield "Least rights:"
    yield from (f"  {line}" for line in all_.rights)
    yield "\nWMI queries on root\\cimv2:"
    yield from (f"  {query}" for query in all_.wql)
    yield f"\nRegistry, by root\\default:StdRegProv ({', '.join(all_.methods)}) or over SMB; KEY#VALUE, or KEY for its subkeys:"
    yield from (f"  {what}" for what in all_.registry)
    yield "\nShell: cmd /q /d, whose stdin holds these lines, each between two `echo` lines with a random MARKER:"
    yield from (f"  {line}" for line in all_.shell)
    yield f"\nPowerShell, only where the inventory says missing_updates: {' '.join(all_.powershell)}"
    yield "  with one line that assigns $auditor and one constant script on stdin (auditor commands --powershell prints it)"
    yield f"  SHA-256 of the script: {all_.powershell_sha256}"
    yield ""


def _linux() -> Iterator[str]:
    yield "LINUX\n"
    yield f"One command per host: sh -c SCRIPT auditor MARKER FORM DEPTH PRIVILEGE [SETTING]...\nSHA-256 of SCRIPT: {DIGEST}\n"
    yield "By sudo, only where the inventory says `become`, each by a sudo of its own:"
    yield from (f"  {line}" for line in PRIVILEGED)
    yield "\nThe script (auditor commands --script prints it alone):\n"
    yield SCRIPT
