"""A month's updates of SQL Server, Exchange Server or Edge, by the installed build. No build of the operating system settles them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement
from auditor.checks.windows_standing import State
from auditor.model.application_line import ApplicationFix, ApplicationMonth, Version
from auditor.model.facts import InstalledProduct
from auditor.model.finding import Remedy, Verdict
from auditor.versions.product_label import label

# SQL Server's branches by the third number of the build: GDR gets security fixes only, CU (or a feature pack) everything.
# learn.microsoft.com/troubleshoot/sql/releases/sqlserver-2019/build-versions and its siblings
_SQL_BRANCHES: dict[str, tuple[tuple[int, int, str], ...]] = {
    "sql-server-2014": ((6024, 6199, "Service Pack 3 GDR"), (6200, 6999, "Service Pack 3 CU")),
    "sql-server-2016": ((6300, 6999, "Service Pack 3 GDR"), (7000, 7999, "Service Pack 3 Azure Connect")),
    "sql-server-2017": ((1000, 2999, "GDR"), (3000, 9999, "CU")),
    "sql-server-2019": ((2000, 2999, "GDR"), (4000, 9999, "CU")),
    "sql-server-2022": ((1000, 1999, "GDR"), (4000, 9999, "CU")),
    "sql-server-2025": ((1000, 1999, "GDR"), (4000, 9999, "CU")),
}
_MAJOR = {
    f"sql-server-{year}": (major,) for year, major in ((2014, 12), (2016, 13), (2017, 14), (2019, 15), (2022, 16), (2025, 17))
}
_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6}){3}")
_VERDICTS: dict[State, Verdict] = {"missing": "noncompliant", "unknown": "unknown", "pending": "pending", "fixed": "compliant"}


class ProductUpdateCheck(CheckKind, frozen=True, tag="product_update"):
    """Compliant if every installed instance of a product is at the build of its own branch that a month brought, or later."""

    product: str
    month: ApplicationMonth
    newest: tuple[ApplicationFix, ...] = ()

    def judge(self, case: Case) -> Judgement:
        """Builds are compared as numbers, within the branch that the installed build is of."""
        installed = [p for p in case.facts.products or () if p.product == self.product]
        if not installed:
            return Judgement(
                "not_applicable",
                f"no {label(self.product)}",
                "its monthly update",
                f"{label(self.product)} is not on this host",
            )
        states = [(p, *standing(self.product, p.version, self.month)) for p in installed]
        p, worst, fix, why = min(states, key=lambda s: ("missing", "unknown", "pending", "fixed").index(s[1]))
        required = f"{_number(fix)} or later" if fix else f"the month's update of {label(self.product)}"
        observed = "; ".join(
            f"{_name(one)} {one.version or 'of a build that is not known'}" for one, state, _, _ in states if state == worst
        )
        newest = self._newest(p)
        return Judgement(
            _VERDICTS[worst],
            observed,
            required,
            f"{_name(p)}: {why}",
            resolved_by=f"products: the build of {_name(p)}" if worst == "unknown" else "",
            remedy=None if worst == "fixed" or newest is None else _remedy(self.product, newest),
            remediation=f"Install {_number(newest)} or a newer update of {label(self.product)}."
            if newest and worst != "fixed"
            else "",
        )

    def _newest(self, p: InstalledProduct) -> ApplicationFix | None:
        branch = _branch(self.product, version_of(p.version)) if p.version else ""
        return max((f for f in self.newest if _branch(self.product, f.build) == branch), key=lambda f: f.build, default=None)


def _remedy(product: str, newest: ApplicationFix) -> Remedy:
    if newest.kb:
        return Remedy("update", product, f"KB{newest.kb}", _said(newest.build))
    return Remedy("update", product, f"build {_said(newest.build)}")


def standing(product: str, version: str | None, month: ApplicationMonth) -> tuple[State, ApplicationFix | None, str]:
    """The state of one instance, the fix that decides, and why."""
    if version is None:
        told = product.startswith(("sql-server", "exchange", "edge"))
        why = (
            "its build was not read; WMI tells it"
            if told
            else "the monthly documents name no build of it that a host could be held against"
        )
        return "unknown", None, why
    own = version_of(version)
    if product == "edge":
        return _edge(own, version, month)
    branch = _branch(product, own)
    fixes = [f for f in month.fixes if branch and _branch(product, f.build) == branch]
    if fixes:
        fix = max(fixes, key=lambda f: f.build)
        reached = own >= fix.build
        return (
            "fixed" if reached else "missing",
            fix,
            f"build {version} is {'not ' if reached else ''}lower than {_said(fix.build)} of its branch ({branch})",
        )
    if product.startswith("exchange") and month.fixes and not month.doubtful:
        same = [f for f in month.fixes if f.build[:2] == own[:2]]
        if same and own[2] > max(f.build[2] for f in same):
            return "fixed", None, f"build {version} is of a later cumulative update than the month's fixes"
        if same and own[2] < min(f.build[2] for f in same):
            fix = min(same, key=lambda f: f.build)
            return "missing", fix, f"build {version} is of a cumulative update that gets no fixes any more"
    return "unknown", None, f"the month's document names no build of its branch ({branch or 'which is not known'})"


def version_of(text: str) -> Version:
    """A version of four numbers: 15.02.1748.043 is 15.2.1748.43; () for anything else."""
    return tuple(map(int, text.split("."))) if _VERSION.fullmatch(text) else ()


def _edge(own: Version, version: str, month: ApplicationMonth) -> tuple[State, ApplicationFix | None, str]:
    """Every build of a month mends some flaws, so the highest counts. Extended Stable stays at even major versions, and nothing here tells whether a host
    is on it."""
    if not own or not month.fixes:
        return "unknown", None, "its build is none, or the month names none"
    fix = max(month.fixes, key=lambda f: f.build)
    if own >= fix.build:
        return "fixed", fix, f"build {version} is not lower than {_said(fix.build)}"
    if own[0] % 2 == 0 and own[0] < fix.build[0]:
        return (
            "unknown",
            fix,
            f"build {version} is lower than {_said(fix.build)}, and may be of Extended Stable, which has its own",
        )
    return "missing", fix, f"build {version} is lower than {_said(fix.build)}"


def _number(fix: ApplicationFix) -> str:
    """What people install: the update's number with its build, or the build alone where updates have none."""
    return f"KB{fix.kb} (build {_said(fix.build)})" if fix.kb else f"build {_said(fix.build)}"


def judged(p: InstalledProduct) -> bool:
    """Is the branch of an installed product known, so that months can be held against it?"""
    return p.version is not None and bool(_branch(p.product, version_of(p.version)))


def _branch(product: str, build: Version) -> str:
    """SQL Server: by range; Exchange Server: the cumulative update's own number."""
    if len(build) != 4 or build[:1] != _MAJOR.get(product, build[:1]):
        return ""
    if product == "edge":
        return "stable"
    if product.startswith("exchange"):
        return ".".join(map(str, build[:3]))
    return next((name for low, high, name in _SQL_BRANCHES.get(product, ()) if low <= build[2] <= high), "")


def _name(p: InstalledProduct) -> str:
    return label(p.product) + (f" ({p.instance})" if p.instance else "")


def _said(build: Iterable[int]) -> str:
    return ".".join(map(str, build))
