"""Which system this is: os-release(5), uname(1), machine-id(5), the host's clock and uptime.

The machine id is confidential by its own man page, so the facts hold a digest of it: enough to tell two machines apart.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

from auditor.collectors.collector import Collector, CollectorResult
from auditor.collectors.linux.script_output import ScriptOutput
from auditor.errors import FactUnavailable
from auditor.model.facts import Platform, Volatile

SH = r"""
c_identity() {
  printf "uid=%s become=%s\n" "$U" "$BECOME"
  printf "uname="
  uname -srvm
  printf "clock="
  date -u +%s
  [ -r /etc/machine-id ] && IFS= read -r line </etc/machine-id && printf "machine-id=%s\n" "$line"
  [ -n "$SSH_CONNECTION" ] && printf "came-by=%s\n" "${SSH_CONNECTION##* }"
  [ -r /proc/uptime ] && IFS=" " read -r line rest </proc/uptime && printf "uptime=%s\n" "$line"
  :
}
c_os_release() { cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release; }
"""

_ID = re.compile(r"[a-z0-9._-]{1,40}")


def parse(output: ScriptOutput) -> CollectorResult:
    """`platform`, `machine_id`, and the volatile uptime and clock."""
    said = dict(line.partition("=")[::2] for line in output.get("identity").lines(100))
    system, _, rest = said.get("uname", "").partition(" ")
    if not system:
        raise FactUnavailable("uname said nothing")
    kernel, _, rest = rest.partition(" ")
    arch = rest.rpartition(" ")[2]
    if system != "Linux":
        raise FactUnavailable(f"this system calls itself {system}; only Linux is read over a shell so far")
    uptime, clock = said.get("uptime", ""), said.get("clock", "")
    volatile = Volatile(
        uptime=float(uptime) if re.fullmatch(r"\d{1,12}(\.\d+)?", uptime) else None,
        clock=datetime.fromtimestamp(int(clock), UTC) if re.fullmatch(r"\d{1,11}", clock) else None,
    )
    facts = {"machine_id": _machine_id(said.get("machine-id", "")), "volatile": volatile}
    platform = Platform(family="linux", arch=arch or None, kernel=kernel or None)
    try:
        release = os_release(output.good("os_release").lines(200))
    except FactUnavailable as e:
        return CollectorResult(facts | {"platform": platform}, partial=f"os-release: {e}")
    ident, version = release.get("ID", "linux"), release.get("VERSION_ID")
    if not _ID.fullmatch(ident) or (version is not None and not _ID.fullmatch(version)):
        return CollectorResult(facts | {"platform": platform}, partial="os-release: ID or VERSION_ID is malformed")
    return CollectorResult(
        facts
        | {
            "platform": Platform(
                family="linux",
                product=product_id("centos-stream" if release.get("NAME") == "CentOS Stream" else ident, version),
                version=version,
                arch=arch or None,
                kernel=kernel or None,
                name=release.get("PRETTY_NAME"),
                codename=_codename(release),
            )
        }
    )


def _codename(release: dict[str, str]) -> str | None:
    """Of the release whose packages it takes: Mint names Ubuntu's (UBUNTU_CODENAME) or Debian's besides its own."""
    return release.get("UBUNTU_CODENAME") or release.get("DEBIAN_CODENAME") or release.get("VERSION_CODENAME")


# os-release names that differ from the product ids of the house.
_NAMES = {"ol": "oracle", "amzn": "amazon"}
_MAJOR_ONLY = {"rhel", "centos", "centos-stream", "almalinux", "rocky", "oracle"}


def product_id(ident: str, version: str | None) -> str:
    """`debian-12`, `ubuntu-24.04`, `rhel-9` (the minor release is in `version`), `arch` (a rolling release)."""
    name = _NAMES.get(ident, ident)
    if version is None:
        return name
    if name == "amazon" and version.startswith("20") and version != "2023" and "." in version:
        return "amazon-1"  # its VERSION_ID is a date: 2018.03
    if name == "alpine" and "_" in version:
        return "alpine-edge"  # its VERSION_ID is that of the release to come, with a date: 3.22.0_alpha20250108
    parts = version.split(".")
    kept = 1 if name in _MAJOR_ONLY else 2 if name == "alpine" else len(parts)
    return f"{name}-{'.'.join(parts[:kept])}"


def os_release(lines: Iterable[str]) -> dict[str, str]:
    """os-release(5): shell-like assignments, unquoted as a shell would; lines that are none are passed over."""
    out = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[A-Z][A-Z0-9_]{0,60}", key):
            out[key] = _unquoted(value)
    return out


def _unquoted(value: str) -> str:
    """One value, at most limits.MAX_LINE long, which is what shlex takes in good time."""
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return value


def _machine_id(text: str) -> str | None:
    return hashlib.sha256(b"auditor:" + text.encode()).hexdigest()[:32] if re.fullmatch(r"[0-9a-f]{32}", text) else None


COLLECTOR = Collector(name="platform", sections=("identity", "os_release"), sh=SH, parse=parse)
