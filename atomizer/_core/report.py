"""The report on a node's flights: counted, and told to whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..events import ElectronCancelled, ElectronExpired, ElectronFailed, ElectronRefused
from ..failure import FailureKind

if TYPE_CHECKING:
    from ..events import Event
    from ..failure import Failure
    from ..properties import Properties
    from .broadcast import Broadcast
    from .flight import Flight

__all__ = ("Report",)

_NOT_STARTED = frozenset(
    (
        FailureKind.MALFORMED,
        FailureKind.UNKNOWN_ATOM,
        FailureKind.PAYLOAD_REFUSED,
        FailureKind.STATE_REFUSED,
    )
)


class Report:
    """
    What became of the electrons of one node, counted where it went wrong.

    Attributes:
        failed: How many ended with a failure.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self.failed: int = 0

    def failure(self, flight: Flight, properties: Properties) -> None:
        """Count a failure, and tell it."""
        self.failed += 1
        if self._broadcast.listening and properties.failure is not None:
            self._tell_failure(flight, properties.failure)

    def tell(self, kind: type[Event], flight: Flight, **fields: Any) -> None:
        """Tell one thing of a flight."""
        if not self._broadcast.listening:
            return
        electron, conductor = flight.electron, flight.link.name
        if electron is None:
            self._broadcast.tell(kind, 0, flight.delivery.id, "", conductor, 0, fields)
        else:
            self._broadcast.tell(kind, 0, electron.id, electron.atom_id, conductor, electron.attempt, fields)

    def _tell_failure(self, flight: Flight, failure: Failure) -> None:
        error = f"{failure.type}: {failure.message}" if failure.type else failure.message
        if failure.kind == FailureKind.CANCELLED:
            self.tell(ElectronCancelled, flight, ending=failure.ending)
        elif failure.kind == FailureKind.EXPIRED:
            self.tell(ElectronExpired, flight, error=error)
        elif failure.kind in _NOT_STARTED:
            self.tell(ElectronRefused, flight, failure=failure.kind, error=error)
        else:
            self.tell(ElectronFailed, flight, failure=failure.kind, error=error)
