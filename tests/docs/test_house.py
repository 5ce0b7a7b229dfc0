"""The house is as its documents say: routes, names, sizes."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

from tests.places import ROOT

HOUSE = ROOT / "auditor"
FILES = sorted(HOUSE.rglob("*.py"))
_STEP = re.compile(r"^\d+\. `([\w/]+\.py)` `(\w+)`$", re.M)


def functions(path: Path) -> set[str]:
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


def test_the_routes_of_the_architecture_exist() -> None:
    steps = _STEP.findall((ROOT / "docs/architecture.md").read_text())
    assert len(steps) > 30
    missing = [f"{file}: {name}" for file, name in steps if name not in functions(HOUSE / file)]
    assert missing == []


def test_every_file_that_the_architecture_names_is_there() -> None:
    """Named by its path, or within the row of its room."""
    text = (ROOT / "docs/architecture.md").read_text()
    names = {p.name for p in FILES}
    assert set(re.findall(r"`([\w/]+\.py)`", text)) - {str(p.relative_to(HOUSE)) for p in FILES} - names == set()


@pytest.mark.parametrize("page", ["architecture.md", "advisories.md", "contracts.md", "glossary.md", "rules.md", "windows.md"])
def test_no_page_names_a_path_that_is_not_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    paths = {p for p in re.findall(r"`((?:auditor|tests|docs|rules)/[\w./-]+\.\w+)`", text) if not p.endswith("NAME.py")}
    assert {p for p in paths if not (ROOT / p).exists()} == set()


def test_no_comment_names_a_file_that_is_not_there() -> None:
    """What was renamed is renamed in comments and docstrings too."""
    there = {p.name for p in ROOT.rglob("*.py") if ".venv" not in p.parts}
    gone = set()
    for path in [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
                gone |= {
                    (str(path.relative_to(ROOT)), n)
                    for n in re.findall(r"(?<![\w*{<-])[a-z_]+\.py\b", token.string)
                    if n not in there
                }
    assert gone == set()


def test_no_module_hides_one_of_the_standard_library() -> None:
    hidden = {str(p.relative_to(ROOT)) for p in FILES if p.stem in sys.stdlib_module_names and p.stem != "__main__"}
    assert hidden == set()


def test_no_class_has_the_name_of_another() -> None:
    """One word per thing: whoever reads a name need not ask which one is meant."""
    places = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(HOUSE)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_files_are_small() -> None:
    large = {str(p.relative_to(HOUSE)): n for p in FILES if (n := len(p.read_text().splitlines())) > 350}
    assert large == {}


def test_no_line_of_a_template_is_long() -> None:
    long = [
        f"{p.name}:{n}"
        for p in sorted((ROOT / "reports").iterdir())
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if len(line) > 160
    ]
    assert long == []
