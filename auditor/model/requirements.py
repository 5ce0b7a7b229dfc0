"""What the loaded rules want to know of a host, beyond what is always read."""

from __future__ import annotations

from msgspec import Struct


class DataRequirements(Struct, frozen=True):
    r"""`linux` and `windows`: keys of settings (model/setting_key.py), sorted; `hotfixes`: ids whose entries are looked at one by
    one; `programs`: does any rule look at the list of installed programs?"""

    linux: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    hotfixes: tuple[str, ...] = ()
    programs: bool = False
    processes: bool = False
    vendors: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
