"""Makes the folders of tests/recordings anew: `python -m tests.lab.recordings`, as root on Debian 12, after the script changed.

The answers are the script's own. Afterwards changed, so that they tell nothing of where they were made: the machine id, the
clock, the names of running processes, the names of other hosts (package mirrors, and those that pins name).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from auditor.collectors.linux.host_facts import arguments
from auditor.collectors.linux.script import DIGEST, command
from auditor.rulebook.loader import load
from tests.places import RECORDINGS

# Where a recording names a host: in addresses, but for the distribution's own in os-release, and in pins (apt_preferences(5)).
HOST_NAMED = re.compile(r"(://|(?m:^)Pin: origin \"?)(?!(?:www|bugs)\.debian\.org/)(?!mirror\.example)[A-Za-z0-9.-]+(?::\d+)?")
MARKER = "5f0c2a9be1d34c7786aa10b2"
WHEN = datetime(2026, 11, 30, 12, tzinfo=UTC)
_OWN = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"]  # processes of its own, all of which root can read

# What a host lacks that lacks everything: a newer kernel, a flag, a server with a backlog of two, a deleted library that is
# still mapped, a security update; and a live patch, which excuses nothing. Run as `sh -c POSE pose SCRIPT...`.
POSE = r"""
set -e
ip link set lo up
mount -t tmpfs none /boot && touch "/boot/vmlinuz-$(uname -r)" /boot/vmlinuz-7.0.1-fc-v669
mount -t tmpfs none /sys/kernel && mkdir -p /sys/kernel/livepatch/livepatch_1 /sys/kernel/livepatch/off_2 && echo 1 >/sys/kernel/livepatch/livepatch_1/enabled && echo 0 >/sys/kernel/livepatch/off_2/enabled
mount -t tmpfs none /run && touch /run/reboot-required && printf 'libc6\n' >/run/reboot-required.pkgs
mount -t tmpfs none /etc/kernel && mkdir /etc/kernel/postinst.d && touch /etc/kernel/postinst.d/unattended-upgrades
mount -t tmpfs none /opt && cp /lib/x86_64-linux-gnu/libz.so.1 /opt/libz.so.1
mount -t tmpfs none /var/lib/apt/lists
cd /var/lib/apt/lists
printf 'Package: zlib1g\nSource: zlib\nVersion: 2:9.9-1\nArchitecture: amd64\n\nPackage: dpkg\nVersion: 1.0\nArchitecture: amd64\n\n' >mirror.example:3142_debian-security_dists_bookworm-security_main_binary-amd64_Packages
printf 'Package: nothing\nVersion: 1\nArchitecture: amd64\n\n' >mirror.example:3142_debian-security_dists_bookworm-security_contrib_binary-amd64_Packages
{
  printf 'Origin: Debian\nLabel: Debian-Security\nCodename: bookworm-security\nDate: Sun, 29 Nov 2026 10:00:00 UTC\nArchitectures: amd64\nComponents: main contrib\nSHA256:\n'
  for c in main contrib; do
    printf ' %064d %s %s/binary-amd64/Packages\n' 0 "$(wc -c <"mirror.example:3142_debian-security_dists_bookworm-security_${c}_binary-amd64_Packages")" $c
  done
} >mirror.example:3142_debian-security_dists_bookworm-security_InRelease
cd /
python3 -c '
import ctypes, os, socket, time
ctypes.CDLL("/opt/libz.so.1"); os.unlink("/opt/libz.so.1")
held = []
for port, backlog in ((8080, 2), (8081, 128)):
    s = socket.socket(); s.bind(("0.0.0.0", port)); s.listen(backlog); held.append(s)
open("/run/ready", "w"); time.sleep(60)' &
while [ ! -e /run/ready ]; do sleep 0.1; done
"$@"
kill $!
"""


def main() -> None:
    _keep("debian-12-root", _OWN)
    _keep("debian-12-unprivileged", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    _keep("debian-12-lacking", [*_OWN, "--net", "sh", "-c", POSE, "pose"])
    with _busybox() as root:
        _keep("busybox-only", [*_OWN, "chroot", str(root)])


def _keep(name: str, prefix: list[str]) -> None:
    asked = command(MARKER, arguments(load().requirements().linux), form="plain", deep=False, sudo="none")
    done = subprocess.run([*prefix, *asked.argv], capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=True)
    folder = RECORDINGS / name
    folder.mkdir(exist_ok=True)
    (folder / "stdout").write_bytes(_anonymous(done.stdout))
    (folder / "stderr").write_bytes(done.stderr)
    head = {
        "schema": "auditor.recording/1", "target": name, "recorded_at": WHEN.isoformat().replace("+00:00", "Z"), "marker": MARKER,
        "script": DIGEST, "way": "local", "exit_status": 0, "seconds": 0.1, "cut": None,
    }  # fmt: skip
    (folder / "recording.json").write_text(json.dumps(head, indent=1) + "\n")
    sys.stdout.write(f"{folder}: {len(done.stdout)} bytes\n")


def _anonymous(stdout: bytes) -> bytes:
    text = stdout.decode("utf-8", "surrogateescape")
    text = re.sub(r"(?m)^machine-id=.*$", "machine-id=0123456789abcdef0123456789abcdef", text)
    text = re.sub(r"(?m)^clock=.*$", f"clock={int(WHEN.timestamp())}", text)
    text = re.sub(r"(?m)^(\d+ [u-] (?:host|apart) ).*$", r"\1worker", text)
    text = re.sub(r'users:\(\("[^"]*"', 'users:(("worker"', text)
    text = re.sub(r"(?m)^((?:=list= )?)[a-z0-9.-]+(?=_debian)", r"\1mirror.example", text)
    text = re.sub(HOST_NAMED, r"\1mirror.example", text)
    return text.encode("utf-8", "surrogateescape")


@contextmanager
def _busybox() -> Iterator[Path]:
    """A root file system with nothing but busybox."""
    with tempfile.TemporaryDirectory(prefix="auditor-busybox-") as name:
        root = Path(name)
        for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "proc", "dev", "run"):
            (root / folder).mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "busybox", root / "bin" / "busybox")
        for library in re.findall(
            r"/lib\S+", subprocess.run(["ldd", root / "bin" / "busybox"], capture_output=True, text=True).stdout
        ):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
        subprocess.run(["chroot", name, "/bin/busybox", "--install", "-s"], check=True)
        subprocess.run(["mknod", str(root / "dev" / "null"), "c", "1", "3"], check=True)
        (root / "etc" / "os-release").write_text(
            'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n'
        )
        subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
        try:
            yield root
        finally:
            subprocess.run(["umount", str(root / "proc")], check=True)


if __name__ == "__main__":
    main()
