"""What joins one collector to another is declared: nobody finds out by moving one."""

from __future__ import annotations

import inspect
import re

import pytest

from auditor.collectors.collector import Collector
from auditor.collectors.linux import LINUX
from auditor.collectors.linux.script_output import Section, parse_output
from auditor.errors import FactUnavailable
from tests.places import RECORDINGS

# What the script itself sets before any collector (script.py), and what a login shell may have.
OF_THE_SCRIPT = {"M", "FORM", "DEPTH", "BECOME", "NL", "U", "PATH", "LC_ALL", "KSH_VERSION", "SSH_CONNECTION"}
RECORDED = ["debian-12-root", "debian-12-unprivileged", "debian-12-lacking", "busybox-only"]


def names(sh: str) -> set[str]:
    """The variables in capitals that a text reads."""
    return set(re.findall(r"(?<!\\)\$\{?#?([A-Z][A-Z_]*)", sh))


def assigned(sh: str) -> set[str]:
    return set(re.findall(r"(?:^|[\s;])([A-Z][A-Z_]*)=", sh))


@pytest.mark.parametrize("collector", LINUX, ids=lambda c: c.name)
def test_a_shell_variable_is_of_the_script_its_own_or_declared(collector: Collector) -> None:
    foreign = names(collector.sh) - OF_THE_SCRIPT - assigned(collector.sh)
    assert foreign == set(collector.uses)
    assert set(collector.provides) <= assigned(collector.sh)
    earlier = {name for other in LINUX[: LINUX.index(collector)] for name in other.provides}
    assert set(collector.uses) <= earlier, "a collector that provides it has to come before"


class Watched(dict[str, Section]):
    """Sections that note which of them were looked at."""

    def __init__(self, sections: dict[str, Section]) -> None:
        super().__init__(sections)
        self.seen: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.seen.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Section | None = None) -> Section | None:  # type: ignore[override]
        self.seen.add(name)
        return super().get(name, default)


BY_OTHERS = ("process_names", "identity")  # process_table.py reads the one, ScriptOutput itself the other


@pytest.mark.parametrize("collector", LINUX, ids=lambda c: c.name)
def test_another_collectors_section_is_declared(collector: Collector) -> None:
    seen = set[str]()
    for name in RECORDED:
        stdout = (RECORDINGS / name / "stdout").read_bytes()
        marker = re.search(rb"\n(\w+)=(?:plain|gzip)\n", b"\n" + stdout)
        assert marker
        output = parse_output(stdout, marker[1].decode(), None)
        watched = output.sections = Watched(output.sections)
        try:
            collector.parse(output)
        except FactUnavailable:
            pass
        seen |= watched.seen
    assert seen <= {*collector.sections, *collector.reads}
    source = inspect.getsource(inspect.getmodule(collector.parse) or collector.parse)
    assert all(source.count(f'"{name}"') > 1 or name in BY_OTHERS for name in collector.reads), "no part of it reads that"
