"""Attempts: whether an electron that failed is tried again, and the pause until then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..conductor import Capability
from ..events import ElectronRequeued, ElectronRetried
from ..failure import FailureKind
from ..retry import in_force, pause_after, worth_another
from ..trials import NONE_SO_FAR
from .confinement import FailedInChild
from .disposition import Verdict, lineage_of, lineage_of_name, name_of
from .lending import lending_if_there_is_room

if TYPE_CHECKING:
    from ..electron import Electron
    from ..failure import Failure
    from ..properties import Properties
    from ..registry import Registration
    from ..settings import Settings
    from ..trials import FailureMode
    from .flight import Flight
    from .report import Report

__all__ = ("Attempts", "most_attempts")

_MOST_FAILURES = 16
_MESSAGE_MOST = 1_000


class Attempts:
    """
    What a node does with electrons that may be tried more than once.

    Attributes:
        is_leaving: The node stops: what it would try again is left to others, as far as it has got.
    """

    def __init__(self, node: str, *, settings: Settings, report: Report) -> None:
        self.is_leaving = False
        self._node = node
        self._monotonic = settings.clock.monotonic
        self._hold = settings.retry_hold
        self._chance = settings.random.random
        self._report = report

    def another(self, flight: Flight, failed: Properties, error: BaseException | None) -> Verdict | None:
        """
        Decide whether a flight whose attempt has failed is tried again, here or elsewhere, and make it ready for that.

        Args:
            failed: How that attempt ended.
            error: What the atom raised, if it did.

        Returns:
            What to do next; None if nothing is left of its failure mode, or of its time.
        """
        electron, registration, failure = flight.electron, flight.registration, failed.failure
        if electron is None or registration is None or failure is None or flight.is_cancelled:
            return None
        mode = mode_of(electron, registration)
        if mode is None or not worth_another(mode, failure, _names(mode, failure, error), electron.attempt):
            return None
        is_elsewhere = mode.kind == "requeue"
        can_delay = is_elsewhere and Capability.DELAY in flight.link.conductor.capabilities
        pause = pause_after(mode, electron.attempt, mode.pause if can_delay else self._hold, self._chance)
        if pause >= flight.deadline - self._monotonic():
            return None
        self._tell(flight, failure, pause, is_elsewhere=is_elsewhere)
        flight.electron = advanced = _advanced(electron, failure)
        flight.is_advanced, flight.told, flight.softened = True, None, False
        if not is_elsewhere:
            if self.is_leaving:
                return Verdict(copy=advanced, outcome=failed)
            return Verdict(again=pause, outcome=failed)
        if can_delay or pause == 0.0:
            return Verdict(copy=advanced, delay=pause, outcome=failed)
        return Verdict(again=pause, outcome=failed, copy=advanced)

    def pass_on(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict | None:
        """Leave an electron that failed here before to the other nodes of its route, once."""
        trials = electron.trials
        if trials is None or trials.passed_on or all(each.node != self._node for each in trials.failures):
            return None
        mode = mode_of(electron, registration)
        if mode is None or mode.kind != "requeue":
            return None
        self._report.tell(ElectronRequeued, flight, reason="it failed on this node before: others come first")
        return Verdict(copy=replace(electron, trials=replace(trials, passed_on=True)))

    async def pause(self, flight: Flight, seconds: float) -> None:
        """
        Wait until a flight is to be tried again, its slot lent, or until it is told to stop: `Flight.told` says so.

        Cancellation: the slot is taken back, beyond the total if need be.
        """
        flight.pausing = waker = asyncio.get_running_loop().create_future()
        try:
            await lending_if_there_is_room(flight, lambda: asyncio.wait((waker,), timeout=seconds))
        finally:
            flight.pausing = None

    def _tell(self, flight: Flight, failure: Failure, pause: float, *, is_elsewhere: bool) -> None:
        error = f"{failure.type}: {failure.message}" if failure.type else failure.message
        self._report.tell(
            ElectronRetried, flight, failure=failure.kind, pause=pause, elsewhere=is_elsewhere, error=error
        )


def most_attempts(electron: Electron, registration: Registration | None) -> int | None:
    """Return how often an electron is tried at most; None where its failure mode says nothing of that."""
    mode = None if registration is None else mode_of(electron, registration)
    return None if mode is None or mode.kind not in ("retry", "requeue") else mode.attempts


def mode_of(electron: Electron, registration: Registration) -> FailureMode | None:
    """Return the failure mode that counts: what came with the electron over what its atom is registered with."""
    said = None if electron.trials is None else electron.trials.mode
    return in_force(said, registration.definition.defaults.retry)


def _names(mode: FailureMode, failure: Failure, error: BaseException | None) -> tuple[str, ...]:
    """Name what went wrong, and what that is derived from."""
    if not mode.on:
        return ()
    if failure.kind == FailureKind.TIMED_OUT:
        return (*lineage_of(TimeoutError()), failure.type)
    if error is None or isinstance(error, FailedInChild):
        return (failure.type, *lineage_of_name(failure.type))
    return (name_of(error), *lineage_of(error))


def _advanced(electron: Electron, failure: Failure) -> Electron:
    """Make the electron of the next attempt: it knows what went wrong so far, without the tracebacks."""
    trials = electron.trials or NONE_SO_FAR
    slim = replace(failure, trace="", message=failure.message[:_MESSAGE_MOST], earlier=())
    failures = (*trials.failures, slim)[-_MOST_FAILURES:]
    return replace(electron, attempt=electron.attempt + 1, trials=replace(trials, failures=failures, passed_on=False))
