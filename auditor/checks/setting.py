"""Settings: sysctls, values of files, registry values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from auditor.checks.check_kind import CheckKind, Needs
from auditor.checks.judgement import Case, Judgement, unread
from auditor.model import setting_key

_NUMBERS = ("", "REG_DWORD", "REG_QWORD")


class SettingCheck(CheckKind, frozen=True, tag="setting"):
    r"""Compares one setting. `key`: `sysctl:net.core.somaxconn`, `file:/etc/login.defs#PASS_MAX_DAYS` (what follows
    the key, the last one where it stands twice) or `line:/etc/fstab#whole line`, or a registry value, `registry:HKLM\\KEY#NAME` (numbers are
    compared as such, REG_MULTI_SZ joined by spaces). Exactly one comparison is given.
    `named` beside `one_of`: the other values that the advisory names; one that is in neither is unknown.
    `absent` is the verdict for a value that is not set, or the documented default (`default`) that then counts."""

    key: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    absent: Literal["compliant", "noncompliant", "unknown", "not_applicable"] = "unknown"
    default: str | None = None

    def judge(self, case: Case) -> Judgement:
        name = setting_key.shown(self.key)
        required = f"{name} {_wanted(self)}"
        setting = (case.facts.settings or {}).get(self.key)
        if setting is None:
            return unread(case.facts, "settings", f"The value of {name}", required)
        if setting.state == "unreadable":
            return Judgement(
                "unknown", f"{name}: unreadable", required, setting.reason, resolved_by=f"settings: {setting.reason}"
            )
        value, from_default = setting.value, ""
        if setting.state == "present" and not self.one_of and setting.type not in _NUMBERS:
            why = f"it is {setting.type}, and Windows reads a number there: what it makes of this is not known"
            return Judgement(
                "unknown", f"{name} = {value[:60]}", required, why, resolved_by="settings: a value of the right type"
            )
        if setting.state == "absent":
            if self.default is None:
                why = f"a {name} that is not set counts as {self.absent} here"
                return Judgement(
                    self.absent, f"{name} is not set", required, why, resolved_by=f"settings: what {name} is on this host"
                )
            value, from_default = self.default, " (not set: the documented default)"
        fits = _fits(self, value)
        observed = f"{name} = {value}{from_default}"
        if self.named and value not in (*self.one_of, *self.named):
            why = f"the advisory names {', '.join((*self.one_of, *self.named))} only"
            return Judgement("unknown", observed, required, why, resolved_by="rules: what the vendor says of this value")
        if fits is None:
            return Judgement("unknown", observed, required, f"{value!r} is no number", resolved_by="settings: a readable value")
        return Judgement(
            "compliant" if fits else "noncompliant", observed, required, f"{observed}, and it must be {_wanted(self)}"
        )

    def needs(self) -> Needs:
        return Needs(settings=(self.key,))

    def faults(self) -> Iterator[str]:
        if wrong := setting_key.problem(self.key):
            yield wrong
        if (self.at_least is not None) + (self.at_most is not None) + bool(self.one_of) != 1:
            yield f"setting {self.key} needs exactly one of at_least, at_most, one_of"


def _wanted(check: SettingCheck) -> str:
    if check.at_least is not None:
        return f"at least {check.at_least:g}"
    if check.at_most is not None:
        return f"at most {check.at_most:g}"
    return " or ".join(check.one_of)


def _fits(check: SettingCheck, value: str) -> bool | None:
    if check.one_of:
        return value in check.one_of
    if not re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", value):
        return None
    number = float(value)
    return number >= check.at_least if check.at_least is not None else number <= (check.at_most or 0.0)
