"""What every kind of check is: a record of a rule file that can judge a host.

A new kind is one file here and one line in registry.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from auditor.checks.judgement import Case, Judgement


class Strict(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all rule records: an unknown key is an error."""


class Needs(Struct, frozen=True):
    """What a check must know of a host beyond what is always read: keys of settings (model/setting_key.py), and hotfixes whose
    registry entries are looked at one by one."""

    settings: tuple[str, ...] = ()
    hotfixes: tuple[str, ...] = ()


class CheckKind(Strict, frozen=True, tag_field="kind"):
    """The base of the checks; the tag is the check's kind. Everything a kind knows stands in its class: its fields, how it
    judges, what it needs, and which values make no sense."""

    def judge(self, case: Case) -> Judgement:
        """The judgement of one host. Pure, and it never raises for what a host says."""
        raise NotImplementedError

    def needs(self) -> Needs:
        """What must be read of a host for it."""
        return Needs()

    def faults(self) -> Iterator[str]:
        """What is wrong with its values, in sentences; the types say the rest."""
        yield from ()

    @property
    def attestable(self) -> bool:
        """Does an attestation decide it, or a part of it?"""
        return False


def unparsed(parse: Callable[[str], object], texts: Iterable[str]) -> Iterator[str]:
    """The reason for each text that `parse` refuses with ValueError."""
    for text in texts:
        try:
            parse(text)
        except ValueError as e:
            yield str(e)
