"""The outcome of a flight, as properties: what an atom returned, raised, or was told; or why it was not started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ..errors import Malformed
from ..failure import Ending, Failure, FailureKind
from ..properties import Properties
from ..registry import StateRefused
from .confinement import FailedInChild
from .disposition import interruption, is_cancellation, is_over_soft_limit, raised, result_too_large, sendable
from .identity import Phase
from .softening import over_soft_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..electron import Electron
    from ..payload import Payload
    from ..settings import Settings
    from .flight import Flight

__all__ = ("Outcomes", "is_ended_from_outside", "refusal_of")


class Outcomes:
    """
    Makes the properties of one node's flights.

    Attributes:
        node: The node's name.
        now_ns: Tells the UTC moment.
    """

    def __init__(self, node: str, settings: Settings) -> None:
        self.node: str = node
        self.now_ns: Callable[[], int] = settings.clock.utc_ns
        self._node, self._utc_ns = self.node, self.now_ns

    def completed(self, started_ns: int, electron: Electron, result: Payload) -> Properties:
        """The atom returned, and its result can be sent."""
        return Properties(
            electron_id=electron.id,
            atom_id=electron.atom_id,
            started_ns=started_ns,
            ended_ns=self._utc_ns(),
            result=result.body,
            content_type=result.content_type,
            attempt=electron.attempt,
            node=self._node,
        )

    def too_large(self, flight: Flight, size_bytes: int, most_bytes: int) -> Properties:
        """The atom returned more than may be sent."""
        return self._failed(flight, result_too_large(size_bytes, most_bytes))

    def too_large_to_carry(self, flight: Flight, size_bytes: int) -> Properties:
        """The atom returned what may be sent by itself, but not with what goes around it."""
        limit = f"max_body_bytes of conductor {flight.link.name!r}"
        return self._failed(flight, result_too_large(size_bytes, flight.link.most_bytes, limit))

    def refused(self, flight: Flight, kind: FailureKind, message: str) -> Properties:
        """The atom was not started, or what it returned cannot be sent."""
        ending = Ending.STOPPED if kind is FailureKind.CANCELLED else ""
        return self._failed(flight, Failure(kind=kind, message=sendable(message), ending=ending))

    def raised(self, flight: Flight, error: BaseException) -> Properties:
        """The atom raised, or failed in its child process, or ended of its soft limit."""
        if type(error) is FailedInChild:
            return self._failed(flight, error.failure)
        if flight.softened and is_over_soft_limit(error):
            return self._failed(flight, over_soft_limit(error, flight.electron))
        return self._failed(flight, raised(error))

    def interrupted(self, flight: Flight, kind: FailureKind, error: BaseException | None, ending: Ending) -> Properties:
        """The atom was told to stop, and did or was made to; or would not, and was left."""
        if ending is Ending.STOPPED and flight.process is not None:
            ending = Ending.KILLED
        message = "it was cancelled"
        if kind is FailureKind.TIMED_OUT:
            message = f"it ran over its {'deadline' if flight.until == flight.deadline else 'limit'}"
        return self._failed(flight, interruption(Failure(kind=kind, message=message, ending=ending), error))

    def _failed(self, flight: Flight, failure: Failure) -> Properties:
        electron = flight.electron
        attempt = 1 if electron is None else electron.attempt
        return Properties(
            electron_id=flight.delivery.id if electron is None else electron.id,
            atom_id="" if electron is None else electron.atom_id,
            started_ns=flight.started_ns,
            ended_ns=self._utc_ns(),
            failure=structs.replace(failure, attempts=attempt, node=self._node, earlier=_earlier(electron)),
            attempt=attempt,
            node=self._node,
        )


def _earlier(electron: Electron | None) -> tuple[str, ...]:
    """Tell what went wrong in the attempts before, a line for each."""
    if electron is None or electron.trials is None:
        return ()
    return tuple(
        f"An attempt before, on {each.node or 'a node'}: {f'{each.type}: ' if each.type else ''}{each.message[:200]}"
        for each in electron.trials.failures
    )


def refusal_of(phase: Phase, error: BaseException) -> FailureKind | None:
    """Say what it means that the code around an atom raised; None if it failed by itself."""
    kind = type(error)  # and not what it says of itself: an author's exception may lie about its class
    if phase is Phase.ENDING:
        return FailureKind.RESULT_REFUSED if issubclass(kind, ValueError) else None
    if issubclass(kind, StateRefused):
        return FailureKind.STATE_REFUSED
    return FailureKind.PAYLOAD_REFUSED if issubclass(kind, Malformed) else None


def is_ended_from_outside(flight: Flight, error: BaseException) -> bool:
    """Whether it was the worker that somebody cancelled (as a loop does at its end), and the atom only with it."""
    return is_cancellation(error) and flight.worker.cancelling() > 0
