"""The soft limit, as an atom meets it: an exception where it waits, or a word on its `Bond`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from msgspec import structs

from ..errors import SoftLimitReached
from ..properties import Ending, FailureKind
from .disposition import failure_of

if TYPE_CHECKING:
    from ..electron import Electron
    from ..properties import Failure
    from .flight import Flight

__all__ = ("SoftCancellation", "is_over_soft_limit", "over_soft_limit", "soften")


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
    identity, electron, registration = flight.identity, flight.electron, flight.registration
    assert identity is not None and electron is not None and registration is not None  # noqa: PT018, S101  # it runs
    if registration.definition.is_async:
        identity.interrupt(SoftCancellation(electron.soft_limit or 0.0))


def is_over_soft_limit(error: BaseException) -> bool:
    """Whether an atom let its soft limit through, perhaps out of a task group. By type: an exception may lie."""
    pending = [error]
    while pending:
        each = pending.pop()
        if type(each) in _GROUPS:
            pending.extend(cast("BaseExceptionGroup[BaseException]", each).exceptions)
        elif not issubclass(type(each), SoftLimitReached):
            return False
    return True


_GROUPS = (ExceptionGroup, BaseExceptionGroup)
"""And none that an author has made of them: it may do anything."""


def over_soft_limit(error: BaseException, electron: Electron | None) -> Failure:
    """Describe an atom that let its soft limit through, in the words in which a child process does."""
    seconds = 0.0 if electron is None or electron.soft_limit is None else electron.soft_limit
    return structs.replace(
        failure_of(error, kind=FailureKind.TIMED_OUT),
        type=f"{SoftLimitReached.__module__}.{SoftLimitReached.__qualname__}",
        message=f"it ran over its soft limit of {seconds:g} s",
        ending=Ending.STOPPED,
    )
