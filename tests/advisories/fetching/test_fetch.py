"""Feeds over HTTP from a real server that also misbehaves: what changed is got, what broke off goes on, nothing else is taken."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.advisories.fetching.addresses import BY_NAME, SOURCES, for_releases
from auditor.advisories.fetching.download import DownloadOptions, FetchFault
from auditor.advisories.fetching.fetch import Fetched, fetch
from tests.advisories import given
from tests.advisories.fetching import server as odd
from tests.advisories.fetching.server import FileServer, serving
from tests.conftest import Run

ALMA, PATH = BY_NAME["almalinux"], "/almalinux/all.zip"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "mirror").mkdir()
    put(tmp_path / "mirror", 3)
    with serving(tmp_path / "mirror") as running:
        yield running


def put(folder: Path, count: int) -> bytes:
    path = folder / PATH.lstrip("/")
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(count):
            archive.writestr(f"{n}.json", given.osv(f"ALSA-2026:{n}", ("AlmaLinux:9", "openssl", f"1:3.0.7-{n + 28}.el9")))
    return path.read_bytes()


def got(
    mirror: FileServer, tmp_path: Path, by: DownloadOptions | None = None, name: str = "almalinux", keyring: Path | None = None
) -> Fetched:
    return fetch(BY_NAME[name], tmp_path / "feeds", by or DownloadOptions(seconds=20), mirror.address, keyring)


def test_only_what_changed_is_got_again(mirror: FileServer, tmp_path: Path) -> None:
    first = got(mirror, tmp_path)
    assert first.changed
    assert first.path.read_bytes() == (mirror.folder / "almalinux/all.zip").read_bytes()
    assert not got(mirror, tmp_path).changed
    put(mirror.folder, 5)
    assert got(mirror, tmp_path).changed
    assert [status for _, status in mirror.of(PATH)] == [200, 304, 200]
    assert {p.name for p in first.path.parent.iterdir()} == {"all.zip", "all.zip.state"}


def test_what_broke_off_goes_on(mirror: FileServer, tmp_path: Path) -> None:
    mirror.odd[PATH] = odd.breaks_off
    with pytest.raises(FetchFault, match=r"broke off after .* bytes; the next fetch goes on"):
        got(mirror, tmp_path)
    assert got(mirror, tmp_path).path.read_bytes() == (mirror.folder / "almalinux/all.zip").read_bytes()
    ranges = mirror.of(PATH)
    assert ranges[0] == ("", 200)
    assert (ranges[1][0].startswith("bytes="), ranges[1][1]) == (True, 206)


def test_what_broke_off_and_changed_meanwhile_is_got_anew(mirror: FileServer, tmp_path: Path) -> None:
    mirror.odd[PATH] = odd.breaks_off
    with pytest.raises(FetchFault):
        got(mirror, tmp_path)
    put(mirror.folder, 50)
    assert got(mirror, tmp_path).path.read_bytes() == (mirror.folder / "almalinux/all.zip").read_bytes()


MISDEEDS = [
    (odd.never_ends, DownloadOptions(most=1_000_000, seconds=20), "larger than the 1,000,000 bytes"),
    (odd.trickles, DownloadOptions(seconds=1), "longer than 1 s"),
    (odd.another_file, DownloadOptions(), "goes on with another file"),
    (odd.without_a_length, DownloadOptions(), "does not say how long it is"),
    (odd.says(302, Location="ftp://127.0.0.1/x"), DownloadOptions(), "leads away from HTTP"),
    (odd.says(404), DownloadOptions(), "answers 404"),
    (odd.says(500), DownloadOptions(), "answers 500"),
    (odd.says(302, Location="file:///etc/passwd"), DownloadOptions(), "cannot be had|answers 302"),
    (odd.says(302, Location=PATH), DownloadOptions(), "answers 302"),
    (odd.says(200, ETag='"x"'), DownloadOptions(), "is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("misdeed", "by", "message"), MISDEEDS)
def test_a_server_that_misbehaves_leaves_what_there_was(
    mirror: FileServer, tmp_path: Path, misdeed: odd.Answer, by: DownloadOptions, message: str
) -> None:
    before = got(mirror, tmp_path).path
    content = before.read_bytes()
    mirror.odd[PATH] = misdeed
    began = time.monotonic()
    with pytest.raises(FetchFault, match=message):
        got(mirror, tmp_path, by)
    assert before.read_bytes() == content
    assert time.monotonic() - began < 15


def test_what_broke_off_is_not_continued_by_another_file(mirror: FileServer, tmp_path: Path) -> None:
    mirror.odd[PATH] = odd.breaks_off
    with pytest.raises(FetchFault):
        got(mirror, tmp_path)
    mirror.odd[PATH] = odd.another_file
    with pytest.raises(FetchFault, match="goes on with another file"):
        got(mirror, tmp_path)
    del mirror.odd[PATH]
    assert got(mirror, tmp_path).path.read_bytes() == (mirror.folder / "almalinux/all.zip").read_bytes()


def test_not_modified_is_no_answer_to_a_first_question(mirror: FileServer, tmp_path: Path) -> None:
    mirror.odd[PATH] = odd.says(304)
    with pytest.raises(FetchFault, match="answers 304"):
        got(mirror, tmp_path)


def test_nothing_listens(tmp_path: Path) -> None:
    with pytest.raises(FetchFault, match="cannot be had"):
        fetch(ALMA, tmp_path, DownloadOptions(seconds=5), "http://127.0.0.1:9")


def test_a_proxy_of_the_environment_is_not_used(mirror: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert got(mirror, tmp_path).changed
    with pytest.raises(FetchFault, match="cannot be had"):
        got(mirror, tmp_path, DownloadOptions(proxy="http://127.0.0.1:9", seconds=5))


def red_hat(folder: Path, digest: str = "") -> bytes:
    place = folder / "redhat"
    place.mkdir(exist_ok=True)
    (place / "archive_latest.txt").write_text("csaf_2026-11-30.zip")
    with zipfile.ZipFile(place / "csaf_2026-11-30.zip", "w") as archive:
        archive.writestr("1.json", "{}")
    content = (place / "csaf_2026-11-30.zip").read_bytes()
    (place / "csaf_2026-11-30.zip.sha256").write_text(f"{digest or hashlib.sha256(content).hexdigest()}  csaf_2026-11-30.zip\n")
    return content


def test_a_published_digest_is_held(mirror: FileServer, tmp_path: Path) -> None:
    content = red_hat(mirror.folder)
    found = got(mirror, tmp_path, name="redhat")
    assert (found.path.read_bytes(), found.checked) == (content, "its published SHA-256")
    with zipfile.ZipFile(mirror.folder / "redhat/csaf_2026-11-30.zip", "w") as archive:
        archive.writestr("2.json", "{ }")
    with pytest.raises(FetchFault, match="is not what its publisher says"):
        got(mirror, tmp_path, name="redhat")
    assert found.path.read_bytes() == content


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".hidden", " ", "a b", "x" * 300])
def test_a_pointer_to_no_file(mirror: FileServer, tmp_path: Path, name: str) -> None:
    red_hat(mirror.folder)
    (mirror.folder / "redhat/archive_latest.txt").write_text(name)
    with pytest.raises(FetchFault, match="names no file"):
        got(mirror, tmp_path, name="redhat")


def test_a_signature_is_held_where_keys_are_given(mirror: FileServer, tmp_path: Path) -> None:
    red_hat(mirror.folder)
    home, archive = tmp_path / "gnupg", mirror.folder / "redhat/csaf_2026-11-30.zip"
    home.mkdir(mode=0o700)

    def gpg(*words: str) -> None:
        subprocess.run(
            ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", *words], check=True, capture_output=True
        )

    gpg("--quick-generate-key", "feed@example.org", "ed25519", "sign", "never")
    gpg("--detach-sign", "--armor", str(archive))
    ring, other = tmp_path / "keys.gpg", tmp_path / "none.gpg"
    gpg("--output", str(ring), "--export")
    other.write_bytes(b"")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    assert got(mirror, tmp_path, name="redhat", keyring=ring).checked.endswith(f"a signature of {ring}")
    with pytest.raises(FetchFault, match="its signature is not one of the keys"):
        got(mirror, tmp_path / "again", name="redhat", keyring=other)


REPOMD = """<?xml version="1.0"?>{doctype}
<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><checksum type="sha256">00</checksum><location href="repodata/p.xml.gz"/></data>
{data}</repomd>"""
DATA = '<data type="updateinfo"><checksum type="{kind}">{digest}</checksum><location href="{href}"/></data>'


def repository(
    folder: Path,
    content: bytes,
    *,
    digest: str = "",
    kind: str = "sha256",
    href: str = "repodata/u-updateinfo.xml.gz",
    doctype: str = "",
    data: str = DATA,
) -> None:
    place = folder / "epel-9/repodata"
    place.mkdir(parents=True, exist_ok=True)
    (place / "u-updateinfo.xml.gz").write_bytes(content)
    told = data.format(kind=kind, digest=digest or hashlib.sha256(content).hexdigest(), href=href)
    (place / "repomd.xml").write_text(REPOMD.format(doctype=doctype, data=told))


UPDATES = gzip.compress(given.updateinfo(given.update("FEDORA-EPEL-2026-1", "nginx 2 1.2 1.el9 x86_64")))


def test_a_repositorys_updateinfo_by_its_repomd(mirror: FileServer, tmp_path: Path) -> None:
    repository(mirror.folder, UPDATES)
    found = got(mirror, tmp_path, name="epel-9")
    assert (found.path.read_bytes(), found.checked) == (UPDATES, "the sha256 of its repomd.xml")
    assert not got(mirror, tmp_path, name="epel-9").changed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"digest": "00" * 32}, "is not what its publisher says"), ({"kind": "md5"}, "in a way that is not taken"), ({"href": "../../etc/passwd"}, "in a way that is not taken"),
        ({"href": "https://elsewhere.example/u.xml"}, "in a way that is not taken"), ({"doctype": "<!DOCTYPE repomd [<!ENTITY a 'b'>]>"}, "document type"), ({"data": ""}, "has no updateinfo"),
        ({"data": "<data>"}, "is no repomd.xml"),
    ],
)  # fmt: skip
def test_a_repomd_that_is_not_taken(mirror: FileServer, tmp_path: Path, more: dict[str, str], message: str) -> None:
    repository(mirror.folder, UPDATES, **more)
    with pytest.raises(FetchFault, match=message):
        got(mirror, tmp_path, name="epel-9")
    assert not [p for p in (tmp_path / "feeds").rglob("updateinfo*") if p.is_file()]


def test_the_command_gets_imports_and_says_what_it_did(mirror: FileServer, tmp_path: Path, auditor: Run) -> None:
    repository(mirror.folder, UPDATES)
    done = auditor("advisories", "fetch", "almalinux", "epel-9", "debian-dsa", "--from", mirror.address)
    assert done.returncode == 3, done.stderr
    assert "almalinux: got all.zip" in done.stdout
    assert "epel-9: got u-updateinfo.xml.gz, checked by the sha256 of its repomd.xml" in done.stdout
    assert "almalinux-osv: 3 new" in done.stdout
    assert "debian-dsa: http://127.0.0.1" in done.stderr
    assert "answers 404" in done.stderr
    status = auditor("advisories", "status").stdout
    assert "almalinux-9  almalinux-osv" in status
    assert "epel-9       epel-updateinfo" in status
    again = auditor("advisories", "fetch", "almalinux", "--from", mirror.address)
    assert (again.returncode, "almalinux: as it was" in again.stdout) == (0, True)


def test_a_mirror_carried_by_hand(mirror: FileServer, tmp_path: Path, auditor: Run) -> None:
    assert auditor("advisories", "fetch", "almalinux", "--from", mirror.address, "--mirror", "carried").returncode == 0
    assert not Path("advisories.db").exists()
    repository(mirror.folder, UPDATES)
    assert auditor("advisories", "fetch", "epel-9", "--from", mirror.address, "--mirror", "carried").returncode == 0
    there = auditor("advisories", "fetch", "almalinux", "epel-9", "--from", "carried", "--advisories", "there.db")
    assert (there.returncode, "almalinux-osv: 3 new" in there.stdout) == (0, True), there.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["almalinx"], "there is no feed 'almalinx'; did you mean almalinux?"),
        ([], "knows no host whose release has a feed"),
        (["almalinux", "--ca-file", "none"], "there is no file none"),
    ],
)
def test_a_call_that_makes_no_sense(auditor: Run, words: list[str], message: str) -> None:
    done = auditor("advisories", "fetch", *words)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_the_sources_are_sound() -> None:
    assert len(BY_NAME) == len(SOURCES)
    assert all(s.address.startswith("https://") for s in SOURCES)
    assert {s.name for s in for_releases(["almalinux-9", "debian-12", "epel-9"])} == {
        "almalinux",
        "debian-dsa",
        "debian-dla",
        "epel-9",
    }


def months(folder: Path, revised: str = "2024-04-09T07:00:00Z", *idents: str) -> None:
    """A mirror of Microsoft's: the list, and the documents that it names."""
    place = folder / "microsoft"
    (place / "cvrf").mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'{{"ID": "{i}", "Alias": "x", "CurrentReleaseDate": "{revised}"}}' for i in idents)
    (place / "updates").write_text(f'{{"@odata.context": "x", "value": [{listed}]}}')
    for ident in idents:
        (place / "cvrf" / ident).write_text(f"<cvrfdoc>{ident} {revised}</cvrfdoc>")


