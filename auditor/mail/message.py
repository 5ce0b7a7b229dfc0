"""One mail per run: a text part that reads well alone, an HTML part with its styles inline, the whole report attached.

The Message-ID follows from the run, so a mail that went out twice is known by it; all mails of one sender refer to one
thread (RFC 5322, section 3.6.4), so that nights lie together.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from msgspec import Struct

from auditor.foundation.sanitize import counted, one_line
from auditor.model.mailing import Mailing
from auditor.model.past import Change, Past
from auditor.model.run import Run, TargetResult
from auditor.report.actions import Action
from auditor.report.figures import Figures, figures, knowledge, sentence
from auditor.report.templates import template

MAX_ATTACHED = 5_000_000  # bytes; many servers refuse mails from 10 MB on, and base64 adds a third
_HEADER = 200  # characters: folded at the usual 78, a subject could begin with an empty line, which some readers show
_NO_ID = re.compile(r"[^A-Za-z0-9._-]")
_ACTIONS, _APART = 5, 3  # actions; changes of one kind on one host that are told one by one
_SHOWN = 20  # changes, and hosts; the rest is counted
_MATTERS = ("new", "came back", "changed", "became unknown", "not assessed", "another machine", "waiver ended")
REQUIRED = ("", "required")  # what a change is about: a host, or a required finding
_WHAT = 200  # characters of what a change was from and to


class ChangeGroup(Struct, frozen=True):
    """What changed: one thing, or all of one kind on one host."""

    kind: str
    host: str
    what: str


class Digest(Struct, frozen=True):
    """What both parts say."""

    run: Run
    figures: Figures
    sentence: str
    knowledge: str
    since: str
    changes: list[ChangeGroup]
    more_changes: int
    aside: str
    actions: tuple[Action, ...]
    more_actions: int
    compared: str
    lost: list[TargetResult]
    link: str
    attached: bool


def message(run: Run, past: Past | None, mailing: Mailing, report: bytes | None, to: tuple[str, ...] = ()) -> EmailMessage:
    """The mail of a run. `report` is its HTML report, attached where the settings ask for it and it is not too large."""
    digest = _digest(run, past, mailing, report)
    domain = mailing.sender.rpartition("@")[2].strip(" >") or "localhost"
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject(run, past)
    mail["From"] = one_line(mailing.sender)
    mail["To"] = ", ".join(one_line(a) for a in to or mailing.to)
    mail["Date"] = format_datetime(run.finished or run.started)
    mail["Message-ID"] = message_id(run.id, domain)
    mail["References"] = mail["In-Reply-To"] = f"<auditor.reports@{domain}>"
    mail["List-Id"] = f"auditor reports <reports.auditor.{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834
    mail["X-Auditor-Run"] = one_line(run.id)
    mail.set_content("\n".join(_text(digest)) + "\n")
    mail.add_alternative(template("mail.html.j2").render(d=digest), subtype="html")
    if digest.attached and report:
        mail.add_attachment(
            report, maintype="text", subtype="html", filename=f"auditor-{one_line(run.id)}.html", params={"charset": "utf-8"}
        )
    mail.policy = SMTP.clone(max_line_length=_HEADER)
    return mail


def message_id(run: str, domain: str) -> str:
    """The Message-ID of a run's mail (RFC 5322, 3.6.4): the same run gives the same one."""
    return f"<auditor.{_NO_ID.sub('-', run)}@{domain}>"


def subject(run: Run, past: Past | None) -> str:
    """The matter in one line: what is new, what is fixed, what could not be assessed, and how many hosts lack something."""
    n = figures(run)
    kinds = [c.kind for c in past.changes if c.obligation in REQUIRED] if past else []
    new, fixed, unknown = kinds.count("new") + kinds.count("came back"), kinds.count("fixed"), kinds.count("became unknown")
    parts = [f"{count} {word}" for count, word in ((new, "new"), (unknown, "became unknown")) if count]
    total = len(run.results)
    if n.overdue:
        parts.append(f"{n.overdue} overdue")
    if n.network_down:
        parts.insert(0, "network unreachable")
    if n.unassessed:
        parts.append(f"{n.unassessed} of {counted(total, 'host')} not assessed")
    if n.failing_hosts:
        parts.append(f"{n.failing_hosts} of {counted(total, 'host')} {'lacks' if n.failing_hosts == 1 else 'lack'} something")
    if n.unknown_hosts:
        of = "" if n.failing_hosts else f" of {counted(total, 'host')}"
        parts.append(f"{n.unknown_hosts}{of} {'leaves' if n.unknown_hosts == 1 else 'leave'} questions open")
    if fixed:
        parts.append(f"{fixed} fixed")
    if run.interrupted:
        parts.insert(0, "stopped early" if parts else f"stopped early after {counted(total, 'host')}")
    elif not total:
        parts.append("no host was audited")
    met = (
        f"{n.unjudged_hosts} of {counted(total, 'host')} have nothing required"
        if n.unjudged_hosts
        else "everything required is met"
    )
    return one_line(f"auditor: {', '.join(parts) or met}", 150)


