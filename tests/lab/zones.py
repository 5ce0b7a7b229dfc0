"""Zones on a real RabbitMQ, set up by the script that `auditor zones setup` prints, and real workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from auditor.zones.setup import script
from tests.lab.certificates import Certificate
from tests.lab.rabbit import Broker
from tests.lab.sshd import Sshd, keygen
from tests.places import ROOT

_START = """import auditor
auditor.__version__ = {!r} or auditor.__version__
from auditor.cli import main
main()"""

_ASKED = """#!/bin/sh
echo "begin $(date +%s.%N) $$" >>{log}
sleep "$(cat {pause})"
sh -c "$SSH_ORIGINAL_COMMAND"
code=$?
echo "end $(date +%s.%N) $$" >>{log}
exit $code
"""


class SlowHost(Sshd):
    """A host that takes `pause` seconds for its answer and keeps a log of who asked it from when to when."""

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        super().__init__(folder)
        self.asked_log, self._pause = folder / "asked", folder / "pause"
        self.asked_log.touch()
        self.pause(pause)
        self.key = keygen(folder / "key")
        forced = folder / "forced"
        forced.write_text(_ASKED.format(log=self.asked_log, pause=self._pause))
        forced.chmod(0o755)
        self.allow(self.key.with_suffix(".pub"), options=f'command="{forced}"')
        (folder / "known").write_text(self.known_hosts_line())

    def pause(self, seconds: float) -> None:
        """From now on it takes so long."""
        self._pause.write_text(f"{seconds:g}\n")

    def served(self) -> str:
        """What a worker's file says of it."""
        return f"{{hosts: [{self.address}], key_file: {self.key}, known_hosts: {self.folder}/known}}"

    def asked(self) -> list[tuple[float, float]]:
        """From when to when it was asked, in order; a question without an end lasts for ever."""
        begun: dict[str, list[float]] = {}
        for line in self.asked_log.read_text().splitlines():
            _, when, process = line.split()
            begun.setdefault(process, []).append(float(when))
        return sorted((times[0], times[1] if len(times) > 1 else float("inf")) for times in begun.values())

    def wait_asked(self, times: int, seconds: float = 30.0) -> None:
        """Until it was asked so often."""
        end = time.monotonic() + seconds
        while len(self.asked()) < times:
            assert time.monotonic() < end, f"it was asked {len(self.asked())} times"
            time.sleep(0.05)


class ZoneLab:
    """A broker, the centre's folder (`folder`: an inventory belongs there) and workers. A context."""

    def __init__(self, folder: Path, zones: Sequence[str] = ("plant",), extra: str = "") -> None:
        self.folder, self.zones, self._extra = folder, zones, extra
        folder.mkdir(parents=True, exist_ok=True)
        for zone in zones:
            (folder / f"setup-{zone}.sh").write_text(script(zone, "127.0.0.1", "auditor"))
            self.printed(zone, "certificates")
        self.keys = folder / "zones"
        self.broker = Broker(folder / "mq", Certificate(self.keys / "ca.pem", self.keys / "ca.key"))

    def __enter__(self) -> Self:
        self.restart()
        for zone in self.zones:
            self.broker.ctl("import_definitions", given=self.printed(zone, "definitions"))
        self.broker.ctl("delete_user", "guest")
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()

    def restart(self) -> None:
        """Start the broker, again after it was killed or stopped, with heartbeats of three seconds, so that nobody waits long for a loss."""
        own = f"ssl_options.certfile = {self.keys}/broker.pem\nssl_options.keyfile = {self.keys}/broker.key\nheartbeat = 3\n"
        self.broker.start(own + self._extra)

    def printed(self, zone: str, part: str) -> str:
        """What one part of the printed script says or does."""
        done = subprocess.run(["sh", f"setup-{zone}.sh", part], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        return f"amqps://127.0.0.1:{self.broker.port}/auditor"

    def inventory(self, text: str, zones: str = "") -> Path:
        """An inventory with the lab's broker and zones."""
        path = self.folder / "inventory.yaml"
        path.write_text(
            f"broker: {self.url}\nzones: {zones or '{' + ', '.join(f'{z}: {{}}' for z in self.zones) + '}'}\n{text}"
        )
        return path

    def settings(self, zone: str, targets: str, more: str = "", file: str = "") -> Path:
        """A worker's file; `targets` is its list, as YAML."""
        path = self.keys / f"{file or zone}.yaml"
        path.write_text(
            f"zone: {zone}\n"
            f"broker: {{url: '{self.url}', ca_file: ca.pem, cert_file: {zone}.pem, key_file: {zone}.key, signing_key: {zone}-signing.key}}\n"
            f"centre_key: centre-signing.pub\ntargets: {targets}\n{more}"
        )
        return path

    @contextmanager
    def worker(self, zone: str, settings: Path, *, version: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """A worker that is there when it is given; its log lies beside its file. `version`: it says that it is of this one."""
        log = settings.with_suffix(".log")
        before = len(log.read_bytes()) if log.exists() else 0
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", _START.format(version), "worker", "--zone", zone, "--settings", str(settings)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            end = time.monotonic() + 20
            while b"started" not in log.read_bytes()[before:]:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
