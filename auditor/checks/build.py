"""Builds of Windows."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.checks.check_kind import CheckKind, unparsed
from auditor.checks.judgement import Case, Judgement, unread
from auditor.versions import windows_build


class BuildCheck(CheckKind, frozen=True, tag="build"):
    """Compliant if the host's build (`20348.2700`) is at the one of `at_least` for its own build line, or later. A host on
    a line that is not among them is unknown: revisions of different lines say nothing about each other."""

    at_least: tuple[str, ...]

    def judge(self, case: Case) -> Judgement:
        """Revisions are compared within the host's own build line only."""
        build = case.facts.platform.build
        required = f"build {' or '.join(self.at_least)} or later on its line"
        if build is None:
            return unread(case.facts, "platform", "The build", required)
        try:
            reached = windows_build.reaches(build, self.at_least)
        except ValueError as e:
            return Judgement("unknown", str(e), required, "what the host calls its build cannot be read as one",
                             resolved_by="platform: a build of a known form")  # fmt: skip
        observed = f"build {build}"
        if reached is None:
            line = windows_build.parse(build)
            known = [b for b in self.at_least if windows_build.parse(b).line == line.line]
            why = (
                "the update build revision (UBR) is not known"
                if known
                else f"the rule has no figure for build line {line.line}"
            )
            return Judgement(
                "unknown", observed, required, why, resolved_by="platform: the UBR" if known else "rules: this build line"
            )
        return Judgement(
            "compliant" if reached else "noncompliant",
            observed,
            required,
            f"{observed} is {'' if reached else 'older than '}{required}",
        )

    def faults(self) -> Iterator[str]:
        yield from unparsed(windows_build.parse, self.at_least)
        if not self.at_least:
            yield "build needs at least one `at_least`"
