"""The loaded rules, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from auditor.checks.registry import Check, with_children
from auditor.model import run, setting_key
from auditor.model.requirements import DataRequirements
from auditor.rulebook.imported import ImportedFile
from auditor.rulebook.rule import Rule

# The cap that the backlog checks explain requested values by is always read.
ALWAYS_READ = ("sysctl:net.core.somaxconn",)


class Rulebook:
    """`places`: where each rule came from (`file:line`), by its id; `left`: by product, how many rules about particular problems were not
    loaded. The rules of `later` files, which an importer wrote for Windows, are read once a Windows host needs them."""

    def __init__(
        self,
        read: Sequence[Rule],
        places: dict[str, str],
        digest: str,
        left: dict[str, int] | None = None,
        later: Sequence[ImportedFile] = (),
    ) -> None:
        self.places, self.digest, self.left = places, digest, left or {}
        self._read, self._later = tuple(read), tuple(later)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule; what people wrote first. Raises FileFaults where a file that was to be read later is none of rules."""
        return (*self._read, *(rule for file in self._later for rule in file.rules()))

    @cached_property
    def _linux(self) -> tuple[Rule, ...]:
        return tuple(r for r in self._read if r.family == "linux")

    def of(self, family: str | None) -> tuple[Rule, ...]:
        """The rules that a host of a family can be held against: for Linux without a look at what is for Windows."""
        return self._linux if family == "linux" else self.rules

    def about(self, judged: run.Run) -> tuple[Rule, ...]:
        """The rules that a report on a run can speak of."""
        return self.of("linux" if all(r.facts is None or r.facts.platform.family == "linux" for r in judged.results) else None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all rules."""
        return tuple(self.places)

    def requirements(self, wanted: Callable[[Rule], bool] = lambda rule: True, family: str | None = None) -> DataRequirements:
        """What some rule among those `wanted` needs to know, of one family or of all."""
        rules = [r for r in self.of(family) if wanted(r)]
        components = [c for r in rules for c in (r.application, r.component) if c and r.family == "windows"]
        keys, hotfixes = set(ALWAYS_READ), set[str]()
        for rule in rules:
            for check in checks(rule):
                needs = check.needs()
                keys.update(needs.settings)
                # The entries of generated rules' hotfixes are not looked at one by one: there are thousands, and the list has them.
                if not rule.generated:
                    hotfixes.update(needs.hotfixes)
        return DataRequirements(
            linux=tuple(sorted(k for k in keys if setting_key.family(k) == "linux")),
            windows=tuple(sorted(k for k in keys if setting_key.family(k) == "windows")),
            hotfixes=tuple(sorted(hotfixes)),
            programs=any(c.programs or c.hints for c in components),
            processes=any(c.processes for c in components),
            vendors=tuple(sorted({c.vendor for c in components if c.vendor})),
            services=tuple(sorted({s for c in components for s in c.services})),
        )

    def summary(self) -> run.RulebookSummary:
        """What a run says of the rules it was judged by."""
        days = [r.provenance.retrieved.isoformat() for r in self._read] + [f.newest for f in self._later]
        return run.RulebookSummary(self.digest, len(self.places), max(days, default=""), self.left)


def checks(rule: Rule) -> Iterator[Check]:
    """Every check of a rule, the nested ones too."""
    for branch in rule.branches:
        yield from with_children(branch.check)


def attestable(rule: Rule) -> bool:
    """Does it ask, anywhere, what a person may attest?"""
    return any(check.attestable for check in checks(rule))
