"""That nothing which travels with a login is lost or stuck, whichever way it goes."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest
from paramiko.ssh_exception import PartialAuthentication

from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.faults import FastPathRefused
from tests.lab.hostile import Host
from tests.lab.sshd import keygen
from tests.transports.ssh.test_fast_path import answer, login


def test_big_output_on_both_streams(host: Host, key: Any) -> None:
    """More than both windows hold: draining one of them alone would wait for ever."""
    opened = login(host, key, "head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero")
    out, err, status = answer(opened)
    assert (len(out), len(err), status) == (2_000_000, 64_000, 0)


@pytest.mark.parametrize("one_flight", [True, False])
def test_the_server_rekeys_in_the_middle(tmp_path: Any, one_flight: bool) -> None:
    with Host(tmp_path, "RekeyLimit 100K") as h:
        key = paramiko.PKey.from_path(h.key)
        opened = login(h, key, "head -c 2000000 /dev/zero", one_flight=one_flight)
        assert len(answer(opened)[0]) == 2_000_000


@pytest.mark.parametrize("one_flight", [True, False])
def test_stdin_is_closed_at_once_or_sent_later(host: Host, key: Any, one_flight: bool) -> None:
    assert answer(login(host, key, "cat; echo done", one_flight=one_flight))[0] == b"done\n"
    opened = login(host, key, "cat", one_flight=one_flight, close_stdin=False)
    opened.channel.sendall(b"word")
    opened.channel.shutdown_write()
    assert answer(opened)[0] == b"word"


def test_a_killed_command_has_no_exit_status(host: Host, key: Any) -> None:
    assert answer(login(host, key, "echo a; kill -9 $$"))[::2] == (b"a\n", None)


@pytest.mark.parametrize(("wanted", "shown"), [((), "ssh-ed25519"), (("ssh-rsa",), "ssh-rsa"), (("ecdsa-sha2-nistp256",),) * 2])
def test_the_host_key_shown_is_of_the_type_that_is_known(tmp_path: Any, wanted: tuple[str, ...], shown: Any) -> None:
    extra = [f"HostKey {keygen(tmp_path / kind, kind)}" for kind in ("rsa", "ecdsa")]
    with Host(tmp_path / "host", *extra) as h:
        seen: list[str] = []
        check = lambda key: seen.append(key.get_name())  # noqa: E731
        answer(login(h, paramiko.PKey.from_path(h.key), host_key_types=wanted, check_host_key=check))
        assert seen == [shown if isinstance(shown, str) else shown[0]]


def test_no_session_is_said_by_the_plain_way(tmp_path: Any) -> None:
    """The exec that followed the open on its heels is refused too; only the plain way tells which it was."""
    with Host(tmp_path, "MaxSessions 0") as h:
        key = paramiko.PKey.from_path(h.key)
        with pytest.raises(FastPathRefused):
            login(h, key)
        with pytest.raises(paramiko.SSHException) as e:  # a ChannelException, or on a busy machine less than that
            login(h, key, one_flight=False)
        assert as_host_error(e.value, "web1").kind == "protocol"


def test_the_key_alone_is_not_enough(tmp_path: Any) -> None:
    with Host(tmp_path, "AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes") as h:
        for one_flight in (False, True):
            with pytest.raises(PartialAuthentication) as e:
                login(h, paramiko.PKey.from_path(h.key), one_flight=one_flight)
            assert as_host_error(e.value, "web1").kind == "auth-failed"
