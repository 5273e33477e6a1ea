"""Ids that a node remembers for a while, in a bounded table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Clock

__all__ = ("Remembered",)


class Remembered:
    """
    A set of ids that forgets the oldest beyond its size, and each after a while.

    Attributes:
        since: When each was added, the oldest first; some may be over their time. Empty means: none is remembered.
    """

    def __init__(self, clock: Clock, *, most: int, seconds: float) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self.since: dict[str, float] = {}

    def add(self, electron_id: str) -> None:
        """Remember an id, as the newest."""
        self.since.pop(electron_id, None)
        self.since[electron_id] = self._clock.monotonic()
        if len(self.since) > self._most:
            del self.since[next(iter(self.since))]

    def discard(self, electron_id: str) -> None:
        """Forget an id, if it is remembered."""
        self.since.pop(electron_id, None)

    def holds(self, electron_id: str) -> bool:
        """Whether an id is remembered."""
        since = self.since.get(electron_id)
        return since is not None and self._clock.monotonic() - since <= self._seconds

    def __len__(self) -> int:
        return len(self.since)
