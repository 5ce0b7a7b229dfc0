"""Settings and counters."""

from __future__ import annotations

import re

from auditor.checks.judgement import Case, Judgement, unread
from auditor.model import setting_key
from auditor.rulebook.rule import CounterCheck, SettingCheck

_NUMBERS = ("", "REG_DWORD", "REG_QWORD")


def judge_setting(check: SettingCheck, case: Case) -> Judgement:
    name = setting_key.shown(check.key)
    required = f"{name} {_wanted(check)}"
    setting = (case.facts.settings or {}).get(check.key)
    if setting is None:
        return unread(case.facts, "settings", f"The value of {name}", required)
    if setting.state == "unreadable":
        return Judgement("unknown", f"{name}: unreadable", required, setting.reason, settles=f"settings: {setting.reason}")
    value, from_default = setting.value, ""
    if setting.state == "present" and not check.one_of and setting.type not in _NUMBERS:
        why = f"it is {setting.type}, and Windows reads a number there: what it makes of this is not known"
        return Judgement("unknown", f"{name} = {value[:60]}", required, why, settles="settings: a value of the right type")
    if setting.state == "absent":
        if check.default is None:
            why = f"a {name} that is not set counts as {check.absent} here"
            return Judgement(
                check.absent, f"{name} is not set", required, why, settles=f"settings: what {name} is on this host"
            )
        value, from_default = check.default, " (not set: the documented default)"
    fits = _fits(check, value)
    observed = f"{name} = {value}{from_default}"
    if check.named and value not in (*check.one_of, *check.named):
        why = f"the advisory names {', '.join((*check.one_of, *check.named))} only"
        return Judgement("unknown", observed, required, why, settles="rules: what the vendor says of this value")
    if fits is None:
        return Judgement("unknown", observed, required, f"{value!r} is no number", settles="settings: a readable value")
    return Judgement(
        "compliant" if fits else "noncompliant", observed, required, f"{observed}, and it must be {_wanted(check)}"
    )


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


def judge_counter(check: CounterCheck, case: Case) -> Judgement:
    """Counters start at zero with the network namespace, at the latest when the host starts."""
    required = f"{check.name} at most {check.at_most}"
    volatile = case.facts.volatile
    if volatile is None or volatile.counters is None or check.name not in volatile.counters:
        return unread(case.facts, "counters", "The kernel's counters", required)
    count = volatile.counters[check.name]
    since = f" in {volatile.uptime / 86400:.1f} days" if volatile.uptime is not None else " since the host started"
    others = ", ".join(f"{k} {v}" for k, v in volatile.counters.items() if k != check.name and v)
    observed = f"{check.name} {count}{since}" + (f" ({others})" if others else "")
    full = "connections were refused or dropped because an accept queue was full"
    why = full if count > check.at_most else "no accept queue overflowed"
    if count > check.at_most:
        return Judgement(
            "noncompliant",
            observed,
            required,
            why,
            evidence=("/proc/net/netstat",),
            offending=(f"{check.name} above {check.at_most}",),
        )
    return Judgement("compliant", observed, required, why, evidence=("/proc/net/netstat",))
