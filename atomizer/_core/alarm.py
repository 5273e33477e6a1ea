"""One timer of the event loop for all deadlines and limits of a runtime."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..settings import Clock

__all__ = ("Alarm", "Ring")

_SPARED = 64  # below this many entries a clean-up is not worth its walk


class Ring:
    """One moment at which a function is called."""

    __slots__ = ("_alarm", "call", "when")

    def __init__(self, alarm: Alarm, when: float, call: Callable[[], None]) -> None:
        self._alarm = alarm
        self.when: float = when
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call. Cancelling twice, or after the call, does nothing."""
        if self.call is not None:
            self.call = None
            self._alarm.forget_one()


class Alarm:
    """
    Calls functions at their moments, with one armed timer.

    A timer of the loop costs more than a whole electron (1.5 µs against 0.3 here), and nearly all deadlines are
    cancelled before they come: so moments lie in a heap, cancelled ones are passed over, and the heap is cleaned when
    half of it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._heap: list[tuple[float, int, Ring]] = []
        self._entered = 0
        self._forgotten = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed = float("inf")

    def at(self, when: float, call: Callable[[], None]) -> Ring:
        """Have a function called when the clock's `monotonic()` reaches a moment. It must not raise."""
        ring = Ring(self, when, call)
        self._entered += 1
        heappush(self._heap, (when, self._entered, ring))
        if when < self._armed:
            self._arm(when)
        return ring

    def close(self) -> None:
        """Call nothing any more."""
        self._heap.clear()
        self._disarm()

    def forget_one(self) -> None:
        """Count a cancelled entry, and clean the heap when it is mostly cancelled ones."""
        self._forgotten += 1
        if self._forgotten > _SPARED and self._forgotten * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapify(self._heap)
            self._forgotten = 0

    def _arm(self, when: float) -> None:
        self._disarm()
        self._armed = when
        self._timer = self._loop.call_later(max(0.0, when - self._clock.monotonic()), self._go_off)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._armed = float("inf")

    def _go_off(self) -> None:
        self._disarm()
        now = self._clock.monotonic()
        while self._heap and (self._heap[0][2].call is None or self._heap[0][0] <= now):
            call, ring = self._heap[0][2].call, heappop(self._heap)[2]
            ring.call = None
            if call is None:
                self._forgotten -= 1
            else:
                call()
        if self._heap and self._heap[0][0] < self._armed:
            self._arm(self._heap[0][0])
