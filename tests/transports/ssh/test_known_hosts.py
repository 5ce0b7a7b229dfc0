"""known_hosts as OpenSSH reads it: `ssh-keygen -F` is the judge, and a bad line costs only itself."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import paramiko
import pytest

from auditor.errors import HostError
from auditor.model.target import Target
from auditor.transports.ssh import host_keys, known_hosts
from auditor.transports.ssh.known_hosts import KnownHost, parse_line

A, B, C, D, E, F = (paramiko.ECDSAKey.generate() for _ in range(6))


def said(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


# One line for each form; {n} are keys. ssh-keygen -H hashes the line that has HASH in front.
LINES = [
    "# a comment",
    "",
    "   \t ",
    f"plain.example {said(A)}",
    f"plain.example,10.0.0.5,[plain.example]:2222 {said(B)} somebody@somewhere and more words",
    f"\t tabs.example\t{said(A)}\t",
    f"UPPER.example {said(A)}",
    f"[port.example]:2222 {said(A)}",
    f"*.wild.example,!no.wild.example {said(A)}",
    f"!alone.example {said(A)}",
    f"h?st.example,?.?.example {said(A)}",
    f"[br*.example]:22?? {said(A)}",
    f"[a-c].example {said(A)}",
    f"* {said(F)}",
    f"@revoked plain.example {said(C)}",
    f"@revoked *.revoked.example {said(C)}",
    f"@cert-authority *.ca.example {said(D)}",
    f"@cert-authority plain.example {said(D)}",
    f"::1,[::1]:2222,fe80::1%eth0 {said(A)}",
    f"HASH hashed.example {said(E)}",
    f"HASH [hashed.example]:2222 {said(E)}",
    f"HASH 10.0.0.9 {said(E)}",
    f"# old\x0cff.example {said(A)}",
    f"#\x85nel.example {said(A)}",
    f"# old\u2028ls.example {said(A)}",
    f"cr.example {said(A)}\r",
    f"last.example {said(A)}",
]
BAD = [
    "words.example",
    "two.example ssh-ed25519",
    f"base64.example ssh-ed25519 !{A.get_base64()}",
    f"type.example ssh-ed25519 {A.get_base64()}",
    f"@unknown marker.example {said(A)}",
    "@revoked",
    "short.example ssh-ed25519 AAAA",
    "ssh1.example 1024 35 1234567890123456789",
]
REQUIREMENTS = [
    *(
        "plain.example",
        "10.0.0.5",
        "[plain.example]:2222",
        "[plain.example]:22",
        "tabs.example",
        "upper.example",
        "port.example",
    ),
    *("[port.example]:2222", "[port.example]:2223", "a.wild.example", "no.wild.example", "wild.example", "a.b.wild.example"),
    *("alone.example", "host.example", "hst.example", "a.b.example", "[br1.example]:2200", "[br.example]:22", "br1.example"),
    *("b.example", "[a-c].example", "x.revoked.example", "x.ca.example", "::1", "[::1]:2222", "fe80::1%eth0", "hashed.example"),
    *("[hashed.example]:2222", "hashed.example2", "10.0.0.9", "ff.example", "nel.example", "ls.example", "cr.example"),
    *("last.example", "nobody.example", "words.example", "marker.example", "ssh1.example"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All good lines, the bad ones between them, a line that is no UTF-8, and no newline at the end."""
    folder = tmp_path_factory.mktemp("known")
    lines: list[bytes] = []
    for number, line in enumerate(LINES):
        if line.startswith("HASH "):
            one = folder / "one"
            one.write_text(line.removeprefix("HASH ") + "\n")
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(one)], check=True, capture_output=True)
            line = one.read_text().strip()
            assert line.startswith("|1|")
        lines.append(line.encode())
        if number < len(BAD):
            lines.append(BAD[number].encode())
    lines.insert(5, b"latin.example,b\xfcro.example " + said(A).encode() + b" B\xfcro")
    lines.insert(6, b"\xff\xfe\x00 broken")
    path = folder / "known_hosts"
    path.write_bytes(b"\n".join(lines))
    return path


def oracle(path: Path, host: str) -> list[tuple[int, str]]:
    """What ssh-keygen finds: line numbers and markers."""
    done = subprocess.run(["ssh-keygen", "-F", host, "-f", str(path)], capture_output=True)
    found = re.findall(rb"^# Host \S+ found: line (\d+) ?(CA|REVOKED)?", done.stdout, re.MULTILINE)
    return [(int(number), marker.decode()) for number, marker in found]


def split(asked: str) -> tuple[str, int]:
    host, _, port = asked.removeprefix("[").rpartition("]:") if asked.startswith("[") and "]:" in asked else (asked, "", "22")
    return host, int(port)


