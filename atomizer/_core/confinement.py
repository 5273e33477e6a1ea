"""Confinement: an atom with `isolation="process"` in its child process, as the coroutine that its flight drives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs

from ..errors import AtomFailed
from ..failure import Ending, FailureKind
from ..payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..electron import Electron
    from ..failure import Failure
    from ..registry import Registration
    from .children.processes import Taken
    from .flight import Flight

__all__ = ("FailedInChild", "as_it_is", "confine", "run_in_process")


class FailedInChild(AtomFailed):
    """What a child process answered in place of a result, or how it ended without one: a hook around it sees this."""


async def run_in_process(process: Taken, reference: str, electron: Electron, on_loaded: Callable[[], None]) -> Payload:
    """
    Have a child process run an electron's atom. The payload goes as it came, the result comes as it is to be sent.

    Args:
        process: Where.
        reference: The atom's function.
        electron: What it is asked.
        on_loaded: Called if the function had to be loaded first, as soon as it is.

    Raises:
        FailedInChild: The atom failed, its payload or its result was refused, or the process ended by itself.

    Cancellation: the process is killed, at once.
    """
    from .children.death import ProcessDied  # noqa: PLC0415  # who has no child processes pays nothing for them

    try:
        if not process.has_loaded(reference):
            _raise_if_failed(await process.load(reference), electron)
            on_loaded()
        answer = await process.call(reference, electron.payload, electron.content_type, _soft_limit_of(electron))
    except ProcessDied as died:
        raise FailedInChild(died.failure, atom_id=electron.atom_id, electron_id=electron.id) from died
    _raise_if_failed(answer.failure, electron)
    return Payload(answer.body, answer.content_type)


def _soft_limit_of(electron: Electron) -> float | None:
    """Leave out a soft limit that would only come into the way of the limit."""
    soft_limit = electron.soft_limit
    return None if soft_limit is None or (electron.limit is not None and soft_limit >= electron.limit) else soft_limit


def _raise_if_failed(failure: Failure | None, electron: Electron) -> None:
    if failure is not None:
        if failure.kind == FailureKind.TIMED_OUT:  # its soft limit
            failure = structs.replace(failure, ending=Ending.STOPPED)
        raise FailedInChild(failure, atom_id=electron.atom_id, electron_id=electron.id)


def confine(
    count_from_now: Callable[[Flight, Electron], None], flight: Flight, electron: Electron, registration: Registration
) -> Coroutine[Any, Any, Payload]:
    """Bring an electron and its child process together: arguments are made of the payload there."""
    assert flight.process is not None  # noqa: S101  # it has taken one
    reference = registration.definition.reference
    return run_in_process(flight.process, reference, electron, partial(count_from_now, flight, electron))


def as_it_is(result: Payload) -> Payload:
    """Return a result that is encoded already."""
    return result
