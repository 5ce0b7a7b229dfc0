"""The part that must be there for a problem to exist."""

from __future__ import annotations

import pytest

from auditor.advisories.sources.kb.component import COMPONENTS
from tests.advisories.made import NT4, article

PRESENT = [
    ("Cluster Administrator Stops Responding", "Microsoft Cluster Server", ("ClusSvc",)),
    ("DHCP Scope Is Marked Bad", "DHCP Server", ("DHCPServer",)),
    ("RAS Client Cannot Log On", "Remote Access Service (RAS)", ("RemoteAccess", "RasMan")),
    ("Macintosh Clients Cannot Print", "Services for Macintosh", ("MacFile", "MacPrint")),
    ("Adaptec 1542 Is Not Found During Setup", "Adaptec 1542 Is Not Found During Setup", ()),
]


@pytest.mark.parametrize(("title", "name", "services"), PRESENT)
def test_in_the_title(title: str, name: str, services: tuple[str, ...]) -> None:
    found = article(title=title, SYMPTOMS="It fails.")
    assert (found.requires_component, found.component_services) == (name, services)
    assert [e.line for e in found.evidence["requires_component"]] == [2]


def test_as_the_condition_of_the_problem() -> None:
    found = article(SYMPTOMS="When you use Microsoft Cluster Server (MSCS) and a node is lost, it hangs.")
    assert found.requires_component == "Microsoft Cluster Server"


@pytest.mark.parametrize(
    "title", ["A Handle Leak in the Server Service", "How to Back Up a DHCP Scope", "List of Bugs Fixed in the Cluster Service"]
)
def test_none(title: str) -> None:
    assert article(title=title, SYMPTOMS="It leaks memory.").requires_component is None


def test_the_article_s_own_product_is_no_component() -> None:
    own = ("Microsoft Routing and Remote Access Service Update for Windows NT Server version 4.0", *NT4)
    assert article(title="RRAS Loses a Route", applies=own, SYMPTOMS="It is lost.").requires_component is None


def test_every_known_part_can_be_found_by_the_words_of_its_pattern() -> None:
    for known in COMPONENTS:
        assert known.name
        assert known.pattern.words, known.name
