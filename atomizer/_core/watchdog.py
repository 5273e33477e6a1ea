"""
The watchdog: a thread that names the line at which the event loop stands still.

It asks the loop to call it back, and looks a little later whether that was done. If not, something on the loop computes
or waits without letting others run, and the frames of the loop's thread say what. The loop cannot tell anybody before
it is back; then it tells a `LoopBlocked` event, with how long it took. It may never come back, or late, so what is
still there at the next look is also written to standard error: nobody else is left to say it. Each line of code is
written once, however often it blocks.

The thread sleeps while nothing is under way, and is woken by what comes. It is not `logging` that writes: whoever
blocks the loop may hold its locks.

What holds the interpreter's lock as well, as some extension modules do, is named when it lets go.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ..events import LoopBlocked
from ..settings import SystemClock
from .blocking_line import Place, place_of

if TYPE_CHECKING:
    import asyncio

    from ..settings import Settings
    from .broadcast import Broadcast
    from .flights import Flights

__all__ = ("Watchdog",)

_QUIET_LOOKS = 10  # looks at which nothing is under way, until the thread sleeps
_MOST_PLACES = 64  # lines of code that are remembered as written
_STDERR = 2


class Block(NamedTuple):
    """What was found when the loop stood still."""

    place: Place
    electron: dict[str, Any]
    """Which electron it was, as the event has it; nothing where that is not known."""
    asked_at: float
    """When the loop was asked for what it did not answer."""


class Watchdog:
    """
    Watches one event loop, from the moment at which something first comes.

    Args:
        settings: Of them `blocked_after`, and the clock: on another than the system's there is nothing to watch.
        flights: What is under way.

    Attributes:
        sleeps: Whether it is to be woken when something comes.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, *, broadcast: Broadcast, flights: Flights
    ) -> None:
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._after = settings.blocked_after
        self._broadcast = broadcast
        self._flights = flights
        self._wakes = threading.Event()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None  # when the loop was asked, while it has not answered
        self._found: Block | None = None
        self._written: dict[Place, None] = {}
        self.sleeps: bool = is_real(settings) and settings.blocked_after > 0

    def __repr__(self) -> str:
        state = "closed" if self._ends.is_set() else "asleep" if self.sleeps else "awake" if self._thread else "off"
        return f"<Watchdog {state}>"

    # On the loop

    def wake(self) -> None:
        """Begin to look. To be called before anything of what has come runs."""
        self.sleeps = False
        if self._thread is None and not self._ends.is_set():
            self._thread = threading.Thread(target=self._watch, name="atomizer watchdog", daemon=True)
            self._thread.start()
        self._wakes.set()

    def close(self) -> None:
        """End the thread. It is not waited for: it holds nothing."""
        self.sleeps = False
        self._ends.set()
        self._wakes.set()

    def _answer(self) -> None:
        """The loop is back: tell what was found meanwhile."""
        asked_at, self._asked_at = self._asked_at, None
        found, self._found = self._found, None
        if found is not None and found.asked_at == asked_at:
            self._broadcast.emit(LoopBlocked, **_fields(found, time.monotonic()))

    # In the thread

    def _watch(self) -> None:
        quiet = 0
        with suppress(RuntimeError):  # the loop was closed under its runtime
            while not self._ends.wait(self._after / 2 if quiet else 0.0):
                self._look()
                quiet = 1 if self._flights.flying else quiet + 1
                if quiet > _QUIET_LOOKS:
                    quiet = 0
                    self._sleep()

    def _sleep(self) -> None:
        """Sleep until something comes: but look once more, for it may have come in this very moment."""
        self._wakes.clear()
        self.sleeps = True
        if not self._wakes.wait(self._after / 2) and not self._flights.flying and not self._ends.is_set():
            self._wakes.wait()
        self.sleeps = False

    def _look(self) -> None:
        asked_at = self._asked_at
        if asked_at is None:
            self._asked_at = time.monotonic()
            self._loop.call_soon_threadsafe(self._answer)
        elif time.monotonic() - asked_at >= self._after:
            self._notice(asked_at)

    def _notice(self, asked_at: float) -> None:
        """Find out where the loop stands still; if that was found before, say it."""
        found = self._found
        if found is None or found.asked_at != asked_at:
            place = place_of(sys._current_frames().get(self._thread_id))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # documented
            if place is not None:
                self._found = Block(place, self._electron(), asked_at)
        elif found.place not in self._written and len(self._written) < _MOST_PLACES:
            self._written[found.place] = None
            event = LoopBlocked(**_fields(found, time.monotonic()))
            with suppress(OSError):  # nobody reads it
                os.write(_STDERR, f"{event}\n".encode(errors="backslashreplace"))

    def _electron(self) -> dict[str, Any]:
        """Find the electron whose atom runs at this moment: the loop runs one coroutine at a time."""
        for flight in list(self._flights.flying):
            coroutine = None if flight.identity is None else flight.identity.get_coro()
            if flight.electron is not None and getattr(coroutine, "cr_running", False):
                electron = flight.electron
                return {"electron_id": electron.id, "atom_id": electron.atom_id, "conductor": flight.link.name}
        return {}


def _fields(found: Block, now: float) -> dict[str, Any]:
    return {**found.electron, **found.place._asdict(), "seconds": now - found.asked_at}


def is_real(settings: Settings) -> bool:
    """Whether time is the system's: on any other clock a loop may stand still for as long as it likes."""
    return isinstance(settings.clock, SystemClock)
