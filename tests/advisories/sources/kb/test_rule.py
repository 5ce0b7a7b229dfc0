"""From article to rule: what is checkable, how strictly it asks, and files that survive a new import."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.advisories.article import Article
from auditor.advisories.corpus import CorpusReader
from auditor.advisories.rule_files import write
from auditor.advisories.sources.kb.packages import Packages
from auditor.advisories.sources.kb.rule import rule
from auditor.checks.hotfix import HotfixCheck
from auditor.checks.product_pack import ProductPackCheck
from auditor.checks.registry import AnyOf
from auditor.checks.service_pack import ServicePackCheck
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Hotfix, Listener, Program, Service, Setting
from auditor.model.finding import Attestation
from auditor.model.policy import Policy
from auditor.rulebook.loader import load, problems
from auditor.rulebook.rule import Rule
from tests.advisories.made import EXCHANGE, article
from tests.advisories.shared import SEEDS
from tests.conftest import Run
from tests.given import NODE, NOTES, WHEN, Attested, platform
from tests.places import ROOT

TODAY = date(2026, 11, 25)
FIXED = "This problem was first corrected in Windows NT 4.0 Service Pack 5."


def made(found: Article, *others: Article) -> Rule:
    """The rule of an article, among others whose packages are known."""
    known = Packages()
    for a in (found, *others):
        known.add(a)
    one = rule(found, known, retrieved=TODAY)
    assert list(problems(one)) == []
    return one


def verdict(one: Rule, facts: HostFacts) -> str:
    found = evaluate(facts, [one], today=WHEN.date(), policy=Policy(situational=True))
    return found[0].verdict if found else "not mentioned"


def test_a_fix_in_a_numbered_pack() -> None:
    one = made(article(STATUS=FIXED))
    assert (one.obligation, one.severity, one.published) == ("required", "unrated", date(2001, 1, 2))
    assert one.branches[0].products == ("windows-nt-4.0",)
    assert one.branches[0].check == ServicePackCheck("5")
    assert one.provenance.lines["fixes"] == (19,)
    assert one.provenance.reviewed
    assert len(one.provenance.document) == 64
    assert [verdict(one, platform(NODE, service_pack=sp)) for sp in ("4", "5", "6a", None)] == [
        "noncompliant",
        "compliant",
        "compliant",
        "unknown",
    ]
    assert verdict(one, platform(NODE, product="windows-2000-server")) == "not mentioned"


def test_no_sentence_of_the_article_goes_into_the_rule() -> None:
    words = "Zanzibar is an island where this problem was first corrected in Windows NT 4.0 Service Pack 5."
    assert "Zanzibar" not in json.dumps(json.loads(_encoded(made(article(STATUS=words)))))


def _encoded(one: Rule) -> bytes:
    import msgspec

    return msgspec.json.encode(one)


def test_the_article_s_own_hotfix_is_an_alternative_with_its_evidence() -> None:
    one = made(article(RESOLUTION="Obtain the latest service pack or the individual software update.", STATUS=FIXED))
    assert one.branches[0].check == AnyOf((ServicePackCheck("5"), HotfixCheck(("Q190001",))))
    facts = replace(platform(NODE, service_pack="4"), hotfixes=(Hotfix("Q190001", "registry claim: HotFix"),))
    found = evaluate(facts, [one], today=WHEN.date())[0]
    assert found.verdict == "compliant"
    assert "registry claim: HotFix" in found.evidence


def test_obligation() -> None:
    only = "A supported fix is now available, but has not been fully regression-tested."
    assert made(article(RESOLUTION=only)).obligation == "situational"
    assert made(article(RESOLUTION="Obtain the hotfix to resolve this problem.")).obligation == "situational"
    security = article(title="MS00-001: Patch for a Vulnerability", RESOLUTION="Obtain the hotfix to resolve this problem.")
    assert made(security).obligation == "required"


def test_a_part_that_cannot_be_recognised_leaves_applicability_open() -> None:
    one = made(article(title="Adaptec 1542 Is Not Found", STATUS=FIXED))
    assert verdict(one, platform(NODE, service_pack="4")) == "unknown"
    assert verdict(one, platform(NODE, service_pack="5")) == "compliant"
    known = made(article(title="Cluster Group Is Not Found", STATUS=FIXED))
    assert verdict(known, platform(replace(NODE, services=()), service_pack="4")) == "not_applicable"
    assert verdict(known, platform(NODE, service_pack="4")) == "noncompliant"


def test_a_server_application() -> None:
    one = made(
        article(
            applies=EXCHANGE, topic="exchange", STATUS="This problem was first corrected in Exchange Server 5.5 Service Pack 3."
        )
    )
    assert one.branches[0].check == ProductPackCheck("exchange-5.5", "3")
    assert verdict(one, replace(NODE, services=())) == "not mentioned"
    assert verdict(one, replace(NODE, services=(Service("MSExchangeIS"),))) == "unknown"  # no value tells which pack it has
    sna = made(
        article(
            applies=("Microsoft SNA Server, versions 3.0, 4.0",),
            STATUS="This problem was first corrected in SNA Server version 3.0 Service Pack 4 and SNA\nServer version 4.0 Service Pack 3.",
        )
    )
    key = r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion"
    told = {
        "4.0 Service Pack 2": "noncompliant",
        "4.0 Service Pack 3": "compliant",
        "3.0 Service Pack 3": "noncompliant",
        "2.11": "not_applicable",
        "x": "unknown",
    }
    for value, expected in told.items():
        facts = replace(NODE, services=(Service("SnaBase"),), settings={key: Setting("present", value, type="REG_SZ")})
        assert verdict(sna, facts) == expected, value


def test_a_doubt_leaves_it_unreviewed() -> None:
    one = made(article(STATUS=FIXED, keywords="kbWinNT400sp4fix"))
    assert not one.provenance.reviewed
    assert "kbWinNT400sp4fix" in one.provenance.notes[0]


@pytest.mark.skipif(SEEDS is None, reason="the seed articles are not here")
def test_the_seeds_import_to_rules_equal_in_effect_to_the_hand_made_ones() -> None:
    shipped = {r.id: r for r in load(["rules/windows"] if Path("rules/windows").is_dir() else ()).rules}
    imported = {a.id: made(a) for a in CorpusReader([str(SEEDS)]).articles()}
    compared: set[str] = set()
    for ident, facts, said in itertools.product(
        ("Q238009", "Q181350"), _hosts(), ((), _attested("done"), _attested("not-done"), _attested("restart-pending"))
    ):
        verdicts = [
            found[0].verdict if (found := evaluate(facts, [one], today=WHEN.date(), attestations=said)) else "not_applicable"
            for one in (shipped[ident], imported[ident])
        ]
        assert verdicts[0] == verdicts[1], (ident, facts.platform, facts.services, facts.hotfixes, facts.listeners, said)
        compared.add(f"{ident} {verdicts[0]}")
    assert compared >= {f"Q238009 {v}" for v in ("compliant", "noncompliant", "unknown", "not_applicable")}
    assert compared >= {f"Q181350 {v}" for v in ("compliant", "noncompliant", "pending", "unknown", "not_applicable")}


def _attested(state: Attested) -> tuple[Attestation, ...]:
    return (Attestation(rule="Q181350", targets=("*",), state=state, by="kim", date=date(2026, 6, 1)),)


def _hosts() -> list[HostFacts]:
    products = (
        "windows-nt-4.0-server",
        "windows-nt-4.0-enterprise",
        "windows-nt-4.0-workstation",
        "windows-nt-4.0-terminal-server",
        "windows-nt-4.0",
        "windows-nt-3.51",
        "windows-2000-server",
    )
    hosts = []
    for product, sp, edition in itertools.product(
        products, ("0", "5", "6", "6a", "6 RC 1.3", None), ("server", "workstation", None)
    ):
        for services in ((Service("ClusSvc"),), (Service("Lotus Domino Server"),), (), None):
            for hotfixes in ((Hotfix("Q238009"),), (Hotfix("Q246467"),), (), None):
                hosts.append(
                    platform(
                        replace(NODE, services=services, hotfixes=hotfixes), product=product, service_pack=sp, edition=edition
                    )
                )
    for programs, listeners in itertools.product(
        ((Program("Lotus Domino", "4.6"),), (Program("Lotus Domino", "5.0"),), (Program("Lotus Notes 4.6"),), (), None),
        ((Listener("0.0.0.0", 1352, 5),), (Listener("0.0.0.0", 1352, 200),), (), None),
    ):
        hosts.append(replace(NOTES, services=(), programs=programs, listeners=listeners))
    return hosts


# ------------------------------------------------------------------------------------------------------------- the files
def some() -> list[Rule]:
    words = "This problem was first corrected in Windows NT 4.0 Service Pack {}."
    return [made(article(id=f"Q19000{n}", STATUS=words.format(n))) for n in (3, 1, 2)]


def test_import_is_deterministic_and_stable(tmp_path: Path) -> None:
    done = write(tmp_path / "a", some())
    assert (done.new, done.changed, done.same) == (3, 0, 0)
    write(tmp_path / "b", reversed(some()))

    def content(folder: str) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((tmp_path / folder).iterdir())}

    assert content("a") == content("b")
    later = [replace(r, provenance=replace(r.provenance, retrieved=date(2030, 1, 1))) for r in some()]
    assert write(tmp_path / "a", later).same == 3  # the same documents, fetched again, change nothing
    assert content("a") == content("b")
    assert [r.id for r in load([str(tmp_path / "a")]).rules] == ["Q190001", "Q190002", "Q190003"]


def test_an_import_of_some_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path, some())
    done = write(tmp_path, [made(article(id="Q190002", date="02-JAN-2002", STATUS=FIXED))])
    assert (done.new, done.changed, done.same) == (0, 1, 0)
    assert [(r.id, r.branches[0].check) for r in load([str(tmp_path)]).rules] == [
        ("Q190001", ServicePackCheck("1")),
        ("Q190002", ServicePackCheck("5")),
        ("Q190003", ServicePackCheck("3")),
    ]


def test_a_change_by_hand_is_kept_in_the_overlay(tmp_path: Path) -> None:
    write(tmp_path, some())
    path = tmp_path / "windows-nt-4.0.jsonl"
    path.write_text(path.read_text().replace('"obligation":"required"', '"obligation":"advised"', 1))
    done = write(tmp_path, some())
    assert done.kept == ("Q190001",)
    assert '"obligation":"advised"' not in path.read_text()
    loaded = {r.id: r for r in load([str(tmp_path)]).rules}
    assert [loaded[f"Q19000{n}"].obligation for n in (1, 2, 3)] == ["advised", "required", "required"]
    assert "Changed by" in loaded["Q190001"].provenance.notes[-1]
    assert write(tmp_path, some()).kept == ()
    assert {r.id: r for r in load([str(tmp_path)]).rules}["Q190001"].obligation == "advised"


def test_an_overlay_can_drop_a_rule_and_names_its_faults(tmp_path: Path, auditor: Run) -> None:
    write(tmp_path, some())
    (tmp_path / "overlay.yaml").write_text("- {id: Q190002, by: kim, reason: no such host, drop: true}\n")
    assert [r.id for r in load([str(tmp_path)]).rules] == ["Q190001", "Q190003"]
    (tmp_path / "overlay.yaml").write_text(
        "- {id: Q19, by: kim, reason: x}\n- {id: Q190001, by: kim, reason: x, obligation: never}\n"
    )
    done = auditor("rules", "lint", str(tmp_path))
    assert done.returncode == 2
    assert (
        f"{tmp_path}/overlay.yaml:1: there is no rule Q19 among those loaded" in done.stderr or "overlay.yaml:2" in done.stderr
    )


def test_a_rule_written_by_hand_stands_for_the_generated_one(tmp_path: Path) -> None:
    write(tmp_path / "kb", [replace(some()[0], id="Q238009")])
    folder = ROOT / "rules" / "windows" / "Q238009.yaml"
    for order in ((str(tmp_path / "kb"), str(folder)), (str(folder), str(tmp_path / "kb"))):
        book = load(order)
        assert [r.generated for r in book.rules if r.id == "Q238009"] == [False]


def test_the_command(tmp_path: Path, auditor: Run) -> None:
    from tests.advisories.test_corpus import several

    (tmp_path / "in").mkdir()
    several(tmp_path / "in")
    done = auditor("rules", "import", tmp_path / "in", "--output", tmp_path / "out", "--retrieved", "2026-11-25")
    assert done.returncode == 3
    assert "1 rule in" in done.stdout
    assert "1 article gives no rule: it has nothing to comply with" in done.stdout
    assert "3 documents were not read" in done.stderr
    again = auditor("rules", "import", tmp_path / "in" / "Q190001.TXT", "--output", tmp_path / "out")
    assert again.returncode == 0
    assert "0 new, 0 changed, 1 as before" in again.stdout
    none = auditor(
        "rules", "import", tmp_path / "in" / "Q190001.TXT", "--output", tmp_path / "none", "--product", "exchange-5.5"
    )
    assert "0 rules in" in none.stdout
