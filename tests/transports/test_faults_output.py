"""A session whose output hangs, breaks off, has no end or is not ours: what was not told is unknown, never compliant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.scan import collect_from, scan
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetResult
from auditor.rulebook.rulebook import Rulebook
from tests.conftest import NOW
from tests.lab.hostile import Host

PROMPT = 15.0
SHORT = (20.0, 0.5, 60.0)  # the command's limit is what ends it
LONG = (60.0, 60.0, 60.0)
REAL = 'eval "$SSH_ORIGINAL_COMMAND"'
HANG = "exec sleep 1000"
DROP = "sleep 0.3; kill -9 $PPID"  # nothing tells when sshd has passed on what it was given; then its session is killed


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("host")) as h:
        yield h


@pytest.fixture
def host(one: Host) -> Iterator[Host]:
    yield one
    one.end_commands()
    one.opens()


@pytest.fixture(scope="module")
def recorded(one: Host, rulebook: Rulebook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This machine's own answer, to be given again in parts."""
    one.opens()
    usual = AuditContext(rulebook=rulebook, clock=lambda: NOW, marker=lambda: "m4rk3r")
    result = collect_from(one.target(), usual, Stop(), raw=True).result
    assert result
    path = tmp_path_factory.mktemp("recorded") / "stdout"
    path.write_bytes(result.stdout)
    assert b"\nm4rk3r.end\n" in result.stdout
    return path


def up_to(recorded: Path, section: str) -> int:
    """How many bytes come before a section's end."""
    return recorded.read_bytes().index(f"\nm4rk3r>{section} ".encode())


def sober(part: TargetResult, whole: TargetResult) -> None:
    """Each finding of a part is that of the whole, or unknown with its reason."""
    full = {f.rule: f.verdict for f in whole.findings}
    assert full
    for finding in part.findings:
        assert finding.verdict in (full[finding.rule], "unknown"), finding
        assert finding.why


@pytest.mark.parametrize("section", ["identity", "settings", "packages", "update_lists", "listeners"])
@pytest.mark.parametrize("end", [HANG, DROP], ids=["hang", "drop"])
def test_what_came_before_the_break_is_kept(host: Host, audit: AuditContext, recorded: Path, section: str, end: str) -> None:
    host.forces(f"cat {recorded}")
    whole = scan(host.target(), audit, Stop())
    assert whole.error is None  # whether assessed or partial is this machine's affair
    host.forces(f"head -c {up_to(recorded, section)} {recorded}\n{end}")
    part = scan(host.target(times=SHORT if end == HANG else LONG), audit, Stop())
    assert part.outcome == ("failed" if section == "identity" else "partial")
    assert part.facts
    said = {o.name: o.outcome for o in part.facts.outcomes}
    late = section in ("packages", "update_lists", "listeners")
    assert (said["kernels"] == "ok", said["settings"] == "ok") == (section != "identity", late)
    assert (part.facts.packages is None) == (section not in ("update_lists", "listeners"))
    assert (said["listeners"], part.facts.listeners) == ("failed", None)
    why = "0.5 s" if end == HANG else "lost"
    assert all(why in o.reason for o in part.facts.outcomes if o.outcome == "failed"), part.facts.outcomes
    sober(part, whole)
    if section != "identity":
        assert {f.verdict for f in part.findings if "listen-backlog" in f.rule} == {"unknown"}


def no_platform(host: Host, audit: AuditContext, kind: str, word: str, times: tuple[float, float, float] = LONG) -> None:
    start = time.monotonic()
    result = scan(host.target(times=times), audit, Stop())
    assert time.monotonic() - start < PROMPT
    assert result.error
    assert (result.outcome, result.error.kind, result.findings) == ("failed", kind, ()), result.error
    assert word in result.error.message
    assert result.facts
    assert result.facts.packages is None


@pytest.mark.parametrize(
    ("script", "word"),
    [
        (HANG, "0.5 s"),
        ("while :; do printf x; sleep 0.05; done", "0.5 s"),
        ("printf '\\nm4rk3r=plain\\n'; while :; do printf x; sleep 0.05; done", "0.5 s"),
        ("exec yes >&2", "0.5 s"),
    ],
    ids=["hangs", "trickles", "trickles-in-frame", "endless-stderr"],
)
def test_an_answer_without_end_in_time(host: Host, audit: AuditContext, script: str, word: str) -> None:
    host.forces(script)
    no_platform(host, audit, "timeout", word, SHORT)


def test_an_answer_without_end_in_size(host: Host, audit: AuditContext) -> None:
    """Stopped at the bound, holding little more than it."""
    host.forces("exec cat /dev/zero")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak that is read below
    before = _kilobytes("VmRSS")
    no_platform(host, audit, "protocol", "more than 16 MB")
    assert _kilobytes("VmHWM") - before < 120_000


def _kilobytes(name: str) -> int:
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("true", "not the collection script's"),
        ("head -c 100000 /dev/urandom", "not the collection script's"),
        ("echo This account is currently not available.; exit 1", "not the collection script's"),
        ("printf '\\nm4rk3r=gzip\\n'; head -c 100000 /dev/urandom", "damaged"),
        ("printf '\\nm4rk3r=plain\\n'; head -c 100000 /dev/urandom", "in the middle"),
        ("printf '\\nm4rk3r=plain\\n\\nm4rk3r.end\\n'", "did not send this part"),
        ("kill -9 $$", "not the collection script's"),
        ("kill -9 $PPID", "lost"),
    ],
    ids=["nothing", "binary", "nologin", "no-gzip", "binary-in-frame", "empty-frame", "killed", "dropped"],
)
def test_an_answer_that_is_not_ours(host: Host, audit: AuditContext, script: str, word: str) -> None:
    host.forces(script)
    no_platform(host, audit, "protocol", word)


@pytest.mark.parametrize(
    "script",
    [
        f"echo Welcome, all is logged; {REAL}",
        f"head -c 100000 /dev/urandom; {REAL}",
        f"printf 'm4rk3r then m4rk'; {REAL}; echo Bye",
        f"{REAL}; head -c 100000 /dev/urandom; exit 3",
        f"yes | head -c 1000000 >&2; {REAL}",
    ],
    ids=["banner", "binary-before", "look-alike", "binary-after", "long-stderr"],
)
def test_what_surrounds_our_answer_is_no_part_of_it(host: Host, audit: AuditContext, script: str) -> None:
    usual = scan(host.target(), audit, Stop())
    host.forces(script)
    result = scan(host.target(), audit, Stop())
    assert (result.outcome, result.error) == (usual.outcome, None)
    assert {f.rule: f.verdict for f in result.findings} == {f.rule: f.verdict for f in usual.findings}
