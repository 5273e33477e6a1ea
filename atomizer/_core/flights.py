"""Flights: how an electron meets its atom, and the heart of atomizer: answered first, and only then settled."""

from __future__ import annotations

from contextvars import copy_context
from math import inf
from typing import TYPE_CHECKING, Any

from ..bounds import bounds_of
from ..codec import codec_for
from ..conductor import Frame, Lane, Route, Settlement
from ..errors import ConductorError, Malformed, NobodyThere
from ..events import (
    AtomAbandoned,
    ElectronBonded,
    ElectronReceived,
    ElectronRequeued,
    PropertiesUnclaimed,
)
from ..properties import Ending, FailureKind
from .admission import NOT_BEGUN, admit, time_left
from .confinement import as_it_is, confine
from .disposition import GIVE_BACK, Verdict, dispose, is_cancellation
from .flight import CURRENT
from .identity import Identity, Phase
from .outcome import Outcomes, refusal_of
from .softening import soften
from .threads import run_in_thread
from .turn import Turn

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from ..bond import Bond
    from ..electron import Electron
    from ..payload import Payload
    from ..properties import Properties
    from ..registry import Registration, Registry
    from ..settings import Settings
    from .admission import Refusal
    from .alarm import Alarm
    from .broadcast import Broadcast
    from .flight import Flight
    from .remember import Remembered
    from .report import Report
    from .supervision import Link
    from .tasks import Tasks
    from .threads import Threads
    from .turns import Turns

__all__ = ("Flights",)

_REQUEUE = Settlement.REQUEUE
_MOST_ROUTES = 1_000


