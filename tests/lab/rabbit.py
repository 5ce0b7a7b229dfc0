"""A private RabbitMQ node on 127.0.0.1: its own data, cookie, epmd and certificates, ended by its process ids."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.lab.certificates import Certificate, make_ca, make_certificate
from tests.lab.sshd import free_port

# Debian's /usr/sbin/rabbitmq-server would change to the user rabbitmq; this is the script that it calls.
_SCRIPTS = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
SERVER = _SCRIPTS[-1] / "rabbitmq-server" if _SCRIPTS else None
EPMD = shutil.which("epmd")
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"

_CONF = """\
listeners.tcp = none
listeners.ssl.default = 127.0.0.1:{port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = EXTERNAL
ssl_cert_login_from = common_name
log.file.level = info
log.console = false
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 10MB
raft.wal_max_size_bytes = 33554432
"""


class Broker:
    """Speaks AMQPS on `port`; who shows a certificate of `ca` is the user whom its common name names.

    `start`, `kill` and `stop` may follow each other in any order: the data stays. Leaving the context stops everything.
    """

    def __init__(self, folder: Path, ca: Certificate | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.node = f"auditor-test-{self.port}@localhost"
        for name in ("home", "data", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.ca = ca or make_ca(folder / "tls")
        self.certificate = make_certificate(self.ca, "localhost", server=True, file=f"broker-{self.port}")
        self.conf = folder / "rabbitmq.conf"
        (folder / "rabbitmq-env.conf").touch()
        (folder / "plugins").write_text("[rabbitmq_auth_mechanism_ssl].\n")
        cookie = folder / "home" / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)  # Erlang takes no other
        self._epmd_port = free_port()
        self._env = _environment(folder, self.node, self._epmd_port)
        self._epmd: subprocess.Popen[bytes] | None = None
        self._vm: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The Erlang VM's."""
        assert self._vm, "it is not running"
        return self._vm.pid

    def log(self) -> str:
        path = self.folder / "log" / f"{self.node}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, extra: str = "") -> None:
        """`extra` are lines for rabbitmq.conf; they win over ours."""
        assert self._vm is None, "it is running"
        self.conf.write_text(
            _CONF.format(
                port=self.port, ca=self.ca.certificate, certificate=self.certificate.certificate, key=self.certificate.key
            )
            + extra.rstrip("\n")
            + "\n"
        )
        self._start_epmd()
        before = len(self.log())
        with (self.folder / "log" / "console").open("ab") as console:
            self._vm = subprocess.Popen(
                [str(SERVER)],
                env=self._env,
                cwd=self.folder,  # a crash dump goes here
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C at the tests is not for it: `stop` ends it
            )
        end = time.monotonic() + 60
        while "Server startup complete" not in self.log()[before:]:
            if self._vm.poll() is not None or time.monotonic() > end:
                console_text = (self.folder / "log" / "console").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"RabbitMQ did not start: {console_text[-4000:]}\n{self.log()[before:][-4000:]}")
            time.sleep(0.05)

    def ctl(self, *words: str, given: str = "") -> str:
        """`rabbitmqctl WORDS`, with `given` on its standard input; what it wrote."""
        assert SERVER
        command = [str(SERVER.with_name("rabbitmqctl")), "-q", "-n", self.node, *words]
        done = subprocess.run(command, env=self._env, input=given, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def kill(self) -> None:
        """As if the machine had lost its power, but for what the kernel still has to write."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it cleanly, and its epmd. Does nothing where nothing runs."""
        self._end(signal.SIGTERM)
        if self._epmd:
            self._epmd.terminate()
            self._epmd.wait()
            self._epmd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        if self._vm is None:
            return
        group = self._vm.pid  # it leads the group, of which are the few helpers that the VM starts
        self._vm.send_signal(how)
        try:
            self._vm.wait(30)
        except subprocess.TimeoutExpired:
            self._vm.kill()
            self._vm.wait()
        self._vm = None
        with contextlib.suppress(ProcessLookupError):  # they end by themselves, mostly before us
            os.killpg(group, signal.SIGKILL)

    def _start_epmd(self) -> None:
        """One of our own, in the foreground: the one that Erlang starts would outlive it."""
        if self._epmd is None:
            command = [EPMD or "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _answers([*command[:3], "-names"], self._env)


def _answers(command: list[str], env: dict[str, str]) -> None:
    end = time.monotonic() + 10
    while subprocess.run(command, env=env, capture_output=True).returncode:
        if time.monotonic() > end:
            raise RuntimeError("epmd did not start")
        time.sleep(0.02)


def _environment(folder: Path, node: str, epmd_port: int) -> dict[str, str]:
    """All of it: nothing that is set for another node of this machine is for this one."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),  # empty, instead of the one below /etc
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 {_LOOPBACK}",
        "RABBITMQ_CTL_ERL_ARGS": f"+S 1:1 {_LOOPBACK}",
        "RABBITMQ_CTL_DIST_PORT_MIN": "0",  # any free one: the default is eleven ports for the whole machine
        "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the Erlang VM instead of waiting for it: its pid is ours
    }
