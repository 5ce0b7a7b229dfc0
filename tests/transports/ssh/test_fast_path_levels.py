"""What lowers the level of a login, what a login teaches for the next one, and that nothing sent ahead is lost or stuck."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest
from msgspec.structs import replace
from paramiko.ssh_exception import PartialAuthentication

from auditor.transports.ssh.errors import as_host_error
from auditor.transports.ssh.fast_path import KEX, Level
from auditor.transports.ssh.faults import FastPathRefused
from tests.lab.hostile import Host
from tests.lab.sshd import keygen
from tests.transports.ssh.test_fast_path import answer, learn, login


def test_ahead_needs_to_know_the_server(host: Host, key: Any) -> None:
    opened = login(host, key, level=Level.AHEAD_KEX)
    assert opened.level == Level.FLIGHT
    assert opened.known
    assert (opened.known.server[:16], opened.known.kex) == ("SSH-2.0-OpenSSH_", KEX)
    assert answer(opened)[2] == 3


@pytest.mark.parametrize("changed", [{"server": "SSH-2.0-OpenSSH_1"}, {"host_key": "SHA256:x"}])
def test_what_changed_lowers_the_level_within_the_connection(host: Host, key: Any, changed: dict[str, str]) -> None:
    now = learn(host, key)
    for level in (Level.AHEAD, Level.AHEAD_KEX):
        opened = login(host, key, level=level, known=replace(now, **changed))
        assert (opened.level, opened.known) == (Level.FLIGHT, now)
        assert answer(opened)[2] == 3


def test_a_changed_key_exchange_is_refused_and_learnt(tmp_path: Any) -> None:
    with Host(tmp_path, "KexAlgorithms ecdh-sha2-nistp256") as h:
        key = paramiko.PKey.from_path(h.key)
        new = learn(h, key)
        assert new.kex == ""
        with pytest.raises(FastPathRefused):
            login(h, key, level=Level.AHEAD_KEX, known=replace(new, kex=KEX))
        for level, known in ((Level.AHEAD, replace(new, kex=KEX)), (Level.AHEAD_KEX, new)):
            opened = login(h, key, level=level, known=known)
            assert opened.known == new
            assert answer(opened)[2] == 3


def test_big_output_on_both_streams(host: Host, key: Any) -> None:
    """More than both windows hold: draining one of them alone would wait for ever."""
    opened = login(
        host, key, "head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero", level=Level.AHEAD_KEX, known=learn(host, key)
    )
    out, err, status = answer(opened)
    assert (len(out), len(err), status) == (2_000_000, 64_000, 0)


@pytest.mark.parametrize("level", [Level.PLAIN, Level.AHEAD_KEX])
def test_the_server_rekeys_in_the_middle(tmp_path: Any, level: Level) -> None:
    with Host(tmp_path, "RekeyLimit 100K") as h:
        key = paramiko.PKey.from_path(h.key)
        opened = login(h, key, "head -c 2000000 /dev/zero", level=level, known=learn(h, key))
        assert len(answer(opened)[0]) == 2_000_000


@pytest.mark.parametrize("level", list(Level))
def test_stdin_is_closed_at_once_or_sent_later(host: Host, key: Any, level: Level) -> None:
    known = learn(host, key)
    assert answer(login(host, key, "cat; echo done", level=level, known=known))[0] == b"done\n"
    opened = login(host, key, "cat", level=level, known=known, close_stdin=False)
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
            login(h, key, level=Level.FLIGHT)
        with pytest.raises(paramiko.SSHException) as e:  # a ChannelException, or on a busy machine less than that
            login(h, key, level=Level.PLAIN)
        assert as_host_error(e.value, "web1").kind == "protocol"


def test_the_key_alone_is_not_enough(tmp_path: Any) -> None:
    with Host(tmp_path, "AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes") as h:
        for level in (Level.PLAIN, Level.FLIGHT):
            with pytest.raises(PartialAuthentication) as e:
                login(h, paramiko.PKey.from_path(h.key), level=level)
            assert as_host_error(e.value, "web1").kind == "auth-failed"
