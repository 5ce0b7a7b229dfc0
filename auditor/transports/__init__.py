"""How to reach a host. To add a way: write a file with a Session, put it in the list below (docs: CONTRIBUTING.md)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

from auditor.foundation.deadline import Deadline
from auditor.model.target import Connection, Target
from auditor.transports.permits import Permits
from auditor.transports.session import Session

# paramiko imports `invoke` only to run ssh_config's `Match exec`, which is refused here: without it that is impossible,
# and a third of paramiko's start-up is saved. None makes the import fail, which paramiko expects.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]

# module:class, imported when first used: paramiko alone costs a fifth of a second.
TRANSPORTS: dict[Connection, str] = {
    "local": "auditor.transports.local:LocalSession",
    "ssh": "auditor.transports.ssh.session:SshSession",
    "openssh": "auditor.transports.openssh.session:OpensshSession",
    "winrm": "auditor.transports.winrm.session:WinrmSession",
    "winreg": "auditor.transports.remote_registry.session:WinregSession",
    "replay": "auditor.transports.replay:open_recording",
}


def open_session(target: Target, deadline: Deadline, permits: Permits) -> Session:
    """The session of the target's transport, which sends nothing that is not permitted; HostError where it cannot even be
    prepared."""
    module, _, name = TRANSPORTS[target.connection].partition(":")
    factory: Callable[[Target, Deadline, Permits], Session] = getattr(import_module(module), name)
    return factory(target, deadline, permits)
