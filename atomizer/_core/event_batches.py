"""
Batches of events on their way between nodes: where they go, how they are numbered, and what is missing of them. Pure.

The EVENT lane may lose a batch, and a node drops what it cannot send in time. So the id of a batch's frame says which
row of events it belongs to, and the place of its first event there; what a node dropped has had its places too. A
reader that has seen one batch of a row can tell how many events are missing before the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conductor import Lane, Route, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..events import Event

__all__ = ("ERRORS", "FLEET", "Arrivals", "batch_id", "written")

FLEET = Route(Lane.EVENT, "fleet", spread=Spread.ALL)
"""Where nodes tell what somebody has an interest in."""
ERRORS = Route(Lane.EVENT, "errors", spread=Spread.ALL)
"""Where nodes tell what went wrong, whether anybody listens or not."""


def batch_id(row: str, first: int) -> str:
    """Make the id of a batch's frame."""
    return f"{row}:{first}"


def written(
    first: int, events: Sequence[Event], encode: Callable[[Sequence[Event]], bytes], most_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """
    Write a batch as as many bodies as it takes, each with the place of its first event.

    What cannot be written, or is too large by itself, is left out: its place says that it is missing.
    """
    body = _body(events, encode)
    if body is not None and len(body) <= most_bytes:
        yield first, body
    elif len(events) > 1:
        half = len(events) // 2
        yield from written(first, events[:half], encode, most_bytes)
        yield from written(first + half, events[half:], encode, most_bytes)


def _body(events: Sequence[Event], encode: Callable[[Sequence[Event]], bytes]) -> bytes | None:
    try:
        return encode(events)
    except ValueError:
        return None


class Arrivals:
    """The rows of events that come to a reader, and the place that is next in each. Those heard of last are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._next: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._next)

    def take(self, id: str, events: int) -> int | None:
        """
        Take note of a batch.

        Args:
            id: That of its frame.
            events: How many are in it.

        Returns:
            How many events are missing before it; None if it was here before.
        """
        row, _, place = id.rpartition(":")
        if not row or not place.isdecimal() or len(place) > _LONGEST_PLACE:
            return 0  # of a node that numbers them in some other way
        first = int(place)
        expected = self._next.pop(row, first)
        self._next[row] = max(expected, first + events)
        if len(self._next) > self._most:
            del self._next[next(iter(self._next))]
        return first - expected if first >= expected else None


_LONGEST_PLACE = 18  # digits: more events than a node ever has
