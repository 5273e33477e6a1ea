"""Interests: what others want to be told of this node's events, and for how long. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from .event_filter import EventFilter, kinds_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..control import Interest
    from ..events import Event

__all__ = ("Interested", "interested", "union_of", "wants")

LONGEST = 120.0
"""Seconds for which an interest lasts at most, whatever it says: who follows on says so again."""


class Interested(Struct, eq=False):
    """
    Somebody who follows this node's events.

    Attributes:
        link: The name of the conductor that it was heard on.
        wanted: What is wanted.
        due: When it ends, on the clock's `monotonic()`.
    """

    link: str
    wanted: EventFilter
    due: float


def interested(interest: Interest, link: str, now: float) -> Interested:
    """Read an interest that was heard on a conductor just now."""
    wanted = EventFilter(
        kinds=kinds_named(interest.kinds) if interest.kinds else None,
        atom_id=interest.atom_id or None,
        electron_id=interest.electron_id or None,
    )
    return Interested(link, wanted, now + min(interest.seconds, LONGEST))


def union_of(everybody: Collection[Interested]) -> EventFilter | None:
    """Decide what has to be listened to: the kinds that anybody wants. None if nobody wants anything."""
    kinds = [each.wanted.kinds for each in everybody]
    if not kinds:
        return None
    named = frozenset(kind for some in kinds for kind in some or ())
    return EventFilter(kinds=None if None in kinds else named)


def wants(event: Event, everybody: Iterable[Interested]) -> bool:
    """Decide whether anybody wants to be told of an event."""
    return any(
        each.wanted.takes(type(event)) and each.wanted.fits(event.electron_id, event.atom_id) for each in everybody
    )
