"""What a night needs beside hosts that answer: places to write to, programs, secrets, keys, a mail server.

Each fault in a sentence, looked for before the night and not in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditor.errors import HostError, MailError
from auditor.foundation import secret_refs
from auditor.foundation.deadline import Deadline
from auditor.foundation.files import unwritable
from auditor.history.maintenance import exposed
from auditor.inventory.inventory import Inventory
from auditor.mail.smtp import reach
from auditor.model.plan import AUDIT
from auditor.model.target import Target
from auditor.transports.ssh.config import resolved

_SHOWN = 3  # hosts that are named where one thing is wanting to several


def wanting(opened: Inventory, history: Path) -> Iterator[str]:
    """What would fail in the night, for the user that asks. The mail server is asked; no host is."""
    yield from _places(opened, history)
    yield from _programs(opened)
    yield from _of_hosts(opened.targets.values())
    if opened.mail:
        if opened.mail.password and (wrong := secret_refs.problem(opened.mail.password)):
            yield f"mail: password: {opened.mail.password} {wrong}"
        else:
            try:
                reach(opened.mail)
            except MailError as e:
                yield f"mail: {e}"


def _places(opened: Inventory, history: Path) -> Iterator[str]:
    if history.exists() and not os.access(history, os.W_OK):
        yield f"the history {history} may not be written"
    if history.exists():
        yield from exposed(history)
    where = {"history": history}
    plans = [p.name for p in opened.plans] or [""]
    for key, path in (("report", opened.agent.report), ("metrics", opened.agent.metrics)):
        where |= {f"agent: {key}": Path(path.replace(AUDIT, plan)) for plan in plans if path}
    for what, place in where.items():
        if fault := unwritable(place):
            yield f"{what}: {fault}"


def _programs(opened: Inventory) -> Iterator[str]:
    if opened.agent.heartbeat and not shutil.which(opened.agent.heartbeat[0]):
        yield f"agent: heartbeat: the program {opened.agent.heartbeat[0]!r} is not found"
    by_ssh = [t.name for t in opened.targets.values() if t.connection == "openssh"]
    if by_ssh and not shutil.which("ssh"):
        yield f"the program 'ssh' is not found, and {_named(by_ssh)} {_be(by_ssh)} reached by it (connection: openssh)"


def _of_hosts(targets: Iterable[Target]) -> Iterator[str]:
    """What is wanting to hosts: what several want is said once."""
    found: dict[str, list[str]] = {}
    for target in targets:
        for fault in _of_host(target):
            found.setdefault(fault, []).append(target.name)
    yield from (f"{_named(names)}: {fault}" for fault, names in found.items())


def _of_host(target: Target) -> Iterator[str]:
    try:
        target = resolved(target, Deadline(target.timeouts.total, "reading ssh_config"))
    except HostError as e:
        yield f"{e.kind}: {e}"
        return
    for hop in (*target.jump, target):
        references = (hop.password, hop.key_passphrase, hop.become.password if hop.become else None)
        yield from (
            f"{ref}: {wrong}"
            for ref in references
            if ref and not ref.startswith(secret_refs.ZONE) and (wrong := secret_refs.problem(ref))
        )
        for key in ("key_file", "certificate_file", "cert_file", "cert_key_file", "ca_file"):
            path = getattr(hop, key)
            if path and not os.access(Path(path).expanduser(), os.R_OK):
                yield f"{key}: {path} is not there, or may not be read"
    wants_login = target.connection == "winreg" or (target.connection == "winrm" and target.auth in ("ntlm", "basic"))
    if wants_login and not (target.user and target.password):
        yield f"{target.connection}: it needs `user` and `password`"
    if target.connection == "replay" and target.path and not Path(target.path).exists():
        yield f"path: there is no recording {target.path}"


def _named(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _be(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
