"""The clock of whichever virtual loop runs, for what is made before one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import current_clock

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ("RunningClock",)


class RunningClock:
    """
    The time of the virtual loop that runs where it is read.

    A fixture is made before the loop of its test runs: its settings have this clock.

    Each method raises `RuntimeError` where no virtual loop runs; the message says how to get one.
    """

    def __repr__(self) -> str:
        return "RunningClock()"

    def monotonic(self) -> float:
        """Return the seconds since the loop was made."""
        return current_clock().monotonic()

    def utc_ns(self) -> int:
        """Return the UTC moment, in nanoseconds since 1970."""
        return current_clock().utc_ns()

    def holding(self) -> AbstractContextManager[None]:
        """Hold the clock; see `VirtualClock.holding`."""
        return current_clock().holding()
