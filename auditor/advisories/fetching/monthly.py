"""Microsoft's monthly documents: the list of them, and each whose revision is another than the one that was got."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

import msgspec
from msgspec import Struct, field

from auditor.advisories.fetching.download import DownloadOptions, FetchFault, get

_MOST_MONTHS = 1_000  # there have been some 130 in ten years
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,40}")


class _Listed(Struct):
    ident: str = field(name="ID")
    revised: str = field(name="CurrentReleaseDate", default="")


class _List(Struct):
    value: list[_Listed]


class MonthsFetched(NamedTuple):
    """Where the documents lie; `new`: how many were got; `lacking`: those that could not be had, each with the reason."""

    folder: Path
    new: int
    lacking: tuple[str, ...]


def fetch_months(address: str, place: Path, by: DownloadOptions, small: DownloadOptions) -> MonthsFetched:
    """Get what is new since last time into `place`/cvrf. `address`: of the list (`…/updates`); the documents lie beside it, below `cvrf/`. FetchFault where
    the list cannot be had or read; a month that fails is told, and the others are got."""
    folder = place / "cvrf"
    folder.mkdir(parents=True, exist_ok=True)
    list_ = place / "updates"
    get(address, list_, small)
    new, lacking = 0, []
    for month in _read(list_, address):
        path, state = folder / f"{month.ident}.xml", folder / f"{month.ident}.revised"
        if path.exists() and state.exists() and state.read_text(encoding="utf-8") == month.revised:
            continue
        try:
            new += get(urljoin(address, f"cvrf/{month.ident}"), path, by)
            state.write_text(month.revised, encoding="utf-8")
        except (FetchFault, OSError) as e:
            lacking.append(str(e))
    return MonthsFetched(folder, new, tuple(lacking))


def _read(list_: Path, address: str) -> Iterator[_Listed]:
    try:
        found = msgspec.json.decode(list_.read_bytes(), type=_List).value
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise FetchFault(f"{address} is no list of monthly documents: {e}") from None
    if len(found) > _MOST_MONTHS:
        raise FetchFault(f"{address} lists {len(found):,} months, more than there can be")
    for month in found:
        if not _ID.fullmatch(month.ident):
            raise FetchFault(f"{address} names a month in a way that is not taken: {month.ident[:60]!r}")
        yield month
