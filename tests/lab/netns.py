"""A network namespace of the test's own, with nothing but loopback. Needs root."""

from __future__ import annotations

import os
import subprocess
from secrets import token_hex
from typing import Self

# Listens on all addresses, accepts nobody, and says when it is ready.
LISTENER = "import socket,sys,time;s=socket.create_server(('0.0.0.0',int(sys.argv[1])),backlog=int(sys.argv[2]));print('ready',flush=True);time.sleep(600)"
# Opens connections that nobody accepts, one after the other, without waiting for those that hang.
FLOOD = (
    "import socket,sys,time\nheld=[]\nfor n in range(int(sys.argv[2])):\n s=socket.socket();s.setblocking(False)\n"
    " s.connect_ex(('127.0.0.1',int(sys.argv[1])));held.append(s)\ntime.sleep(0.5)"
)


class Namespace:
    """`prefix` runs a command inside; processes started through `start` end with it."""

    def __init__(self) -> None:
        self.name = f"auditor-{os.getpid()}-{token_hex(2)}"
        self.prefix = ("ip", "netns", "exec", self.name)
        self._children: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(["ip", "-n", self.name, "link", "set", "lo", "up"], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.prefix, *command], check=check, capture_output=True, text=True)

    def sysctl(self, name: str, value: int) -> None:
        path = f"/proc/sys/{name.replace('.', '/')}"
        self.run("sh", "-c", f"echo {value} > {path}")

    def listen(self, port: int, backlog: int) -> subprocess.Popen[str]:
        """A listener with just this backlog; returns once it listens."""
        child = subprocess.Popen(
            [*self.prefix, "python3", "-c", LISTENER, str(port), str(backlog)], stdout=subprocess.PIPE, text=True
        )
        self._children.append(child)
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        return child

    def flood(self, port: int, connections: int) -> None:
        self.run("python3", "-c", FLOOD, str(port), str(connections))
