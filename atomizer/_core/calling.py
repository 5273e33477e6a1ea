"""Calling: how a child process runs a function, within its soft limit and so that it leaves nothing to the next."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .soft_limit import SoftLimit
from .threads import Ended

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Calling",)

_LEFTOVER_SECONDS = 1.0


class Calling:
    """
    Calls functions, one at a time, in the main thread. Each has a context of its own.

    Attributes:
        limit: The soft limit of the call that runs, or of the last one.
    """

    def __init__(self) -> None:
        self.limit = SoftLimit()

    def close(self) -> None:
        """Close the loop, if there is one."""
        if "_loop" in vars(self):
            self._loop.close()

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def run(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        """
        Call a plain function.

        Args:
            thunk: The function with its arguments.
            soft_limit: In seconds; 0 means none.
        """
        try:
            return copy_context().run(self._within, thunk, soft_limit)
        except BaseException as error:  # SystemExit is an answer too, and the alarm may go off while it is taken back
            return Ended(None, error)

    def _within(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        try:
            if soft_limit:
                self.limit.set(soft_limit)
            return Ended(thunk(), None)
        finally:
            self.limit.take_back()

    def run_async(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        """Run a coroutine to its end, in a task of its own on a loop that is kept, and end what it leaves running."""
        try:
            return self._loop.run_until_complete(self._drive(thunk, soft_limit))
        except BaseException as error:  # a task of the atom's own can end a loop
            return Ended(None, error)
        finally:
            self._end_leftovers()

    async def _drive(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        host = asyncio.current_task()
        try:
            if not soft_limit or host is None:
                return Ended(await thunk(), None)
            self.limit.set(soft_limit)
            return Ended(await self.limit.drive(thunk(), host), None)
        except BaseException as error:  # as above
            return Ended(None, error)
        finally:
            self.limit.take_back()

    def _end_leftovers(self) -> None:
        """Cancel tasks that the atom did not wait for. One that will not end goes on in the next call's time."""
        leftovers = asyncio.all_tasks(self._loop)
        for task in leftovers:
            task.cancel()
        if leftovers:
            with suppress(BaseException):  # whatever a task raises that nobody waits for
                self._loop.run_until_complete(asyncio.wait(leftovers, timeout=_LEFTOVER_SECONDS))
