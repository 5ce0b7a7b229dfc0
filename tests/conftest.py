"""What many tests need: a clock that stands still, facts to judge, the installed command's own entry point."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from auditor.audit.context import AuditContext
from auditor.rulebook.loader import load
from auditor.rulebook.rulebook import Rulebook
from tests.grouping import ByGroup
from tests.lab.started import Starter
from tests.places import ROOT

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHARED = Path(os.environ.get("AUDITOR_SHARED", ROOT.parent / "shared"))

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

Run = Callable[..., subprocess.CompletedProcess[str]]

# What needs servers, users, namespaces, a browser, other programs or many processes: everything else is `make quick`.
REAL = (
    "agent/test_frozen_reader", "agent/test_process", "agent/test_systemd", "audit/", "cli/", "collectors/linux/test_least_rights",
    "collectors/linux/test_package_managers", "collectors/linux/test_repositories", "collectors/linux/test_script.py", "collectors/windows/readers/test_all_readers", "collectors/windows/readers/test_powershell.py",
    "collectors/windows/readers/test_offline", "collectors/windows/test_offline_scripts", "collectors/windows/test_wine", "docs/test_contributing", "docs/test_operations",
    "fuzz/", "history/test_store", "inventory/test_ansible_itself", "lab/", "mail/", "oracles/", "packaging/", "report/test_browser", "transports/",
    "advisories/database/test_importing", "advisories/fetching/", "advisories/test_corpus", "advisories/test_pattern", "foundation/test_isolation", "foundation/test_own_files", "versions/test_byte_order", "zones/test_rights", "zones/test_failures", "zones/test_answers", "zones/test_same_verdicts", "versions/test_rpm", "versions/test_deb",
)  # fmt: skip
_SLOWEST = 10
_seconds: dict[str, float] = {}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make quick` does not even import what it leaves out."""
    if config.getoption("markexpr") != "not real" or not collection_path.is_relative_to(ROOT / "tests"):
        return None
    return True if str(collection_path.relative_to(ROOT / "tests")).startswith(REAL) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path.relative_to(ROOT / "tests")).startswith(REAL):
            item.add_marker("real")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return ByGroup(config, log)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: no collection of garbage needs to look at it again, and no fork copies it."""
    gc.collect()
    gc.freeze()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    file = report.location[0]
    _seconds[file] = _seconds.get(file, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where a run's time went."""
    terminalreporter.section(f"{_SLOWEST} slowest files")
    for file, seconds in sorted(_seconds.items(), key=lambda pair: -pair[1])[:_SLOWEST]:
        terminalreporter.line(f"{seconds:7.1f} s  {file}")


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    return load()


@pytest.fixture
def audit(rulebook: Rulebook) -> AuditContext:
    """An audit by the shipped rules, at a fixed time."""
    return AuditContext(rulebook=rulebook, clock=lambda: NOW, marker=lambda: "m4rk3r")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests keep for later (foundation/cache_folder.py) is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME and a working folder of the test's own, and no agent or inventory from outside."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("SSH_AUTH_SOCK", "AUDITOR_INVENTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def _starter() -> Iterator[Starter]:
    with Starter() as starter:
        yield starter


@pytest.fixture
def auditor(home: Path, _starter: Starter) -> Run:
    """Run the command as a user does: in a process of its own, with nothing on standard input."""

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return _starter.run([str(word) for word in words], Path.cwd(), {**os.environ, "PYTHONPATH": str(ROOT), **more})

    return run
