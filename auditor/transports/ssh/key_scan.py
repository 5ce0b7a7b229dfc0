"""Which key a host shows, without logging in: for `auditor keys scan` and `accept`."""

from __future__ import annotations

from paramiko import Transport

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.target import ShownKey, Target
from auditor.transports.permits import Nothing
from auditor.transports.ssh import host_keys, known_hosts
from auditor.transports.ssh.algorithms import offer
from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.faults import Dropped
from auditor.transports.ssh.session import SshSession, abort, close
from auditor.transports.ssh.wire import Bounded
from auditor.transports.tcp import connect

_STATES = {"host-key-changed": "changed", "host-key-revoked": "revoked", "unknown-host-key": "unknown"}


def scan_key(target: Target, stop: Stop) -> ShownKey:
    """The key a host shows now, held against known_hosts. Nothing is sent to it but the key exchange; the jump hosts before
    it, whose keys have to be known, are logged in to."""
    host, port = host_keys.name_of(target)
    limit = Deadline(target.timeouts.connect * 3, "reading its host key", stop)
    try:
        key_type, key = _shown(target, limit)
    except HostError as e:
        return ShownKey(target.name, host, port, "error", message=f"{e.kind}: {e}")
    finally:
        limit.done()
    state, message = "known", ""
    try:
        host_keys.judge(target, key_type, key, keep=False)
    except HostError as e:
        state, message = _STATES[e.kind], str(e)
    return ShownKey(
        target.name,
        host,
        port,
        state,
        key_type,
        known_hosts.fingerprint(key),
        known_hosts.line(host, port, key_type, key),
        message,
    )


def _shown(target: Target, limit: Deadline) -> tuple[str, bytes]:
    what = f"{target.address} port {target.port or 22}"
    transport = None
    session = SshSession(target, limit, Nothing())
    try:
        if target.jump:
            transport = Transport(session.beyond_jumps(), packetizer_class=Bounded)
        else:
            connecting = limit.limit(target.timeouts.connect, "connecting")
            sock = connect(target.address or target.name, target.port or 22, connecting, target.address_family)
            transport = Transport(sock, packetizer_class=Bounded)
        offer(transport, target)
        limit.watch(lambda: abort(transport))
        host_keys.prefer_known(transport, target)
        transport.banner_timeout = transport.handshake_timeout = limit.left
        transport.start_client(timeout=limit.left)
        if not transport.is_active():
            raise transport.get_exception() or Dropped("key exchange")
        key = transport.get_remote_server_key()
        return key.get_name(), key.asbytes()
    except Exception as e:
        raise (limit.error() if limit.over else as_host_error(e, what)) from None
    finally:
        if transport:
            close(transport)
        session.__exit__(None, None, None)
