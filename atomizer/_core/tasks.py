"""Every asyncio task of a runtime: named, held, and ended by its owner alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from contextvars import Context

__all__ = ("Tasks",)


class Tasks:
    """
    The tasks of one runtime, outside any cancel scope of the application: only their owner cancels them.

    A task that ends in an error it should not have is told to `on_fault`; a task group would cancel the others for it,
    and with them electrons that have nothing to do with it.

    Attributes:
        context: The runtime's own.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, context: Context, on_fault: Callable[[BaseException], None]
    ) -> None:
        self.context: Context = context
        self._loop = loop
        self._on_fault = on_fault
        self._running: dict[asyncio.Task[Any], None] = {}

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task in a copy of the runtime's own context, so that nothing leaks from its starter."""
        # not by the loop's factory: an eager one would run it here and now, before its starter knows of it
        task = asyncio.Task(coroutine, loop=self._loop, name=name, context=self.context.copy())
        self._running[task] = None
        task.add_done_callback(self._ended)
        return task

    async def end(self, tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
        """Cancel tasks once and wait for them, at most so long. One that will not end is left behind."""
        tasks = [task for task in tasks if not task.done()]
        for task in tasks:
            _cancel(task)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def end_all(self, seconds: float) -> None:
        """End every task that is left."""
        await self.end(tuple(self._running), seconds)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fault(error)


def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task. It may wait for an author's own future, that refuses in any way: it is then left behind."""
    with suppress(Exception):
        task.cancel()
