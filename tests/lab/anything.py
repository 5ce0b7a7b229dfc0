"""A list with everything on it, for tests of what a transport does with commands that no audit knows."""

from __future__ import annotations

from typing import Any


class _Anything:
    def command(self, command: Any) -> None: ...
    def query(self, wql: str) -> None: ...
    def registry(self, method: str, key: str, name: str | None) -> None: ...


ANYTHING = _Anything()
