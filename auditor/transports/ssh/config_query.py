"""Asking the system's ssh what ssh_config(5) says of a host: `ssh -G` (ssh(1))."""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.transports.child_process import Child
from auditor.transports.openssh import options
from auditor.transports.ssh.config_files import named_file

_SECONDS = 15.0  # an answer takes milliseconds; looking up canonical names may take ten seconds for each domain
_PLACE = re.compile(r"(?P<file>/[^\n]*?):? line (?P<line>\d+): (?P<what>[^\n]*)")
_EXEC = re.compile(r"match exec '.*' error")
SshConfigValues = dict[str, list[str]]


def program() -> str:
    """The path of ssh. HostError where there is none."""
    ssh = shutil.which("ssh")
    if not ssh:
        raise HostError("internal", "ssh_config is read by OpenSSH's client, and there is no `ssh` in the PATH; install it")
    return ssh


def ask(host: Target, deadline: Deadline) -> SshConfigValues:
    """What ssh would do for a host: keywords in lower case with their values. HostError with file:line where it refuses."""
    ssh = program()
    status, out, err = _run(ssh, [*options.login(host), "--", options.address(host)], deadline)
    if status == 0:
        return _read(out)
    raise _refused(err, host)


def _run(ssh: str, words: list[str], deadline: Deadline) -> tuple[int, str, str]:
    known = () if words[:2] == ["-F", "none"] else defaults_of(ssh)
    fork = ["-o", "ForkAfterAuthentication=no"] if "forkafterauthentication" in known else []
    file = [] if words[:1] == ["-F"] else named_file()
    environment = options.environment(os.environ) | {"SHELL": "/"}  # for `Match exec`: see config.py
    limit = deadline.limit(_SECONDS, "asking ssh what ssh_config says")
    try:
        with Child([ssh, "-G", "-T", *file, *fork, *words], env=environment) as child:
            limit.watch(child.kill)
            child.feed(b"")
            out, err, _ = child.read()
            status = child.end()
        if limit.over:
            raise limit.error()
    finally:
        limit.done()
    return status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


@lru_cache(maxsize=4)
def defaults_of(ssh: str) -> SshConfigValues:
    """What this ssh does where no file says anything."""
    status, out, err = _run(ssh, ["-F", "none", "--", "localhost"], Deadline(_SECONDS, "asking ssh for its defaults"))
    if status:
        raise HostError(
            "internal", f"`ssh -G` does not say what ssh does: {err.strip()[:200]} (OpenSSH 6.8 or later is needed)"
        )
    return _read(out)


def _read(text: str) -> SshConfigValues:
    said: SshConfigValues = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        said.setdefault(key, []).append(value.strip())
    return said


def _refused(err: str, host: Target) -> HostError:
    """ssh's own words, with file:line before them where it gives a place."""
    lines = [line for line in err.splitlines() if line.strip() and ": terminating, " not in line]
    placed = next((m for line in reversed(lines) if (m := _PLACE.search(line))), None)
    if placed is None:
        return HostError("resolve", f"ssh refuses {options.address(host)}: {lines[-1][:300] if lines else 'without a word'}")
    what = placed["what"].rstrip()
    before = [line for line in lines if not _PLACE.search(line)]
    if before and "Bad Match condition" in what:  # ssh names the criterion in a line of its own
        what = f"{before[-1].strip()[:200]} ({what})"
    if _EXEC.search(what):
        what = "`Match exec` would run a command while the file is read; it is refused, and nothing was run"
    return HostError("resolve", f"{placed['file']}:{placed['line']}: {what}")
