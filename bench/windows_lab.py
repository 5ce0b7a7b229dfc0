"""Posed Windows hosts to measure against: the tests' WS-Man lab, in a process and a network namespace of its own.

The lab is run by the product's interpreter, which has what it needs; the harness itself imports none of it.
"""

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import fleet, netns

USER, PASSWORD = "auditor", "Secret-1"  # as the lab has them
# The lab listens on 127.0.0.1 when it is not told otherwise; the far side of a link has another address.
SERVE = """
import sys
from functools import partial
import tests.lab.windows.__main__ as lab
lab.WsmanServer = partial(lab.WsmanServer, address=sys.argv.pop(1))
lab.main()
"""


@dataclass(frozen=True)
class Lab:
    """Hosts by their names; what each was asked so far."""

    address: str
    ports: Mapping[str, int]
    process: subprocess.Popen[str]

    def hosts(self) -> tuple[fleet.Host, ...]:
        return tuple(fleet.Host(name, self.address, port) for name, port in self.ports.items())

    def counts(self) -> dict[str, tuple[int, int]]:
        """Requests and connections of each host since it was started."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        said = _line(self.process)
        return {name: (said[name]["requests"], said[name]["connections"]) for name in self.ports}


@contextlib.contextmanager
def lab(python: Path, folder: Path, namespace: str, posed: Mapping[str, str], address: str = "127.0.0.1") -> Iterator[Lab]:
    """`posed` says which host of the lab each name is; they are served until the context ends."""
    folder.mkdir(parents=True)
    command = ["setpriv", "--pdeathsig", "TERM", *netns.inside(namespace), str(python), "-c", SERVE, address]
    command += [f"{name}={host}" for name, host in posed.items()]
    with (
        (folder / "lab.err").open("wb") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            yield Lab(address, _line(process), process)
        except EOFError:
            said = (folder / "lab.err").read_text(errors="replace").splitlines()[-1:]
            raise RuntimeError(f"the Windows lab did not start: {' '.join(said)}") from None
        finally:
            assert process.stdin is not None
            process.stdin.close()  # which is how it is told to end
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def write(folder: Path, members: Sequence[fleet.Host]) -> fleet.Fleet:
    """The inventory: WinRM over HTTP, NTLM with encrypted messages, which is what Windows offers as it comes."""
    folder.mkdir()
    secret, inventory = folder / "password", folder / "inventory.yaml"
    secret.touch(mode=0o600)
    secret.write_text(f"{PASSWORD}\n")
    login = f"user: {USER}, password: {json.dumps(f'file:{secret}')}"
    limits = f"timeouts: {{connect: {fleet.CONNECT_SECONDS}, command: 60, total: 180}}"
    lines = [f"defaults: {{connection: winrm, scheme: http, auth: ntlm, {login}, {limits}}}", "hosts:"]
    lines += [f"  {h.name}: {{address: {h.address}, port: {h.port}}}" for h in members]
    inventory.write_text("\n".join(lines) + "\n")
    return fleet.Fleet(folder, tuple(members), secret, Path(os.devnull), inventory)


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], 30)[0]:
        raise RuntimeError("the Windows lab says nothing")
    line = process.stdout.readline()
    if not line:
        raise EOFError
    return dict(json.loads(line))
