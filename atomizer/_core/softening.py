"""The soft limit, as an atom meets it: an exception where it waits, or a word on its `Bond`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import SoftLimitReached

if TYPE_CHECKING:
    from .flight import Flight

__all__ = ("SoftCancellation", "is_over_soft_limit", "soften")


class SoftCancellation(SoftLimitReached, asyncio.CancelledError):
    """
    The soft limit in a coroutine.

    Thrown as another exception into a task group that waits for its tasks, it would leave them behind; a cancellation
    ends them first. It bears the name under which authors catch it.
    """

    __module__ = SoftLimitReached.__module__
    __qualname__ = SoftLimitReached.__qualname__


def soften(flight: Flight) -> None:
    """Tell an atom that its soft limit is reached: a coroutine where it waits, a thread by `Bond.cancelled`."""
    flight.softened = True
    if flight.identity is not None and flight.registration is not None and flight.registration.definition.is_async:
        flight.identity.interrupt(SoftCancellation("the soft limit is reached, and the limit comes near"))


def is_over_soft_limit(error: BaseException) -> bool:
    """Whether an atom let its soft limit through, perhaps out of a task group. By type: an exception may lie."""
    kind = type(error)
    if kind in (ExceptionGroup, BaseExceptionGroup):
        assert isinstance(error, BaseExceptionGroup)  # noqa: S101  # as it says
        return error.split(SoftLimitReached)[1] is None
    return issubclass(kind, SoftLimitReached)
