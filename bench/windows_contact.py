"""One Windows host in-process, by the product and by plain pywinrm in turns; run by the product's interpreter.

`python -m bench.windows_contact INVENTORY ROUNDS WAY=HOST...` reaches each host once unmeasured, then in turns, and prints
JSON: seconds and CPU seconds of every contact by its WAY=HOST. `... INVENTORY questions HOST...` prints the questions that
the product would put to each host, as the command lines that tell the same.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from secrets import token_hex

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.windows.host_facts import all_queries
from auditor.collectors.windows.queries import QuerySet, RegistryQuery
from auditor.collectors.windows.readers import shell, wmi
from auditor.evaluation.applicability import may_apply
from auditor.foundation import secret_refs
from auditor.foundation.clock import utc_now
from auditor.foundation.deadline import Stop
from auditor.inventory.native import load
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.rulebook.loader import load as load_rules
from bench import windows_pywinrm

_RULES = load_rules()


def by_auditor(target: Target) -> None:
    """Reach, read, parse and judge, with as many connections as the product finds worth their logins."""
    _scan(target)


def by_connections(most: int, target: Target) -> None:
    """The same with one connection in any case, or with as many as a host gets at most."""
    usual = wmi.FAR, wmi._WORTH_A_LOGIN
    wmi.FAR, wmi._WORTH_A_LOGIN = (math.inf, 0) if most == 1 else (0.0, 0)
    try:
        _scan(target)
    finally:
        wmi.FAR, wmi._WORTH_A_LOGIN = usual


def by_pywinrm(target: Target) -> None:
    """pywinrm alone, the same questions one by one."""
    url = f"{target.scheme}://{target.address}:{target.real_port}/wsman"
    password = secret_refs.resolve(target.password or "")
    for answer in windows_pywinrm.read(url, target.user or "", password, _LINES[target.name]):
        if not answer.strip():
            raise RuntimeError(f"{target.name}: an empty answer")


WAYS: dict[str, Callable[[Target], None]] = {
    "auditor": by_auditor,
    "one connection": partial(by_connections, 1),
    "three connections": partial(by_connections, 3),
    "pywinrm": by_pywinrm,
}
_LINES: dict[str, list[str]] = {}


def lines(target: Target) -> list[str]:
    """What WMI was asked, as far as a command line tells it: hotfixes are left out, they have none in the lab."""
    facts = _scan(target).facts
    assert facts
    build = int((facts.platform.build or "0").partition(".")[0])
    asked = all_queries(_RULES.requirements(may_apply(facts.platform)))

    def worth(asks: tuple[RegistryQuery, ...]) -> tuple[RegistryQuery, ...]:
        return tuple(a for a in asks if a.of(build) and a.unless not in asked.tables)

    same = QuerySet(values=worth(asked.values), keys=worth(asked.keys), tables=asked.tables)
    return [
        line for name, line in shell.lines(same, "").items() if name.partition(":")[0] in ("ver", "value", "key", "sc", "start")
    ]


def _scan(target: Target) -> TargetResult:
    result = scan(target, AuditContext(rulebook=_RULES, clock=utc_now, marker=lambda: token_hex(12)), Stop())
    if result.error or not result.findings:
        raise RuntimeError(f"{target.name}: {result.error}")
    return result


def main() -> None:
    inventory, rounds, *words = sys.argv[1:]
    targets = load(Path(inventory)).targets
    if rounds == "questions":
        print(json.dumps({name: lines(targets[name]) for name in words}))
        return
    turns = [(word, WAYS[method], targets[host]) for word in words for method, _, host in [word.partition("=")]]
    _LINES.update(json.loads(Path(inventory).with_name("questions.json").read_text(encoding="utf-8")))
    taken: dict[str, list[tuple[float, float]]] = {word: [] for word in words}
    for number in range(int(rounds) + 1):
        for word, reach, target in turns:
            started, used = time.perf_counter(), time.process_time()
            reach(target)
            if number:
                taken[word].append((time.perf_counter() - started, time.process_time() - used))
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
