"""Versions of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from auditor.checks.check_kind import CheckKind, Needs, unparsed
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model import setting_key
from auditor.versions import file_version


class FileVersionCheck(CheckKind, frozen=True, tag="file_version"):
    """Compliant if the file's version is `at_least` or later. `path` is as on the host, `%SystemRoot%` and
    `%ProgramFiles%` allowed. `absent` is the verdict where there is no such file."""

    path: str
    at_least: str
    absent: Literal["noncompliant", "unknown", "not_applicable"] = "unknown"

    @property
    def key(self) -> str:
        """The fact that is asked for."""
        return f"file-version:{self.path}"

    def judge(self, case: Case) -> Judgement:
        """The file on disk decides over what a registry claims."""
        required = f"{self.path} {self.at_least} or later"
        found = (case.facts.settings or {}).get(self.key)
        if found is None:
            return unread(case.facts, "settings", f"The version of {self.path}", required)
        if found.state == "unreadable":
            why = f"the version of {self.path} could not be read: {found.reason}"
            return Judgement("unknown", f"{self.path}: unreadable", required, why, resolved_by=f"settings: {found.reason}")
        if found.state == "absent":
            why = f"a missing {self.path} counts as {self.absent} here"
            return Judgement(self.absent, f"{self.path} is not there", required, why, resolved_by="settings: where the file is")
        observed = f"{self.path} {found.value}"
        try:
            older = file_version.older(found.value, self.at_least)
        except ValueError as e:
            return Judgement("unknown", observed, required, str(e), resolved_by="settings: a readable file version")
        why = f"{observed} is {'older than what is' if older else 'what is'} required"
        return Judgement("noncompliant" if older else "compliant", observed, required, why, evidence=("file version on disk",))

    def needs(self) -> Needs:
        return Needs(settings=(self.key,))

    def faults(self) -> Iterator[str]:
        yield from unparsed(file_version.parse, [self.at_least])
        if wrong := setting_key.problem(self.key):
            yield wrong
