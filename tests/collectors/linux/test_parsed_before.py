"""What was parsed before is what parsing gives now, whatever was parsed in between."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from auditor.collectors.collector import Collector
from auditor.collectors.linux import LINUX, parsed_before
from auditor.collectors.linux.parsed_before import parsed
from auditor.collectors.linux.script_output import ScriptOutput, parse_output
from auditor.errors import FactUnavailable
from auditor.foundation.remembered import Remembered
from tests.places import RECORDINGS

RECORDED = ("debian-12-root", "debian-12-unprivileged", "debian-12-lacking", "busybox-only")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    parsed_before._known = Remembered(parsed_before._MOST)
    yield
    parsed_before._known = Remembered(parsed_before._MOST)


def recorded(name: str) -> ScriptOutput:
    stdout = (RECORDINGS / name / "stdout").read_bytes()
    marker = re.search(rb"\n(\w+)=(?:plain|gzip)\n", b"\n" + stdout)
    assert marker
    return parse_output(stdout, marker[1].decode(), None)


def variants(output: ScriptOutput) -> Iterator[ScriptOutput]:
    """The answer, and others like it: a section away, empty, failed, refused, cut or with another error."""
    yield output
    for name, s in output.sections.items():
        others = {k: v for k, v in output.sections.items() if k != name}
        yield ScriptOutput(others, False, "it broke off")
        for changed in (
            replace(s, text=""),
            replace(s, status=1, error="no such thing"),
            replace(s, status=1),
            replace(s, error="a warning"),
            replace(s, status=13, error="refused"),
            replace(s, text=s.text[: len(s.text) // 2]),
            replace(s, text=f"{s.text}\n"),
        ):
            yield ScriptOutput({**others, name: changed}, True, "")


def told(collector: Collector, output: ScriptOutput, before: bool) -> object:
    try:
        return parsed(collector, output) if before else collector.parse(output)
    except (FactUnavailable, ValueError, IndexError, KeyError) as e:
        return f"{type(e).__name__}: {e}"


@pytest.mark.parametrize("collector", LINUX, ids=lambda c: c.name)
def test_it_is_what_parsing_gives(collector: Collector) -> None:
    outputs = [v for name in RECORDED for v in variants(recorded(name))]
    wanted = [told(collector, output, before=False) for output in outputs]
    for _ in range(2):
        assert [told(collector, output, before=True) for output in outputs] == wanted


def test_the_same_part_is_parsed_once() -> None:
    output, count = recorded("debian-12-root"), 0
    packages = next(c for c in LINUX if c.name == "packages")

    def counted(given: ScriptOutput) -> object:
        nonlocal count
        count += 1
        return packages.parse(given)

    watched = replace(packages, parse=counted)
    other = ScriptOutput({k: replace(s, seconds=9.0) for k, s in recorded("debian-12-root").sections.items()}, True, "")
    assert parsed(watched, output) is parsed(watched, other)
    assert count == 1


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed_before, "_known", Remembered(200_000))
    output = recorded("debian-12-root")
    containers = next(c for c in LINUX if c.name == "containers")
    for number in range(100):
        one = replace(output.sections["containers"], text=f"{number}\n" + "x\n" * 5_000)
        parsed(containers, ScriptOutput({"containers": one}, True, ""))
    kept = parsed_before._known._known
    assert sum(size for size, _ in kept.values()) <= 200_000
    assert len(kept) > 5
