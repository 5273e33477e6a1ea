"""Running: how a child process runs a function, within its soft limit and so that it leaves nothing to the next."""

from __future__ import annotations

from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..ended import Ended
from .soft_limit import SoftLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from .coroutines import Coroutines

__all__ = ("Runner",)


class Runner:
    """
    Calls functions, one at a time, in the main thread. Each has a context of its own.

    Args:
        on_soft_limit: Called when one reaches its soft limit, before it is told. It must not raise.

    Attributes:
        limit: The soft limit of the call that runs, or of the last one.
    """

    def __init__(self, on_soft_limit: Callable[[], None]) -> None:
        self.limit = SoftLimit(on_soft_limit)

    @property
    def has_leftovers(self) -> bool:
        """Whether something still runs that an atom has left on the loop."""
        return "_coroutines" in vars(self) and self._coroutines.has_leftovers

    def close(self) -> None:
        """Close the loop, if there is one. What is left on it has a second to end."""
        if "_coroutines" in vars(self):
            self._coroutines.close()

    @cached_property
    def _coroutines(self) -> Coroutines:
        from .coroutines import Coroutines  # noqa: PLC0415  # loads all of asyncio

        return Coroutines(self.limit)

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

    def run_async(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        """Run a coroutine to its end, in a task of its own on a loop that is kept, and end what it leaves running."""
        return self._coroutines.run(thunk, soft_limit)

    def _within(self, thunk: Callable[[], Any], soft_limit: float) -> Ended:
        try:
            if soft_limit:
                self.limit.set(soft_limit)
            return Ended(thunk(), None)
        finally:
            self.limit.take_back()
