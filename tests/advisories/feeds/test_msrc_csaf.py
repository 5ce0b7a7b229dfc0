"""Microsoft's CSAF documents, one for each CVE: parts of months."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.advisories.database.importing import import_documents
from auditor.advisories.database.index import AdvisoryIndex
from auditor.advisories.feeds.fields import OtherDocument
from auditor.advisories.feeds.msrc_csaf import read
from auditor.model.monthly_release import MonthlyFlaw
from tests.advisories.feeds.test_msrc_cvrf import SAMPLES, document, fix, flaw


def csaf(
    cve: str = "CVE-2022-5000",
    url: str = "https://support.microsoft.com/help/5011497",
    category: str = "csaf_security_advisory",
    **more: Any,
) -> bytes:
    versions = [
        {"category": "product_version_range", "name": "<10.0.20348.587", "product": {"name": "x", "product_id": "1"}},
        {"category": "product_version", "name": "10.0.20348.587", "product": {"name": "x", "product_id": "11923"}},
    ]
    made = {
        "document": {
            "category": category, "csaf_version": "2.0", "publisher": {"namespace": "https://msrc.microsoft.com"}, "aggregate_severity": {"text": "Critical"},
            "tracking": {"id": f"msrc_{cve}", "initial_release_date": "2022-03-08T08:00:00Z", "current_release_date": "2022-03-20T08:00:00Z"},
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "Microsoft", "branches": [{"category": "product_name", "name": "Windows Server 2022", "branches": versions}]}]},
        "vulnerabilities": [
            {
                "cve": cve,
                "remediations": [
                    {"category": "vendor_fix", "details": f"10.0.20348.587:Security Update:{url}", "product_ids": ["1"], "url": url},
                    {"category": "mitigation", "details": "none", "product_ids": ["1"]},
                ],
                "threats": [{"category": "exploit_status", "details": "Publicly Disclosed:No;Exploited:Yes;Latest Software Release:x"}],
            }
        ],
        **more,
    }  # fmt: skip
    return json.dumps(made).encode()


def test_a_flaw_and_what_mends_it() -> None:
    part = read(csaf())
    assert (part.month, part.released, part.revised, part.document) == (
        date(2022, 3, 1),
        date(2022, 3, 8),
        date(2022, 3, 20),
        "msrc_CVE-2022-5000",
    )
    (only,) = part.fixes
    assert (only.kb, only.build, only.subtype, only.cves) == (5011497, "10.0.20348.587", "Security Update", ("CVE-2022-5000",))
    assert part.products["1"] == ("Windows Server 2022",)
    assert part.flaws == {"CVE-2022-5000": MonthlyFlaw("critical", True)}


@pytest.mark.parametrize(
    "url", ["https://aka.ms/x", "", "https://docs.microsoft.com/en-us/DeployEdge/x", "https://example.org/help/5011497"]
)
def test_a_fix_without_an_update_s_number_is_counted(url: str) -> None:
    part = read(csaf(url=url))
    assert (part.fixes, part.unread) == ((), 1)


@pytest.mark.parametrize(
    "content", [b"{", b'{"document": 5}', csaf()[:-10], csaf(document={"category": "csaf_security_advisory", "tracking": {"id": "x", "initial_release_date": "soon"}})]
)  # fmt: skip
def test_what_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no CSAF document|tells no day"):
        read(content)


def test_deep_trees_are_refused() -> None:
    tree: dict[str, Any] = {"category": "product_name", "name": "x"}
    for _ in range(30):
        tree = {"category": "vendor", "name": "x", "branches": [tree]}
    with pytest.raises(ValueError, match="nested too deeply"):
        read(csaf(product_tree={"branches": [tree]}))


def test_vex_is_about_something_else() -> None:
    with pytest.raises(OtherDocument):
        read(csaf(category="csaf_vex"))


def test_both_forms_of_a_month_go_together(tmp_path: Path) -> None:
    """Eleven flaws by the monthly document, and one that only its own document tells."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "2022-Mar.xml").write_bytes(document(*(flaw(f"CVE-2022-{n:04}", fix()) for n in range(11))))
    (folder / "msrc_cve-2022-5000.json").write_bytes(csaf())
    import_documents(tmp_path / "a.db", [str(folder)], now=datetime(2022, 4, 1, tzinfo=UTC))
    line = AdvisoryIndex(tmp_path / "a.db").line("windows-server-2022")
    assert line
    assert [(m.ident, sum(len(f.cves) for f in m.fixes), [f.exploited for f in m.fixes]) for m in line.months] == [
        ("MSRC-2022-Mar", 12, [("CVE-2022-5000",)])
    ]


@pytest.mark.skipif(not SAMPLES.exists(), reason="needs the shared samples of Microsoft's documents; made ones are read above")
def test_real_documents() -> None:
    with tarfile.open(SAMPLES) as samples:
        opened = [samples.extractfile(m) for m in samples if "/csaf/" in m.name and m.name.endswith(".json")]
        parts = [read(f.read()) for f in opened if f]
    assert [(p.month, p.unread, [*p.flaws]) for p in parts] == [
        (date(2025, 3, 1), 1, ["CVE-2025-29795"]),
        (date(2025, 3, 1), 1, ["CVE-2025-29806"]),
    ]