class Flights:
    """
    Everything under way on a node, and what it takes to fly.

    Attributes:
        flying: The flights under way.
        abandoned: Atoms that did not end when they were told to, and still run.
    """

    def __init__(  # noqa: PLR0913  # everything it takes to fly, by name
        self,
        node: str,
        *,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        registry: Registry,
        broadcast: Broadcast,
        report: Report,
        alarm: Alarm,
        tasks: Tasks,
        threads: Threads,
        turns: Turns,
        cancelled: Remembered,
        make_bond: Callable[[Flight], Bond],
        on_landed: Callable[[], None],
    ) -> None:
        self.flying: dict[Flight, None] = {}  # in order: a set would make no two runs alike
        self.abandoned = 0
        self._loop = loop
        self._settings = settings
        self._clock = settings.clock
        self._utc_ns = settings.clock.utc_ns
        self._bounds = bounds_of(settings)
        self._registry = registry
        self._broadcast = broadcast
        self._alarm = alarm
        self._tasks = tasks
        self._threads = threads
        self._turns = turns
        self._cancelled = cancelled
        self._make_bond = make_bond
        self._most_bytes = settings.max_payload_bytes
        self._outcomes = Outcomes(node, settings)
        self._report = report
        self._on_landed = on_landed
        self._reply_routes: dict[str, Route] = {}
        alarm.watch(self.flying.keys(), self._look_at)

    @property
    def under_way(self) -> list[Flight]:
        """The flights that still need an answer, or for which another still answers."""
        return [flight for flight in self.flying if not flight.abandoned or not flight.is_answered]

    async def fly(self, flight: Flight) -> None:
        """
        Take a delivery to its settlement: answer it, send the answer, and only then settle.

        Cancellation: the delivery is given back.
        """
        verdict = GIVE_BACK
        self.flying[flight] = None
        try:
            verdict = self._begin(flight) or await self._go_on(flight)  # an atom's fault never raises here
        finally:
            try:
                if not flight.abandoned:  # else another has concluded it
                    await self._conclude(flight, verdict)
            finally:
                self._land(flight)

    def tell(self, flight: Flight, why: FailureKind | Settlement) -> None:
        """
        Tell a flight's atom to stop; if it does not within `Settings.cancel_grace`, it is abandoned.

        Args:
            why: A failure kind to answer with, or `Settlement.REQUEUE` to give the electron back.
        """
        if flight.told is not None or (flight.identity is not None and flight.identity.done()):
            return  # it stops already, or it is over and being answered
        flight.told = why
        flight.abort_children()  # a thread waits for them, and hears of nothing else
        if flight.identity is not None:
            flight.identity.cancel()
            flight.due = self._clock.monotonic() + self._settings.cancel_grace
            self._alarm.wake_by(flight.due)

    def cancel(self, electron_id: str) -> None:
        """Cancel an electron: stop it if it is under way here, else remember to refuse it when it comes."""
        here = [flight for flight in self.flying if flight.delivery.id == electron_id]
        for flight in here:
            self.tell(flight, FailureKind.CANCELLED)
        if not here:
            self._cancelled.add(electron_id)

    def give_back_waiting(self, link: Link | None = None) -> None:
        """Give back what waits for its turn: of one conductor, or of all."""
        for flight in tuple(self.flying):
            if flight.waits and link in (None, flight.link):
                self.tell(flight, _REQUEUE)

    async def forsake(self, seconds: float) -> None:
        """Leave what would not stop: its coroutines are not stepped again, its electrons are given back."""
        tasks = [task for flight in self.flying for task in (flight.worker, flight.deputy) if task is not None]
        for flight in self.flying:
            if flight.identity is not None:
                flight.identity.forsaken = True
        await self._tasks.end(tasks, seconds)

    def _land(self, flight: Flight) -> None:
        self.flying.pop(flight, None)
        flight.landed = True
        if flight.identity is not None:
            flight.identity.end()
        if flight.abandoned:
            self.abandoned -= 1
        self._on_landed()

    # The answer

    def _begin(self, flight: Flight) -> Verdict | None:
        """Decode, admit, bond, and take the first step. None means that the atom goes on, or waits for its turn."""
        delivery = flight.delivery
        flight.started_ns = now_ns = self._utc_ns()
        try:
            electron = codec_for(delivery.content_type).decode_electron(delivery.body, self._bounds)
        except Malformed as error:
            return self._refuse(flight, FailureKind.MALFORMED, str(error))
        flight.electron = electron
        listening = self._broadcast.listening
        if listening:
            self._report.tell(ElectronReceived, flight)
        registration = self._registry.find(electron.atom_id)
        has_end = electron.budget is not None or electron.deadline_ns is not None
        left = time_left(electron, now_ns) if has_end else inf
        is_cancelled = flight.told is not None or (self._cancelled.any and self._cancelled.holds(electron.id))
        if registration is None or is_cancelled or left <= 0:
            refusal = admit(electron, known=registration is not None, cancelled=is_cancelled, left=left)
            return self._turn_away(flight, electron, refusal)
        flight.registration = registration
        if registration.takes_turns:
            flight.deadline = self._clock.monotonic() + left
            return None
        if has_end or electron.limit is not None or electron.soft_limit is not None:
            self._set_time(flight, left, electron)
        CURRENT.set(flight)
        finish = registration.definition.encode_result
        flight.identity = identity = Identity(flight.worker, self._loop, copy_context(), electron.atom_id, finish)
        CURRENT.set(None)
        if listening:
            self._report.tell(ElectronBonded, flight)
        if identity.begin(self._bond, flight, electron, registration):
            return None
        return self._dispose(flight, electron, identity)

    async def _go_on(self, flight: Flight) -> Verdict:
        """Take an atom that has begun, or waits for its turn, to its end."""
        electron, identity = flight.electron, flight.identity
        assert electron is not None  # noqa: S101  # it was decoded
        if identity is None:
            return await self._in_turn(flight, electron)
        try:
            await identity.drive()
        finally:
            flight.due = inf
            flight.abort_children()
        return GIVE_BACK if flight.abandoned else self._dispose(flight, electron, identity)

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
            self._turns.give_back(turn, definition)

    def _not_begun(self, flight: Flight, error: BaseException | None) -> Verdict:
        """Answer an electron whose turn did not come."""
        if isinstance(flight.told, FailureKind):
            return self._refuse(flight, flight.told, NOT_BEGUN[flight.told])
        if flight.told is None and error is not None and not is_cancellation(error):
            return self._failed(flight, error)
        return self._give_back(flight)

    def _begin_late(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict | None:
        """Do what `_begin` leaves to when the turn has come."""
        if flight.deadline < inf or electron.limit is not None or electron.soft_limit is not None:
            self._set_time(flight, flight.deadline - self._clock.monotonic(), electron)
        encode_result = registration.definition.encode_result
        bond, finish = (self._bond, encode_result) if flight.process is None else (confine, as_it_is)
        CURRENT.set(flight)
        flight.identity = identity = Identity(flight.worker, self._loop, copy_context(), electron.atom_id, finish)
        CURRENT.set(None)
        self._report.tell(ElectronBonded, flight)
        if identity.begin(bond, flight, electron, registration):
            return None
        return self._dispose(flight, electron, identity)

    def _bond(self, flight: Flight, electron: Electron, registration: Registration) -> Coroutine[Any, Any, Any]:
        """Bring electron and atom together: the arguments are checked before the atom is called."""
        args, kwargs = registration.arguments(electron, self._bounds)
        if registration.bare is not None:  # most ask for nothing but their arguments
            return registration.bare(*args, **kwargs)
        instance = registration.instance(electron.copy_state)
        bond = self._make_bond(flight)
        if registration.definition.is_async:
            return registration.call(instance, bond, electron, args, kwargs)
        return run_in_thread(self._threads, registration.thunk(instance, bond, electron, args, kwargs))

    def _turn_away(self, flight: Flight, electron: Electron, refusal: Refusal | None) -> Verdict:
        """Answer an electron that is not started, as admission has it."""
        assert refusal is not None  # noqa: S101  # an unknown atom is not admitted
        self._cancelled.discard(electron.id)  # said once: the same id may be asked again
        is_unknown = refusal.kind is FailureKind.UNKNOWN_ATOM
        return self._refuse(
            flight, refusal.kind, self._registry.miss(electron.atom_id) if is_unknown else refusal.message
        )

    # Time

    def _set_time(self, flight: Flight, left: float, electron: Electron) -> None:
        now, limit, soft_limit = self._clock.monotonic(), electron.limit, electron.soft_limit
        flight.deadline = now + left
        flight.until = flight.due = flight.deadline if limit is None or left < limit else now + limit
        if soft_limit is not None and flight.process is None:  # else the child process sees to it
            flight.due = min(flight.until, now + soft_limit)
        if flight.due < self._alarm.next:
            self._alarm.wake_by(flight.due)

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
        verdict = self._conclusion(flight, self._outcomes.interrupted(flight, flight.told, None, Ending.ABANDONED))
        flight.deputy = self._tasks.start(self._conclude(flight, verdict), f"atomizer deputy {flight.delivery.id}")
        flight.deputy.add_done_callback(lambda _: self._on_landed())

    # The outcome

    def _dispose(self, flight: Flight, electron: Electron, identity: Identity) -> Verdict:
        """Decide what becomes of an electron whose atom is over."""
        flight.due = inf
        if flight.children:
            flight.abort_children()
        if identity.error is not None:
            return self._raised(flight, identity, identity.error)
        result: Payload = identity.value
        if len(result.body) > self._most_bytes:
            return self._conclusion(flight, self._outcomes.too_large(flight, len(result.body), self._most_bytes))
        return self._conclusion(flight, self._outcomes.completed(flight, electron, result))

    def _raised(self, flight: Flight, identity: Identity, error: BaseException) -> Verdict:
        told = flight.told
        if identity.phase is not Phase.RUNNING:
            kind = refusal_of(identity.phase, error)
            return self._refuse(flight, kind, str(error)) if kind is not None else self._failed(flight, error)
        if told is Settlement.REQUEUE or (told is None and _is_ended_from_outside(flight, error)):
            return self._give_back(flight)
        if isinstance(told, FailureKind):
            return self._conclusion(flight, self._outcomes.interrupted(flight, told, error, Ending.STOPPED))
        return self._failed(flight, error)

    def _give_back(self, flight: Flight) -> Verdict:
        self._report.tell(ElectronRequeued, flight, reason="this node stops")
        return GIVE_BACK

    def _failed(self, flight: Flight, error: BaseException) -> Verdict:
        return self._conclusion(flight, self._outcomes.raised(flight, error))

    def _refuse(self, flight: Flight, kind: FailureKind, message: str) -> Verdict:
        """Answer an electron that was not started, or whose result cannot be sent."""
        return self._conclusion(flight, self._outcomes.refused(flight, kind, message))

    def _conclusion(self, flight: Flight, properties: Properties) -> Verdict:
        self._report.outcome(flight, properties)
        return dispose(properties, flight.delivery.reply_to)

    # The end

    async def _conclude(self, flight: Flight, verdict: Verdict) -> None:
        """Send what is to be sent, each confirmed, and then settle."""
        settlement = _REQUEUE  # the honest answer until we know better
        try:
            if verdict.reply is not None:
                frame = self._frame(flight, verdict.reply)
                if not flight.link.send_nowait(frame):
                    await self._send(flight, frame)
            settlement = verdict.settlement
        except ConductorError as error:  # no confirm: the electron comes again, here or elsewhere
            self._report.tell(ElectronRequeued, flight, reason=str(error))
        finally:
            if not flight.link.settle_nowait(flight.connection, flight.delivery, settlement):
                await flight.link.settle(flight.connection, flight.delivery, settlement)

    async def _send(self, flight: Flight, frame: Frame) -> None:
        try:
            await flight.link.send(frame, self._clock.monotonic() + self._settings.send_patience)
        except NobodyThere as error:
            self._report.tell(PropertiesUnclaimed, flight, error=str(error))

    def _frame(self, flight: Flight, properties: Properties) -> Frame:
        delivery, conductor = flight.delivery, flight.link.conductor
        codec, most = conductor.codec, conductor.max_body_bytes
        body = codec.encode_reply(properties)
        if len(body) > most:  # it fitted by itself, but not with what goes around it
            body = codec.encode_reply(self._outcomes.too_large(flight, len(body), most))
        route = self._reply_routes.get(delivery.reply_to) or self._reply_route(delivery.reply_to)
        return Frame(route, body, codec.content_type, delivery.id)

    def _reply_route(self, reply_to: str) -> Route:
        """Make a route once: its hash is kept with it."""
        if len(self._reply_routes) >= _MOST_ROUTES:
            self._reply_routes.clear()
        return self._reply_routes.setdefault(reply_to, Route(Lane.REPLY, reply_to))


def _is_ended_from_outside(flight: Flight, error: BaseException) -> bool:
    """Whether it was the worker that somebody cancelled (as a loop does at its end), and the atom only with it."""
    return is_cancellation(error) and flight.worker.cancelling() > 0
