"""One source's files into a folder, each held against what its publisher says of it."""

from __future__ import annotations

import hashlib
import re
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree

from msgspec import Struct
from msgspec.structs import replace

from auditor.advisories.fetching.addresses import FeedSource
from auditor.advisories.fetching.download import DownloadOptions, FetchFault, get
from auditor.advisories.fetching.monthly import fetch_months

_MOST_LISTED = 20_000_000  # bytes of a repomd.xml, a digest or a signature


class Fetched(Struct, frozen=True):
    """A file, or a folder of them, that is there now; `changed` is False where it is as it was. `checked`: by what it was held to be whole. `day`: when a
    mirror got it from its publisher, None where it does not say. `lacking`: what of it could not be had, each with the reason."""

    path: Path
    changed: bool
    checked: str = ""
    day: date | None = None
    lacking: tuple[str, ...] = ()


_DAY = "fetched"  # a mirror's file beside each feed: the day on which its publisher was asked


def mark(source: FeedSource, folder: Path, day: date) -> None:
    """Note in a mirror when a source was asked."""
    (folder / source.name / _DAY).write_text(f"{day.isoformat()}\n", encoding="ascii")


def fetch(source: FeedSource, folder: Path, by: DownloadOptions, mirror: str = "", keyring: Path | None = None) -> Fetched:
    """Get a source's file into `folder`. `mirror`: an address or a folder under which each source has a folder of its name, asked
    instead of the publisher. `keyring`: of OpenPGP's; then what is signed must be. FetchFault where it cannot be had or is not what
    its publisher says; what lay there before is kept."""
    found = _fetched(source, folder, by, mirror, keyring)
    return replace(found, day=_day_of(source, folder, by, mirror)) if mirror else found


def _day_of(source: FeedSource, folder: Path, by: DownloadOptions, mirror: str) -> date | None:
    address, file = _address(source, mirror), folder / source.name / _DAY
    try:
        get(f"{address[: address.index(f'/{source.name}/')]}/{source.name}/{_DAY}", file, by)
        day = date.fromisoformat(file.read_text(encoding="ascii").strip())
    except (FetchFault, OSError, ValueError):
        return None
    return min(day, datetime.now(UTC).date())


def _fetched(source: FeedSource, folder: Path, by: DownloadOptions, mirror: str, keyring: Path | None) -> Fetched:
    place = folder / source.name
    place.mkdir(parents=True, exist_ok=True)
    small = DownloadOptions(by.proxy, by.ca_file, min(by.most, _MOST_LISTED), by.seconds)
    address = _address(source, mirror)
    if source.kind == "repomd":
        return _repomd(address, place, by, small)
    if source.kind == "monthly":
        found = fetch_months(address, place, by, small)
        return Fetched(found.folder, bool(found.new), lacking=found.lacking)
    if source.kind == "newest":
        pointer = place / Path(urlsplit(source.address).path).name
        get(address, pointer, small)
        name = pointer.read_text(encoding="utf-8", errors="replace").strip()
        if not re.fullmatch(r"[\w.-]{1,200}", name) or name.startswith("."):
            raise FetchFault(f"{address} names no file: {name[:80]!r}")
        address = urljoin(address, name)
    path = place / unquote(Path(urlsplit(address).path).name)
    draft = place / f"{path.name}.new"
    changed = _got(address, path, draft, by)
    if not changed:
        return Fetched(path, False)
    checked = []
    try:
        if source.digest:
            get(f"{address}.sha256", place / f"{path.name}.sha256", small)
            said = (place / f"{path.name}.sha256").read_text(encoding="utf-8", errors="replace").split()
            _check_digest(address, draft, "sha256", said[0] if said else "")
            checked.append("its published SHA-256")
        if source.signature and keyring:
            get(f"{address}.asc", place / f"{path.name}.asc", small)
            _check_signature(address, draft, place / f"{path.name}.asc", keyring)
            checked.append(f"a signature of {keyring}")
    except FetchFault:
        draft.unlink(missing_ok=True)
        (place / f"{draft.name}.state").unlink(missing_ok=True)
        raise
    _put(draft, path)
    return Fetched(path, True, ", ".join(checked))


