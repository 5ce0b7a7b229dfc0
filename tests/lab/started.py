"""The command in a process of its own, forked from one that has imported everything: a start costs 0.03 s instead of 0.4.

The process is as a real one in all that the program sees: working folder, environment, arguments, standard streams, signals and
exit status. tests/cli/test_starts.py starts every command for real.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.places import ROOT

_IMPORTS = """
import auditor.cli, importlib, sys
for module, _, _ in auditor.cli.COMMANDS.values():
    importlib.import_module(module)
import auditor.audit.isolated, auditor.history.store, auditor.mail.delivery, auditor.report.html_report
import auditor.transports.openssh.session, auditor.transports.replay, auditor.transports.ssh.session, auditor.transports.winrm.session
from tests.lab.started import serve
serve(int(sys.argv[1]))
"""


class Starter:
    """The process that is forked from. A context manager."""

    def __enter__(self) -> Self:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-c", _IMPORTS, str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT)
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.wait(30)

    def run(
        self, words: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """`auditor WORDS`, with nothing on standard input."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(self._ours, [request], [out.fileno(), err.fileno()])
            self._ours.settimeout(timeout)
            status = int(self._ours.recv(20))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(["auditor", *words], status, out.read().decode(), err.read().decode())


def serve(number: int) -> None:
    """Fork as asked, until nobody asks any more."""
    link = socket.socket(fileno=number)
    while True:
        said, files, _, _ = socket.recv_fds(link, 1_000_000, 2)
        if not said:
            return
        request = json.loads(said)
        pid = os.fork()
        if pid == 0:
            link.close()
            _become(request, files)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        link.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, object], files: list[int]) -> None:
    """The program, as the interpreter would have started it."""
    from auditor.cli import main

    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]  # texts, from JSON
    null = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((null, 0), (files[0], 1), (files[1], 2)):
        os.dup2(here, there)
    for file in (null, *files):
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # they live as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["auditor", *request["words"]]  # type: ignore[misc]  # a list, from JSON
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code: object = 0
    try:
        main()
    except SystemExit as e:
        code = e.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            pass
    os._exit(code if isinstance(code, int) else 1 if code else 0)
