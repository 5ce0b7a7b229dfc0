"""A fleet of hosts that are one private sshd: its keys, its known_hosts, and an inventory for the product.

The account's own start-up files are kept out: `SetEnv HOME` points to an empty folder, because bash under
sshd reads ~/.bashrc for every command, and what stands there (pyenv, say) would cost more than the script
that is measured.
"""

import contextlib
import json
import pwd
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import netns

USER = "root"
SHELL = pwd.getpwnam(USER).pw_shell or "/bin/sh"
CONNECT_SECONDS = 5
CONFIG = """\
Port {port}
AddressFamily inet
ListenAddress 0.0.0.0
HostKey {keys}/host_key
AuthorizedKeysFile {keys}/user_key.pub
PidFile {pid_file}
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 2000:30:4000
MaxSessions 1000
LoginGraceTime 120
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel ERROR
SetEnv HOME={home}
"""


@dataclass(frozen=True)
class Host:
    """One entry of the inventory."""

    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Fleet:
    """What a contestant needs to reach these hosts; the files lie in `folder`."""

    folder: Path
    hosts: tuple[Host, ...]
    key_file: Path
    known_hosts: Path
    inventory: Path


def make_keys(folder: Path) -> Path:
    """An ed25519 host key and user key for every sshd of one benchmark; and the folder sshd insists on."""
    folder.mkdir()
    (folder / "home").mkdir()
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return folder


def hosts(count: int, port: int, dead: int = 0) -> tuple[Host, ...]:
    """`count` hosts h001 …, of which `dead`, spread evenly among them, are addresses that never answer."""
    gone = {round(i * count / dead) for i in range(dead)} if dead else set()
    return tuple(Host(f"h{i + 1:03d}", f"10.66.0.{i % 250 + 1}" if i in gone else netns.address(i), port) for i in range(count))


def write(folder: Path, keys: Path, members: Sequence[Host]) -> Fleet:
    """The known_hosts file and `inventory.yaml`; absolute paths, quoted as JSON, which is YAML too."""
    folder.mkdir()
    fleet = Fleet(folder, tuple(members), keys / "user_key", folder / "known_hosts", folder / "inventory.yaml")
    kind, key = (keys / "host_key.pub").read_text().split()[:2]
    fleet.known_hosts.write_text("".join(f"[{h.address}]:{h.port} {kind} {key}\n" for h in members))
    paths = f"key_file: {json.dumps(str(fleet.key_file))}, known_hosts: {json.dumps(str(fleet.known_hosts))}"
    limits = f"timeouts: {{connect: {CONNECT_SECONDS}, command: 60, total: 180}}"
    lines = [f"defaults: {{connection: ssh, user: {USER}, {paths}, {limits}}}", "hosts:"]
    lines += [f"  {h.name}: {{address: {h.address}, port: {h.port}}}" for h in members]
    fleet.inventory.write_text("\n".join(lines) + "\n")
    return fleet


@contextlib.contextmanager
def sshd(folder: Path, keys: Path, namespace: str, port: int, hold: float = 0) -> Iterator[int]:
    """sshd in a namespace, on every address; gives its pid. `hold` seconds pass before each command starts.

    It dies with the harness (setpriv's parent-death signal), and what it started ends with the namespace.
    """
    folder.mkdir()
    config, errors, pid_file = folder / "sshd_config", folder / "sshd.err", folder / "sshd.pid"
    text = CONFIG.format(port=port, keys=keys, pid_file=pid_file, home=keys / "home")
    text += f'ForceCommand sleep {hold}; eval "$SSH_ORIGINAL_COMMAND"\n' if hold else ""
    # Newer servers refuse a busy address for a while; older ones do not know the word.
    config.write_text(text + "PerSourcePenalties no\n")
    if subprocess.run(["/usr/sbin/sshd", "-t", "-f", config], capture_output=True, check=False).returncode:
        config.write_text(text)
    command = ["setpriv", "--pdeathsig", "TERM", *netns.inside(namespace)]
    command += ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
    with errors.open("wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as server:
        try:
            until = time.monotonic() + 10
            while not pid_file.exists():  # written once it listens
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the private sshd did not start: {errors.read_text().strip()}")
                time.sleep(0.02)
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
