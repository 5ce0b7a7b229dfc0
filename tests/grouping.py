"""Which tests share a process when they run in several: those of one file, and those that disturb each other."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# What changes the machine that all tests see (users, sudoers, namespaces, its listeners) runs in one process, one after the other.
MACHINE = (
    "tests/audit/test_fleet",
    "tests/audit/test_planted_secrets",
    "tests/collectors/linux/test_least_rights",
    "tests/collectors/linux/test_script.py",
)
WINE = (
    "tests/collectors/windows/test_wine",
    "tests/collectors/windows/test_offline_scripts",
    "tests/collectors/windows/readers/test_powershell_answers",
)


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """One process for each group. xdist's own groups write their name into the test's id, which pytest 9.2 does not take."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "machine" if file.startswith(MACHINE) else "wine" if file.startswith(WINE) else file
