"""Accept queues of listening sockets: the modern reading of Q181350.

Linux fixes a listener's limit at listen(2) as min(requested, net.core.somaxconn), so what the program asked for is
known only below the cap ("asked for 5") and bounded at it ("asked for at least 4096").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from auditor.checks.attested import AttestedCheck
from auditor.checks.check_kind import CheckKind
from auditor.checks.judgement import Case, Judgement, unread
from auditor.foundation.sanitize import counted
from auditor.model.facts import Listener


class ListenBacklogCheck(CheckKind, frozen=True, tag="listen_backlog"):
    """Compliant if every listener in question has an effective backlog above `above`. `port` narrows to one port;
    `reachable_only` leaves loopback listeners out of the verdict (they are listed and marked). Where no backlog can be
    observed, `unobserved` is judged instead; what was observed always goes before it."""

    above: int
    port: int | None = None
    reachable_only: bool = False
    unobserved: AttestedCheck | None = None

    def judge(self, case: Case) -> Judgement:
        on_port = f" on port {self.port}/tcp" if self.port else ""
        required = f"a listen backlog above {self.above}{on_port or ' for every reachable listener'}"
        listeners = case.facts.listeners
        if listeners is None:
            return _unobserved(self, case, unread(case.facts, "listeners", "The listening sockets", required))
        asked = [x for x in listeners if self.port in (None, x.port)]
        judged, loopback = list[Listener](), list[Listener]()
        for x in asked:
            (loopback if self.reachable_only and is_loopback(x.address) else judged).append(x)
        if not judged:
            observed = "only loopback listeners: " + _list(asked, case) if asked else f"nothing listens{on_port}"
            nothing = Judgement("not_applicable", observed, required, "there is no listener that others could reach")
            if self.port:
                why = f"nothing listens{on_port} at the moment, so its backlog cannot be seen"
                return _unobserved(
                    self, case, Judgement("unknown", observed, required, why, resolved_by="listeners: the server running")
                )
            return nothing
        small = [x for x in judged if x.backlog is not None and x.backlog <= self.above]
        blind = [x for x in judged if x.backlog is None]
        aside = f"; loopback, not judged: {_list(loopback, case)}" if loopback else ""
        if small:
            why = f"{len(small)} of {counted(len(judged), 'listener')} refuse or drop connections once {self.above} or fewer wait to be accepted"
            return Judgement(
                "noncompliant",
                _list(small, case) + aside + _overflows(case),
                required,
                why,
                evidence=("ss -ltn: Send-Q of a LISTEN socket",),
                offending=tuple(_one(x, None, None) for x in small),
            )
        if blind:
            reason = next((o.reason for o in case.facts.outcomes if o.name == "listeners"), "")
            said = Judgement("unknown", _list(blind, case) + aside, required, f"the limit of {counted(len(blind), 'listener')} is not known: {reason}",
                             resolved_by=f"listeners: {reason or 'queue limits'}")  # fmt: skip
            return _unobserved(self, case, said)
        return Judgement("compliant", _list(judged, case) + aside, required, f"all {len(judged)} have a backlog above {self.above}",
                         evidence=("ss -ltn: Send-Q of a LISTEN socket",))  # fmt: skip

    def faults(self) -> Iterator[str]:
        if self.above < 0:
            yield "a backlog cannot be below zero"

    @property
    def attestable(self) -> bool:
        return self.unobserved is not None


def _unobserved(check: ListenBacklogCheck, case: Case, otherwise: Judgement) -> Judgement:
    return check.unobserved.judge(case, observed=otherwise.observed) if check.unobserved else otherwise


def _overflows(case: Case) -> str:
    """What the host-wide counter says beside it; it does not tell which listener it was."""
    counters = case.facts.volatile.counters if case.facts.volatile else None
    count = (counters or {}).get("ListenOverflows", 0)
    return f"; ListenOverflows {count} since the host started" if count else ""


def is_loopback(address: str) -> bool:
    """Only the host itself can reach it, by its address or since it is bound to the loopback device; an address that cannot
    be read counts as reachable."""
    if address.endswith("%lo"):
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _list(listeners: list[Listener], case: Case, most: int = 40) -> str:
    """Every listener with its process, limit, queue and what that says of the request."""
    setting = (case.facts.settings or {}).get("sysctl:net.core.somaxconn")
    cap = int(setting.value) if setting and re.fullmatch(r"\d{1,18}", setting.value) else None
    queues = case.facts.volatile.queues if case.facts.volatile else {}
    shown = [_one(x, cap, queues.get(x.endpoint)) for x in listeners[:most]]
    return "; ".join(shown) + (f"; and {len(listeners) - most} more" if len(listeners) > most else "")


def _one(x: Listener, cap: int | None, queue: int | None) -> str:
    limit = "limit not known" if x.backlog is None else f"backlog {x.backlog}"
    if x.backlog is not None and cap is not None:
        limit += f" (asked for at least {cap})" if x.backlog == cap else f" (asked for {x.backlog})" if x.backlog < cap else ""
    waiting = f", {queue} waiting" if queue else ""
    return f"{x.endpoint} {x.process or 'process not known'} {limit}{waiting}"
