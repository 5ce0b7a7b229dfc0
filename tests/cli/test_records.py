"""waivers add and attest add look at what they write before they write it; what cannot stand leaves the file as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run as Auditor
from tests.places import ROOT

INVENTORY = "hosts: {web1: {connection: local, groups: [web]}}\ngroups: {web: {}}\nwaivers: w.yaml\nattestations: a.yaml\n"
WAIVE = ("waivers", "add", "linux-somaxconn", "web1", "--reason", "a reason", "--owner", "kim", "--permanent")
ATTEST = ("attest", "add", "Q181350", "web1", "--state", "done", "--by", "kim")
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "an empty reason": ((*WAIVE, "--reason", " "), "a waiver needs an owner and a reason"),
    "an empty owner": ((*WAIVE, "--owner", ""), "a waiver needs an owner and a reason"),
    "an unknown rule": ((*WAIVE[:2], "linux-somaxcon", *WAIVE[3:]), "there is no rule 'linux-somaxcon'; did you mean"),
    "an unknown host": ((*WAIVE[:3], "wbe1", *WAIVE[4:]), "has no host 'wbe1'; did you mean web1?"),
    "an unknown group": ((*WAIVE[:3], "@wbe", *WAIVE[4:]), "has no host '@wbe'; did you mean @web?"),
    "a waiver twice": (WAIVE, "has this record already"),
    "a waiver twice in other words": ((*WAIVE, "--reason", "another"), "has this record already"),
    "attested by nobody": ((*ATTEST, "--by", " "), "an attestation needs `by`"),
    "attested of tomorrow": ((*ATTEST, "--date", "2099-01-01"), "2099-01-01 is still to come"),
    "attested for an unknown rule": ((*ATTEST[:2], "Q181351x", *ATTEST[3:]), "there is no rule"),
    "attested for a pattern": ((*ATTEST[:2], "Q*", *ATTEST[3:]), "there is no rule"),
    "attested for an unknown host": ((*ATTEST[:3], "web2", *ATTEST[4:]), "has no host 'web2'"),
    "attested for a rule that reads the host": ((*ATTEST[:2], "linux-somaxconn", *ATTEST[3:]), "takes no attestation"),
    "attested twice": (ATTEST, "has this record already"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_stand_leaves_the_file_as_it_was(case: str, auditor: Auditor, home: Path) -> None:
    (home / "inventory.yaml").write_text(INVENTORY)
    for first, name in ((WAIVE, "w.yaml"), (ATTEST, "a.yaml")):
        done = auditor(*first)
        assert (done.returncode, (home / name).exists()) == (0, True), done.stderr
    before = [(home / n).read_bytes() for n in ("w.yaml", "a.yaml")]
    words, said = REFUSED[case]
    done = auditor(*words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert [(home / n).read_bytes() for n in ("w.yaml", "a.yaml")] == before


def test_a_bad_record_costs_only_itself(auditor: Auditor, home: Path) -> None:
    """The run goes on without it, and says so; `inventory check` calls it a fault."""
    (home / "inventory.yaml").write_text(INVENTORY + "defaults: {timeouts: {command: 60}}\n")
    (home / "w.yaml").write_text(
        "- {rules: [x], owner: a, reason: b}\n- {rules: ['linux-*'], targets: ['*'], owner: kim, reason: b, permanent: true}\n"
    )
    done = auditor("audit", "--format", "json")
    assert done.returncode in (0, 1, 3), done.stderr
    assert "w.yaml:1: " in done.stdout
    assert "it is left out" in done.stdout
    assert '"owner": "kim"' in done.stdout
    checked = auditor("inventory", "check")
    assert (checked.returncode, "w.yaml:1: " in checked.stderr) == (2, True)


@pytest.mark.parametrize("text", ["a: b\n", "- [\n", "\x00"])
def test_a_file_that_cannot_be_understood_ends_the_run_before_it_begins(text: str, auditor: Auditor, home: Path) -> None:
    (home / "inventory.yaml").write_text(INVENTORY)
    (home / "w.yaml").write_text(text)
    done = auditor("audit")
    assert (done.returncode, "w.yaml:1" in done.stderr or "w.yaml:2" in done.stderr) == (2, True), done.stderr


def test_one_missing_secret_costs_one_host(auditor: Auditor, home: Path) -> None:
    (home / "inventory.yaml").write_text(
        "hosts:\n  here: {connection: local}\n  a: {password: env:NO_SUCH_SECRET}\n  b: {key_file: no-such-key}\n"
    )
    done = auditor("audit", "--format", "csv")
    assert "NO_SUCH_SECRET is not set" in done.stdout + auditor("report", "show", "--format", "json").stdout
    listed = auditor("report", "show", "--format", "json").stdout
    assert '"secret-unavailable"' in listed
    assert "the key cannot be read" in listed
    assert '"assessed": 1' in listed or '"partial": 1' in listed
    checked = auditor("inventory", "check")
    assert checked.returncode == 2
    assert "inventory.yaml:3: the secret env:NO_SUCH_SECRET cannot be had" in checked.stderr
    assert "inventory.yaml:4: the key file no-such-key does not exist" in checked.stderr


@pytest.mark.parametrize("address", ["http://x/", "", "a; rm", "-oProxyCommand=x", "a b", "x\\ny", "[::1]", "a/b", "$(id)"])
def test_an_address_that_is_none(address: str, auditor: Auditor, home: Path) -> None:
    """Told by `inventory check`; in a run it costs one host."""
    (home / "inventory.yaml").write_text(f'hosts:\n  here: {{connection: local}}\n  a: {{address: "{address}"}}\n')
    checked = auditor("inventory", "check")
    assert (checked.returncode, "inventory.yaml:3: a: the address" in checked.stderr) == (2, True), checked.stderr
    found = {t["name"]: t for t in json.loads(auditor("audit", "--format", "json").stdout)["targets"]}
    assert "inventory.yaml:3: the address" in found["a"]["error"]["message"]
    assert found["here"]["error"] is None


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full", "| head -c 1", ">&- 2>&-"])
@pytest.mark.parametrize("words", ["rules list", "rules show Q181350", "ping local", "commands"])
def test_what_cannot_be_shown_is_neither_good_nor_noncompliant(words: str, redirect: str, home: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m auditor {words} {redirect}"],
        capture_output=True, text=True, cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("standard output cannot be written") == (redirect in (">&-", ">/dev/full"))
    assert done.returncode == 3 or (redirect.startswith("|") and done.returncode == 0 and len(done.stdout) == 1), done.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [("scna local", "did you mean scan?"), ("histroy runs", "did you mean history?"), ("xyzzy", "auditor --help lists them"),
     ("history rnus", "did you mean runs"), ("agent chekc", "did you mean check?"), ("keys acept", "did you mean accept?"),
     ("waivers xyzzy", "auditor waivers --help lists them"), ("scan local --fromat json", "--format")],
)  # fmt: skip
def test_a_command_that_is_none(typed: str, said: str, auditor: Auditor) -> None:
    done = auditor(*typed.split())
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_file_that_says_there_is_none_is_added_to(auditor: Auditor, home: Path) -> None:
    """`[]` is what one writes for "none"; a list in brackets is told where it stands."""
    (home / "inventory.yaml").write_text("hosts: {web1: {address: 192.0.2.1}}\nwaivers: w.yaml\n")
    (home / "w.yaml").write_text("# ours\n[]\n")
    words = ("waivers", "add", "linux-syncookies", "web1", "web1", "--reason", "x", "--permanent")
    done = auditor(*words)
    assert (done.returncode, done.stderr) == (0, "")
    text = (home / "w.yaml").read_text()
    assert text.startswith("# ours\n- rules:")
    assert text.count("web1") == 1
    (home / "w.yaml").write_text("[{rules: [linux-syncookies], targets: [web1], owner: kim, reason: x, permanent: true}]\n")
    done = auditor(*words)
    assert "w.yaml:1: the entries stand in brackets" in done.stderr
    assert done.returncode == 2
