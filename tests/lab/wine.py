"""Wine's own cmd.exe and reg.exe over a registry that is imported: somebody else's reading of what these programs do.

The prefix is made by hand, and `wineboot` never runs: it takes 15 s and 700 MB, and brings a registry of its own
(Hotfix\\Q246009 is in it). So what the posed host's registry lacks is absent. `ver` follows the imported registry.
Needs Debian's wine64 alone, neither a display nor root; nothing is written outside `folder` but Wine's socket in /tmp,
which goes with the server.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

from tests.lab.installed import need

PROGRAMS = Path("/usr/lib/wine")
WINE, SERVER = PROGRAMS / "wine64", PROGRAMS / "wineserver64"
BUILTIN = next(Path("/usr/lib").glob("*-linux-gnu/wine/x86_64-windows"), None)

# Wine reads this file once, when its server starts. The first lines are its format; the rest comes by `reg import`.
SYSTEM_REG = "WINE REGISTRY Version 2\n;; All keys relative to \\\\Machine\n\n#arch=win64\n"
PATH = r"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Session Manager\Environment]
"PATH"="C:\\windows\\system32"
"""


class Wine:
    """Use as a context manager; the server ends with it. `locale` decides the code page of what is printed, as Wine goes
    by the locale and not by the registry: en_US or C gives 437, ru_RU 866, ja_JP 932 (the system need not have them)."""

    def __init__(self, folder: Path, registry_file: Path | None = None, locale: str = "C.UTF-8") -> None:
        need("wine64", WINE, SERVER, BUILTIN)
        self.folder, self._registry_file = folder, registry_file
        self._prefix = folder / "prefix"
        self._env = {
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": locale,
            "WINEPREFIX": str(self._prefix),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=",
        }

    def __enter__(self) -> Self:
        system32, devices = self._prefix / "drive_c/windows/system32", self._prefix / "dosdevices"
        for new in (system32, self._prefix / "drive_c/windows/temp", devices):
            new.mkdir(parents=True)
        (devices / "c:").symlink_to("../drive_c")
        (devices / "z:").symlink_to("/")
        assert BUILTIN
        for file in BUILTIN.iterdir():
            (system32 / file.name).symlink_to(file)
        (self._prefix / ".update-timestamp").write_text("disable\n")
        (self._prefix / "system.reg").write_text(SYSTEM_REG)
        try:
            self.import_registry(PATH)
            if self._registry_file:
                self.import_registry(self._registry_file.read_text("utf-8"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for option in ("-k", "-w"):  # end this prefix's server with all it runs; wait until it is gone
            subprocess.run([SERVER, option], env=self._env, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    def import_registry(self, text: str) -> None:
        """Text of a version 5.00 export. Wine takes what has no byte order mark for ANSI, and hex(7) in it too."""
        file = self.folder / "import.reg"
        file.write_bytes(b"\xff\xfe" + "".join(f"{line}\r\n" for line in text.split("\n")).encode("utf-16-le"))
        name = "Z:" + str(file.resolve()).replace("/", "\\")
        done = self._run([r"C:\windows\system32\reg.exe", "import", name])
        if done.returncode:
            raise RuntimeError(f"wine: reg import gave {done.returncode}: {done.stdout + done.stderr!r}")

    def cmd(self, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        """`cmd /q /d` with these lines. They go through a file: Wine's cmd seeks in what it reads, and of a pipe it would
        take only the first line of each piece (the real one takes a pipe byte by byte)."""
        with TemporaryFile(dir=self.folder) as lines:
            lines.write(stdin)
            lines.flush()
            lines.seek(0)
            return self._run(["cmd", "/q", "/d"], lines.fileno())

    def _run(self, words: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[bytes]:
        """Output goes to files: what Wine starts in the background inherits a pipe, and one would wait for its end."""
        with TemporaryFile(dir=self.folder) as out, TemporaryFile(dir=self.folder) as err:
            done = subprocess.run(
                [WINE, *words], env=self._env, cwd=self.folder, stdin=stdin, stdout=out, stderr=err, timeout=120
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())
