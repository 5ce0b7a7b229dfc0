"""`python -m tests.advisories.score`: precision and recall of the reader on the labelled articles, as a Markdown table.

The labels (labels/*.jsonl: ids and facts, no text) were made by reading whole articles, each of the unseen half by two
readers who did not know of each other, a third settling where they differed. The seen half was looked at while the reader
was written; the unseen half only through this table. Needs the archive of articles; revised and applies_to are compared
with a second, simpler reading of the same lines.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from auditor.advisories.article import Article
from auditor.advisories.sources.kb.article_reader import read
from auditor.rulebook.loader import load
from tests.advisories.shared import ARCHIVE

LABELS = Path(__file__).with_name("labels")
WAYS = ("hotfix_only", "latest_sp", "vendor_fix", "no_fix")
AGREEMENT = ("revised", "applies_to")  # right or wrong, nothing to find
Counts = dict[str, Counter[str]]


def labelled(half: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LABELS / f"{half}.jsonl").read_text().splitlines()]


def articles(ids: Iterable[str], archive: Path) -> dict[str, tuple[Article, str]]:
    """The articles read, each with its text."""
    wanted, found = set(ids), {}
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            ident = member.filename.rpartition("/")[2].partition(".")[0]
            if ident in wanted:
                content = opened.read(member)
                found[ident] = (read(content), content.decode("cp1252", "replace").replace("\r\n", "\n"))
    return found


def count(half: str, archive: Path) -> Counts:
    counts: Counts = defaultdict(Counter)
    labels = labelled(half)
    found = articles((o["id"] for o in labels), archive)
    for o in labels:
        a, text = found[o["id"]]
        sets(
            counts["fixes"],
            {(f.product, f.service_pack) for f in a.fixes},
            {(f["product"], f["service_pack"]) for f in o["fixes"]},
        )
        for method in WAYS:
            yes_no(counts[method], getattr(a, method), o[method])
        yes_no(counts["requires_component"], a.requires_component is not None, o["component"])
        yes_no(counts["revised"], str(a.revised) == revised(text), True)
        yes_no(counts["applies_to"], list(a.applies_to) == applies_to(text), True)
    return counts


def sets(c: Counter[str], got: set[Any], want: set[Any]) -> None:
    c["tp"] += len(got & want)
    c["fp"] += len(got - want)
    c["fn"] += len(want - got)


def yes_no(c: Counter[str], got: bool, want: bool) -> None:
    c["tp" if got and want else "fp" if got else "fn" if want else "tn"] += 1


def revised(text: str) -> str:
    day, month, year = text.split("\n", 1)[0].split()[1].split("-")
    return f"{year}-{'JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC'.index(month) // 3 + 1:02}-{day}"


def applies_to(text: str) -> list[str]:
    """The bullets between the line that announces them and the next ruled line."""
    lines, out, within = text.split("\n"), [], False
    for line in lines:
        if line.startswith("The information in this article applies to"):
            within = True
        elif within and line.startswith("----"):
            break
        elif within and (bullet := re.match(r"\s*- (.*)", line)):
            out.append(bullet[1])
        elif within and line.strip() and out:
            out[-1] += f" {line}"
    return [" ".join(o.split()) for o in out]


def figures(c: Counter[str]) -> tuple[float, float, float, float]:
    """Precision, recall, F1 and accuracy; 1 where there was nothing to find."""
    tp, fp, fn = c["tp"], c["fp"], c["fn"]
    precision, recall = tp / (tp + fp) if tp + fp else 1.0, tp / (tp + fn) if tp + fn else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1, (tp + c["tn"]) / max(1, c.total())


def table(counts: Counts) -> str:
    rows = ["| field | positives | precision | recall | F1 | accuracy |", "|---|--:|--:|--:|--:|--:|"]
    for field, c in counts.items():
        shown = [f"{x:.3f}" for x in figures(c)]
        if field in AGREEMENT:
            shown[:3] = "–––"
        rows.append(f"| {field} | {c['tp'] + c['fn']} | {' | '.join(shown)} |")
    return "\n".join(rows)


def worth() -> str:
    """Of the shipped rules that are judged by default, how many a careful reader calls sensible (labels/worth.jsonl: drawn at
    random, the first 200 labelled by two readers, the others by a third); and how many articles that are none give a rule."""
    shipped = load().rules
    default = {r.id for r in shipped if r.generated}
    drawn = [o for o in labelled("worth") if o["id"] in default]
    sensible = sum(all(o["sensible"]) for o in drawn)
    given = {r.id for r in load(situational=True).rules if r.generated}
    none = [o["id"] for half in ("seen", "unseen") for o in labelled(half) if o["no_fix"]]
    without = sum(i not in given for i in none)
    return (
        f"worth: {sensible} of {len(drawn)} rules that are judged by default are sensible ({sensible / len(drawn):.3f})\n"
        f"no rule: {without} of {len(none)} articles that are none give none ({without / len(none):.3f})"
    )


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.advisories.score", description=__doc__.partition("\n")[0])
    parser.add_argument("halves", nargs="*", metavar="unseen|seen")
    halves = parser.parse_args().halves or ["unseen", "seen"]
    if wrong := [h for h in halves if h not in ("unseen", "seen")]:
        parser.error(f"not known: {wrong[0]}")
    if ARCHIVE is None:
        print(
            "the archive of articles is not here: put it beside the project, or name its folder in $AUDITOR_SHARED",
            file=sys.stderr,
        )
        return 2
    for half in halves:
        print(f"{half}: {len(labelled(half))} articles\n\n{table(count(half, ARCHIVE))}\n")
    print(worth())
    return 0


if __name__ == "__main__":
    sys.exit(main())
