"""A host's stream, damaged in every way: parts are lost, nothing raises, nothing is invented."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from auditor.collectors.linux import LINUX
from auditor.collectors.linux.host_facts import linux_facts
from auditor.collectors.linux.script_output import parse_output
from auditor.model.facts import Candidate
from auditor.transports.command import MAX_STDOUT, CommandResult
from tests.conftest import NOW
from tests.places import RECORDINGS

RECORDED = (RECORDINGS / "debian-12-unprivileged" / "stdout").read_bytes()
MARK = "5f0c2a9be1d34c7786aa10b2"


def facts_of(stdout: bytes):  # type: ignore[no-untyped-def]
    return linux_facts(CommandResult(0, stdout, b"", 0.0), MARK, target="t", method="x", now=NOW)


@given(st.binary(max_size=300))
def test_noise(noise: bytes) -> None:
    facts = facts_of(noise)
    assert facts.platform.family is None
    assert {o.outcome for o in facts.outcomes} == {"failed"}


@given(st.integers(0, len(RECORDED)), st.binary(max_size=40), st.integers(0, 200))
def test_damage_anywhere(at: int, noise: bytes, lost: int) -> None:
    """Bytes replaced or lost anywhere: some collector may fail, none may raise."""
    facts = facts_of(RECORDED[:at] + noise + RECORDED[at + lost :])
    assert len(facts.outcomes) == len(LINUX)


@given(st.integers(0, 20_000))
def test_a_gzip_stream_cut_off_keeps_what_came(at: int) -> None:
    head, _, body = RECORDED.partition(b"=plain\n")
    packed = head + b"=gzip\n" + gzip.compress(body, 1)
    answers = parse_output(packed[:at], MARK, "the time was up")
    assert answers.complete or answers.truncated


def test_two_gzip_members_are_one_stream() -> None:
    head, _, body = RECORDED.partition(b"=plain\n")
    packed = head + b"=gzip\n" + gzip.compress(body[:3000]) + gzip.compress(body[3000:])
    assert parse_output(packed, MARK, None).complete


def test_a_gzip_bomb_is_bounded() -> None:
    answers = parse_output(f"{MARK}=gzip\n".encode() + gzip.compress(bytes(MAX_STDOUT * 4)), MARK, None)
    assert not answers.complete
    assert answers.truncated == "the answer is larger than 16 MB"


def test_a_section_whose_end_names_another_is_lost() -> None:
    answers = parse_output(b"m=plain\n\nm<a\nx\nm>b 0 1.0 \n\nm<c\ny\nm>c 0 1.0 \n\nm.end\n", "m", None)
    assert list(answers.sections) == ["c"]


def test_hostile_names_stay_text() -> None:
    """Escapes, HTML and newlines in a host's fields are kept as text; what shows them escapes them."""
    evil = RECORDED.replace(b'PRETTY_NAME="Debian', b'PRETTY_NAME="<script>\x1b[2J\xe2\x80\xaeDebian')
    facts = facts_of(evil)
    assert facts.platform.name.startswith("<script>\x1b[2J")


def test_an_ss_that_lists_nothing_is_held_against_the_kernels_table() -> None:
    head, _, rest = RECORDED.partition(b"<listeners\n")
    emptied = head + b"<listeners\n" + rest[rest.index(b"\n" + MARK.encode() + b">listeners") :]
    facts = facts_of(emptied)
    assert facts.listeners
    assert all(x.backlog is None for x in facts.listeners)


def test_a_package_list_that_was_cut_off_is_not_compared() -> None:
    """Its length is held against what the suite's Release file says."""
    import re

    truncated = re.sub(rb"(=list= \S+_Packages\S* )(\d+)", lambda m: m[1] + b"1000", RECORDED)
    assert truncated != RECORDED
    facts = facts_of(truncated)
    assert facts.updates is None
    assert "is not whole: 1000 bytes unpacked" in next(o.reason for o in facts.outcomes if o.name == "updates")


def test_what_apt_get_would_install() -> None:
    """`--deep`: the lines that apt-get -s upgrade prints for installations, in its own form."""
    said = (
        b"asked\nReading package lists...\n"
        b"Inst libssl3 [3.0.14-1~deb12u2] (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64])\n"
        b"Inst new-one (1:2-3 Debian:12.8/stable, Debian-Security:12/stable-security [all]) []\n"
        b"Conf libssl3 (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64])\n"
    )
    head, _, rest = RECORDED.partition(b"<update_simulation\n")
    facts = facts_of(head + b"<update_simulation\n" + said + rest)
    assert facts.updates
    assert facts.updates.simulated == (Candidate("libssl3", "amd64", "3.0.15-1~deb12u1"), Candidate("new-one", "all", "1:2-3"))