def _address(source: FeedSource, mirror: str) -> str:
    if not mirror:
        return source.address
    name = Path(urlsplit(source.address).path).name
    base = mirror if "://" in mirror else Path(mirror).absolute().as_uri()
    return f"{base.rstrip('/')}/{source.name}/{'repodata/' if source.kind == 'repomd' else ''}{name}"


def _got(address: str, path: Path, draft: Path, by: DownloadOptions) -> bool:
    """Get a file beside its place, asking for it only where it is newer than what lies there."""
    state = path.with_name(f"{path.name}.state")
    if path.exists() and state.exists() and not draft.exists():
        draft.hardlink_to(path)
        draft.with_name(f"{draft.name}.state").write_bytes(state.read_bytes())
    changed = get(address, draft, by)
    if not changed:
        draft.unlink(missing_ok=True)
        draft.with_name(f"{draft.name}.state").unlink(missing_ok=True)
    return changed


def _put(draft: Path, path: Path) -> None:
    draft.replace(path)
    draft.with_name(f"{draft.name}.state").replace(path.with_name(f"{path.name}.state"))


_REPO = "{http://linux.duke.edu/metadata/repo}"


def _repomd(address: str, place: Path, by: DownloadOptions, small: DownloadOptions) -> Fetched:
    """The updateinfo that a repository names, whose bytes its repomd.xml tells."""
    place = place / "repodata"  # as in the repository, so that a mirror may be one
    place.mkdir(exist_ok=True)
    list_ = place / "repomd.xml"
    get(address, list_, small)
    text = list_.read_bytes()
    if b"<!" in text.replace(b"<!--", b"") or b"\0" in text:
        raise FetchFault(f"{address} declares a document type or is no UTF-8, as no repomd.xml is")
    try:
        data = next((d for d in ElementTree.fromstring(text).iter(f"{_REPO}data") if d.get("type") == "updateinfo"), None)
    except (ElementTree.ParseError, LookupError) as e:
        raise FetchFault(f"{address} is no repomd.xml: {e}") from None
    if data is None:
        raise FetchFault(f"{address}: this repository has no updateinfo, so no advisories")
    location, checksum = data.find(f"{_REPO}location"), data.find(f"{_REPO}checksum")
    href = location.get("href", "") if location is not None else ""
    kind, digest = (checksum.get("type", ""), (checksum.text or "").strip()) if checksum is not None else ("", "")
    if not re.fullmatch(r"repodata/[\w.-]{1,200}", href) or kind not in ("sha256", "sha512"):
        raise FetchFault(f"{address} names its updateinfo in a way that is not taken: {href[:100]!r}, {kind[:20]!r}")
    path = place / Path(href).name
    if path.exists() and hashlib.new(kind, path.read_bytes()).hexdigest() == digest:
        return Fetched(path, False)
    draft = place / f"{path.name}.new"
    get(urljoin(address, f"../{href}"), draft, by)
    _check_digest(href, draft, kind, digest)
    for older in place.glob("*updateinfo*"):
        if older != draft and not older.name.startswith(draft.name):
            older.unlink()
    _put(draft, path)
    return Fetched(path, True, f"the {kind} of its repomd.xml")


def _check_digest(address: str, file: Path, kind: str, said: str) -> None:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, kind).hexdigest()
    if found != said.lower():
        file.unlink()
        file.with_name(f"{file.name}.state").unlink(missing_ok=True)
        raise FetchFault(
            f"{address} is not what its publisher says it is: its {kind} is {found[:16]}…, and {said[:16]!r}… was published"
        )


def _check_signature(address: str, file: Path, signature: Path, keyring: Path) -> None:
    try:
        done = subprocess.run(
            ["gpgv", "--keyring", str(keyring.absolute()), str(signature), str(file)],
            capture_output=True,
            timeout=120,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise FetchFault(f"{address}: its signature could not be checked: {e} (gpgv of GnuPG is needed)") from None
    if done.returncode:
        raise FetchFault(f"{address}: its signature is not one of the keys in {keyring}")
