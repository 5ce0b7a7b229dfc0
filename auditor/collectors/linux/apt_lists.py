"""What apt's files say of a suite: its Release file, and the package lists that lie on the host by their names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct, field

from auditor.errors import FactUnavailable
from auditor.model.facts import UpdateList

_ALIASES = ("stable", "oldstable", "oldoldstable", "testing")


class Release(Struct):
    """A suite's Release file: fields by name, and the lengths in bytes of the unpacked package lists by component and
    architecture."""

    fields: dict[str, str] = field(default_factory=dict)
    lengths: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, path: str, size: str) -> None:
        """`updates/main/binary-amd64/Packages`: by component, with and without what stands before it, and architecture."""
        component, _, last = path.rpartition("/binary-")
        arch = last.partition("/")[0]
        for name in {component, component.rpartition("/")[2]}:
            self.lengths.setdefault((name, arch), []).append(size)

    def of(self, component: str, arch: str) -> list[str]:
        """The lengths of the lists of a component and an architecture."""
        return self.lengths.get((component, arch), [])


class PackageList(Struct, frozen=True):
    """A package list that lies on the host, by what its name says: the suite it is of, the suite's own name (`bookworm-security`),
    component and architecture; and its bytes and stanzas."""

    file: str
    suite: str
    dist: str
    component: str
    arch: str
    size: str
    stanzas: str


def releases_of(lines: list[str]) -> dict[str, Release]:
    """By suite; lines are grep's, `FILE:LINE`, and a mirror's port stands in the name of the file."""
    said: dict[str, Release] = {}
    for line in lines:
        for mark in ("_InRelease:", "Release:"):
            suite, found, text = line.partition(mark)
            if found:
                break
        else:
            continue
        release = said.setdefault(suite, Release())
        words = text.split()
        if text.startswith(" ") and len(words) == 3 and re.fullmatch(r"\d{1,12}", words[1]):
            release.add(words[2], words[1])
        else:
            name, _, value = text.partition(": ")
            release.fields[name] = value.strip()
    return said


def package_list(line: str) -> PackageList | None:
    """A row `=list= FILE BYTES STANZAS`; None where the name is not that of a package list."""
    words = line.split()
    if len(words) != 4:
        return None
    _, file, size, stanzas = words
    name, _, rest = file.removesuffix(_suffix(file)).rpartition("_dists_")
    front, _, last = rest.rpartition("_binary-")
    arch, _, packages = last.partition("_")
    if not name or not front or packages != "Packages":
        return None
    dist, _, component = front.partition("_")
    if component == "updates" or component.startswith("updates_"):  # Debian before 11: stretch/updates
        dist, component = f"{dist}_updates", component[8:]
    if not component or not dist.endswith(("-security", "_updates")):
        return None
    return PackageList(file, f"{name}_dists_{dist}", dist, component.replace("_", "/"), arch, size, stanzas)


def _suffix(file: str) -> str:
    """How the list is compressed, as its name says: ".lz4"; "" where it is not."""
    _, dot, last = file.rpartition("_Packages")[2].partition(".")
    return dot + last if last.isalnum() else ""


def check_whole(lists: list[PackageList], releases: dict[str, Release]) -> None:
    """A list that is empty, or not as long as its Release file says, was cut off: what it offers is not known."""
    for x in lists:
        expected = releases.get(x.suite, Release()).of(x.component, x.arch)
        if not expected:
            raise FactUnavailable(f"no Release file says how long the package list {x.file[:200]} has to be")
        if x.size not in expected:
            raise FactUnavailable(
                f"the package list {x.file[:200]} is not whole: {x.size} bytes unpacked, {' or '.join(expected)} expected"
            )
        if x.stanzas == "0" and x.size != "0":  # whoever looked for its lines found none and did not say why
            raise FactUnavailable(f"the package list {x.file[:200]} has {x.size} bytes, and not one package was read of it")


def suite_of(x: PackageList, release: Release | None) -> UpdateList:
    """What a suite calls itself, and of when its Release file is."""
    fields = release.fields if release else {}
    codename = fields.get("Codename", "").removesuffix("-security")
    dist = x.dist.removesuffix("-security").removesuffix("_updates")
    own = codename if codename == dist or dist in _ALIASES or dist.startswith(f"{codename}-") else dist
    origin = fields.get("Origin", "" if release else None)  # a Release file without one is no distribution's
    return UpdateList(x.suite, _date(fields.get("Date", "")), own or None, origin, fields.get("Label"))


def of_distribution(x: UpdateList, codename: str | None) -> bool:
    """Is it a suite of the distribution's own, and of the release that the host is?"""
    return x.of_distribution and (codename is None or x.release == codename)


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def has(release: Release | None, component: str, arch: str) -> bool:
    """Does a suite have packages of a component and an architecture? Where it does not say what it has, it may."""
    if release is None or "Components" not in release.fields or "Architectures" not in release.fields:
        return True
    components = {c.rpartition("/")[2] for c in release.fields["Components"].split()}
    if component not in components or arch not in release.fields["Architectures"].split():
        return False
    return release.of(component, arch) != ["0"]  # a list that is empty need not lie there
