"""One Windows from all documents together: its order, its months, what stands beside, and what is sure of each."""

from __future__ import annotations

from datetime import date

from auditor.advisories.feeds.update_lines import update_lines
from auditor.model.update_line import StandIn, last_release, month_of, second_tuesday
from tests.advisories.months import fix, line, month

# Server 2022 as it was: 2024-02 to 2024-05 (numbers that no table of ours has: 9…).
FEB, MAR, APR = (
    month("2024-02", fix(9034770, "10.0.20348.2322", first=100)),
    month("2024-03", fix(9035857, "10.0.20348.2340", 9034770, first=200)),
    month("2024-04", fix(9036909, "10.0.20348.2402", 9035857, first=300)),
)


def test_each_month_asks_for_its_update_or_a_later_one() -> None:
    found = line([FEB, MAR, APR])
    assert [(u.kb, u.revision, u.placed, u.sure) for u in found.updates] == [
        (9034770, 2322, True, True),
        (9035857, 2340, True, True),
        (9036909, 2402, True, True),
    ]
    assert [(m.ident, [(f.level, len(f.cves)) for f in m.fixes]) for m in found.months] == [
        ("MSRC-2024-Feb", [(0, 30)]),
        ("MSRC-2024-Mar", [(1, 30)]),
        ("MSRC-2024-Apr", [(2, 30)]),
    ]
    assert found.months[0].fixes[0].exploited == ("CVE-2024-0107", "CVE-2024-0117", "CVE-2024-0127")
    assert (found.newest, found.gaps) == (date(2024, 4, 1), ())


def test_a_later_month_s_update_in_an_earlier_document_is_of_the_later_month() -> None:
    early = month("2024-02", fix(9034770, "10.0.20348.2322"), fix(9036909, "10.0.20348.2402", flaws=2, first=50))
    found = line([early, MAR, APR])
    assert [(m.ident, sum(len(f.cves) for f in m.fixes)) for m in found.months] == [
        ("MSRC-2024-Feb", 30), ("MSRC-2024-Mar", 30), ("MSRC-2024-Apr", 32),
    ]  # fmt: skip


def test_where_the_later_month_s_document_is_missing_it_is_not_sure() -> None:
    early = month(
        "2024-02", fix(9034770, "10.0.20348.2322"), fix(9036909, "", 9035857, flaws=2, first=50), revised=date(2024, 7, 1)
    )
    found = line([early, MAR])
    unsure = next(u for u in found.updates if u.kb == 9036909)
    assert (unsure.sure, unsure.placed) == (False, False)
    of_it = next(f for m in found.months for f in m.fixes if 9036909 in f.alone)
    assert (of_it.sure, of_it.level) == (False, 3)  # no update here is of a month after it


def test_what_came_out_of_band_is_sure_by_its_build() -> None:
    band = month(
        "2024-03", fix(9035857, "10.0.20348.2340", first=200), fix(9037422, "10.0.20348.2342", 9035857, flaws=1, first=90)
    )
    found = line([FEB, band, APR])
    assert [(u.kb, u.sure) for u in found.updates if u.kb == 9037422] == [(9037422, True)]
    assert [(f.level, f.sure, len(f.cves)) for f in found.months[1].fixes] == [(1, True, 30), (2, True, 1)]


def test_a_hotpatch_stands_for_the_cumulative_update_of_its_month() -> None:
    with_hotpatch = month(
        "2024-03", fix(9035857, "10.0.20348.2340", 9034770), fix(9035959, "10.0.20348.2333", subtype="AzureHotpatch", flaws=20)
    )
    found = line([FEB, with_hotpatch, APR])
    assert found.hotpatches == (StandIn(9035959, 2333, 1),)
    assert [(f.level, len(f.cves)) for f in found.months[1].fixes] == [(1, 30)]


def test_what_no_cumulative_update_holds_stands_beside_with_what_replaces_it() -> None:
    stack = month("2024-03", fix(9035857), fix(9030000, subtype="Servicing Stack Update", flaws=1, first=80))
    later = month("2024-04", fix(9036909, "", 9035857, first=300), fix(9030001, "", 9030000, "Servicing Stack Update", 1, 81))
    found = line([FEB, stack, later])
    assert [(m.ident, [f.alone for f in m.fixes]) for m in found.beside] == [
        ("MSRC-2024-Mar", [(9030000, 9030001)]),
        ("MSRC-2024-Apr", [(9030001,)]),
    ]


def test_rollup_and_security_only_are_alternatives() -> None:
    found = line(
        [
            month(
                "2024-03",
                fix(9035885, "6.3.9600.21871", 9034819, "Monthly Rollup"),
                fix(9035899, subtype="Security Only", flaws=28),
                name="Windows Server 2012 R2",
            )
        ],
        "windows-server-2012-r2",
    )
    assert [(f.level, f.alone, len(f.cves)) for f in found.months[0].fixes] == [(0, (), 2), (0, (9035899,), 28)]


