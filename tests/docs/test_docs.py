"""What the documentation names is there."""

from __future__ import annotations

import re

from tests.places import ROOT


def test_every_test_that_docs_security_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs/security.md").read_text()))
    assert len(named) > 10
    assert [n for n in sorted(named) if not (ROOT / n).exists()] == []
