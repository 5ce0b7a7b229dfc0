"""What an order lets a worker read: what it asks for, as far as the worker's own rules know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from secrets import token_hex

from auditor.audit.context import AuditContext, RequirementsCache
from auditor.collectors.permitted import Permitted
from auditor.model.facts import Platform
from auditor.model.requirements import DataRequirements
from auditor.rulebook.rulebook import Rulebook
from auditor.zones.messages import Order

Clock = Callable[[], datetime]
_NOTHING, _NO_RULES = DataRequirements(), Rulebook((), {}, "")


class NotKnown(ValueError):
    """An order asks for what the worker's rules do not know."""


class _OfOrder(RequirementsCache):
    """What the rules of an order need, in the place of the worker's own. A worker judges nothing."""

    def __init__(self, linux: DataRequirements, windows: DataRequirements) -> None:
        super().__init__()
        self._linux, self._windows = linux, windows
        self._permits = Permitted(self._of_family)

    def of(self, platform: Platform, rulebook: Rulebook) -> DataRequirements:
        return self._of_family(platform.family or "linux")

    def permitted(self, rulebook: Rulebook) -> Permitted:
        return self._permits

    def _of_family(self, family: str = "windows") -> DataRequirements:
        return self._linux if family == "linux" else self._windows


class OrderContexts:
    """Makes the contexts of orders; most orders want the same."""

    def __init__(self, own: Rulebook, clock: Clock) -> None:
        self._own, self._clock = own, clock
        self._made: dict[tuple[DataRequirements, DataRequirements], RequirementsCache] = {}

    def of(self, order: Order) -> AuditContext:
        """The context of an order. NotKnown where it goes beyond the worker's own rules."""
        linux, windows = order.linux or _NOTHING, order.windows or _NOTHING
        cache = self._made.get((linux, windows))
        if cache is None:
            beyond = [*_beyond(linux, self._own.requirements(family="linux"))]
            if windows != _NOTHING:
                beyond += _beyond(windows, self._own.requirements(family="windows"))
            if beyond:
                more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
                raise NotKnown(
                    f"the rules of its worker do not know {', '.join(beyond[:3])}{more}; put the site's rules into the worker's file (`rules:`)"
                )
            if len(self._made) > 16:
                self._made.clear()
            cache = self._made[linux, windows] = _OfOrder(linux, windows)
        return AuditContext(rulebook=_NO_RULES, clock=self._clock, marker=_marker, deep=order.deep, requirements=cache)


def empty_context(clock: Clock) -> AuditContext:
    """A context in which answers are read and nothing is judged."""
    return AuditContext(rulebook=_NO_RULES, clock=clock, marker=_marker)


_marker = partial(token_hex, 12)


def _beyond(asked: DataRequirements, known: DataRequirements) -> Iterator[str]:
    """What is asked and not known."""
    for field in DataRequirements.__struct_fields__:
        wanted, own = getattr(asked, field), getattr(known, field)
        if isinstance(wanted, tuple):
            yield from sorted(set(wanted) - set(own))