def _digest(run: Run, past: Past | None, mailing: Mailing, report: bytes | None) -> Digest:
    n = figures(run)
    changes = [c for c in past.changes if c.kind != "facts changed"] if past else []
    told = _told([c for c in changes if c.obligation in REQUIRED])
    aside = _aside(past.changes) if past else ""
    return Digest(
        run=run,
        figures=n,
        sentence=sentence(run, n),
        knowledge=knowledge(run),
        since=past.before[:16].replace("T", " ") if past else "",
        changes=told[:_SHOWN],
        more_changes=max(0, len(told) - _SHOWN),
        aside=aside,
        actions=n.actions[:_ACTIONS],
        more_actions=max(0, len(n.actions) - _ACTIONS),
        compared=_compared(past) if past else "",
        lost=[r for r in run.results if r.error],
        link=one_line(mailing.link.replace("{run}", run.id)) if mailing.link else "",
        attached=bool(mailing.attach and report and len(report) <= MAX_ATTACHED),
    )


def _aside(changes: tuple[Change, ...]) -> str:
    """What else changed, counted: nobody should be woken by it."""
    others = sum(c.obligation not in REQUIRED for c in changes)
    facts = len({c.host for c in changes if c.kind == "facts changed"})
    said = [f"{counted(others, 'change')} of what is advised or for certain situations"] if others else []
    said += [f"facts of {counted(facts, 'host')} changed"] if facts else []
    return f"{'; '.join(said)}: in the report" if said else ""


def _compared(past: Past) -> str:
    """How the same findings stood in the run before; "" where it could judge none of them."""
    then = past.last
    if then is None or then.share is None or then.share_now is None:
        return ""
    same = "the one that" if then.judged == 1 else f"the {then.judged} that"
    return (
        f"Of {same} could be judged as of {then.started[:16].replace('T', ' ')} UTC too, on the same hosts and by the same rules, "
        f"{then.share:.0%} {'was' if then.judged == 1 else 'were'} met then and {then.share_now:.0%} now."
    )


def _told(changes: list[Change]) -> list[ChangeGroup]:
    """What matters first; where much of one kind happened on one host, it is one line."""
    groups: dict[tuple[bool, str, str], list[Change]] = {}
    for c in changes:
        groups.setdefault((c.kind not in _MATTERS, c.kind, c.host), []).append(c)
    told = []
    for (_, kind, host), same in sorted(groups.items()):
        if len(same) > _APART:
            more = " …" if len(same) > 6 else ""
            told.append(
                ChangeGroup(kind, host, f"{counted(len(same), 'finding')}: {', '.join(c.rule for c in same[:6])}{more}")
            )
        else:
            told += [ChangeGroup(kind, host, _one(c)) for c in same]
    return told


def _one(c: Change) -> str:
    head = f"{c.rule} {c.title}" if c.rule else ""
    return ": ".join(part for part in (head, one_line(c.what, _WHAT)) if part)


def _text(d: Digest) -> list[str]:
    lines = [d.sentence, f"{d.run.started:%A %-d %B %Y, %H:%M} UTC, run {d.run.id}, {d.knowledge}", ""]
    if d.figures.compliance is not None:
        lines += [
            f"Of the required findings that could be judged, {d.figures.compliance:.0%} are met. {d.compared}".strip(),
            "",
        ]
    if d.lost:
        lines += [f"Not assessed, so nothing is known of them from this run ({len(d.lost)}):"]
        lines += [f"  {r.target.name}: {r.error.kind}: {r.error.message}" for r in d.lost[:_SHOWN] if r.error]
        lines += [f"  and {len(d.lost) - _SHOWN} more", ""] if len(d.lost) > _SHOWN else [""]
    if d.since:
        lines += [f"Changed since {d.since} UTC:" if d.changes or d.aside else f"Nothing changed since {d.since} UTC."]
        lines += [f"  {c.kind}: {c.host}" + (f", {c.what}" if c.what else "") for c in d.changes]
        lines += [f"  and {counted(d.more_changes, 'more change')}"] if d.more_changes else []
        lines += [f"  {d.aside}", ""] if d.aside else [""]
    if d.actions:
        lines += ["What to do first:"]
        for number, a in enumerate(d.actions, 1):
            lines += [f"  {number}. {a.title} ({a.rating})", f"     {a.remediation}", f"     on {_hosts(a)}; {a.effect}"]
        lines += [f"  and {d.more_actions} more, in the report", ""] if d.more_actions else [""]
    if d.run.remarks:
        lines += ["To be looked at:", *(f"  {remark}" for remark in d.run.remarks[:_SHOWN]), ""]
    if d.link:
        lines += [f"The whole report: {d.link}"]
    if d.attached:
        lines += ["The whole report is attached."]
    elif not d.link:
        lines += [f"The whole report: auditor report export {d.run.id}"]
    return [" " * (len(line) - len(line.lstrip())) + one_line(line, 500) for line in lines]


def _hosts(a: Action) -> str:
    shown = ", ".join(a.targets[:6])
    return shown + (f" and {len(a.targets) - 6} more" if len(a.targets) > 6 else "")
