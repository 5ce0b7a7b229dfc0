"""Network namespaces of our own, so that a measurement touches no port, address or process of the machine.

A namespace with only `lo` up has all of 127.0.0.0/8 to itself: one sshd on 0.0.0.0 answers on as many
addresses as a fleet has hosts (sshd itself takes at most 16 ListenAddress lines) and nobody outside can
reach it. It also names what is ours: whatever still runs inside when a measurement is over was started by
it, and is ended by its pid.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "auditor-bench-"
BLACK_HOLE = "10.66.0.0/24"


def missing() -> str:
    """Why this machine cannot be measured, or an empty string."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "the benchmark makes network namespaces: run it as root on Linux"
    tools = ("ip", "nsenter", "setpriv", "ssh", "ssh-keygen", "/usr/sbin/sshd", "xargs")
    absent = ", ".join(tool for tool in tools if not shutil.which(tool))
    packages = "openssh-server openssh-client iproute2 util-linux findutils"
    return f"not found: {absent} (Debian: apt-get install {packages})" if absent else ""


def name(label: str) -> str:
    """A namespace's name; our pid in it lets a later run clear up what a killed one left."""
    return f"{PREFIX}{os.getpid()}-{label}"


def inside(namespace: str) -> list[str]:
    """What to put before a command: nsenter alone (`ip netns exec` also mounts a new /sys)."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


@contextlib.contextmanager
def namespace(label: str) -> Iterator[str]:
    """A namespace with `lo` up and a black hole; at the end everything in it is ended and it is deleted."""
    made = name(label)
    _ip("netns", "add", made)
    try:
        _ip("-n", made, "link", "set", "lo", "up")
        # Packets for a net that is routed to `lo` and is nobody's address come in again and are dropped
        # without a word, so connect() hangs as before a dead host. (A `blackhole` route answers at once.)
        _ip("-n", made, "route", "add", BLACK_HOLE, "dev", "lo", "src", "127.0.0.1")
        yield made
    finally:
        end(made)


def end(namespace: str) -> None:
    """End whatever runs in a namespace of ours, politely, then not; then delete it."""
    for how, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
        for pid in pids(namespace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        until = time.monotonic() + patience
        while pids(namespace) and time.monotonic() < until:
            time.sleep(0.05)
    if Path("/run/netns", namespace).exists():
        subprocess.run(["ip", "netns", "del", namespace], check=False)


def pids(namespace: str) -> list[int]:
    """The processes in a namespace, our own children that ended and wait to be collected left out."""
    answer = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in answer.stdout.split() if not _is_zombie(int(pid))]


def sweep() -> None:
    """Clear up what a run that was killed outright left behind (its pid, in the name, is no more)."""
    for found in Path("/run/netns").glob(f"{PREFIX}*"):
        owner = found.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            end(found.name)
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def drops_silently(namespace: str) -> bool:
    """Does connecting to the black hole really hang here? Otherwise `dead` would measure a quick refusal."""
    code = "import socket; socket.create_connection(('10.66.0.9', 22), 0.5)"
    command = [*inside(namespace), sys.executable, "-c", code]
    return b"TimeoutError" in subprocess.run(command, check=False, capture_output=True).stderr


def established(pid: int, port: int) -> int:
    """How many connections to `port` stand open right now in the namespace of process `pid`."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(1 for f in fields if f[3] == "01" and int(f[1].rpartition(":")[2], 16) == port)


def address(index: int) -> str:
    """The address of host number `index` (from 0): 127.1.0.1, 127.1.0.2 …"""
    return socket.inet_ntoa((0x7F010000 + index // 250 * 256 + index % 250 + 1).to_bytes(4, "big"))


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
