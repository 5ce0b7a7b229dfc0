"""Contestant (c): Ansible gathering its facts, from the benchmark's own environment, never the product's."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench import netns
from bench.contestants import Product
from bench.fleet import USER, Fleet
from bench.measure import Contestant

NAME = "ansible setup"
CONFIG = """\
[defaults]
forks = {jobs}
host_key_checking = True
[ssh_connection]
pipelining = True
"""


def setup(product: Product, fleet: Fleet, namespace: str, found: Path) -> Contestant:
    """Ansible's defaults plus pipelining; its ssh masters' sockets are new each round: no login is reused."""
    home, inventory = fleet.folder / "ansible", fleet.folder / "ansible.ini"
    settings = {"ansible_user": USER, "ansible_ssh_private_key_file": fleet.key_file}
    settings["ansible_ssh_common_args"] = (
        f"'-F none -oUserKnownHostsFile={fleet.known_hosts} -oGlobalKnownHostsFile=none -oIdentitiesOnly=yes'"
    )
    lines = [f"{h.name} ansible_host={h.address} ansible_port={h.port}" for h in fleet.hosts]
    lines += ["[all:vars]", *(f"{key}={value}" for key, value in settings.items())]
    inventory.write_text("\n".join(lines) + "\n")

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        (home / "ansible.cfg").write_text(CONFIG.format(jobs=product.jobs))

    def answered(stdout: Path) -> int:
        with stdout.open(errors="replace") as lines:
            return sum(1 for line in lines if line.rstrip().endswith("| SUCCESS => {"))

    command = [str(found), "all", "-i", str(inventory), "-m", "setup", "-f", str(product.jobs)]
    config = str(home / "ansible.cfg")
    environment = {"ANSIBLE_CONFIG": config, "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1"}
    command = netns.inside(namespace) + command
    return Contestant(NAME, len(fleet.hosts), command, environment, fresh, answered)


def program(environment: Path) -> tuple[Path | None, str]:
    """Ansible of the benchmark's own environment, made the first time; without it: None and the reason."""
    found = environment / "bin" / "ansible"
    try:
        if not found.exists():
            subprocess.run(
                [sys.executable, "-m", "venv", environment],
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
            pip = environment / "bin" / "pip"
            subprocess.run(
                [pip, "install", "--quiet", "ansible-core"],
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
            )
        version = subprocess.run([found, "--version"], check=True, capture_output=True, text=True, timeout=60)
    except subprocess.CalledProcessError as error:
        said = str(error.stderr or "").strip().splitlines()
        return None, f"ansible-core could not be had: {said[-1] if said else error}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"ansible-core could not be had: {error}"
    return found, version.stdout.splitlines()[0]
