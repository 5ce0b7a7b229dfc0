"""Documents from everywhere, and everything that is refused: each with its reason, and the rest is read."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from auditor.advisories import documents as d
from auditor.advisories.documents import Document, Refusal, documents
from tests.advisories.made import text

ARTICLE = text(STATUS="This problem was first corrected in Windows NT 4.0 Service Pack 4.").encode()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(*paths: Path | str) -> tuple[list[str], dict[str, str]]:
    """Names read, and names refused with their reasons; the folder's own path cut off."""
    found = list(documents([str(p) for p in paths]))

    def short(name: str) -> str:
        return name.rpartition("/")[2] if ":" not in name else name[name.rindex("/", 0, name.index(":")) + 1 :]

    return [short(f.name) for f in found if isinstance(f, Document)], {
        short(f.name): f.reason for f in found if isinstance(f, Refusal)
    }


def test_files_and_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(ARTICLE)
    assert read(tmp_path) == (["a.txt", "b.txt", "c.txt"], {})
    assert read(tmp_path / "gone") == ([], {"gone": "there is no such file or folder"})


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_archives_are_read_without_unpacking(tmp_path: Path, kind: str) -> None:
    members = {"one/Q1.TXT": ARTICLE, "two.txt": ARTICLE}
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zipped(path, members)
    else:
        tarred(path, members, f"w:{kind.partition('.')[2]}")
    assert read(path) == ([f"a.{kind}:one/Q1.TXT", f"a.{kind}:two.txt"], {})
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("name", ["/etc/passwd", "../../up.txt", "a/../../b.txt", "..\\up.txt", "C:\\x.txt"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_paths_that_lead_out_are_refused(tmp_path: Path, pack: object, name: str) -> None:
    path = pack(tmp_path / ("a.zip" if pack is zipped else "a.tar.gz"), {name: ARTICLE, "good.txt": ARTICLE})  # type: ignore[operator]
    names, refused = read(path)
    assert [n.partition(":")[2] for n in names] == ["good.txt"]
    assert list(refused.values()) == ["its path leads out of the archive"]


def test_archives_in_archives_are_refused_by_name_and_by_content(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"x.txt": ARTICLE}).read_bytes()
    names, refused = read(zipped(tmp_path / "a.zip", {"inner.zip": inner, "hidden.txt": inner, "good.txt": ARTICLE}))
    assert names == ["a.zip:good.txt"]
    assert refused["a.zip:inner.zip"] == "is an archive in an archive; unpack it first"
    assert "is an archive" in refused["a.zip:hidden.txt"]


def test_a_zip_bomb_costs_nothing(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "a.zip", {"bomb.txt": b"x" * 50_000_000, "good.txt": ARTICLE})
    assert bomb.stat().st_size < 100_000
    names, refused = read(bomb)
    assert names == ["a.zip:good.txt"]
    assert "50,000,000 bytes unpacked" in refused["a.zip:bomb.txt"]


def test_a_member_that_lies_about_its_size_is_still_bounded(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"liar.txt": b"x" * 5_000_000})
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = raw.index(signature)
        raw[at + offset : at + offset + 4] = (100).to_bytes(4, "little")
    path.write_bytes(raw)
    names, refused = read(path)
    assert names == []
    assert len(refused) == 1


def test_a_tar_bomb_ends_the_reading_with_its_reason(tmp_path: Path) -> None:
    names, refused = read(
        tarred(tmp_path / "a.tar.gz", {"good.txt": ARTICLE, "bomb.txt": b"\0" * 30_000_000, "after.txt": ARTICLE})
    )
    assert names == ["a.tar.gz:good.txt"]
    assert "the rest of this archive was not read" in refused["a.tar.gz"]


def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert read(tmp_path / "a.tar") == ([], {"a.tar:link.txt": "is a link or a device, not a file"})


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_broken_archives(tmp_path: Path, name: str) -> None:
    whole = (
        zipped(tmp_path / name, {"x.txt": os.urandom(20_000)})
        if name == "a.zip"
        else tarred(tmp_path / name, {"x.txt": os.urandom(20_000)})
    )
    whole.write_bytes(whole.read_bytes()[:9000])
    names, refused = read(whole)
    assert names == []
    assert refused
    (tmp_path / name).write_bytes(b"not an archive at all")
    assert read(tmp_path / name)[1]


def test_a_huge_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        file.write(ARTICLE)
        file.truncate(200_000_000)
    assert read(path) == ([], {"long.txt": "is larger than 4 MB, which no document is"})


def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path) == ([], {"pipe": "is no regular file"})


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (ARTICLE, ["-"]),
        (ARTICLE * 3, ["-:1", "-:2", "-:3"]),
        (b"noise\n" + ARTICLE, ["-:1", "-:2"]),
        (b"", ["-"]),
        (b"\n\n" + ARTICLE, ["-"]),
    ],
)
def test_standard_input_holds_one_or_several(content: bytes, names: list[str]) -> None:
    assert [f.name for f in d._stdin(io.BytesIO(content))] == names


def test_an_archive_on_standard_input(tmp_path: Path) -> None:
    found = list(d._stdin(io.BytesIO(zipped(tmp_path / "a.zip", {"x": ARTICLE}).read_bytes())))
    assert found == [Refusal("-", "an archive cannot be read from standard input; name its file")]
