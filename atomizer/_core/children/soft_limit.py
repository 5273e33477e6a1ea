"""The soft limit, in a child process: after some seconds the atom is told, in its own code, that it runs too long."""

from __future__ import annotations

import signal
import time
from math import inf
from typing import TYPE_CHECKING

from ...errors import SoftLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ("SoftLimit",)

_SHORTEST = 1e-6  # a timer of zero would be none
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def _raise(seconds: float) -> None:
    raise SoftLimitReached(seconds)


class SoftLimit:
    """
    The one alarm of a child. It goes off in the main thread, between two steps of whatever runs there.

    An alarm that comes late finds its moment taken back, or that of the next call ahead of it, and does nothing.

    Args:
        on_reached: Called when it goes off, before the atom is told. It must not raise.

    Attributes:
        reached: Whether the call that it was set for ran over it.
    """

    def __init__(self, on_reached: Callable[[], None]) -> None:
        self.reached = False
        self._on_reached = on_reached
        self._seconds = 0.0
        self._until = inf
        self._tell: Callable[[float], None] = _raise

    def set(self, seconds: float, tell: Callable[[float], None] = _raise) -> None:
        """
        Tell the atom in this thread after some seconds.

        Args:
            seconds: When.
            tell: Called with them then. By default it raises `SoftLimitReached`.
        """
        self.reached = False
        self._tell = tell
        self._seconds = seconds = max(seconds, _SHORTEST)
        signal.signal(signal.SIGALRM, self._go_off)  # an atom may have put something else there
        self._until = time.monotonic() + seconds
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def take_back(self) -> None:
        """Forget it: nothing is raised from here on. Timers that the atom has set itself go off no more either."""
        self._until = inf
        for timer in _TIMERS:
            signal.setitimer(timer, 0)

    def cut(self, error: BaseException) -> None:
        """Leave our own frames out of the end of a traceback: where the atom was is what its author wants to know."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            if trace.tb_next.tb_frame.f_code is SoftLimit._go_off.__code__:
                trace.tb_next = None
            trace = trace.tb_next

    def _go_off(self, signal: int, frame: FrameType | None) -> None:
        if time.monotonic() >= self._until:
            self._until = inf
            self.reached = True
            self._on_reached()
            self._tell(self._seconds)
