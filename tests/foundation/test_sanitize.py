"""Text of hosts, made harmless for every place it is shown in."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.foundation.sanitize import harmless_json, one_line, printable
from auditor.report.formats import FORMS, render
from tests.mail.test_mail import run_of

KEPT = "\t\n\u00ad"
DANGEROUS = [
    c
    for c in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in KEPT
]


def test_every_character_that_orders_or_hides_text_is_shown_as_its_escape() -> None:
    """Unicode's own categories: controls, formats (all of Bidi_Control among them), surrogates, line and paragraph separators."""
    assert len(DANGEROUS) > 2000
    wrong = [f"U+{ord(c):04X}" for c in DANGEROUS if printable(f"a{c}b") == f"a{c}b"]
    assert wrong == []
    for c in "aé漢😀\u00a0\u0301\u00ad":
        assert printable(c) == c


def test_json_keeps_its_data() -> None:
    for c in DANGEROUS:
        if not 0xD800 <= ord(c) <= 0xDFFF:
            said = harmless_json(json.dumps(f"a{c}b", ensure_ascii=False).encode())
            assert c not in said.decode()
            assert json.loads(said) == f"a{c}b"


@given(st.text(max_size=2000), st.integers(5, 400))
def test_one_line_is_one_line_of_its_length(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not set(line) & set("\n\r\t")
    assert printable(line) == line


def test_it_is_cut_before_it_is_made_printable() -> None:
    """Escaping ten million characters takes half a minute and a hundred megabytes."""
    texts = ("\u202e" * 10_000_000, " " * 10_000_000, "x " * 5_000_000)
    tracemalloc.start()
    try:
        for text in texts:
            assert len(one_line(text)) <= 300
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


SPOILS = ["\u061c", "\u202e", "\u2066", "\u200b", "\ufeff", "\x1b[31m", "\x07", "\u2028", "\U000e0041"]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_hands_them_on(form: str) -> None:
    run = run_of("mcu")
    (r,) = run.results
    evil = "".join(f"a{c}b" for c in SPOILS)
    findings = tuple(replace(f, observed=f"{evil}{f.observed}", why=f"{f.why}{evil}") for f in r.findings)
    spoilt = replace(run, results=(replace(r, target=replace(r.target, name=f"web{evil}"), findings=findings),))
    text = render(spoilt, form).decode("utf-8")
    assert [f"{ord(c[0]):04x}" for c in SPOILS if c[0] in text] == []


def test_every_cell_of_csv_is_quoted() -> None:
    text = render(run_of("mcu"), "csv").decode()
    assert all(line.startswith('"') and line.endswith('"') for line in text.split("\r\n") if line)
    rows = list(csv.reader(io.StringIO(text)))
    assert len({len(row) for row in rows}) == 1
