"""One function for each kind of check: (check, case) -> judgement. Pure; the list is CHECKS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.checks.attested import judge_attested
from auditor.checks.combine import ALL_OF, ANY_OF, combine
from auditor.checks.judgement import Case, Judgement
from auditor.checks.linux import judge_kernel, judge_package, judge_reboot, judge_security_updates, judge_stale_processes
from auditor.checks.listen_backlog import judge_listen_backlog
from auditor.checks.settings import judge_counter, judge_setting
from auditor.checks.support import judge_support
from auditor.checks.windows import (
    judge_build,
    judge_file_version,
    judge_hotfix,
    judge_missing_updates,
    judge_patch_level,
    judge_product_pack,
    judge_service_pack,
)
from auditor.rulebook import rule as r

CHECKS: dict[type, Callable[[Any, Case], Judgement]] = {
    r.ServicePackCheck: judge_service_pack,
    r.ProductPackCheck: judge_product_pack,
    r.BuildCheck: judge_build,
    r.HotfixCheck: judge_hotfix,
    r.FileVersionCheck: judge_file_version,
    r.PackageCheck: judge_package,
    r.KernelCheck: judge_kernel,
    r.SettingCheck: judge_setting,
    r.ListenBacklogCheck: judge_listen_backlog,
    r.CounterCheck: judge_counter,
    r.SecurityUpdatesCheck: judge_security_updates,
    r.MissingUpdatesCheck: judge_missing_updates,
    r.RebootCheck: judge_reboot,
    r.StaleProcessesCheck: judge_stale_processes,
    r.SupportCheck: judge_support,
    r.PatchLevelCheck: judge_patch_level,
    r.AttestedCheck: judge_attested,
}


def judge(check: r.Check, case: Case) -> Judgement:
    """Judge a check, its children first where it has some."""
    if isinstance(check, (r.AllOf, r.AnyOf)):
        children = [judge(child, case) for child in check.checks]
        return combine(
            children, ALL_OF if isinstance(check, r.AllOf) else ANY_OF, " and " if isinstance(check, r.AllOf) else " or "
        )
    return CHECKS[type(check)](check, case)
