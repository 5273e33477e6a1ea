"""
The watchdog: a thread that names the line at which the event loop stands still.

It looks where the loop is, and if that is not where a loop waits for something to happen, asks it to call back. If that
is not done in time, something on the loop computes or waits without letting others run, and the frames of the loop's
thread say what. The loop cannot tell anybody before it is back; then it tells a `LoopBlocked` event, with how long it
took. It may never come back, or late, so what is still there at the next look is also written to standard error, and
again while it goes on: nobody else is left to say it.

It looks once in `Settings.blocked_after`, five times a second: where the loop waits, that costs no more than the look.
It is not `logging` that writes: whoever blocks the loop may hold its locks.

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
from .block_lines import BlockLines
from .blocking_line import Place, place_of

if TYPE_CHECKING:
    import asyncio

    from ..settings import Settings
    from .broadcast import Broadcast
    from .flights import Flights

__all__ = ("Watchdog",)

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
    Watches one event loop, whether electrons are under way or its program computes by itself.

    Args:
        settings: Of them `blocked_after`, and the clock: on another than the system's there is nothing to watch.
        flights: What is under way.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, *, broadcast: Broadcast, flights: Flights
    ) -> None:
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._after = settings.blocked_after
        self._broadcast = broadcast
        self._flights = flights
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked_at: float | None = None  # when the loop was asked, while it has not answered
        self._found: Block | None = None
        self._lines = BlockLines()
        self._is_wanted = is_real(settings) and settings.blocked_after > 0

    def __repr__(self) -> str:
        state = "closed" if self._ends.is_set() else "awake" if self._thread else "off"
        return f"<Watchdog {state}>"

    # On the loop

    def watch(self) -> None:
        """Begin to look."""
        if self._is_wanted and self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="atomizer watchdog", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread. It is not waited for: it holds nothing."""
        self._ends.set()

    def _answer(self) -> None:
        """The loop is back: tell what was found meanwhile."""
        asked_at, self._asked_at = self._asked_at, None
        found, self._found = self._found, None
        if found is not None and found.asked_at == asked_at:
            self._broadcast.emit(LoopBlocked, **_fields(found, time.monotonic()))

    # In the thread

    def _watch(self) -> None:
        while not self._ends.wait(self._pause()) and self._look():
            pass

    def _pause(self) -> float:
        """Decide the seconds until the next look: the closer, the more there is to see."""
        asked_at, found = self._asked_at, self._found
        if asked_at is None:
            return self._after
        return self._after / (4 if found is not None and found.asked_at == asked_at else 2)

    def _look(self) -> bool:
        """Look at the loop; returns whether to go on. One that waits for something to happen need not be asked."""
        asked_at = self._asked_at
        if asked_at is not None:
            if time.monotonic() - asked_at >= self._after:
                self._notice(asked_at)
        elif self._place() is not None:
            self._asked_at = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return False  # the loop was closed under its runtime
        return True

    def _place(self) -> Place | None:
        return place_of(sys._current_frames().get(self._thread_id))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # documented

    def _notice(self, asked_at: float) -> None:
        """Find out where the loop stands still; if that was found before, say it."""
        found = self._found
        if found is None or found.asked_at != asked_at:
            place = self._place()
            if place is not None:
                self._found = Block(place, self._electron(), asked_at)
        elif self._lines.is_due(found.place, asked_at, time.monotonic()):
            event = LoopBlocked(**_fields(found, time.monotonic()))
            with suppress(OSError):  # nobody reads it
                os.write(_STDERR, f"{event}\n".encode(errors="backslashreplace"))

    def _electron(self) -> dict[str, Any]:
        """Find the electron whose atom runs at this moment: the loop runs one coroutine at a time."""
        for flight in list(self._flights.flying):
            identity, electron = flight.identity, flight.electron  # read once: the loop may change them meanwhile
            coroutine = None if identity is None else identity.get_coro()
            if electron is not None and getattr(coroutine, "cr_running", False):
                return {"electron_id": electron.id, "atom_id": electron.atom_id, "conductor": flight.link.name}
        return {}


def _fields(found: Block, now: float) -> dict[str, Any]:
    return {**found.electron, **found.place._asdict(), "seconds": now - found.asked_at}


def is_real(settings: Settings) -> bool:
    """Whether time is the system's: on any other clock a loop may stand still for as long as it likes."""
    return isinstance(settings.clock, SystemClock)
