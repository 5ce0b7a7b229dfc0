"""Servers that are not OpenSSH, or only say so: nothing sent ahead may leave a login hanging or a command run twice."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from auditor.transports.ssh.faults import DeadlineExceeded, FastPathRefused
from tests.lab.hostile import Address, listening
from tests.transports.ssh.test_fast_path import answer, login

KEY = paramiko.ECDSAKey.generate()
HOST_KEY = paramiko.ECDSAKey.generate()


class Strange(paramiko.ServerInterface):
    """Lets any key in, and answers every command with "hi" once its stdin has ended."""

    def __init__(self, over: threading.Event) -> None:
        self.over, self.commands = over, list[bytes]()

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,keyboard-interactive"

    def check_auth_password(self, username: str, password: str) -> int:
        if password == "slow":
            self.over.wait()
        return AUTH_SUCCESSFUL if password == "right" else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if responses == ["kbdint"] else AUTH_FAILED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands.append(command)
        threading.Thread(target=self._reply, args=(channel,), name="reply").start()
        return True

    def _reply(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(OSError, EOFError):
            channel.recv(1)  # the end of stdin, which is read after the request was answered
            channel.sendall(b"hi")
            channel.send_exit_status(0)
            channel.close()


def strange(name: str, first_channel: int, commands: list[bytes]) -> Callable[[socket.socket, threading.Event], None]:
    """A paramiko server that calls itself `name` and numbers its channels from `first_channel`."""

    def serve(c: socket.socket, over: threading.Event) -> None:
        transport: Any = paramiko.Transport(c)
        transport.local_version, transport._channel_counter = f"SSH-2.0-{name}", first_channel
        transport.add_server_key(HOST_KEY)
        interface = Strange(over)
        interface.commands = commands
        with contextlib.suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=interface)
        over.wait()
        transport.close()
        transport.join(5)

    return serve


@pytest.mark.parametrize("one_flight", [True, False])
def test_another_server_takes_the_plain_path(one_flight: bool) -> None:
    commands: list[bytes] = []
    with listening(strange("dropbear_2022.83", 7, commands)) as address:
        opened = login(address, KEY, "true", one_flight=one_flight)
        assert opened.one_flight is False
        assert answer(opened)[0] == b"hi"
    assert commands == [b"true"]


@pytest.mark.parametrize("one_flight", [True, False])
def test_a_first_channel_that_is_not_0_is_refused_at_once(one_flight: bool) -> None:
    """Our exec went to channel 0: it must be neither waited for nor believed."""
    name, commands = "OpenSSH_9.9 not really", list[bytes]()
    start = time.monotonic()
    with listening(strange(name, 7, commands)) as address:
        if not one_flight:
            assert answer(login(address, KEY, "true", one_flight=one_flight))[0] == b"hi"
        else:
            with pytest.raises(FastPathRefused):
                login(address, KEY, "true", one_flight=one_flight, deadline=start + 60)
    assert time.monotonic() - start < 20
    assert len(commands) == (not one_flight)


def by_password(word: str) -> Callable[[paramiko.Transport], list[str]]:
    return lambda transport: transport.auth_password("u", word)


@pytest.fixture
def asking() -> Iterator[Address]:
    with listening(strange("other", 0, [])) as address:
        yield address


@pytest.mark.parametrize("word", ["right", "kbdint"])
def test_password_and_keyboard_interactive(asking: Address, word: str) -> None:
    assert answer(login(asking, by_password(word), "true"))[0] == b"hi"


def test_a_wrong_password_is_a_refusal(asking: Address) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        login(asking, by_password("wrong"), "true")


def test_a_server_that_thinks_for_ever_about_a_password(asking: Address) -> None:
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded) as e:
        login(asking, by_password("slow"), "true", deadline=start + 0.5)
    assert e.value.phase == "authentication"
    assert time.monotonic() - start < 10
