"""A private sshd on 127.0.0.1: its own keys and configuration, ended by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin") or "sshd"


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "", *more: str) -> Path:
    """Make a key pair; returns the private key's path."""
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-f", str(path), *more], check=True)
    return path


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Sshd:
    """Runs as the user who runs the tests; `run_as_root` tests may log in as any user of the machine."""

    def __init__(
        self, folder: Path, *config: str, host_key: str = "ed25519", prefix: tuple[str, ...] = (), address: str = "127.0.0.1"
    ) -> None:
        self.folder, self.address, self.port = folder, address, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # privilege separation's folder; there is none without the service
        self.host_key = keygen(folder / f"host_{host_key}", host_key)
        # sshd reads it with the rights of the user who logs in, and pytest's folders are closed to others.
        self._open = Path(tempfile.mkdtemp(prefix="auditor-sshd-"))
        self._open.chmod(0o755)
        self.authorized = self._open / "authorized_keys"
        self.authorized.touch()
        home = folder / "home"
        home.mkdir(exist_ok=True)
        lines = [
            *config,
            f"Port {self.port}",
            f"ListenAddress {address}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "MaxStartups 1000",
            "LogLevel VERBOSE",
            f"PidFile {folder}/pid",
            f"SetEnv HOME={home}",  # not the shell start-up files of whoever runs the tests
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        self._log = (folder / "log").open("ab")
        self._command = [*prefix, SSHD, "-D", "-e", "-f", str(folder / "config")]
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stderr=self._log)

    def restart(self) -> None:
        """After its process was ended: the same server once more."""
        (self.folder / "log").write_bytes(b"")
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stderr=self._log)
        self._listens()

    def __enter__(self) -> Self:
        self._listens()
        return self

    def _listens(self) -> None:
        end = time.monotonic() + 20
        while "Server listening" not in self.log():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"sshd did not start: {self.log()}")
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._log.close()
        shutil.rmtree(self._open, ignore_errors=True)

    def allow(self, *public: Path, options: str = "") -> None:
        text = "".join(f"{options} {p.read_text()}".lstrip() for p in public)
        self.authorized.write_text(self.authorized.read_text() + text)

    def known_hosts_line(self, host: str | None = None) -> str:
        kind, key = self.host_key.with_suffix(".pub").read_text().split()[:2]
        return f"[{host or self.address}]:{self.port} {kind} {key}\n"

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


def user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
