"""The report in a real Chromium: axe-core finds nothing wrong, and nothing reaches over a narrow screen's edge."""

from __future__ import annotations

import html as entities
import json
import re
import subprocess
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from auditor.mail.message import message
from auditor.model.mailing import Mailing
from auditor.model.past import Change, Compared, Past
from auditor.model.run import Run, TargetError, TargetResult
from auditor.model.target import Target
from auditor.report.formats import render
from tests.given import RULES
from tests.places import ROOT
from tests.report.test_fleet_report import fleet
from tests.report.test_formats import RUN

AXE = ROOT / ".schemas" / "axe.min.js"
POINTS = tuple(Compared(f"r{n}", f"2026-11-{10 + n}T00:00:00", 20, 10 + n, 14) for n in range(5))
CHANGES = (
    Change(
        "new",
        "web1",
        "rule-1",
        "A title",
        "low",
        "required",
        "compliant",
        "noncompliant",
        "nothing",
        "0.0.0.0:8080 httpd backlog 5",
    ),
    Change("not assessed", "db1", before="assessed", after="unreachable", now="timeout: no answer from 192.0.2.7 port 22"),
)
# Each page lies in a frame of the width asked for, so that its own media queries see that width.
OUTER = """<!doctype html><title>t</title><body style="margin:0">
<script>const pages = PAGES, axe = AXE, told = [];
const look = async (page, width) => {
  const f = document.createElement('iframe');
  f.style = `border:0;width:${width}px;height:900px`;
  document.body.append(f);
  await new Promise(done => { f.onload = done; f.srcdoc = page; });
  const w = f.contentWindow, root = w.document.documentElement;
  w.document.querySelectorAll('details').forEach(d => d.open = true);
  w.eval(axe);
  const found = await w.axe.run(w.document, {resultTypes: ['violations']});
  const wide = [...w.document.querySelectorAll('main *, header *')].filter(e => !e.closest('.table, svg') && e.getBoundingClientRect().right > w.innerWidth + 1);
  const said = {width: w.innerWidth, over: root.scrollWidth - w.innerWidth, wide: wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120)),
                violations: found.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])};
  f.remove();
  return said;
};
(async () => {
  for (const [page, width] of pages) told.push(await look(page, width));
  document.documentElement.innerHTML = '<body><pre id=told></pre></body>';
  document.getElementById('told').textContent = JSON.stringify(told);
})();</script>"""


def sampled(run: Run) -> Run:
    """A few findings of every kind: thousands of the same kind are the same to look at, and axe-core looks at each element."""

    def of(result: TargetResult) -> TargetResult:
        seen: Counter[object] = Counter()
        kept = []
        for f in result.findings:
            kind = (
                f.verdict,
                f.obligation,
                f.generated,
                f.remedy is not None,
                f.waiver is not None,
                f.due is not None,
                len(f.observed) > 700,
            )
            seen[kind] += 1
            if seen[kind] <= 3:
                kept.append(f)
        return replace(result, findings=tuple(kept))

    return replace(run, results=tuple(map(of, run.results)))


RUNS = {"every verdict, hostile words": sampled(RUN), "a folded fleet": fleet(45)}


class Look(NamedTuple):
    """One page in one window."""

    page: str
    width: int
    dark: bool


def report(name: str) -> str:
    run: Run = replace(RUNS[name], remarks=("waiver of kim for a on b ends on 2026-12-01",))
    return render(run, "html", RULES, Past("2026-11-22T00:00:00", CHANGES, POINTS)).decode()


def mail() -> str:
    past = Past("2026-11-22T00:00:00", CHANGES, POINTS)
    mailing = Mailing(
        server="mx.example.com", sender="auditor@example.com", to=("kim@example.com",), link="https://example.com/{run}"
    )
    key = "web1.example.com port 22 shows ssh-ed25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8, which nobody knows"
    lost = TargetResult(target=Target(name="w" * 60), outcome="unreachable", error=TargetError("unknown-host-key", key))
    run = replace(RUN, remarks=("a waiver ends soon",), results=(*RUN.results, lost))
    part = message(run, past, mailing, None).get_body(("html",))
    assert isinstance(part, EmailMessage)
    content: str = part.get_content()
    return content


LOOKS = {f"{name}, {width}": Look(name, width, dark) for name in RUNS for width, dark in ((1200, False), (390, True))}
MAILS = {f"mail, {width}": Look("mail", width, False) for width in (720, 390, 320)}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What Chromium and axe-core say of every page: one browser for the light ones, one for the dark ones."""
    found: dict[str, dict[str, Any]] = {}
    for dark in (False, True):
        looks = {name: look for name, look in (LOOKS | MAILS).items() if look.dark is dark}
        pages = [(mail() if look.page == "mail" else report(look.page), look.width) for look in looks.values()]
        found |= zip(looks, seen(pages, tmp_path_factory.mktemp("browser"), dark), strict=True)
    return found


def seen(pages: list[tuple[str, int]], folder: Path, dark: bool) -> list[dict[str, Any]]:
    """One browser for pages with their widths. The content policy is taken off: it would keep axe-core out as well."""
    bare = [(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page), width) for page, width in pages]
    script = json.dumps(AXE.read_text()).replace("</", "<\\/")
    outer = OUTER.replace("PAGES", json.dumps(bare).replace("</", "<\\/")).replace("AXE", script)
    (folder / "outer.html").write_text(outer, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--window-size=1300,900",
               "--virtual-time-budget=240000", f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", f"file://{folder / 'outer.html'}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert said, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(entities.unescape(said[1]))
    return found


@pytest.mark.parametrize("name", LOOKS)
def test_in_a_real_browser(told: dict[str, dict[str, Any]], name: str) -> None:
    assert told[name]["width"] == LOOKS[name].width
    assert told[name]["violations"] == []
    assert told[name]["over"] <= 0
    assert told[name]["wide"] == []


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_in_a_real_browser(told: dict[str, dict[str, Any]], name: str) -> None:
    assert [v for v in told[name]["violations"] if v[0] in ("serious", "critical")] == []  # a mail is no page with landmarks
    assert told[name]["over"] <= 0


def test_the_page_draws_nothing_from_elsewhere() -> None:
    page = render(RUN, "html", RULES).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|iframe|object|embed)\b", page)
    assert not re.search(r"url\((?!data:)", page)