def test_an_update_of_several_lines_is_cumulative_of_none() -> None:
    everywhere = (
        fix(9012170, "10.0.20348.2300", 9034770, flaws=3, first=70),
        fix(9012170, "10.0.17763.5400", flaws=3, first=70, of="2"),
    )
    found = line([FEB, month("2024-03", fix(9035857, first=200), *everywhere, more={"2": ("Windows Server 2019",)})])
    assert 9012170 not in {u.kb for u in found.updates}
    assert [f.alone for m in found.beside for f in m.fixes] == [(9012170,)]


def test_an_update_of_another_line_by_a_wrong_row_is_left_out() -> None:
    wrong = fix(9035999, "10.0.22621.3296", flaws=30, first=400, of="2")
    also = fix(9035999, "10.0.22621.3296", flaws=1, first=400)
    found = line(
        [
            FEB,
            month(
                "2024-03", fix(9035857, first=200), wrong, also, more={"2": ("Windows 11 Version 22H2 for x64-based Systems",)}
            ),
        ]
    )
    assert 9035999 not in {u.kb for u in found.updates}


def test_server_core_has_its_own_flaws() -> None:
    both = [
        month(
            "2024-03",
            fix(9035857, flaws=30),
            fix(9035857, flaws=12, of="2"),
            more={"2": ("Windows Server 2022 (Server Core installation)",)},
        )
    ]
    lines = {x.product: x for x in update_lines(both)}
    assert [len(lines[p].months[0].fixes[0].cves) for p in ("windows-server-2022", "windows-server-2022 core")] == [30, 12]


def test_release_information_corrects_and_completes_the_documents() -> None:
    """KB5021255 brings 22621.963 and stands as 993; KB4598230 has no build in its document; KB4601383 is a preview that none names."""
    eleven = line(
        [month("2022-12", fix(5021255, "10.0.22621.993"), name="Windows 11 Version 22H2 for x64-based Systems")],
        "windows-11-22h2",
    )
    assert [(u.revision, u.sure) for u in eleven.updates] == [(963, True)]
    assert "22621.993 in the documents" in eleven.updates[0].doubt
    server = line([month("2021-01", fix(4598230), name="Windows Server 2019")], "windows-server-2019")
    assert [(u.revision, u.placed) for u in server.updates] == [(1697, True)]
    assert next(o for o in server.others if o.kb == 4601383).level == 0


def test_the_second_tuesday() -> None:
    assert [second_tuesday(date(2026, m, 1)).day for m in range(1, 13)] == [13, 10, 10, 14, 12, 9, 14, 11, 8, 13, 10, 8]
    assert last_release(date(2026, 11, 10)) == date(2026, 10, 1)  # what comes today is not everywhere yet
    assert last_release(date(2026, 11, 11)) == date(2026, 11, 1)
    assert last_release(date(2026, 1, 2)) == date(2025, 12, 1)
    assert [month_of(x) for x in ("MSRC-2026-Mar", "MSRC-2026-Foo", "DSA-2026-Mar", "MSRC-beside-cumulative")] == [
        date(2026, 3, 1), None, None, None,
    ]  # fmt: skip


def test_release_information_bridges_a_gap() -> None:
    """2024-12 to 2025-05 have no document, and the table has KB5048661 and its followers of Server 2019."""
    server = line(
        [
            month("2024-06", fix(5039217, "10.0.17763.5936"), name="Windows Server 2019"),
            month("2025-06", fix(5060531, "10.0.17763.7434"), name="Windows Server 2019"),
        ],
        "windows-server-2019",
    )
    assert server.gaps == ()
    assert next(o for o in server.others if o.kb == 5048661).level == 0


def test_what_release_information_does_not_have_is_not_cumulative() -> None:
    """KB5008210 stands at Server 2019 with two flaws and a build; no page of releases knows it."""
    server = line(
        [
            month(
                "2021-12",
                fix(5008218, "10.0.17763.2366"),
                fix(5008210, "10.0.17763.2120", 5008218, flaws=2, first=60),
                name="Windows Server 2019",
            )
        ],
        "windows-server-2019",
    )
    assert [u.kb for u in server.updates] == [5008218]
    assert [f.alone for m in server.beside for f in m.fixes] == [(5008210,)]


def test_small_documents_with_builds_are_judged_like_any_other() -> None:
    found = line(
        [
            month("2026-10", fix(9090001, "10.0.20348.6000", flaws=2)),
            month("2026-11", fix(9090002, "10.0.20348.6100", 9090001, flaws=2)),
        ]
    )
    assert [(m.ident, [(f.level, f.sure) for f in m.fixes]) for m in found.months] == [
        ("MSRC-2026-Oct", [(0, True)]),
        ("MSRC-2026-Nov", [(1, True)]),
    ]
    assert found.documents == (date(2026, 10, 1), date(2026, 11, 1))
