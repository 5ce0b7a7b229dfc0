"""Does a Windows wait for a restart? Strong signs say yes, weak ones leave it open, unread ones too."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.windows.queries import CONTROL, NT
from auditor.collectors.windows.reboot import parse
from auditor.model.requirements import DataRequirements
from auditor.model.windows import Subkeys, Value
from tests.collectors.windows.reading import data

CBS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
UPDATE = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"
VOLATILE = r"HKLM\SOFTWARE\Microsoft\Updates#UpdateExeVolatile"
RENAMES = rf"{CONTROL}\Session Manager#PendingFileRenameOperations"
CLOSED_KEY, CLOSED = Subkeys("unreadable", reason="access denied"), Value("unreadable", reason="access denied")
SOME = ("\\??\\C:\\TEMP\\nsx4F2.tmp",)
Q: Any = "not asked"

# build, servicing stack, Windows Update, update installer, renames -> required, signals, weak, whole
TABLE: list[tuple[str | None, Any, Any, Any, Any, bool | None, int, bool, bool]] = [
    ("20348", None, None, Q, None, False, 0, False, True),
    ("20348", (), None, Q, None, True, 1, False, True),  # the key is there: what is below it does not matter
    ("20348", None, ("x",), Q, None, True, 1, False, True),
    ("20348", (), (), Q, None, True, 2, False, True),
    ("20348", None, None, Q, SOME, False, 0, True, True),  # other programs use it all the time
    ("20348", (), None, Q, SOME, True, 1, True, True),
    ("20348", CLOSED_KEY, None, Q, None, None, 0, False, False),
    ("20348", None, CLOSED_KEY, Q, None, None, 0, False, False),
    ("20348", Q, Q, Q, Q, None, 0, False, False),
    ("20348", CLOSED_KEY, (), Q, None, True, 1, False, False),  # one is enough
    ("20348", None, None, Q, CLOSED, None, 0, False, False),
    ("20348", None, None, 1, None, False, 0, False, True),  # not of this version
    ("2600", Q, None, None, None, False, 0, False, True),
    ("2600", Q, None, 0, None, False, 0, False, True),
    ("2600", Q, None, 1, None, True, 1, False, True),
    ("2600", Q, None, 3, None, True, 1, False, True),
    ("2600", Q, (), None, None, True, 1, False, True),
    ("2600", Q, None, None, SOME, None, 0, True, True),  # an old installer leaves nothing else
    ("2600", Q, None, 1, SOME, True, 1, True, True),
    ("2600", Q, None, CLOSED, None, None, 0, False, False),
    ("2600", Q, CLOSED_KEY, 1, None, True, 1, False, False),
    ("2600", (), None, None, None, False, 0, False, True),  # the servicing stack came with Vista
    ("1381", Q, Q, Q, None, False, 0, False, True),
    ("1381", Q, Q, Q, SOME, None, 0, True, True),
    ("1381", Q, Q, Q, (), False, 0, False, True),
    ("1381", Q, Q, Q, "is there", None, 0, True, True),  # what the collection script keeps of it
    ("1381", Q, Q, Q, CLOSED, None, 0, False, False),
    (None, None, None, None, None, False, 0, False, True),
    (None, Q, None, None, None, None, 0, False, False),
    (None, None, None, None, SOME, None, 0, True, True),
]


@pytest.mark.parametrize(("build", "cbs", "update", "volatile", "renames", "required", "signals", "weak", "whole"), TABLE)
def test_required(
    build: str | None,
    cbs: Any,
    update: Any,
    volatile: Any,
    renames: Any,
    required: bool | None,
    signals: int,
    weak: bool,
    whole: bool,
) -> None:
    values = {VOLATILE: volatile, RENAMES: renames, f"{NT}#CurrentBuildNumber": build}
    told = data(
        {k: v for k, v in values.items() if v is not Q},
        {k: v for k, v in {CBS: cbs, UPDATE: update}.items() if v is not Q},
    )
    found = parse(told, DataRequirements())
    reboot = found.facts["reboot"]
    assert (reboot.required, len(reboot.packages), bool(reboot.weak)) == (required, signals, weak)
    assert bool(found.partial) is not whole
    assert reboot.writers
