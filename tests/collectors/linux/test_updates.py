"""Which suites cover the installed packages, through the collector: lists of other releases and of vendors stand for nothing."""

from __future__ import annotations

import pytest

from auditor.collectors.linux.host_facts import linux_facts
from auditor.evaluation.evaluate import evaluate
from auditor.transports.command import CommandResult
from tests.collectors.linux.test_omission import MARK, NOW, WHOLE
from tests.given import RULES

ANSWER = WHOLE.decode("utf-8", "surrogateescape")
OWN = "mirror_debian-security"
VENDOR = "apt.vendor.example"


def with_section(text: str, name: str, body: str) -> str:
    begin = text.index(f"{MARK}<{name}\n") + len(f"{MARK}<{name}\n")
    return text[:begin] + body + text[text.index(f"\n{MARK}>{name} ") :]


def release(host: str, dist: str, code: str, sizes: dict[str, int], origin: str = "Debian") -> str:
    """The lines of a Release file, as the script shows them."""
    fields = [f"Origin: {origin}"] if origin else []
    fields += [
        f"Codename: {code}",
        "Date: Sun, 29 Nov 2026 10:00:00 UTC",
        "Architectures: amd64",
        f"Components: {' '.join(sizes)}",
    ]
    fields += [f" {'0' * 64} {size} {component}/binary-amd64/Packages" for component, size in sizes.items()]
    return "\n".join(f"{host}_dists_{dist}_InRelease:{field}" for field in fields)


def a_list(host: str, dist: str, component: str, size: int) -> str:
    return f"=list= {host}_dists_{dist}_{component}_binary-amd64_Packages {size} 2"


BOTH = release(OWN, "bookworm-security", "bookworm-security", {"main": 115, "contrib": 49})
MAIN, CONTRIB = a_list(OWN, "bookworm-security", "main", 115), a_list(OWN, "bookworm-security", "contrib", 49)
TRIXIE = release(OWN, "trixie-security", "trixie-security", {"main": 200, "contrib": 49})
VENDORS = release(VENDOR, "bookworm-security", "bookworm-security", {"main": 77}, "Vendor")
SUITES = {
    "the distribution's own": (BOTH, [MAIN], "compliant"),
    "none of its lines was found": (BOTH, [MAIN.removesuffix("2") + "0"], "unknown"),
    "contrib alone": (BOTH, [CONTRIB], "unknown"),
    "main of the next release": (f"{BOTH}\n{TRIXIE}", [CONTRIB, a_list(OWN, "trixie-security", "main", 200)], "unknown"),
    "main of a vendor": (f"{BOTH}\n{VENDORS}", [CONTRIB, a_list(VENDOR, "bookworm-security", "main", 77)], "unknown"),
    "a vendor alone": (VENDORS, [a_list(VENDOR, "bookworm-security", "main", 77)], "unknown"),
    "a vendor that does not say who it is": (
        release(VENDOR, "bookworm-security", "bookworm-security", {"main": 77}, ""), [a_list(VENDOR, "bookworm-security", "main", 77)], "unknown",
    ),
    "ESM alone": (
        release("esm.ubuntu.com_apps_ubuntu", "jammy-apps-security", "jammy", {"main": 77}, "UbuntuESMApps"),
        [a_list("esm.ubuntu.com_apps_ubuntu", "jammy-apps-security", "main", 77)], "unknown",
    ),
    "a suite that has no main": (release(OWN, "bookworm-security", "bookworm-security", {"contrib": 49}), [CONTRIB], "unknown"),
    "beside a vendor's": (f"{BOTH}\n{VENDORS}", [MAIN, a_list(VENDOR, "bookworm-security", "main", 77)], "compliant"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUITES)
def test_who_covers_the_packages(name: str) -> None:
    releases, lists, expected = SUITES[name]
    rows = "\n".join([*lists, f"=rows= {len(lists)}"])
    text = with_section(with_section(ANSWER, "update_lists", releases), "update_candidates", rows)
    facts = linux_facts(
        CommandResult(0, text.encode("utf-8", "surrogateescape"), b"", 0.0), MARK, target="t", method="x", now=NOW
    )
    (found,) = evaluate(facts, [r for r in RULES if r.id == "linux-security-updates"], today=NOW.date())
    assert found.verdict == expected, found.why
