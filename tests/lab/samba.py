"""A private smbd on 127.0.0.1 whose registry is a posed host's, for the remote registry (pipe `winreg`).

It needs root, because smbd changes to the user who logs in. Configuration, users and state lie in a folder of its own, which
goes with it. Samba answers a few keys from its own configuration (Windows NT\\CurrentVersion,
ProductOptions, Tcpip\\Parameters), so the posed registry lies below HKLM\\POSED, and `posed` makes a session begin there.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.lab.installed import need, need_root
from tests.lab.sshd import free_port

_PLACES = "/usr/sbin:/usr/bin:/usr/libexec/samba:/usr/lib/samba"
SMBD, RPC, NET, SMBPASSWD = (
    Path(found) if (found := shutil.which(name, path=_PLACES)) else None
    for name in ("smbd", "samba-dcerpcd", "net", "smbpasswd")
)
# Name at the server -> the user of this machine behind it, and the password.
USERS = {"audit": ("root", "Grün & 5 secret"), "reader": ("nobody", "reads little")}
ROOT = "POSED"


class Samba:
    """`config` are lines of smb.conf's [global]; without `pipes` there is a login and nothing behind it. Use as a context
    manager; it ends with all that it started."""

    def __init__(
        self, registry: str = "", *config: str, pipes: bool = True, address: str = "127.0.0.1", port: int | None = None
    ) -> None:
        need("samba", SMBD, RPC, NET, SMBPASSWD)
        need_root("smbd changes to the user who logs in")
        self.address, self.port, self._pipes = address, port or free_port(), pipes
        self._processes: list[subprocess.Popen[bytes]] = []
        # Its services read the registry with the rights of who is logged in, and pytest's folders are closed to others.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="auditor-samba-"))
        folder.chmod(0o755)
        self._conf = folder / "smb.conf"
        places = {"private dir": "private", "state directory": "state", "lock directory": "lock", "cache directory": "cache",
                  "pid directory": "pid", "ncalrpc dir": "ncalrpc", "binddns dir": "dns"}  # fmt: skip
        for place in places.values():
            (folder / place).mkdir(mode=0o755, exist_ok=True)
        (folder / "users").write_text("".join(f"{unix} = {name}\n" for name, (unix, _) in USERS.items()))
        lines = [
            "workgroup = LAB",
            "netbios name = POSED",
            "server role = standalone server",
            *(f"{name} = {folder / place}" for name, place in places.items()),
            f"passdb backend = tdbsam:{folder}/private/passdb.tdb",
            f"username map = {folder}/users",
            f"log file = {folder}/log",
            "log level = 1 auth:3",
            f"smb ports = {self.port}",
            f"interfaces = {address}/8",
            "bind interfaces only = yes",
            "disable netbios = yes",
            "map to guest = never",
            "load printers = no",
            "printing = bsd",
            "printcap name = /dev/null",
            "disable spoolss = yes",
            "rpc start on demand helpers = no",  # it would outlive us
            *config,
        ]
        self._conf.write_text("[global]\n" + "".join(f"{line}\n" for line in lines))
        for unix, password in USERS.values():
            self._tool(SMBPASSWD, "-c", str(self._conf), "-s", "-a", unix, stdin=f"{password}\n{password}\n")
        if registry:
            file = folder / "posed.reg"
            # Without an empty line at the end `net` drops the last value.
            file.write_text(registry.replace("[HKEY_LOCAL_MACHINE", f"[HKEY_LOCAL_MACHINE\\{ROOT}") + "\n\n", "utf-8")
            self._tool(NET, "-s", str(self._conf), "registry", "import", str(file))

    def deny(self, key: str) -> None:
        """From now on only administrators may open this key of the posed registry."""
        self._tool(
            NET,
            "-s",
            str(self._conf),
            "registry",
            "setsd_sddl",
            f"HKLM\\{ROOT}\\{key}",
            "O:BAG:SYD:(A;;RPWPCCDCLCRCWOWDSDSW;;;BA)",
        )

    def __enter__(self) -> Self:
        programs: list[tuple[Path | None, tuple[str, ...]]] = [
            (SMBD, ()),
            *([(RPC, ("--libexec-rpcds",))] if self._pipes else []),
        ]
        with (self.folder / "out").open("ab") as out:
            for program, words in programs:
                assert program
                command: list[str | Path] = [program, "--foreground", "--no-process-group", "--configfile", self._conf, *words]
                # A process group of its own, because all its children have to end with it.
                self._processes.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
                )
        end = time.monotonic() + 20
        while not self._listens():
            if any(p.poll() is not None for p in self._processes) or time.monotonic() > end:
                said = self.log()
                self.__exit__()
                raise RuntimeError(f"smbd did not start: {said}")
            time.sleep(0.02)
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.address, self.port), timeout=5).close()
        except OSError:
            return False
        return not self._pipes or (self.folder / "ncalrpc/np/winreg").is_socket()

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            _signal(process.pid, signal.SIGTERM)
        end = time.monotonic() + 10
        for process in self._processes:
            process.wait()
            while _group_lives(process.pid):
                time.sleep(0.02)
                if time.monotonic() > end:
                    _signal(process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        return "".join(p.read_text(errors="replace") for p in (self.folder / "out", self.folder / "log") if p.is_file())

    def _tool(self, program: Path | None, *words: str, stdin: str = "") -> None:
        assert program
        done = subprocess.run([program, *words], input=stdin, text=True, capture_output=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{program.name} {' '.join(words)}: {done.stdout}{done.stderr}")


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass  # it has ended by itself


def _group_lives(group: int) -> bool:
    """Does any process of the group live that is not a zombie, waiting for its parent?"""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(its_group) == group and state != "Z":
            return True
    return False


@contextmanager
def posed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sessions take HKLM\\POSED for HKLM."""
    from auditor.transports.remote_registry import rpc

    real = rpc.Registry.root

    def root(self: Any, name: str) -> Any:
        code, top = real(self, name)
        if code or name != "HKLM":
            return code, top
        return self.below(top, ROOT)

    with monkeypatch.context() as patch:
        patch.setattr(rpc.Registry, "root", root)
        yield
