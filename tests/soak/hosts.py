"""Two hundred hosts on loopback: fifty real sshds, four addresses each, whose forced command plays a host.

What a host says is a recording with its own machine id and its own version of openssl: the known truth. Each night a tenth
of them are ill: an sshd that is not there, one that is stopped (it accepts and says nothing), sessions that are cut off,
that trickle, that lie and that never end.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.lab.sshd import Sshd, keygen, user
from tests.places import RECORDINGS

RECORDING = RECORDINGS / "debian-12-root"
HOSTS, PER_SERVER = 200, 4
ZONES = ("east", "west")  # every second host is in one of them
OLD, FIXED = "3.0.19-1~deb12u2", "3.0.22-1~deb12u2"
LIMIT = 8.0  # seconds for a host
SESSION_ILLS = ("cut", "slow", "lie", "flood")
_PLAY = r"""#!/bin/sh
# A host's answer, with the marker that was asked for; $1 is the folder of the hosts.
where=${SSH_CONNECTION#* * }; where=${where%% *}
marker=${SSH_ORIGINAL_COMMAND##* auditor }; marker=${marker%% *}
say() { sed "s/@MARKER@/$marker/" "$1/said/$where"; }
read -r ill 2>/dev/null <"$1/ill/$where" || ill=
case $ill in
  cut) say "$1" | head -c 20000; case $(cat /proc/$PPID/comm) in sshd*) kill -9 $PPID ;; esac ;;
  slow) say "$1" | head -c 20000; sleep 2; say "$1" | tail -c +20001 ;;
  lie) say "$1" | sed 's/^\(ii \topenssl\t\)[^\t]*/\1!lie!/' ;;
  flood) say "$1" | head -c 20000; exec yes flood ;;
  *) say "$1" ;;
esac
"""


class Hosts:
    """The hosts, their truth (the version each has), and who is ill."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self._chance = folder, chance
        self.truth: dict[str, str] = {}
        self.ill: dict[str, str] = {}
        self._stack = ExitStack()
        self._key = keygen(folder / "key")
        self._play = folder / "play.sh"
        self._play.write_text(_PLAY)
        self._play.chmod(0o755)
        for name in ("said", "ill"):
            (folder / name).mkdir()
        self._servers: list[Sshd] = []
        self._stopped: list[Sshd] = []
        self._away: list[int] = []
        self._text = (RECORDING / "stdout").read_text().replace("5f0c2a9be1d34c7786aa10b2", "@MARKER@")
        for n in range(HOSTS):
            self.becomes(self.name(n), self._chance.choice((OLD, FIXED)))

    @staticmethod
    def name(n: int) -> str:
        return f"h{n:03}"

    @staticmethod
    def address(n: int) -> str:
        return f"127.9.{n // 100}.{n % 100 + 1}"

    def __enter__(self) -> Self:
        for n in range(0, HOSTS, PER_SERVER):
            self._servers.append(self._start(n))
        return self

    def __exit__(self, *_: object) -> None:
        self.well()
        self._stack.close()

    def _start(self, first: int) -> Sshd:
        addresses = [f"ListenAddress {self.address(first + k)}" for k in range(PER_SERVER)]
        server = Sshd(self.folder / f"sshd-{first:03}", *addresses, f"ForceCommand {self._play} {self.folder}")
        server.allow(self._key.with_suffix(".pub"))
        return self._stack.enter_context(server)

    def becomes(self, name: str, version: str) -> None:
        """A host's truth from now on."""
        n = int(name[1:])
        said = self._text.replace("0123456789abcdef0123456789abcdef", f"{n:032x}").replace(
            f"ii \topenssl\t{OLD}", f"ii \topenssl\t{version}"
        )
        (self.folder / "said" / self.address(n)).write_text(said)
        self.truth[name] = version

    def changes(self) -> None:
        """A hundredth of the hosts get another version."""
        for name in self._chance.sample(sorted(self.truth), HOSTS // 100):
            self.becomes(name, OLD if self.truth[name] == FIXED else FIXED)

    def falls_ill(self) -> None:
        """A tenth of them: one server is away, one stopped, and twelve hosts have an ill of their own."""
        self.well()
        away, stopped, *rest = self._chance.sample(range(len(self._servers)), 5)
        self._servers[away].process.terminate()
        self._servers[away].process.wait()
        self._away = [away]
        self._servers[stopped].process.send_signal(signal.SIGSTOP)
        self._stopped = [self._servers[stopped]]
        for server, ill in ((away, "away"), (stopped, "stopped")):
            self.ill |= {self.name(server * PER_SERVER + k): ill for k in range(PER_SERVER)}
        for n, ill in zip((s * PER_SERVER + k for s in rest for k in range(PER_SERVER)), SESSION_ILLS * 3, strict=True):
            self.ill[self.name(n)] = ill
            (self.folder / "ill" / self.address(n)).write_text(ill + "\n")

    def well(self) -> None:
        for server in self._stopped:
            server.process.send_signal(signal.SIGCONT)
        for n in self._away:
            self._servers[n] = self._again(self._servers[n])
        self._stopped, self._away = [], []
        for path in (self.folder / "ill").iterdir():
            path.unlink()
        self.ill.clear()

    def _again(self, server: Sshd) -> Sshd:
        """The same server, started anew with its keys and its port."""
        server.restart()
        return server

    def served(self) -> str:
        """What a worker's file says of them."""
        return f"[{{hosts: [127.9.0.0/16], key_file: {self._key}, known_hosts: {self.folder / 'known_hosts'}}}]"

    def inventory(self, names: Iterator[str] | list[str]) -> str:
        known = self.folder / "known_hosts"
        lines, hosts = [], []
        for name in names:
            n = int(name[1:])
            server = self._servers[n // PER_SERVER]
            lines.append(server.known_hosts_line(self.address(n)))
            zone = f", zone: {ZONES[n // 2 % 2]}" if n % 2 else ""
            hosts.append(f"  {name}: {{address: {self.address(n)}, port: {server.port}{zone}}}")
        known.write_text("".join(lines))
        login = (
            f"user: {user()}, key_file: {self._key}, known_hosts: {known}, timeouts: {{connect: 3, command: 6, total: {LIMIT}}}"
        )
        return f"defaults: {{{login}}}\nhosts:\n" + "\n".join(hosts) + "\n"
