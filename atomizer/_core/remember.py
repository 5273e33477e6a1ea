"""Ids that a node remembers for a while, in a bounded table."""

from __future__ import annotations

__all__ = ("Remembered",)


class Remembered:
    """A set of ids that forgets the oldest beyond its size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ids: dict[str, None] = {}

    def add(self, electron_id: str) -> None:
        """Remember an id, as the newest."""
        self._ids.pop(electron_id, None)
        self._ids[electron_id] = None
        if len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]

    def __contains__(self, electron_id: str) -> bool:
        return electron_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)
