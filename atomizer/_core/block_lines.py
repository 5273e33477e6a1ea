"""When a blocked event loop is written about: at once, and again while it goes on, but not with each turn. Pure."""

from __future__ import annotations

from math import floor, inf

__all__ = ("BlockLines",)

_MARKS = (1.0, 10.0, 60.0)  # seconds after which a block is written again; then each minute
_QUIET = 10.0  # seconds for which a new, short block at the same place is not written
_MOST_PLACES = 64


class BlockLines:
    """What was written of which place."""

    def __init__(self) -> None:
        self._written_at: dict[object, float] = {}
        self._block = -inf
        self._due = 0.0

    def is_due(self, place: object, began: float, now: float) -> bool:
        """
        Decide whether a line is to be written, and take it as written then.

        A block that was not written because another at its place just was is written once it has gone on for long.

        Args:
            place: The line of code.
            began: When the block began, which tells it from others.
            now: This moment.
        """
        if began != self._block:
            self._block, self._due = began, 0.0
        age = now - began
        if age < self._due:
            return False
        self._due = next((mark for mark in _MARKS if mark > age), 60.0 * (floor(age / 60.0) + 1))
        last = self._written_at.get(place, -inf)
        if began > last > now - _QUIET and age < _QUIET:
            return False
        self._written_at.pop(place, None)
        self._written_at[place] = now
        if len(self._written_at) > _MOST_PLACES:
            del self._written_at[next(iter(self._written_at))]
        return True
