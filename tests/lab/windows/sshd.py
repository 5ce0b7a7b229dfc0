"""A real sshd whose every session is a posed Windows host: what OpenSSH for Windows does with a command, as far as seen from
outside. Its default shell is cmd (`cmd.exe /c "COMMAND"`) or PowerShell (`powershell.exe -c "COMMAND"`); both hand the
session's input to the command. A command that neither knows is answered in that shell's own words with status 1.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Literal

from tests.lab.sshd import Sshd
from tests.lab.windows.cmd import run
from tests.lab.windows.host import load_host
from tests.places import ROOT

Shell = Literal["cmd", "powershell"]

_POWERSHELL_UNKNOWN = """\
{0} : The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the \r
spelling of the name, or if a path was included, verify that the path is correct and try again.\r
At line:1 char:1\r
+ {1}\r
+ {2}\r
    + CategoryInfo          : ObjectNotFound: ({0}:String) [], CommandNotFoundException\r
    + FullyQualifiedErrorId : CommandNotFoundException\r
 \r
"""


def windows_sshd(folder: Path, host: str, shell: Shell = "cmd", *config: str) -> Sshd:
    """An sshd (a context manager) that poses as the host of that name."""
    command = f"cd {shlex.quote(str(ROOT))} && exec {shlex.quote(sys.executable)} -m {__name__} {host} {shell}"
    return Sshd(folder, *config, f"ForceCommand {command}")


def answer(name: str, shell: Shell, command: str, stdin: bytes) -> tuple[bytes, bytes, int]:
    host = load_host(name)
    if shell == "cmd":
        return run(host, command if re.match(r"\s*cmd\b", command, re.I) else f'cmd.exe /c "{command}"', stdin)
    words = command.split()
    if not words or not re.fullmatch(r"(cmd|reg|sc|net)(\.exe)?", words[0], re.I):
        program = words[0] if words else ""
        text = _POWERSHELL_UNKNOWN.format(program, command, "~" * len(program))
        return b"", text.encode(f"cp{host.oem_codepage}", "replace"), 1
    output, errors, status = run(host, command, stdin)
    return output, errors, 1 if status else 0  # `powershell -c` does not pass a program's own status on


def main() -> None:
    shell: Shell = "powershell" if sys.argv[2] == "powershell" else "cmd"
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "cmd")
    # A command that is not `cmd` reads nothing here: what was sent to it is lost, as it would be there.
    stdin = sys.stdin.buffer.read() if re.match(r"\s*cmd\b", command, re.I) else b""
    output, errors, status = answer(sys.argv[1], shell, command, stdin)
    sys.stdout.buffer.write(output)
    sys.stderr.buffer.write(errors)
    sys.stdout.flush()
    sys.exit(status & 0xFF)


if __name__ == "__main__":
    main()
