"""Coroutines in a child process: each on a task of its own, within its soft limit, on a loop that is kept."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import coroutine
from typing import TYPE_CHECKING, Any

from ..ended import Ended
from ..soft_cancellation import SoftCancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from .soft_limit import SoftLimit

__all__ = ("Coroutines",)

_ROUND_SECONDS = 0.01  # what a task needs that only lets go of what it has
_LAST_SECONDS = 1.0


class Coroutines:
    """
    Runs coroutines, one at a time.

    Attributes:
        has_leftovers: Whether a task that the last one has left runs still.
    """

    def __init__(self, limit: SoftLimit) -> None:
        self.has_leftovers = False
        self._limit = limit
        self._loop = asyncio.new_event_loop()
        self._executor = ThreadPoolExecutor()
        self._loop.set_default_executor(self._executor)

    def close(self) -> None:
        """Close the loop. What is left on it has a second to end."""
        self._wait_for(asyncio.all_tasks(self._loop), _LAST_SECONDS)
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    def run(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        """Run one to its end, and end what it leaves running."""
        threads = threading.active_count()
        try:
            return self._loop.run_until_complete(self._drive(thunk, soft_limit))
        except BaseException as error:  # a task of the atom's own can end a loop
            return Ended(None, error)
        finally:
            self._end_leftovers()
            if threading.active_count() > threads:
                self._end_threads()

    async def _drive(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        host = asyncio.current_task()
        try:
            if not soft_limit or host is None:
                return Ended(await thunk(), None)
            told = _Told(host)
            self._limit.set(soft_limit, told.interrupt)
            return Ended(await told.drive(thunk()), None)
        except BaseException as error:  # as above
            return Ended(None, error)
        finally:
            self._limit.take_back()

    def _end_leftovers(self) -> None:
        """Cancel tasks that the atom did not wait for, and let them end."""
        leftovers = asyncio.all_tasks(self._loop)
        for task in leftovers:
            task.cancel()
        self._wait_for(leftovers, _ROUND_SECONDS)
        self.has_leftovers = not all(task.done() for task in leftovers)

    def _wait_for(self, tasks: set[asyncio.Task[Any]], seconds: float) -> None:
        if tasks:
            with suppress(BaseException):  # whatever a task raises that nobody waits for
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=seconds))

    def _end_threads(self) -> None:
        """Let the threads go that `asyncio.to_thread` keeps: they are the atom's own, like any others."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = ThreadPoolExecutor()
        self._loop.set_default_executor(self._executor)


class _Told:
    """
    A coroutine that is told of its soft limit wherever it is: running, or waiting.

    A task can be thrown nothing but a cancellation, so it is cancelled, and the cancellation exchanged here.
    """

    def __init__(self, host: asyncio.Task[Any]) -> None:
        self._host = host
        self._pending: SoftCancellation | None = None

    @coroutine
    def drive(self, coro: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run it on its task."""
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
                step, value = coro.throw, self._exchange(error)

    def interrupt(self, seconds: float) -> None:
        """
        Tell it now.

        Raises:
            SoftCancellation: It is running, so this goes off in its own code.
        """
        error = SoftCancellation(seconds)
        loop = self._host.get_loop()
        if asyncio.current_task(loop) is self._host:
            raise error
        self._pending = error
        loop.call_soon_threadsafe(self._host.cancel)

    def _exchange(self, error: BaseException) -> BaseException:
        pending = self._pending
        if pending is None or not isinstance(error, asyncio.CancelledError):
            return error
        self._pending = None
        self._host.uncancel()
        return pending