def test_only_months_with_another_revision_are_got_again(mirror: FileServer, tmp_path: Path) -> None:
    months(mirror.folder, "2024-04-09", "2024-Feb", "2024-Mar")
    first = got(mirror, tmp_path, name="microsoft")
    assert (first.changed, sorted(p.name for p in first.path.glob("*.xml"))) == (True, ["2024-Feb.xml", "2024-Mar.xml"])
    assert not got(mirror, tmp_path, name="microsoft").changed
    months(mirror.folder, "2024-04-10", "2024-Mar", "2024-Apr")
    assert got(mirror, tmp_path, name="microsoft").changed
    assert (first.path / "2024-Mar.xml").read_text() == "<cvrfdoc>2024-Mar 2024-04-10</cvrfdoc>"
    assert [len(mirror.of(f"/microsoft/cvrf/2024-{m}")) for m in ("Feb", "Mar", "Apr")] == [1, 2, 1]


def test_a_month_that_cannot_be_had_costs_only_itself(mirror: FileServer, tmp_path: Path) -> None:
    months(mirror.folder, "2024-04-09", "2024-Feb", "2024-Mar")
    (mirror.folder / "microsoft/cvrf/2024-Feb").unlink()
    found = got(mirror, tmp_path, name="microsoft")
    assert [p.name for p in found.path.glob("*.xml")] == ["2024-Mar.xml"]
    assert len(found.lacking) == 1
    assert "2024-Feb" in found.lacking[0]


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ("<html>", "is no list of monthly documents"),
        ('{"value": 5}', "is no list of monthly documents"),
        ('{"value": [{"ID": "../../etc/passwd"}]}', "in a way that is not taken"),
        ('{"value": [' + ",".join(['{"ID": "2024-Jan"}'] * 1001) + "]}", "more than there can be"),
    ],
)
def test_a_list_of_months_that_is_none(listed: str, why: str, mirror: FileServer, tmp_path: Path) -> None:
    months(mirror.folder, "2024-04-09", "2024-Mar")
    (mirror.folder / "microsoft/updates").write_text(listed)
    with pytest.raises(FetchFault, match=why):
        got(mirror, tmp_path, name="microsoft")
