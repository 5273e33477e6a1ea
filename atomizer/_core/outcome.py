"""The outcome of a flight, as properties: what an atom returned, raised, or was told; or why it was not started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ..errors import SoftLimitReached
from ..properties import Ending, Failure, FailureKind, Properties
from .disposition import failure_of, interruption, is_cancellation, name_of, sendable

if TYPE_CHECKING:
    from ..electron import Electron
    from ..payload import Payload
    from ..settings import Settings
    from .flight import Flight

__all__ = ("Outcomes",)

_SOFT_LIMIT = f"{SoftLimitReached.__module__}.{SoftLimitReached.__qualname__}"


class Outcomes:
    """Makes the properties of one node's flights."""

    def __init__(self, node: str, settings: Settings) -> None:
        self._node = node
        self._utc_ns = settings.clock.utc_ns

    def completed(self, flight: Flight, electron: Electron, result: Payload) -> Properties:
        """The atom returned, and its result can be sent."""
        return Properties(
            electron_id=electron.id,
            atom_id=electron.atom_id,
            started_ns=flight.started_ns,
            ended_ns=self._utc_ns(),
            result=result.body,
            content_type=result.content_type,
            attempt=electron.attempt,
            node=self._node,
        )

    def too_large(self, flight: Flight, size_bytes: int, most_bytes: int) -> Properties:
        """The atom returned more than may be sent."""
        message = f"the result has {size_bytes:,} bytes, and {most_bytes:,} are allowed: return a reference to the data"
        return self.refused(flight, FailureKind.RESULT_REFUSED, message)

    def refused(self, flight: Flight, kind: FailureKind, message: str) -> Properties:
        """The atom was not started, or what it returned cannot be sent."""
        ending = Ending.STOPPED if kind is FailureKind.CANCELLED else ""
        return self._failed(flight, Failure(kind=kind, message=sendable(message), ending=ending))

    def raised(self, flight: Flight, error: BaseException) -> Properties:
        """The atom raised."""
        if is_cancellation(error):
            message = "it raised CancelledError itself, or cancelled itself: nobody else did"
            return self._failed(flight, Failure(kind=FailureKind.FAILED, type=name_of(error), message=message))
        return self._failed(flight, failure_of(error, kind=FailureKind.FAILED))

    def interrupted(self, flight: Flight, kind: FailureKind, error: BaseException | None, ending: Ending) -> Properties:
        """The atom was told to stop, and did; or would not, and was left."""
        message = "it was cancelled"
        if kind is FailureKind.TIMED_OUT:
            message = f"it ran over its {'deadline' if flight.until == flight.deadline else 'limit'}"
        return self._failed(flight, interruption(Failure(kind=kind, message=message, ending=ending), error))

    def over_soft_limit(self, flight: Flight, electron: Electron, error: BaseException) -> Properties:
        """The atom was told that its soft limit is reached, and ended of that."""
        failure = failure_of(error, kind=FailureKind.TIMED_OUT)
        message = f"it ran over its soft limit of {electron.soft_limit:g} s"
        return self._failed(flight, structs.replace(failure, type=_SOFT_LIMIT, message=message, ending=Ending.STOPPED))

    def failed_in_child(self, flight: Flight, failure: Failure) -> Properties:
        """The atom failed in its child process, or with it."""
        ending = Ending.STOPPED if failure.kind == FailureKind.TIMED_OUT else ""
        return self._failed(flight, structs.replace(failure, ending=ending))

    def _failed(self, flight: Flight, failure: Failure) -> Properties:
        electron = flight.electron
        attempt = 1 if electron is None else electron.attempt
        return Properties(
            electron_id=flight.delivery.id if electron is None else electron.id,
            atom_id="" if electron is None else electron.atom_id,
            started_ns=flight.started_ns,
            ended_ns=self._utc_ns(),
            failure=structs.replace(failure, attempts=attempt, node=self._node),
            attempt=attempt,
            node=self._node,
        )
