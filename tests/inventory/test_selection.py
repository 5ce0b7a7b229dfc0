"""From words to targets, with messages for words that name none."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import UsageFault
from auditor.inventory.inventory import Inventory
from auditor.inventory.native import load
from auditor.inventory.selection import select


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "i.yaml"
    path.write_text("groups: {web: {}, none: {}}\nhosts: {web1: {groups: [web]}, web2: {groups: [web]}, db1: {}}\n")
    return load(path)


WORDS = [
    (["web1"], ["web1"]),
    (["web*"], ["web1", "web2"]),
    (["@web", "db1", "web1"], ["web1", "web2", "db1"]),
    (["@all"], ["web1", "web2", "db1"]),
    (["local"], ["local"]),
    (["ssh://root@[::1]:2222"], ["root@[::1]:2222"]),
]


@pytest.mark.parametrize(("words", "names"), WORDS)
def test_select(inventory: Inventory, words: list[str], names: list[str]) -> None:
    assert [t.name for t in select(words, inventory)] == names


def test_urls(inventory: Inventory) -> None:
    (t,) = select(["ssh://audit@host.example:2222"], inventory)
    assert (t.user, t.address, t.port, t.connection) == ("audit", "host.example", 2222, "ssh")


FAULTS = [
    ("web3", "did you mean web"),
    ("nothing", "auditor scan ssh://nothing"),
    ("x*", "no host of the inventory matches 'x*'"),
    ("@wep", "no group @wep; did you mean web?"),
    ("@none", "no host of the inventory is in @none"),
    ("http://x", "http:// is not known"),
    ("winrm://", "is not of the form winrm://"),
    ("winrm://u:hunter2@h", "--ask-password"),
    ("ssh://", "is not of the form"),
    ("ssh://h:99999", "ssh://h:99999"),
    ("ssh://-oProxyCommand=touch", "is not of the form"),
    ("ssh://u:hunter2@h", "--ask-password"),
]


@pytest.mark.parametrize(("word", "says"), FAULTS)
def test_words_that_name_nothing(inventory: Inventory, word: str, says: str) -> None:
    with pytest.raises(UsageFault) as e:
        select([word], inventory)
    assert says in str(e.value)
    assert "hunter2" not in str(e.value)
