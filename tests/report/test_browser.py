"""The report in a real Chromium: axe-core finds nothing wrong, and nothing reaches over a narrow screen's edge."""

from __future__ import annotations

import html as entities
import json
import re
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

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
# The page lies in a frame of the width asked for, so that its own media queries see that width.
OUTER = """<!doctype html><title>t</title><body style="margin:0"><iframe id=f style="border:0;width:WIDTHpx;height:900px"></iframe>
<script>const page = PAGE, axe = AXE;
f.onload = async () => {
  const w = f.contentWindow, root = w.document.documentElement;
  w.document.querySelectorAll('details').forEach(d => d.open = true);
  w.eval(axe);
  const found = await w.axe.run(w.document, {resultTypes: ['violations']});
  const wide = [...w.document.querySelectorAll('main *, header *')].filter(e => !e.closest('.table, svg') && e.getBoundingClientRect().right > w.innerWidth + 1);
  const told = {width: w.innerWidth, over: root.scrollWidth - w.innerWidth, wide: wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120)),
                violations: found.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])};
  document.documentElement.innerHTML = '<body><pre id=told></pre></body>';
  document.getElementById('told').textContent = JSON.stringify(told);
};
f.srcdoc = page;</script>"""


def seen(page: str, folder: Path, width: int, dark: bool) -> dict[str, Any]:
    """What Chromium and axe-core say of a page. The content policy is taken off: it would keep axe-core out as well."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    script = json.dumps(AXE.read_text()).replace("</", "<\\/")
    outer = OUTER.replace("WIDTH", str(width)).replace("PAGE", json.dumps(page).replace("</", "<\\/")).replace("AXE", script)
    (folder / "outer.html").write_text(outer, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--window-size=1300,900",
               "--virtual-time-budget=120000", f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", f"file://{folder / 'outer.html'}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert told, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(entities.unescape(told[1]))
    return found


RUNS = {"every verdict, hostile words": RUN, "a folded fleet": fleet(45)}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_in_a_real_browser(tmp_path: Path, name: str, width: int, dark: bool) -> None:
    run: Run = replace(RUNS[name], remarks=("waiver of kim for a on b ends on 2026-12-01",))
    told = seen(render(run, "html", RULES, Past("2026-11-22T00:00:00", CHANGES, POINTS)).decode(), tmp_path, width, dark)
    assert told["width"] == width
    assert told["violations"] == []
    assert told["over"] <= 0
    assert told["wide"] == []


@pytest.mark.parametrize("width", [720, 390, 320])
def test_a_mail_in_a_real_browser(tmp_path: Path, width: int) -> None:
    past = Past("2026-11-22T00:00:00", CHANGES, POINTS)
    mailing = Mailing(
        server="mx.example.com", sender="auditor@example.com", to=("kim@example.com",), link="https://example.com/{run}"
    )
    key = "web1.example.com port 22 shows ssh-ed25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8, which nobody knows"
    lost = TargetResult(target=Target(name="w" * 60), outcome="unreachable", error=TargetError("unknown-host-key", key))
    part = message(replace(RUN, remarks=("a waiver ends soon",), results=(*RUN.results, lost)), past, mailing, None).get_body(
        ("html",)
    )
    assert isinstance(part, EmailMessage)
    told = seen(part.get_content(), tmp_path, width, dark=False)
    assert [v for v in told["violations"] if v[0] in ("serious", "critical")] == []  # a mail is no page with landmarks
    assert told["over"] <= 0


def test_the_page_draws_nothing_from_elsewhere() -> None:
    page = render(RUN, "html", RULES).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|iframe|object|embed)\b", page)
    assert not re.search(r"url\((?!data:)", page)
