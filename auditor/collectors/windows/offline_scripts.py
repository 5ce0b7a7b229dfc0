r"""Scripts to carry to a host that no network reaches; `auditor scan replay:FOLDER` audits what they bring back.

collect.cmd       XP and later: the same lines as over a shell, into answer.txt
collect.ps1       what only PowerShell tells, the missing updates too; collect.cmd starts it where it lies beside it
collect-nt4.cmd   NT 4.0 and 2000, which have no reg.exe: exports by regedit, `ver` and `net start`

An export takes a key with all that lies below it. Of keys that also hold what is nobody's business (product keys, seeds,
environments), only lines of the values asked for are kept, and a comment says so. NT 3.x has no `regedit /e`: an NT 4.0
machine's regedit can export its registry over the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.queries import CONTROL, NT, OS, QFE, SERVICES_KEY, UNINSTALL, QuerySet
from auditor.collectors.windows.readers import powershell, shell
from auditor.model.requirements import DataRequirements
from auditor.transports.replay import ANSWER, POWERSHELL_ANSWER
from auditor.transports.replay import CARRIED_MARKER as MARKER

_MANAGER = rf"{CONTROL}\Session Manager"
_RENAMES = "PendingFileRenameOperations"
_NT4, _2000 = 1381, 2195
_SERVICE_VALUES = ("Type", "Start", "DisplayName")
_PROGRAM_VALUES = ("DisplayName", "DisplayVersion")


def scripts(requirements: DataRequirements) -> dict[str, str]:
    """The scripts' texts by file name; cmd's have CRLF line ends."""
    made = {"collect.cmd": _by_reg(requirements), "collect-nt4.cmd": _by_regedit(requirements)}
    script = powershell.command(QuerySet(tables=(OS, QFE)), MARKER, True).stdin.decode("ascii")
    return {name: "\r\n".join((*lines, "")) for name, lines in made.items()} | {"collect.ps1": script}


def _head(what: str) -> Iterator[str]:
    yield "@echo off"
    yield f"rem {what}"
    yield "rem It reads, and writes nothing but a folder in the current one. Run it as an administrator: what your account may not"
    yield "rem read is missing from the answer. Take the folder home; it is confidential: it names this host's weak spots."


def _folder() -> Iterator[str]:
    yield "set D=auditor-%COMPUTERNAME%"
    yield 'if exist "%D%\\*.*" del /q "%D%\\*.*"'
    yield 'if not exist "%D%\\nul" mkdir "%D%"'


def _by_reg(requirements: DataRequirements) -> Iterator[str]:
    yield from _head("For Windows XP, Server 2003 and later: registry values by reg.exe, services by sc.")
    yield 'if "%1"=="lines" goto lines'
    yield from _folder()
    yield f'"%COMSPEC%" /d /c ""%~f0" lines" > "%D%\\{ANSWER}"'
    yield f'if exist collect.ps1 {" ".join(powershell.ARGV)} < collect.ps1 > "%D%\\{POWERSHELL_ANSWER}"'
    yield 'echo The answer is in "%D%".'
    yield "goto :eof"
    yield ":lines"
    # In a batch file as on stdin: %errorlevel% is read with its own line.
    yield from shell.framed(all_queries(requirements), MARKER)


def _by_regedit(requirements: DataRequirements) -> Iterator[str]:
    yield from _head("For Windows NT 4.0 and 2000: exports by regedit, filtered by findstr.")
    yield from _folder()
    yield 'ver > "%D%\\ver.txt"'
    yield 'net start > "%D%\\net-start.txt"'
    yield 'echo REGEDIT4> "%D%\\none.reg"'
    wanted = all_queries(requirements)
    old = [a.what for a in (*wanted.values, *wanted.keys) if a.of(_NT4) or a.of(_2000)]
    kept: dict[str, tuple[str, ...]] = {
        NT: tuple(w.rpartition("#")[2] for w in old if w.startswith(f"{NT}#")),
        SERVICES_KEY: _SERVICE_VALUES,
        _MANAGER: ("PROCESSOR_ARCHITECTURE",),
        **({UNINSTALL[0]: _PROGRAM_VALUES} if wanted.programs else {}),
    }
    for number, (key, names) in enumerate(kept.items()):
        yield from _filtered(f"kept{number}.reg", key, names)
    places = dict.fromkeys(w.partition("#")[0] for w in old)
    whole = [p for p in places if p not in kept and not p.startswith((f"{NT}\\", f"{_MANAGER}\\"))]
    for number, key in enumerate([rf"{NT}\HotFix", *whole]):
        yield f'start /wait regedit /e "%D%\\key{number}.reg" "{_full(key)}"'
        yield f'if not exist "%D%\\key{number}.reg" echo ; auditor none: {_full(key)}>> "%D%\\none.reg"'
    yield 'echo The answer is in "%D%".'


def _filtered(file: str, key: str, names: tuple[str, ...]) -> Iterator[str]:
    """Keys and the lines of some values. Of a list that goes on over lines only its presence is kept."""
    raw, out = '"%TEMP%\\auditor.reg"', f'"%D%\\{file}"'
    patterns = " ".join(rf'/c:"\"{name}\"="' for name in names)
    yield f'start /wait regedit /e {raw} "{_full(key)}"'
    yield f'if not exist {raw} echo ; auditor none: {_full(key)}>> "%D%\\none.reg"'
    yield f'type {raw} | findstr /b /i /c:"REGEDIT4" /c:"Windows Registry Editor" /c:"[HKEY_" {patterns} > {out}'
    present = (_RENAMES,) if key == _MANAGER else ()
    for name in present:
        yield f"echo [{_full(key)}]>> {out}"
        yield rf'type {raw} | findstr /b /i /c:"\"{name}\"=" > nul'
        yield f'if not errorlevel 1 echo "{name}"="is there">> {out}'
    yield f"echo ; auditor kept: {' '.join((*names, *present))}>> {out}"
    yield f"del {raw}"


def _full(key: str) -> str:
    return key.replace("HKLM\\", "HKEY_LOCAL_MACHINE\\", 1)
