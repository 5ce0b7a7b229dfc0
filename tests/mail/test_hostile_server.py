"""A mail server that means harm, or is broken: it takes a stated time and memory, and no more."""

from __future__ import annotations

import itertools
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from msgspec.structs import replace

from auditor.errors import MailError
from auditor.mail import smtp
from tests.mail.server import odd
from tests.mail.test_mail import MAILING, hand_over

STEP = 0.4  # seconds of one step's time-out
WHOLE = STEP * smtp._PATIENCE


def floods(c: socket.socket, pieces: Iterable[bytes], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    for piece in pieces:
        if time.monotonic() > end:
            return
        c.sendall(piece)


def trickles(c: socket.socket, text: bytes) -> None:
    for n in range(len(text)):
        c.sendall(text[n : n + 1])
        time.sleep(0.05)


def after(answers: list[bytes], then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """ScriptOutput as a server does, and then does something else."""

    def talk(c: socket.socket) -> None:
        c.sendall(b"220 here\r\n")
        for answer in answers:
            c.recv(4096)
            c.sendall(answer)
        c.recv(4096)
        then(c)

    return talk


LINE = b"250-" + b"x" * 70 + b"\r\n"
TAKES = [b"250 good\r\n"] * 3  # EHLO, MAIL, RCPT
TALKS: dict[str, Callable[[socket.socket], None]] = {
    "a greeting without end": lambda c: floods(c, itertools.repeat(b"220-" + b"x" * 60 + b"\r\n")),
    "a greeting of one line without end": lambda c: floods(c, itertools.repeat(b"2" * 65536)),
    "a greeting of empty lines": lambda c: floods(c, itertools.repeat(b"\r\n" * 1000)),
    "a greeting of bytes without sense": lambda c: floods(c, itertools.repeat(bytes(range(256)) * 64)),
    "a greeting that trickles": lambda c: trickles(c, b"220-" + b"x" * 5000),
    "lines that trickle": lambda c: trickles(c, LINE * 500),
    "an EHLO without end": after([], lambda c: floods(c, itertools.repeat(LINE * 100))),
    "an EHLO that trickles": after([], lambda c: trickles(c, LINE * 500)),
    "an answer to a recipient without end": after(TAKES[:2], lambda c: floods(c, itertools.repeat(LINE * 100))),
    "an answer to DATA without end": after(TAKES, lambda c: floods(c, itertools.repeat(b"354-" + b"x" * 70 + b"\r\n"))),
    "an answer to the mail without end": after([*TAKES, b"354 go\r\n"], lambda c: floods(c, itertools.repeat(LINE * 100))),
    "an answer to the mail that trickles": after([*TAKES, b"354 go\r\n"], lambda c: trickles(c, LINE * 500)),
    "nothing but a greeting": after([], lambda c: time.sleep(8)),
}


@pytest.mark.parametrize("what", TALKS)
def test_its_time_and_memory(what: str) -> None:
    tracemalloc.start()
    began = time.monotonic()
    try:
        with odd(TALKS[what]) as port, pytest.raises(MailError) as caught:
            hand_over(replace(MAILING, port=port, timeout=STEP))
        assert time.monotonic() - began < WHOLE + 3
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_an_answer_of_its_own_length_is_read() -> None:
    """What an honest server says of itself at the most."""
    many = b"".join(b"250-EXTENSION%d\r\n" % n for n in range(100)) + b"250 HELP\r\n"
    talk = after([many, *TAKES[1:], b"354 go\r\n"], lambda c: c.sendall(b"250 taken\r\n"))
    with odd(talk) as port:
        hand_over(replace(MAILING, port=port, timeout=2.0))


def test_a_refusal_that_shouts_is_one_line() -> None:
    talk = after(TAKES[:1], lambda c: c.sendall(b"550-\x1b[31m" + b"y" * 900 + b"\r\n" + b"550 z\r\n"))
    with odd(talk) as port, pytest.raises(MailError) as caught:
        hand_over(replace(MAILING, port=port, timeout=2.0))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
