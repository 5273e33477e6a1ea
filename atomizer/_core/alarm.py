"""One timer of the event loop for all deadlines and limits of a runtime."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection

    from ..settings import Clock

__all__ = ("Alarm", "Timed")

_LOOK = 1e-6  # seconds between two looks for each thing looked at: ten times what the look takes


class Timed(Protocol):
    """Something whose time may be up."""

    due: float
    """When, on the clock's `monotonic()`; infinite for never."""


T = TypeVar("T", bound=Timed)


class Alarm:
    """
    Tells what is under way that its time is up.

    Nearly everything is over long before its time is, and a timer of the loop for each, or an entry in a heap, would be
    made and taken back for nothing. So a moment is only written down where it belongs, in `due`, and one timer is armed
    for the earliest that anybody spoke of. When it goes off, everything under way is looked at.

    Attributes:
        next: What it is armed for. Whoever has an earlier moment says so with `wake_by`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self.next: float = inf
        self._loop = loop
        self._clock = clock
        self._watched: list[tuple[Collection[Timed], Callable[[Timed], None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Alarm for {self.next} over {sum(len(things) for things, _ in self._watched)}>"

    def watch(self, things: Collection[T], is_due: Callable[[T], None]) -> None:
        """
        Look after some things from now on.

        Args:
            things: Those under way, as a live view of them.
            is_due: Called with each whose time is up. It must not raise, and moves `due` on or takes the thing out.
        """
        self._watched.append((things, is_due))  # type: ignore[arg-type]  # each goes with its own

    def wake_by(self, when: float) -> None:
        """Look at a moment, at the latest."""
        if when < self.next:
            self._arm(when, 0.0)

    def close(self) -> None:
        """Tell nothing any more."""
        self._watched.clear()
        self._disarm()

    def _arm(self, when: float, rest: float) -> None:
        self._disarm()
        self.next = when
        self._timer = self._loop.call_later(max(rest, when - self._clock.monotonic()), self._go_off)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.next = inf

    def _go_off(self) -> None:
        self._disarm()
        now = self._clock.monotonic()
        try:
            for things, is_due in tuple(self._watched):
                for thing in [thing for thing in things if thing.due <= now]:
                    _tell(thing, is_due)
        finally:
            when = min((thing.due for things, _ in self._watched for thing in things), default=inf)
            if when < inf:  # also earlier than what was armed meanwhile
                self._arm(when, _LOOK * sum(len(things) for things, _ in self._watched))


def _tell(thing: Timed, is_due: Callable[[Timed], None]) -> None:
    """Tell a thing that its time is up: once, even if that fails, which is the loop's to report."""
    try:
        is_due(thing)
    except BaseException:
        thing.due = inf
        raise
