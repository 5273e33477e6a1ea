"""Back-off: how long to wait before a new try."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ("pause_before",)


def pause_before(attempt: int, settings: Settings) -> float:
    """
    Decide the seconds before a new try: doubling from the first to the longest, half of it by chance.

    Without the chance, all nodes of a fleet would come back at the same moment.
    """
    longest: float = min(settings.backoff_most, settings.backoff_first * 2.0 ** min(attempt, 32))
    return longest * (0.5 + settings.random.random() / 2)
