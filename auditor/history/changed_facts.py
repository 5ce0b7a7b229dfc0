"""What changed in a section of a host's facts: each item from what to what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

_SHOWN = 8  # items of a section; the rest is counted
_LONGEST = 120  # characters of an item
# By which fields two readings of an item are the same item; what is not named here is told by all its fields.
_NAMED = {
    "packages": ("name", "arch"),
    "listeners": ("address", "port"),
    "services": ("name",),
    "programs": ("name", "source"),
    "hotfixes": ("id",),
    "missing_updates": ("kb",),
    "stale_processes": ("name",),
    "candidates": ("package", "arch"),
    "simulated": ("package", "arch"),
    "lists": ("name",),
    "sources": ("source",),
}


def changed(section: str, old: bytes | None, new: bytes | None) -> str:
    """The items of a section (JSON, None where it was not read) that are not the same, in one line."""
    if old is None or new is None:
        return "not read before, read now" if old is None else "read before, not read now"
    before, after = (dict(_items(section, msgspec.json.decode(text))) for text in (old, new))
    told = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, set()), after.get(name, set())
        if was != now:
            told.append(_said(name, sorted(was - now), sorted(now - was), name in before, name in after))
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _said(name: str, gone: list[str], come: list[str], was_there: bool, is_there: bool) -> str:
    old, new = ", ".join(filter(None, gone)), ", ".join(filter(None, come))
    if not was_there:
        return _cut(f"new: {name} {new}")
    if not is_there:
        return _cut(f"gone: {name} {old}")
    return f"{_cut(name)} {_cut(old) or 'nothing'} → {_cut(new) or 'nothing'}".strip()


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _items(section: str, value: Any) -> Iterator[tuple[str, set[str]]]:
    """Each item by its name, with what there is to say of it."""
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, list):
                yield from ((f"{key} {name}".strip(), said) for name, said in _items(key, part))
            else:
                yield key, {_text(part)}
    elif isinstance(value, list):
        found: dict[str, set[str]] = {}
        for item in value:
            name, said = _item(section, item)
            found.setdefault(name, set()).add(said)
        yield from found.items()
    else:
        yield "", {_text(value)}


def _item(section: str, item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        return _text(item), ""
    keys = _NAMED.get(section, tuple(item))
    if section == "listeners":
        address = str(item.get("address"))
        name = f"[{address}]:{item.get('port')}" if ":" in address else f"{address}:{item.get('port')}"
    else:
        name = " ".join(_text(item.get(k)) for k in keys if item.get(k) not in (None, ""))
    if section == "packages":
        return name, _version(item)
    rest = (f"{k} {_text(v)}" if k not in ("process", "version") else _text(v)
            for k, v in item.items() if k not in keys and v not in (None, "", [], False) and k != "protocol")  # fmt: skip
    return name, ", ".join(rest)


def _version(item: dict[str, Any]) -> str:
    epoch = f"{item['epoch']}:" if item.get("epoch") is not None else ""
    release = f"-{item['release']}" if item.get("release") else ""
    marks = "".join(f" ({k.replace('_', ' ')})" for k in ("hold", "half_installed") if item.get(k))
    return f"{epoch}{item.get('version')}{release}{marks}"


def _text(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items() if v not in (None, "", []))
    return str(value)
