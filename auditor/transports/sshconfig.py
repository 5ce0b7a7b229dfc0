"""~/.ssh/config (ssh_config(5)), laid under what the inventory says of its ssh targets.

Honoured: Host, Match (host, originalhost, user, localuser, all), Include, HostName, User, Port, IdentityFile,
CertificateFile, ProxyJump, UserKnownHostsFile, ConnectTimeout, HostKeyAlias. `Match exec` would run a command at every
look-up and is refused; ProxyCommand is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from auditor.errors import FileFaults, UsageFault
from auditor.model.target import Target, Timeouts, parse_hop

if TYPE_CHECKING:
    from paramiko.config import SSHConfig, SSHConfigDict

MAX_INCLUDES = 16
MAX_BYTES = 4_000_000
_EXEC = re.compile(r"^\s*match\b[^#]*?[\s!]exec\b", re.IGNORECASE)
_INCLUDE = re.compile(r"^\s*include\s*[=\s]\s*(.+?)\s*$", re.IGNORECASE)


def resolve_all(targets: list[Target], path: Path | None = None) -> list[Target]:
    """Every ssh target with what ssh_config says of it and of its jump hosts. Raises FileFaults or UsageFault."""
    path = path or Path("~/.ssh/config").expanduser()
    if not any(t.connection == "ssh" for t in targets) or not path.is_file():
        return targets
    config = read(path)
    return [_resolve(t, config, str(path)) if t.connection == "ssh" else t for t in targets]


def read(path: Path) -> SSHConfig:
    """Parse the file and what it includes; FileFaults with every line that is refused."""
    from paramiko.config import SSHConfig
    from paramiko.ssh_exception import ConfigParseError

    faults: list[str] = []
    text = "\n".join(_lines(path, faults, [0]))
    if faults:
        raise FileFaults(faults)
    try:
        return SSHConfig.from_text(text)
    except ConfigParseError as e:
        raise FileFaults([f"{path}:1: {e}"]) from None


def _lines(path: Path, faults: list[str], included: list[int]) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError as e:
        faults.append(f"{path}:1: cannot be read: {e.strerror}")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if _EXEC.search(line):
            faults.append(f"{path}:{number}: `Match exec` runs a command at every look-up; it is refused, and nothing was run")
        found = _INCLUDE.match(line)
        if not found:
            yield line
            continue
        for pattern in found[1].split():
            folder = Path("~/.ssh").expanduser()
            for part in sorted(folder.glob(pattern) if not pattern.startswith(("/", "~")) else _glob(pattern)):
                included[0] += 1
                if included[0] > MAX_INCLUDES:
                    faults.append(f"{path}:{number}: more than {MAX_INCLUDES} files are included (one includes itself?)")
                    return
                yield from _lines(part, faults, included)


def _glob(pattern: str) -> Iterator[Path]:
    whole = Path(pattern).expanduser()
    return Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))


def _resolve(target: Target, config: SSHConfig, path: str) -> Target:
    found = config.lookup(target.address or target.name)
    jump = target.jump
    if not jump and found.get("proxyjump", "none").lower() != "none":
        try:
            jump = tuple(parse_hop(hop.strip().removeprefix("ssh://")) for hop in found["proxyjump"].split(","))
        except ValueError as e:
            raise UsageFault(f"{path}: ProxyJump of {target.name}: {e}") from None
    if not jump and found.get("proxycommand", "none") not in (None, "none"):
        raise UsageFault(f"{path}: ProxyCommand of {target.name} is not run; use ProxyJump there, or `jump` in the inventory")
    return replace(_login(target, found), jump=tuple(_login(hop, config.lookup(hop.address or hop.name)) for hop in jump))


def _login(target: Target, found: SSHConfigDict) -> Target:
    """What the inventory leaves open, from ssh_config."""
    timeouts = target.timeouts
    if "connecttimeout" in found and found["connecttimeout"].isdecimal() and timeouts.connect == Timeouts().connect:
        timeouts = replace(timeouts, connect=float(found["connecttimeout"]))
    certificate = found.get("certificatefile")
    return replace(
        target,
        address=found.get("hostname") or target.address,
        user=target.user or found.get("user"),
        port=target.port or (int(found["port"]) if found.get("port", "").isdecimal() else None),
        identity_files=target.identity_files or tuple(found.get("identityfile", ())),
        certificate_file=target.certificate_file or (certificate[0] if isinstance(certificate, list) else certificate),
        known_hosts=target.known_hosts or tuple(str(Path(p).expanduser()) for p in found.get("userknownhostsfile", "").split()),
        alias=target.alias or found.get("hostkeyalias"),
        timeouts=timeouts,
    )
