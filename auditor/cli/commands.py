"""`auditor commands`: everything that can be run or asked on a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from auditor.cli import options
from auditor.cli.json_output import show_json
from auditor.collectors.linux import least_rights
from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import DIGEST, PRIVILEGED, SCRIPT
from auditor.collectors.windows.listing import Listing, listing
from auditor.collectors.windows.readers.powershell import SCRIPT as POWERSHELL
from auditor.rulebook.loader import load

# What is printed alone, byte for byte; for whom, where that matters.
_ALONE: dict[str, Callable[[str, tuple[str, ...]], str]] = {
    "script": lambda account, rules: SCRIPT,
    "powershell": lambda account, rules: POWERSHELL,
    "sudoers": lambda account, rules: least_rights.sudoers(account),
    "forced-command": lambda account, rules: least_rights.forced_command(arguments(load(rules).requirements().linux)),
    "winrm": lambda account, rules: least_rights.winrm(account),
}


@click.command()
@click.option(
    "--script", "alone", flag_value="script", multiple=True, help="Only the text of the collection script for POSIX systems."
)
@click.option("--powershell", "alone", flag_value="powershell", multiple=True, help="Only the text of the PowerShell script.")
@click.option(
    "--sudoers",
    "alone",
    flag_value="sudoers",
    multiple=True,
    help="A sudoers file that allows the listed commands and no other.",
)
@click.option(
    "--forced-command",
    "alone",
    flag_value="forced-command",
    multiple=True,
    help="A script for `command=` in authorized_keys, which runs the collection script and nothing else.",
)
@click.option(
    "--winrm", "alone", flag_value="winrm", multiple=True, help="PowerShell that gives an account what reading by WMI needs."
)
@click.option("--account", metavar="NAME", default="audit", show_default=True, help="For whom --sudoers and --winrm are.")
@click.option("--family", type=click.Choice(["linux", "windows"]), help="Only what concerns these hosts.")
@options.rules
@options.formats("text", "json")
def commands(alone: tuple[str, ...], account: str, family: str | None, rule_paths: tuple[str, ...], form: str | None) -> None:
    """Everything that can be run or asked on a host, and set-ups with the least rights that allow it.

    POSIX systems get one script: sh -c SCRIPT auditor MARKER FORM DEPTH PRIVILEGE [SETTING]... Windows is asked WMI
    queries and registry values, or gets one shell command; which values depends on the loaded rules. The transports
    refuse whatever is not on this list.
    """
    if len(alone) > 1:
        raise click.UsageError(f"one at a time: --{', --'.join(alone)}")
    if alone:
        try:
            click.echo(_ALONE[alone[0]](account, rule_paths), nl=False)
        except ValueError as e:
            raise click.BadParameter(str(e), param_hint="--account") from None
        return
    windows = listing(load(rule_paths).requirements())
    if form == "json":
        linux = {"script": SCRIPT, "sha256": DIGEST, "sudo": PRIVILEGED}
        shown = {k: v for k, v in (("linux", linux), ("windows", windows)) if family in (None, k)}
        show_json(shown)
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
