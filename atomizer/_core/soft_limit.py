"""The soft limit, in a child process: after some seconds the atom is told, in its own code, that it runs too long."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial
from math import inf
from types import coroutine
from typing import TYPE_CHECKING, Any

from ..errors import SoftLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

__all__ = ("SoftLimit",)

_SHORTEST = 1e-6  # a timer of zero would be none


class SoftLimit:
    """
    The one alarm of a child. It goes off in the main thread, between two steps of whatever runs there.

    An alarm that comes late finds its moment taken back, or that of the next call ahead of it, and does nothing.

    Attributes:
        reached: Whether the call that it was set for ran over it.
    """

    def __init__(self) -> None:
        self.reached = False
        self._seconds = 0.0
        self._pending: SoftLimitReached | None = None
        self._until = inf
        self._tell: Callable[[SoftLimitReached], None] = _raise

    def set(self, seconds: float) -> None:
        """Raise `SoftLimitReached` in this thread after some seconds, unless something else is to be done then."""
        self.reached = False
        self._pending = None
        self._tell = _raise
        self._seconds = seconds = max(seconds, _SHORTEST)
        signal.signal(signal.SIGALRM, self._go_off)  # an atom may have put something else there
        self._until = time.monotonic() + seconds
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def take_back(self) -> None:
        """Forget it: nothing is raised from here on."""
        if self._until < inf:
            self._until = inf
            signal.setitimer(signal.ITIMER_REAL, 0)

    def cut(self, error: BaseException) -> None:
        """Leave our own frames out of the end of a traceback: where the atom was is what its author wants to know."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            if trace.tb_next.tb_frame.f_code is SoftLimit._go_off.__code__:
                trace.tb_next = None
            trace = trace.tb_next

    @coroutine
    def drive(self, coro: Coroutine[Any, Any, Any], host: asyncio.Task[Any]) -> Generator[Any, Any, Any]:
        """
        Run a coroutine on its task so that the limit is raised in it wherever it is: running, or waiting.

        A task can be thrown nothing but a cancellation, so it is cancelled, and the cancellation exchanged here.
        """
        self._tell = partial(self._interrupt, host)
        step: Callable[[Any], Any] = coro.send
        value: Any = None
        while True:
            try:
                waits_for = step(value)
            except StopIteration as end:
                return end.value
            try:
                value = yield waits_for
                step = coro.send
            except BaseException as error:
                step, value = coro.throw, self._exchange(host, error)

    def _interrupt(self, host: asyncio.Task[Any], error: SoftLimitReached) -> None:
        loop = host.get_loop()
        if asyncio.current_task(loop) is host:
            raise error
        self._pending = error
        loop.call_soon_threadsafe(host.cancel)

    def _exchange(self, host: asyncio.Task[Any], error: BaseException) -> BaseException:
        pending = self._pending
        if pending is None or not isinstance(error, asyncio.CancelledError):
            return error
        self._pending = None
        host.uncancel()
        return pending

    def _go_off(self, signal: int, frame: FrameType | None) -> None:
        if time.monotonic() >= self._until:
            self._until = inf
            self.reached = True
            self._tell(SoftLimitReached(self._seconds))


def _raise(error: SoftLimitReached) -> None:
    raise error
