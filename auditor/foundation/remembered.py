"""What was worked out before, as much of it as a given size allows: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """`most` is the sum of the sizes that are kept, in whatever unit the caller counts. For one thread at a time."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._known: OrderedDict[K, tuple[int, V]] = OrderedDict()

    def get(self, key: K, size: int, work: Callable[[], V]) -> V:
        """What `work` gives, or gave before; raises what it raises. `size`: what remembering it costs."""
        found = self._known.get(key)
        if found:
            self._known.move_to_end(key)
            return found[1]
        value = work()
        if size <= self._most:
            self._known[key] = size, value
            self._held += size
        while self._held > self._most:
            self._held -= self._known.popitem(last=False)[1][0]
        return value
