"""Reception: what a delivery is, and whether its electron is started: decoded, recalled, admitted."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from ..bounds import bounds_of
from ..codec import codec_for
from ..errors import Malformed
from ..events import ElectronAdmitted, ElectronJoined, ElectronReceived
from ..failure import FailureKind
from .admission import Refusal, admit, time_left
from .answered import has_run, stage_of
from .attempts import Attempts, most_attempts
from .disposition import Verdict
from .flight import Flight

if TYPE_CHECKING:
    import asyncio

    from ..conductor import Connection, Delivery
    from ..electron import Electron
    from ..registry import Registry
    from ..settings import Settings
    from ..trials import Trials
    from .answered import Answered, Done
    from .broadcast import Broadcast
    from .remember import Remembered
    from .report import Report
    from .slots import Slots
    from .supervision import Link

__all__ = ("Reception",)


class Departures(Protocol):
    """What reception asks of those that fly."""

    flying: dict[Flight, None]

    def refuse(self, flight: Flight, kind: FailureKind, message: str) -> Verdict:
        """Answer an electron that is not started."""
        ...

    def set_time(self, flight: Flight, electron: Electron) -> None:
        """Count from now the seconds that it may run."""
        ...


class Reception:
    """Takes up what comes."""

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        broadcast: Broadcast,
        report: Report,
        cancelled: Remembered,
        answered: Answered,
        attempts: Attempts,
        departures: Departures,
    ) -> None:
        self._monotonic = settings.clock.monotonic
        self._utc_ns = settings.clock.utc_ns
        self._poison_limit = settings.poison_limit
        self._bounds = bounds_of(settings)
        self._registry = registry
        self._find = registry.find
        self._broadcast = broadcast
        self._report = report
        self._cancelled = cancelled
        self._answered = answered
        self._attempts = attempts
        self._departures = departures

    def take_up(
        self, link: Link, connection: Connection, delivery: Delivery, slots: Slots, worker: asyncio.Task[None]
    ) -> Flight:
        """
        Decode a delivery, and decide whether its electron is started.

        If it is not, its flight has its answer already, or the flight that it joins.
        """
        codec, started_ns = link.codec, self._utc_ns()
        try:
            if delivery.content_type != codec.content_type:
                codec = codec_for(delivery.content_type)
            electron = codec.decode_electron(delivery.body, self._bounds)
        except Malformed as error:
            flight = Flight(link, connection, delivery, slots, worker, started_ns)
            flight.verdict = self._departures.refuse(flight, FailureKind.MALFORMED, str(error))
            return flight
        left = deadline = inf
        if electron.deadline_ns is not None or electron.budget is not None:
            left = time_left(electron, started_ns)
            deadline = self._monotonic() + left
        registration = self._find(electron.atom_id)
        flight = Flight(
            link, connection, delivery, slots, worker, started_ns, electron, registration, deadline, deadline, deadline
        )
        if self._broadcast.routine:
            self._report.tell(ElectronReceived, flight)
        if not self._recall(flight, electron):
            self._admit(flight, electron, left)
        return flight

    def _recall(self, flight: Flight, electron: Electron) -> bool:
        """Recognize an electron that came before: one that runs here is joined, what is done is answered again."""
        delivery = flight.delivery
        if not (delivery.redelivered or delivery.count or _may_be_known(electron.trials)):
            return False
        running = self._running(electron)
        if running is not None:
            flight.joins = running
            running.joined = [*filter(_can_be_settled, running.joined or ()), flight]
            self._report.tell(ElectronJoined, flight)
            return True
        done = self._answered.find(electron)
        if done is None or not _is_answer(done, electron, delivery):
            return False
        flight.due = inf
        flight.verdict = Verdict(done.outcome if delivery.reply_to else None)
        self._report.tell(ElectronJoined, flight, was_over=True)
        return True

    def _running(self, electron: Electron) -> Flight | None:
        """Return the flight of an electron that is under way here, and will be answered."""
        for flight in self._departures.flying:
            here = flight.electron
            is_same = here is not None and (here.id, here.atom_id) == (electron.id, electron.atom_id)
            if is_same and here is not None and _answers_for(flight, here, electron):
                return flight
        return None

    def _admit(self, flight: Flight, electron: Electron, left: float) -> None:
        """Let an electron be started, or give its flight the answer that it is not."""
        registration, count = flight.registration, flight.delivery.count or 0
        if count:  # a crash is an attempt too
            flight.electron = electron = replace(electron, attempt=electron.attempt + count)
        if electron.limit is not None or electron.soft_limit is not None:
            self._departures.set_time(flight, electron)
        refusal = admit(
            electron,
            known=registration is not None,
            cancelled=self._cancelled.holds(electron.id),
            left=left,
            count=count,
            poison_limit=self._poison_limit,
            attempts=most_attempts(electron, registration) if count else None,
        )
        if refusal is not None:
            flight.verdict = self._turn_away(flight, electron, refusal)
            return
        assert registration is not None  # noqa: S101  # it was admitted
        if electron.trials is not None:
            flight.verdict = self._attempts.pass_on(flight, electron, registration)
        if flight.verdict is None:
            self._report.tell(ElectronAdmitted, flight)

    def _turn_away(self, flight: Flight, electron: Electron, refusal: Refusal) -> Verdict:
        """Answer an electron that is not started, as admission has it."""
        self._cancelled.discard(electron.id)  # said once: the same id may be asked again
        flight.due = inf
        is_unknown = refusal.kind is FailureKind.UNKNOWN_ATOM
        message = self._registry.miss(electron.atom_id) if is_unknown else refusal.message
        return self._departures.refuse(flight, refusal.kind, message)


def _is_answer(done: Done, electron: Electron, delivery: Delivery) -> bool:
    """
    Whether what became of an electron answers one of the same id that comes now.

    Where it did not run here, for a copy was sent in its place or it was refused, that goes for what comes a second
    time: whoever asks anew may be answered otherwise.
    """
    outcome = done.outcome
    is_second = delivery.redelivered or bool(delivery.count)
    if outcome is None:
        return is_second and delivery.reply_to in ("", done.reply_to)
    return outcome.atom_id == electron.atom_id and (is_second or has_run(outcome))


def _can_be_settled(flight: Flight) -> bool:
    """Whether a delivery's connection lives: else it comes again, and need not be kept."""
    return flight.connection is flight.link.connection


def _answers_for(flight: Flight, here: Electron, electron: Electron) -> bool:
    """Whether what becomes of a flight goes for an electron that came later: it may be further on than that."""
    if flight.copy is not None:
        return not flight.is_answered and stage_of(electron) < stage_of(flight.copy)
    return not flight.is_answered and (flight.verdict is None or stage_of(electron) <= stage_of(here))


def _may_be_known(trials: Trials | None) -> bool:
    """Whether an electron may have been here before by what it carries: it was sent again, or is a copy."""
    return trials is not None and (trials.again or trials.passed_on or bool(trials.replayed or trials.failures))
