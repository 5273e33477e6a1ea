"""Flights: how an electron meets its atom, and the heart of atomizer: answered first, and only then settled."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from ..bounds import bounds_of
from ..conductor import Settlement
from ..events import (
    AtomAbandoned,
    ElectronBonded,
    ElectronCompleted,
    ElectronRequeued,
)
from ..failure import Ending, FailureKind
from .admission import NOT_BEGUN
from .confinement import as_it_is, confine
from .disposition import GIVE_BACK, Verdict, dispose, is_cancellation
from .flight import CURRENT, Flight
from .identity import Identity, Phase
from .outcome import Outcomes, is_ended_from_outside, refusal_of
from .softening import soften
from .threads import run_in_thread
from .turn import Turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from ..bounds import Bounds
    from ..electron import Electron
    from ..payload import Payload
    from ..properties import Properties
    from ..registry import Registration
    from ..settings import Settings
    from .alarm import Alarm
    from .answering import Answers
    from .attempts import Attempts
    from .broadcast import Broadcast
    from .remember import Remembered
    from .report import Report
    from .surrounding import Bonding, Bonds
    from .tasks import Tasks
    from .threads import Threads
    from .turns import Turns

__all__ = ("Flights",)


class Flights:
    """
    Everything under way on a node, and what it takes to fly.

    Attributes:
        flying: The flights under way.
        find: Returns the atom of an id, or None.
        bond: Brings electron and atom together, with what surrounds them.
        bounds: What a body may weigh.
        completed: How many electrons ended with a result.
        attempts: Decides what is tried again.
        abandoned: Atoms that did not end when they were told to, and still run.
        is_watched: Somebody waits for flights to land.
    """

    def __init__(  # noqa: PLR0913  # everything it takes to fly, by name
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        broadcast: Broadcast,
        report: Report,
        outcomes: Outcomes,
        answers: Answers,
        alarm: Alarm,
        tasks: Tasks,
        threads: Threads,
        turns: Turns,
        attempts: Attempts,
        cancelled: Remembered,
        find: Callable[[str], Registration | None],
        bonds: Bonds,
        on_landed: Callable[[], None],
    ) -> None:
        self.flying: dict[Flight, None] = {}  # in order: a set would make no two runs alike
        self.completed: int = 0
        self.abandoned: int = 0
        self.is_watched = False
        self._loop = loop
        self._settings = settings
        self._monotonic = settings.clock.monotonic
        self.bounds: Bounds = bounds_of(settings)
        self.find = find
        self._broadcast = broadcast
        self._alarm = alarm
        self._tasks = tasks
        self._threads = threads
        self._turns = turns
        self.attempts = attempts
        self._cancelled = cancelled
        self._make_bond = bonds.make
        self.bond: Bonding = bonds.surround(self._bond)
        self._confine = bonds.surround(partial(confine, self._count_from_now))
        self._most_bytes = settings.max_payload_bytes
        self._outcomes = outcomes
        self._report = report
        self._answers = answers
        self._on_landed = on_landed
        alarm.watch(self.flying.keys(), self._look_at)

    @property
    def under_way(self) -> list[Flight]:
        """The flights that still need an answer, or for which another still answers."""
        return [flight for flight in self.flying if not flight.abandoned or not flight.is_answered]

    async def fly(self, flight: Flight) -> None:
        """
        Take a delivery to its settlement: answer it, send the answer, and only then settle.

        One that joins another is settled with that.

        Cancellation: the delivery is given back.
        """
        if flight.joins is not None:
            flight.landed = True
            return
        verdict = GIVE_BACK
        self.flying[flight] = None
        try:
            first = flight.verdict or self._begin(flight) or await self._go_on(flight)  # an atom's fault never raises
            verdict = first if first.again is None else await self.try_again(flight, first)
        finally:
            try:
                if not flight.abandoned:  # else another has concluded it
                    await self._answers.conclude(flight, verdict)
            finally:
                self.land(flight)

    def land(self, flight: Flight) -> None:
        """Be done with a flight."""
        del self.flying[flight]
        flight.landed = True
        if flight.identity is not None:
            flight.identity.end()
        if flight.abandoned:
            self.abandoned -= 1
        if self.is_watched:
            self._on_landed()

    def tell(self, flight: Flight, why: FailureKind | Settlement) -> None:
        """
        Tell a flight's atom to stop; if it does not within `Settings.cancel_grace`, it is abandoned.

        Args:
            why: A failure kind to answer with, or `Settlement.REQUEUE` to give the electron back.
        """
        if flight.told is not None:
            return  # it stops already
        if flight.pausing is not None:
            flight.told = why
            if not flight.pausing.done():
                flight.pausing.set_result(None)
            return
        if flight.identity is not None and flight.identity.done():
            return  # it is over and being answered
        flight.told = why
        flight.abort_children()  # a thread waits for them, and hears of nothing else
        if flight.identity is not None:
            flight.identity.cancel()
            flight.due = self._monotonic() + self._settings.cancel_grace
            self._alarm.wake_by(flight.due)

    def cancel(self, electron_id: str) -> None:
        """Cancel an electron: stop it if it is under way here, else remember to refuse it when it comes."""
        here = [flight for flight in self.flying if flight.delivery.id == electron_id]
        for flight in here:
            flight.is_cancelled = True
            self.tell(flight, FailureKind.CANCELLED)
        if all(flight.copy is not None for flight in here):  # it is on its way, perhaps to this very node
            self._cancelled.add(electron_id)

    async def forsake(self, seconds: float) -> None:
        """Leave what would not stop: its coroutines are not stepped again, its electrons are given back."""
        tasks = [task for flight in self.flying for task in (flight.worker, flight.deputy) if task is not None]
        for flight in self.flying:
            if flight.identity is not None:
                flight.identity.forsaken = True
        await self._tasks.end(tasks, seconds)

    # The answer

    def _begin(self, flight: Flight) -> Verdict | None:
        """Bond, and take the first step: most need no other. None: the atom goes on, or waits for its turn."""
        electron, registration = flight.electron, flight.registration
        assert electron is not None  # noqa: S101  # else it has a verdict
        assert registration is not None  # noqa: S101
        if registration.takes_turns:
            return None
        if flight.due < self._alarm.next:
            self._alarm.wake_by(flight.due)
        CURRENT.set(flight)
        flight.identity = identity = Identity(
            flight.worker, self._loop, copy_context(), electron.atom_id, registration.finish
        )
        if self._broadcast.listening:
            self._report.tell(ElectronBonded, flight)
        if identity.begin(self.bond, (flight, electron, registration)):
            return None
        return self.verdict_on(flight)

    async def _go_on(self, flight: Flight) -> Verdict:
        """Take an atom that has begun, or waits for its turn, to its end."""
        electron, identity = flight.electron, flight.identity
        assert electron is not None  # noqa: S101  # it was decoded
        if identity is None:
            return await self._in_turn(flight, electron)
        await self.finish(flight, identity)
        return self.verdict_on(flight)

    async def try_again(self, flight: Flight, verdict: Verdict) -> Verdict:
        """
        Take a flight whose attempt has failed through the next ones, as its failure mode has it.

        Args:
            verdict: What is to be done after the attempt that failed.
        """
        while verdict.again is not None:
            await self.attempts.pause(flight, verdict.again)
            if flight.told is not None:
                return self._not_begun(flight, None, "cancelled between two attempts")
            if self._monotonic() >= flight.deadline:  # nothing starts after it
                assert verdict.outcome is not None  # noqa: S101  # an attempt has failed
                return self._given_up(flight, verdict.outcome)
            if verdict.copy is not None:
                return Verdict(copy=verdict.copy, outcome=verdict.outcome)
            assert flight.electron is not None  # noqa: S101  # it has begun before
            if flight.identity is not None:
                flight.identity.end()
                flight.identity = None
            self._count_from_now(flight, flight.electron)
            verdict = self._begin(flight) or await self._go_on(flight)
        return verdict

    async def finish(self, flight: Flight, identity: Identity) -> None:
        """Take an atom that has begun to its end."""
        try:
            await identity.drive()
        finally:
            flight.due = inf
            flight.abort_children()

    async def _in_turn(self, flight: Flight, electron: Electron) -> Verdict:
        """Wait for a turn, and leave it to the next at the end."""
        registration = flight.registration
        assert registration is not None  # noqa: S101  # it was admitted
        definition = registration.definition
        flight.turn = turn = Turn()
        try:
            error = await self._turns.wait_for(turn, flight, definition)
            if not turn.has_come:
                return self._not_begun(flight, error)
            return self._begin_late(flight, electron, registration) or await self._go_on(flight)
        finally:
            self._turns.give_back(turn, flight, definition)

    def _not_begun(self, flight: Flight, error: BaseException | None, message: str = "") -> Verdict:
        """Answer an electron whose turn, or whose next attempt, did not come."""
        if isinstance(flight.told, FailureKind):
            return self.refuse(flight, flight.told, message or NOT_BEGUN[flight.told])
        if flight.told is None and error is not None and not is_cancellation(error):
            return self._failed(flight, error)
        return self._give_back(flight)

    def _begin_late(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict | None:
        """Do what `_begin` leaves to when the turn has come: the limits count from now, or from when it is loaded."""
        self._count_from_now(flight, electron)
        bond, finish = (self.bond, registration.finish) if flight.process is None else (self._confine, as_it_is)
        CURRENT.set(flight)
        flight.identity = identity = Identity(flight.worker, self._loop, copy_context(), electron.atom_id, finish)
        self._report.tell(ElectronBonded, flight)
        if identity.begin(bond, (flight, electron, registration)):
            return None
        return self.verdict_on(flight)

    def _bond(self, flight: Flight, electron: Electron, registration: Registration) -> Coroutine[Any, Any, Any]:
        """Bring electron and atom together: the arguments are checked before the atom is called."""
        args, kwargs = registration.arguments(electron, self.bounds)
        if registration.bare is not None:  # most ask for nothing but their arguments
            return registration.bare(*args, **kwargs)
        instance = registration.instance(electron.copy_state)
        bond = self._make_bond(flight)
        if registration.definition.is_async:
            return registration.call(instance, bond, electron, args, kwargs)
        return run_in_thread(self._threads, registration.thunk(instance, bond, electron, args, kwargs))

    # Time

    def _count_from_now(self, flight: Flight, electron: Electron) -> None:
        if flight.deadline < inf or electron.limit is not None or electron.soft_limit is not None:
            self.set_time(flight, electron)

    def set_time(self, flight: Flight, electron: Electron) -> None:
        """Count from now the seconds that it may run; its life ends when it does."""
        now, limit, soft_limit = self._monotonic(), electron.limit, electron.soft_limit
        due = flight.deadline
        if limit is not None and not flight.loads:
            due = min(due, now + limit)
        flight.until = due
        if soft_limit is not None and flight.process is None:  # else the child process sees to it
            due = min(due, now + soft_limit)
        flight.due = due
        if due < self._alarm.next:
            self._alarm.wake_by(due)

    def _look_at(self, flight: Flight) -> None:
        """The time of a flight is up: it is told so; and if it was told before, it is left behind."""
        due, flight.due = flight.due, inf
        if flight.told is not None:
            self._abandon(flight)
        elif flight.waits:
            self.tell(flight, FailureKind.EXPIRED)
        elif due < flight.until:
            flight.due = flight.until
            soften(flight)
        else:
            self.tell(flight, FailureKind.TIMED_OUT)

    def _abandon(self, flight: Flight) -> None:
        """Answer for an atom that does not end. Its worker and its slot stay with it."""
        identity = flight.identity
        if not isinstance(flight.told, FailureKind) or identity is None or identity.done():
            return  # being given back: whoever stops the runtime sees to it; or over in this very turn
        flight.abandoned = True
        self.abandoned += 1
        self._report.tell(AtomAbandoned, flight, error=f"told to stop: {flight.told}")
        flight.abort_children()
        verdict = self._given_up(flight, self._outcomes.interrupted(flight, flight.told, None, Ending.ABANDONED))
        flight.deputy = self._tasks.start(
            self._answers.conclude(flight, verdict), f"atomizer deputy {flight.delivery.id}"
        )
        flight.deputy.add_done_callback(lambda _: self._on_landed())

    # The outcome

    def verdict_on(self, flight: Flight) -> Verdict:
        """Decide what becomes of an electron whose atom is over."""
        electron, identity = flight.electron, flight.identity
        assert electron is not None  # noqa: S101  # it has begun
        assert identity is not None  # noqa: S101
        if flight.abandoned:
            return GIVE_BACK  # never sent: another has answered
        flight.due = inf
        if flight.children is not None:
            flight.abort_children()
        if identity.error is not None:
            return self._raised(flight, identity, identity.error)
        result: Payload = identity.value
        if len(result.body) > self._most_bytes:
            return self._given_up(flight, self._outcomes.too_large(flight, len(result.body), self._most_bytes))
        self.completed += 1
        if self._broadcast.listening:
            self._report.tell(ElectronCompleted, flight)
        return dispose(self._outcomes.completed(flight.started_ns, electron, result), flight.delivery.reply_to)

    def _raised(self, flight: Flight, identity: Identity, error: BaseException) -> Verdict:
        told = flight.told
        if identity.phase is not Phase.RUNNING:
            kind = refusal_of(identity.phase, error)
            return self.refuse(flight, kind, str(error)) if kind is not None else self._failed(flight, error)
        if told is Settlement.REQUEUE or (told is None and is_ended_from_outside(flight, error)):
            return self._give_back(flight)
        if isinstance(told, FailureKind):
            return self._conclusion(flight, self._outcomes.interrupted(flight, told, error, Ending.STOPPED), error)
        return self._failed(flight, error)

    def _give_back(self, flight: Flight) -> Verdict:
        """Give an electron back: as it came, or as it has become here since."""
        self._report.tell(ElectronRequeued, flight, reason="this node stops")
        return Verdict(copy=flight.electron) if flight.is_advanced else GIVE_BACK

    def _failed(self, flight: Flight, error: BaseException) -> Verdict:
        return self._conclusion(flight, self._outcomes.raised(flight, error), error)

    def refuse(self, flight: Flight, kind: FailureKind, message: str) -> Verdict:
        """Answer an electron that was not started, or whose result cannot be sent."""
        return self._given_up(flight, self._outcomes.refused(flight, kind, message))

    def _conclusion(self, flight: Flight, properties: Properties, error: BaseException | None = None) -> Verdict:
        """Decide whether an electron that has failed is tried again, or what becomes of it."""
        return self.attempts.another(flight, properties, error) or self._given_up(flight, properties)

    def _given_up(self, flight: Flight, properties: Properties) -> Verdict:
        """Dispose of an electron that has failed for good."""
        self._report.failure(flight, properties)
        was_dead = flight.electron is not None and flight.electron.replayed > 0
        return dispose(properties, flight.delivery.reply_to, was_dead=was_dead)
