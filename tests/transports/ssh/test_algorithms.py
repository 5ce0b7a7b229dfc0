"""Ciphers and MACs that are not offered, against real servers that have nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from paramiko import Transport

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.foundation.deadline import Stop
from auditor.transports.ssh import algorithms
from auditor.transports.ssh.key_scan import scan_key
from auditor.transports.ssh.link import Link
from tests.lab.hostile import Host

WEAK = [
    "Ciphers aes128-cbc",
    "Ciphers 3des-cbc",
    "Ciphers aes256-cbc,aes192-cbc",
    "MACs hmac-sha1-96",
    "MACs hmac-md5",
    "MACs hmac-md5-96",
]
# A MAC is agreed on only beside a cipher that has none of its own.
CONFIG = {w: (w, "Ciphers aes128-ctr") if w.startswith("MACs") else (w,) for w in WEAK}


@pytest.mark.parametrize("connection", ["ssh", "openssh"])
@pytest.mark.parametrize("weak", WEAK)
def test_weak_ones_are_refused_and_a_relaxation_is_said(
    tmp_path: Path, audit: AuditContext, weak: str, connection: str
) -> None:
    with Host(tmp_path / "host", *CONFIG[weak]) as host:
        target = host.target(connection=connection)
        result = scan(target, audit, Stop())
        assert result.error, result.outcome
        assert result.error.kind == "no-common-algorithm", result.error
        relaxed = replace(target, weak_ciphers=True)
        assert scan(relaxed, audit, Stop()).outcome in ("assessed", "partial")
        assert relaxed.relaxed == ("t: weak ciphers and MACs are accepted (CBC, MD5, 96 bits)",)
        if connection == "ssh":
            assert "weak_ciphers" in result.error.message
            assert (scan_key(target, Stop()).state, scan_key(relaxed, Stop()).state) == ("error", "known")


@pytest.mark.parametrize("kind", [Transport, Link])
def test_what_is_left_is_what_openssh_offers(kind: type, tmp_path: Path) -> None:
    class Offered:
        _preferred_ciphers = kind._preferred_ciphers  # type: ignore[attr-defined]
        _preferred_macs = kind._preferred_macs  # type: ignore[attr-defined]

    offered = Offered()
    from auditor.model.target import Target

    algorithms.offer(offered, Target(name="x"))
    for name in (*offered._preferred_ciphers, *offered._preferred_macs):
        assert not any(word in name for word in ("cbc", "md5", "-96", "3des", "arcfour")), name
    assert len(offered._preferred_ciphers) >= 5
    assert len(offered._preferred_macs) >= 4