@pytest.mark.parametrize("asked", REQUIREMENTS)
def test_as_ssh_keygen_reads_it(written: Path, asked: str) -> None:
    markers = {"": "", "@revoked": "REVOKED", "@cert-authority": "CA"}
    known = known_hosts.read([written])
    ours = [(int(e.place.rpartition(":")[2]), markers[e.marker]) for e in known.keys(*split(asked))]
    # At the usual port there are no brackets, and so the plain line counts.
    assert sorted(ours) == oracle(written, split(asked)[0] if split(asked)[1] == 22 else asked)


def test_a_bad_line_costs_only_itself_and_is_counted(written: Path) -> None:
    text = written.read_bytes().split(b"\n")
    bad = [f"{written}:{n}" for n, line in enumerate(text, 1) if line.decode("utf-8", "replace") in BAD or b"broken" in line]
    assert known_hosts.read([written]).bad == bad


def test_bytes_that_are_no_utf8_keep_the_other_names_of_their_line(written: Path) -> None:
    assert [e.key for e in known_hosts.read([written]).keys("latin.example", 22) if e.key == A.asbytes()]


def test_files_in_order_and_one_that_is_missing(tmp_path: Path) -> None:
    for name, key in (("one", A), ("two", B)):
        (tmp_path / name).write_text(f"web1 {said(key)}\n")
    known = known_hosts.read([tmp_path / "two", tmp_path / "none", tmp_path / "one"])
    assert [e.key for e in known.keys("web1", 22)] == [B.asbytes(), A.asbytes()]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    target = Target(name="t", address="web1", known_hosts=(str(tmp_path),))
    with pytest.raises(HostError, match="cannot be read") as e:
        host_keys.known_types(target)
    assert e.value.kind == "unknown-host-key"


@pytest.mark.parametrize(("host", "port"), [("web1", 22), ("web1", 2222), ("::1", 22), ("::1", 2222), ("Web1.Example", 22)])
def test_a_line_we_write_is_read_by_both(tmp_path: Path, host: str, port: int) -> None:
    path = tmp_path / "known_hosts"
    host_keys.append(path, [known_hosts.line(host, port, A.get_name(), A.asbytes())])
    assert [e.key for e in known_hosts.read([path]).keys(host, port)] == [A.asbytes()]
    assert oracle(path, host.lower() if port == 22 else f"[{host}]:{port}") == [(1, "")]


def test_fingerprint_is_ssh_keygens(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(said(A) + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True
    ).stdout
    assert shown.split()[1] == known_hosts.fingerprint(A.asbytes())


@pytest.mark.parametrize("before", [None, b"", b"other ssh-ed25519 AAAA\n", b"# no newline at the end", b"\xff\xfe\n\n\n"])
def test_accept_new_leaves_the_other_lines_alone(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "ssh" / "known_hosts"
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(before)
    target = Target(name="t", address="web1", known_hosts=(str(path),), host_key_checking="accept-new")
    for _ in range(2):  # the second time it is known
        host_keys.judge(target, A.get_name(), A.asbytes())
    new = f"web1 {said(A)}\n".encode()
    parted = b"\n" if before and not before.endswith(b"\n") else b""
    assert path.read_bytes() == (before or b"") + parted + new
    with pytest.raises(HostError) as e:
        host_keys.judge(target, B.get_name(), B.asbytes())
    assert e.value.kind == "host-key-changed"


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """An agent lives for years: keys are accepted and revoked meanwhile."""
    path = tmp_path / "known_hosts"
    path.write_text("")
    target = Target(name="t", address="web1", known_hosts=(str(path),))
    with pytest.raises(HostError, match="does not know it"):
        host_keys.judge(target, A.get_name(), A.asbytes())
    path.write_text(f"web1 {said(A)}\n")
    host_keys.judge(target, A.get_name(), A.asbytes())
    with path.open("a") as file:
        file.write(f"@revoked * {said(A)}\n")
    with pytest.raises(HostError) as e:
        host_keys.judge(target, A.get_name(), A.asbytes())
    assert e.value.kind == "host-key-revoked"


def test_accept_new_writes_one_line_for_one_host_met_by_many(tmp_path: Path) -> None:
    """Three hundred targets behind one new jump host meet its key at the same moment."""
    path = tmp_path / "known_hosts"
    target = Target(name="t", address="web1", known_hosts=(str(path),), host_key_checking="accept-new")
    gate = threading.Barrier(16)

    def meet() -> None:
        gate.wait()
        host_keys.judge(target, A.get_name(), A.asbytes())

    threads = [threading.Thread(target=meet) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert path.read_text() == f"web1 {said(A)}\n"


@pytest.mark.parametrize(
    "line", [*BAD, "\0", "a b c", "|1|x| ssh-ed25519 A", "@revoked @revoked a b c", "x ssh-ed25519 " + "A" * 4000]
)
def test_no_line_raises(line: str) -> None:
    assert parse_line(line) is True or isinstance(parse_line(line), KnownHost)
