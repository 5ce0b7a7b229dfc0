"""Runs one command in a small process of its own and tells what it and everything it started have used.

Run as a script (`python -I -S shepherd.py SPEC`), never imported by the harness, for three reasons. A
subreaper is given whatever a command leaves running (Ansible's ssh masters), so that it is ended and its
CPU counted. A command's peak memory as the kernel tells it is never below that of the process that started
it, so that process has to be small. And when the harness is ended, or killed, this process is told and ends
the whole tree.
"""

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class TimeIsUp(BaseException):
    """The command's time limit is over, or the harness told us to stop."""


def descendants(root: int) -> list[int]:
    """Every process below `root`, from /proc (CONFIG_PROC_CHILDREN is not everywhere)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def end_children(used: list[float], peaks: list[int]) -> None:
    """End and collect every descendant: SIGTERM first, SIGKILL after two seconds."""
    kill_at, told = time.monotonic() + 2, set[int]()
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            used.append(usage.ru_utime + usage.ru_stime)
            peaks.append(usage.ru_maxrss)
            continue
        late = time.monotonic() > kill_at
        for child in descendants(os.getpid()):
            if late or child not in told:
                told.add(child)
                try:
                    os.kill(child, signal.SIGKILL if late else signal.SIGTERM)
                except ProcessLookupError:
                    continue
        time.sleep(0.02)


def become(command: list[str], stdout: str, stderr: str) -> NoReturn:
    """In the forked child: its own output files and session, then the command."""
    try:
        for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores SIGPIPE, and a command would inherit that
        os.setsid()
        for path, target, flags in (
            (os.devnull, 0, os.O_RDONLY),
            (stdout, 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (stderr, 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            os.dup2(os.open(path, flags), target)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    os._exit(127)


def main() -> None:
    """SPEC is JSON: command, limit, stdout, stderr; the answer is one JSON line on stdout."""
    spec = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")

    def stop(number: int, _frame: object) -> None:
        raise TimeIsUp(number)

    code: int | None = None
    told = False
    used: list[float] = []
    peaks: list[int] = []
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    started = time.perf_counter()
    try:
        signal.setitimer(signal.ITIMER_REAL, spec["limit"])
        pid = os.fork()
        if pid == 0:
            become(spec["command"], spec["stdout"], spec["stderr"])
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - started
        code = os.waitstatus_to_exitcode(status)
        used, peaks = [usage.ru_utime + usage.ru_stime], [usage.ru_maxrss]
    except TimeIsUp as reason:
        wall, told = time.perf_counter() - started, reason.args == (signal.SIGTERM,)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_children(used, peaks)
    if told:
        return  # nobody is left to read the answer
    print(
        json.dumps({"wall": wall, "cpu": sum(used), "peak_kb": max(peaks, default=0), "exit": code}),
        flush=True,
    )


if __name__ == "__main__":
    main()
