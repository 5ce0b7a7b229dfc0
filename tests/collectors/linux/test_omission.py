"""Omission contradicts itself: whatever is left out of a true answer, no verdict gets better.

The answer is that of a host which lacks all that can be lacked (tests/lab/recordings.py): a newer kernel, a restart that is asked
for, a small backlog, code that was replaced, a security update.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.collectors.linux.host_facts import linux_facts
from auditor.evaluation.evaluate import evaluate
from auditor.transports.command import CommandResult
from tests.given import RULES
from tests.places import RECORDINGS

MARK = "5f0c2a9be1d34c7786aa10b2"
WHOLE = (RECORDINGS / "debian-12-lacking" / "stdout").read_bytes()
LINES = WHOLE.split(b"\n")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GOOD = ("compliant", "not_applicable")
LACKING = {
    "linux-kernel-running": "pending",
    "linux-reboot-pending": "pending",
    "linux-stale-processes": "pending",
    "linux-listen-backlog": "noncompliant",
    "linux-security-updates": "noncompliant",
}


def verdicts(stdout: bytes) -> dict[str, str]:
    facts = linux_facts(CommandResult(0, stdout, b"", 0.0), MARK, target="t", method="x", now=NOW)
    if facts.platform.family is None:
        return {}
    return {f.rule: f.verdict for f in evaluate(facts, [r for r in RULES if r.family == "linux"], today=NOW.date())}


def improved(lines: list[bytes]) -> dict[str, str]:
    found = verdicts(b"\n".join(lines))
    return {rule: verdict for rule, verdict in found.items() if rule in LACKING and verdict in GOOD}


def test_it_lacks_all_that_can_be_lacked() -> None:
    found = verdicts(WHOLE)
    assert {rule: found[rule] for rule in LACKING} == LACKING


def test_any_line() -> None:
    wrong = {n: better for n in range(len(LINES)) if (better := improved(LINES[:n] + LINES[n + 1 :]))}
    assert {LINES[n]: better for n, better in wrong.items()} == {}


def test_any_section() -> None:
    names = re.findall(rf"{MARK}<(\w+)", WHOLE.decode("utf-8", "replace"))
    assert len(names) > 12
    for name in names:
        head, _, rest = WHOLE.partition(f"\n{MARK}<{name}\n".encode())
        body, _, tail = rest.partition(f"\n{MARK}>{name} ".encode())
        assert improved((head + b"\n" + tail.partition(b"\n")[2]).split(b"\n")) == {}, name  # left out
        emptied = head + f"\n{MARK}<{name}\n\n{MARK}>{name} ".encode() + tail
        assert improved(emptied.split(b"\n")) == {}, name
        if body.count(b"\n") > 2:
            half = b"\n".join(body.split(b"\n")[: body.count(b"\n") // 2])
            halved = head + f"\n{MARK}<{name}\n".encode() + half + f"\n{MARK}>{name} ".encode() + tail
            assert improved(halved.split(b"\n")) == {}, name


@pytest.mark.parametrize("share", [1, 3, 30, 300])
def test_any_lines(share: int) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.sets(st.integers(0, len(LINES) - 1), min_size=1, max_size=share))
    def holds(gone: set[int]) -> None:
        assert improved([line for n, line in enumerate(LINES) if n not in gone]) == {}

    holds()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_line_with_a_word_of_it(data: st.DataObject) -> None:
    """As one who hides a thing would: all lines that name it."""
    word = data.draw(
        st.sampled_from([b"7.0.1", b"8080", b":1F90", b"libz", b"zlib", b"flag", b"image", b"/16/", b"16 ", b"rows"])
    )
    assert improved([line for line in LINES if word not in line]) == {}


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (r"mirror.example:3142\S+_main_\S+", "covers"),  # only contrib's list lies there, and Release names main
        (r"mirror.example:3142\S+contrib_\S+", ""),  # nothing of contrib is installed
    ],
)
def test_lists_that_are_not_there(left: str, why: str) -> None:
    """As apt leaves it where a source was taken away: no list, and nothing of it among the rows."""
    text = WHOLE.decode("utf-8", "surrogateescape")
    rows = [ln for ln in text.split("\n") if re.match(rf"=list= {left} ", ln)]
    assert rows
    section = text[text.index(f"{MARK}<update_candidates") : text.index(f"{MARK}>update_candidates")]
    kept = [ln for ln in section.split("\n") if not (ln in rows or (why and re.match(r"(zlib1g|dpkg|=source=)\t", ln)))]
    count = len([ln for ln in kept if "\t" in ln or ln.startswith("=list=")])
    kept = [re.sub(r"=rows= \d+", f"=rows= {count}", ln) for ln in kept]
    found = verdicts(text.replace(section, "\n".join(kept)).encode("utf-8", "surrogateescape"))
    assert found["linux-security-updates"] == ("unknown" if why else "noncompliant")
