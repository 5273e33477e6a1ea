"""The soft limit, as an atom meets it: an exception where it waits, or a word on its `Bond`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ..errors import SoftLimitReached
from ..failure import Ending, FailureKind
from .disposition import failure_of
from .soft_cancellation import SoftCancellation

if TYPE_CHECKING:
    from ..electron import Electron
    from ..failure import Failure
    from .flight import Flight

__all__ = ("over_soft_limit", "soften")


def soften(flight: Flight) -> None:
    """Tell an atom that its soft limit is reached: a coroutine where it waits, a thread by `Bond.cancelled`."""
    flight.softened = True
    identity, electron, registration = flight.identity, flight.electron, flight.registration
    assert identity is not None and electron is not None and registration is not None  # noqa: PT018, S101  # it runs
    if registration.definition.is_async:
        identity.interrupt(SoftCancellation(electron.soft_limit or 0.0))


def over_soft_limit(error: BaseException, electron: Electron | None) -> Failure:
    """Describe an atom that let its soft limit through, in the words in which a child process does."""
    seconds = 0.0 if electron is None or electron.soft_limit is None else electron.soft_limit
    return structs.replace(
        failure_of(error, kind=FailureKind.TIMED_OUT),
        type=f"{SoftLimitReached.__module__}.{SoftLimitReached.__qualname__}",
        message=f"it ran over its soft limit of {seconds:g} s",
        ending=Ending.STOPPED,
    )
