"""Threads for atoms that are plain functions: daemonic, so that a hanging one never holds the exit."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from .ended import Ended

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Threads", "run_in_thread")


class Call(NamedTuple):
    """A call on its way to a thread."""

    thunk: Callable[[], object]
    future: asyncio.Future[Ended]


class Threads:
    """
    A pool of daemonic threads. It grows when all are busy: by slots, what waits for children, and what is abandoned.

    The standard executors join their threads at exit: one atom that hangs would hold the process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._idle = 0
        self._started = 0
        self._lock = threading.Lock()

    def call(self, thunk: Callable[[], object]) -> asyncio.Future[Ended]:
        """Have a function called in a thread. The future always ends in a value, whatever the function raises."""
        future: asyncio.Future[Ended] = self._loop.create_future()
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                self._start()
        self._calls.put(Call(thunk, future))
        return future

    def close(self) -> None:
        """Let idle threads end. A busy one ends after its call."""
        for _ in range(self._started):
            self._calls.put(None)

    def _start(self) -> None:
        self._started += 1
        threading.Thread(target=self._live, name=f"{self._name}-{self._started}", daemon=True).start()

    def _live(self) -> None:
        while (call := self._calls.get()) is not None:
            ended = _call(call.thunk)
            with self._lock:
                self._idle += 1
            self._hand_back(call.future, ended)
            del call, ended

    def _hand_back(self, future: asyncio.Future[Ended], ended: Ended) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, future, ended)
        except RuntimeError:  # the loop is closed: the program ended before this atom did, and nobody waits any more
            return


def _call(thunk: Callable[[], object]) -> Ended:
    try:
        return Ended(thunk(), None)
    except BaseException as error:  # `sys.exit` in a thread is an atom's answer, not the end of the thread
        return Ended(None, error)


def _resolve(future: asyncio.Future[Ended], ended: Ended) -> None:
    if not future.done():
        future.set_result(ended)


async def run_in_thread(threads: Threads, thunk: Callable[[], Any]) -> Any:
    """
    Call a function in a thread, in a copy of this context, and wait for its end.

    Raises:
        Whatever the function raises.

    Cancellation: a thread cannot be stopped from outside, so this goes on waiting: what has been asked to stop looks at
    `Bond.cancelled`, or is abandoned.
    """
    future = threads.call(partial(copy_context().run, thunk))
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError:
            continue
    ended = future.result()
    if ended.error is not None:
        raise ended.error
    return ended.value
