"""The command line: one file per noun, imported when its command is called, so that `auditor --help` stays quick.

Errors become messages and exit codes here, once.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import resource
import sys
from importlib import import_module

import click

from auditor import __version__
from auditor.cli import exits
from auditor.cli.suggesting_group import SuggestingGroup
from auditor.errors import AuditorError, FileFaults, UsageFault, WrongHistory
from auditor.foundation.sanitize import printable

_UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO)

# command: (module, attribute, what --help says)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "scan": ("auditor.cli.scan", "scan", "Audit hosts on demand: inventory names, local, ssh://…, replay:PATH."),
    "audit": ("auditor.cli.scan", "audit", "Audit the whole inventory, as the nightly run does."),
    "agent": ("auditor.cli.agent", "agent", "Audits at their times, unattended: run, once, next, status, check."),
    "worker": ("auditor.cli.worker", "worker", "Ask the hosts of a zone what a centre orders."),
    "zones": ("auditor.cli.zones", "zones", "Zones, whose hosts are asked by workers near them: setup."),
    "ping": ("auditor.cli.ping", "ping", "Reach hosts and say what could be read; stores nothing."),
    "record": ("auditor.cli.record", "record", "Keep a host's raw answers in a folder, for replay."),
    "report": ("auditor.cli.report", "report", "List, show and export the reports of past runs."),
    "history": ("auditor.cli.history", "history", "What was when, what changed since; check, prune, back up."),
    "judge": ("auditor.cli.judge", "judge", "Hold stored or given facts against rules, without touching a host."),
    "explain": ("auditor.cli.explain", "explain", "The whole chain behind one verdict."),
    "facts": ("auditor.cli.facts", "facts", "Facts of hosts as JSON: show, export, import, schema."),
    "rules": ("auditor.cli.rules", "rules", "The rules: list, show, lint, import, schema."),
    "advisories": ("auditor.cli.advisories", "advisories", "Vendors' advisories: read, search, show."),
    "waivers": ("auditor.cli.waivers", "waivers", "Findings that somebody answers for: add, list, check."),
    "attest": ("auditor.cli.attest", "attest", "Facts given by people: add, list."),
    "inventory": ("auditor.cli.inventory", "inventory", "The inventory: check, list, show."),
    "keys": ("auditor.cli.keys", "keys", "SSH host keys: scan and accept, for review in bulk."),
    "commands": ("auditor.cli.commands", "commands", "Everything that can be run on a host."),
}


class Lazy(SuggestingGroup):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="auditor")
def cli() -> None:
    """Agentless, read-only patch-compliance auditor.

    Which hosts have what the vendors' advisories ask for, which have not, which have it on disk but not in force, and
    which could not be told. Exit codes: 0 all is well, 1 something required is missing or pending, 2 wrong usage,
    3 incomplete, 4 internal error.
    """


def main() -> None:
    """Run the command line; every error ends as a message and an exit code. What could not be shown is neither good nor
    "noncompliant": whoever reads an exit code of 0 or 1 may rely on the output."""
    _three_streams()
    gc.set_threshold(50_000, 20, 50)  # most of what is made lasts until the end; looking through it took a quarter of judging
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold secrets
    try:
        if "" in sys.argv[1:] and sys.argv[1] not in ("waivers", "attest"):  # they say of each text what it has to be
            raise UsageFault("one of the words is empty; is a variable of the calling script not set?")
        code = cli.main(standalone_mode=False, prog_name="auditor")
    except click.exceptions.Abort:
        _say("stopped")
        code = exits.INCOMPLETE
    except click.ClickException as e:
        e.show()
        code = exits.USAGE
    except FileFaults as e:
        for fault in e.faults:
            print(printable(fault), file=sys.stderr)
        count = len(e.faults)
        _say(f"{count} {'fault' if count == 1 else 'faults'}; nothing was contacted")
        code = exits.USAGE
    except (UsageFault, WrongHistory) as e:
        _say(str(e))
        code = exits.USAGE
    except AuditorError as e:
        _say(str(e))
        code = exits.INCOMPLETE
    except KeyboardInterrupt:
        _say("stopped")
        code = exits.INCOMPLETE
    except SystemExit:  # click's word for a closed pipe: whoever read our output has gone
        code = exits.INCOMPLETE
    except OSError as e:
        _say(
            f"standard output cannot be written: {e.strerror or e}"
            if e.errno in _UNWRITABLE
            else f"{e.filename or ''}: {e.strerror or e}"
        )
        if e.errno in _UNWRITABLE:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # it was said; the rest has nowhere to go
        code = exits.INCOMPLETE
    except Exception as e:
        where = e.__traceback__
        while where and where.tb_next:
            where = where.tb_next
        place = f" ({where.tb_frame.f_globals.get('__name__')}:{where.tb_lineno})" if where else ""
        _say(f"internal error, please report it: {type(e).__name__}: {e}{place}")
        code = exits.INTERNAL
    sys.exit(_flushed(code if isinstance(code, int) else exits.ALL_WELL))


class _Closed(io.RawIOBase):
    """Standard output, where the caller closed it (`>&-`)."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(errno.EBADF, "it is closed")


def _three_streams() -> None:
    """No file of ours may become the first, second or third: a library's warning would be written into it."""
    while (handle := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(handle)
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed()), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end of the process


def _flushed(code: int) -> int:
    """The exit code, once all output is out; the interpreter would end with a code of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as e:
        if not isinstance(e, BrokenPipeError):
            _say(f"standard output cannot be written: {getattr(e, 'strerror', None) or e}")
        code = code or exits.INCOMPLETE
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # what is left in the buffer has nowhere to go
    return code


def _say(text: str) -> None:
    print(f"auditor: {printable(text)}", file=sys.stderr)
