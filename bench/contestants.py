"""The command lines that are compared: the product, and what people do today instead.

(a) and (b) send the product's own collection script, byte for byte, and only store what comes back; the
product also parses, judges, stores and reports it. (c) is Ansible gathering its facts. All reach the same
sshd with the same key.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from bench import netns
from bench.fleet import USER, Fleet
from bench.measure import Contestant

AUDIT, TUNED, UNTUNED = "auditor audit", "xargs ssh, tuned", "xargs ssh, untuned"
PLACE = "@HOST@"
FAST = (
    "-oKexAlgorithms=curve25519-sha256",
    "-oCiphers=aes128-gcm@openssh.com",
    "-oHostKeyAlgorithms=ssh-ed25519",
    "-oGSSAPIAuthentication=no",
)


@dataclass(frozen=True)
class Product:
    """How to call the product. `contacts` are module:function names that reach one host in-process."""

    auditor: Path
    script: str | None
    jobs: int
    contacts: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        return self.auditor.is_file()

    @property
    def python(self) -> Path:
        """The interpreter of the environment the product is installed in."""
        return self.auditor.with_name("python")


def audit(product: Product, fleet: Fleet, namespace: str, name: str = AUDIT, jobs: int = 0) -> Contestant:
    """The whole run, with an empty history each time: every host is new, which is the most work there is."""
    history, output = fleet.folder / "bench.db", fleet.folder / "run.json"

    def forget() -> None:
        for path in (output, *fleet.folder.glob("bench.db*")):
            path.unlink(missing_ok=True)

    def answered(_stdout: Path) -> int | None:
        try:
            summary = json.loads(output.read_bytes())["summary"]
            return int(summary["assessed"]) + int(summary["partial"])
        except (OSError, ValueError, KeyError):
            return None

    command = [str(product.auditor), "audit", "--inventory", str(fleet.inventory), "--history", str(history)]
    command += ["--report", str(fleet.folder / "report.html")]
    command += ["--output", str(output), "--format", "json", "--jobs", str(jobs or product.jobs)]
    return Contestant(name, len(fleet.hosts), netns.inside(namespace) + command, {}, forget, answered)


def scan(product: Product, fleet: Fleet, namespace: str, target: str) -> Contestant:
    """One host on demand, nothing stored: the one place that knows how the product is asked for it."""
    command = [str(product.auditor), "scan", target, "--inventory", str(fleet.inventory), "--no-history", "--no-report"]
    command += ["--format", "json", "--output", str(fleet.folder / "scan.json")]
    return Contestant(f"auditor scan {target}", 1, netns.inside(namespace) + command)


def ssh(fleet: Fleet, tuned: bool) -> list[str]:
    """ssh with our key and known_hosts only; untuned it reads the system's ssh_config, as people's does."""
    system = Path("/etc/ssh/ssh_config")
    config = "none" if tuned or not system.exists() else str(system)
    checked = [f"-oUserKnownHostsFile={fleet.known_hosts}", "-oGlobalKnownHostsFile=none"]
    alone = ["-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oBatchMode=yes"]
    return ["ssh", "-F", config, "-i", str(fleet.key_file), *checked, *alone, *(FAST if tuned else ())]


def xargs(product: Product, fleet: Fleet, namespace: str, tuned: bool) -> Contestant:
    """`xargs -P` starts one ssh per host, with the script as the one argument of exec."""
    addresses = fleet.folder / "addresses"
    addresses.write_text("".join(f"{host.address}\n" for host in fleet.hosts))
    command = ["xargs", "-a", str(addresses), "-P", str(product.jobs), "-I", PLACE, *ssh(fleet, tuned)]
    command += ["-p", str(fleet.hosts[0].port), "-l", USER, PLACE, product.script or ""]
    return Contestant(TUNED if tuned else UNTUNED, len(fleet.hosts), netns.inside(namespace) + command)
