"""Every kind of check there is, and the two that combine others. A new kind is its file and a line in `Check`."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.attested import AttestedCheck
from auditor.checks.build import BuildCheck
from auditor.checks.check_kind import CheckKind
from auditor.checks.combine import ALL_OF, ANY_OF, combine
from auditor.checks.counter import CounterCheck
from auditor.checks.file_version import FileVersionCheck
from auditor.checks.hotfix import HotfixCheck
from auditor.checks.judgement import Case, Judgement
from auditor.checks.kernel import KernelCheck
from auditor.checks.listen_backlog import ListenBacklogCheck
from auditor.checks.missing_updates import MissingUpdatesCheck
from auditor.checks.package import PackageCheck
from auditor.checks.packages import PackagesCheck
from auditor.checks.patch_level import PatchLevelCheck
from auditor.checks.product_pack import ProductPackCheck
from auditor.checks.product_update import ProductUpdateCheck
from auditor.checks.reboot import RebootCheck
from auditor.checks.security_updates import SecurityUpdatesCheck
from auditor.checks.service_pack import ServicePackCheck
from auditor.checks.setting import SettingCheck
from auditor.checks.stale_processes import StaleProcessesCheck
from auditor.checks.support import SupportCheck
from auditor.checks.windows_update import WindowsUpdateCheck


class AllOf(CheckKind, frozen=True, tag="all_of"):
    """Compliant if every child is."""

    checks: tuple[Check, ...]

    def judge(self, case: Case) -> Judgement:
        return combine([child.judge(case) for child in self.checks], ALL_OF, " and ")

    def faults(self) -> Iterator[str]:
        return _childless(self.checks)


class AnyOf(CheckKind, frozen=True, tag="any_of"):
    """Compliant if any child is."""

    checks: tuple[Check, ...]

    def judge(self, case: Case) -> Judgement:
        return combine([child.judge(case) for child in self.checks], ANY_OF, " or ")

    def faults(self) -> Iterator[str]:
        return _childless(self.checks)


Check = (
    ServicePackCheck | ProductPackCheck | BuildCheck | HotfixCheck | FileVersionCheck | PackageCheck | PackagesCheck | KernelCheck | SettingCheck | ListenBacklogCheck | CounterCheck
    | SecurityUpdatesCheck | MissingUpdatesCheck | WindowsUpdateCheck | ProductUpdateCheck | RebootCheck | StaleProcessesCheck | SupportCheck | PatchLevelCheck | AttestedCheck | AllOf | AnyOf
)  # fmt: skip


def _childless(children: tuple[Check, ...]) -> Iterator[str]:
    if not children:
        yield "all_of and any_of need at least one check"


def with_children(check: Check) -> Iterator[Check]:
    """A check and those that it combines, at any depth."""
    stack = [check]
    while stack:
        yield (one := stack.pop())
        if isinstance(one, (AllOf, AnyOf)):
            stack.extend(one.checks)
