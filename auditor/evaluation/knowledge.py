"""What an advisory database says of one host."""

from __future__ import annotations

from msgspec import Struct

from auditor.model.advisory import Coverage
from auditor.rulebook.rule import Rule


class Knowledge(Struct, frozen=True):
    """`rules`: one for each advisory that may be open on the host; of the others none is."""

    rules: tuple[Rule, ...]
    coverage: Coverage
