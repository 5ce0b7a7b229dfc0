"""Debian's exim on loopback, with STARTTLS, delivering into a Maildir.

It is unpacked, not installed: installed it would take the place of the machine's own mail server. Its binary insists on a
user of its own, so it runs in a mount namespace with a passwd that has one, and that needs root.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.mail.server import certificate
from tests.places import ROOT

EXIM = ROOT / ".schemas/exim/usr/sbin/exim4"
_UID = 64999
_CONFIG = """
primary_hostname = mx.example.com
domainlist local_domains = example.com
exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {folder}/spool/ca.pem
tls_privatekey = {folder}/spool/key.pem
never_users =
keep_environment =
acl_smtp_rcpt = recipients
begin acl
recipients:
  defer message = try again later
        condition = ${{if exists{{{folder}/spool/away}}}}
  deny message = only over TLS
       !encrypted = *
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {folder}/spool/mail/kim
  create_directory
  maildir_format
  user = Debian-exim
"""


class Exim(NamedTuple):
    """`ca` is the certificate's authority; as long as `away` is there, every recipient gets a 451."""

    port: int
    ca: Path
    away: Path
    box: Path

    def delivered(self, count: int) -> list[bytes]:
        """The mails in kim's box, once there are so many, or after ten seconds."""
        for _ in range(100):
            if len(found := sorted(self.box.glob("*"))) >= count:
                break
            time.sleep(0.1)
        return [path.read_bytes() for path in found]


@contextmanager
def exim() -> Iterator[Exim]:
    """A server with a spool of its own."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="auditor-exim-") as name:
        folder, spool = Path(name), Path(name) / "spool"
        folder.chmod(0o755)
        spool.mkdir()
        certificate(spool)
        (folder / "exim.conf").write_text(_CONFIG.format(exim=EXIM, folder=folder, port=port))
        _append("passwd", folder, f"Debian-exim:x:{_UID}:{_UID}::/nonexistent:/usr/sbin/nologin\n")
        _append("group", folder, f"Debian-exim:x:{_UID}:\n")
        subprocess.run(["chown", "-R", f"{_UID}:{_UID}", spool], check=True)
        script = (
            'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && exec "$2" -C "$1/exim.conf" -bdf'
        )
        server = subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", folder, EXIM])
        try:
            _ready(port)
            yield Exim(port, spool / "ca.pem", spool / "away", spool / "mail/kim/new")
        finally:
            server.terminate()
            server.wait(10)


def _append(name: str, folder: Path, line: str) -> None:
    (folder / name).write_text(Path("/etc", name).read_text(encoding="utf-8") + line, encoding="utf-8")


def _ready(port: int) -> None:
    for _ in range(100):
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("exim did not start")
