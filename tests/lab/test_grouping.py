"""Tests that disturb each other share a process: a real run in two processes shows it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.grouping import MACHINE, WINE
from tests.places import ROOT

# Two groups of one file each, and one group of two files.
FILES = ["tests/versions/test_deb.py", "tests/versions/test_kernel_release.py"]
_DONE = re.compile(r"^\[(gw\d)\] \[ *\d+%\] PASSED (tests/\S+?\.py)::", re.MULTILINE)


def test_a_group_stays_in_one_process_and_groups_do_not_wait_for_each_other() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-vv", "-p", "no:cacheprovider", *FILES],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    done = _DONE.findall(said)
    assert len(done) > len(set(done)) >= 2, said
    assert sorted(file for _, file in set(done)) == FILES
    assert {worker for worker, _ in done} == {"gw0", "gw1"}


@pytest.mark.parametrize("start", MACHINE + WINE)
def test_what_a_group_names_is_there(start: str) -> None:
    assert list(ROOT.glob(f"{start}*")), "renamed: tests that disturb each other would run at once"
