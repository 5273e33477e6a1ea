"""The flight: one delivery's way from receipt to settlement, and the heart of atomizer."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

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
from ..properties import Ending, Failure, FailureKind
from ..registry import StateRefused
from .admission import NOT_BEGUN, admit, time_left
from .confinement import run_in_process
from .disposition import GIVE_BACK, Verdict, dispose, is_cancellation
from .identity import AuthorsError, Identity
from .outcome import Outcomes
from .softening import is_over_soft_limit, soften
from .threads import run_in_thread
from .turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..bond import Bond
    from ..conductor import Connection, Delivery
    from ..definition import Definition
    from ..electron import Electron
    from ..properties import Properties
    from ..registry import Registration, Registry
    from ..settings import Settings
    from .alarm import Alarm, Ring
    from .processes import Process
    from .remember import Remembered
    from .report import Report
    from .slots import Hold
    from .supervision import Link
    from .tasks import Tasks
    from .threads import Threads
    from .turns import Turns

__all__ = ("CURRENT", "Flight", "Flights", "current_flight")

CURRENT: ContextVar[Flight | None] = ContextVar("atomizer_flight", default=None)
"""The flight whose atom's code runs here."""


def current_flight() -> Flight | None:
    """Return the flight whose atom runs here; None outside of any, and in what an atom has left behind."""
    flight = CURRENT.get()
    return None if flight is None or (flight.identity is not None and flight.identity.done()) else flight


_NEVER_READ = "(not read)"


class Child(Protocol):
    """An electron that an atom has sent and not heard of."""

    def abort(self) -> None:
        """Cancel it, without waiting for anything."""
        ...


class Flight:
    """
    One delivery on its way through this node.

    Attributes:
        electron: What was in it, once it is decoded.
        hold: Its slot.
        deadline: When the electron's life ends, on the clock's `monotonic()`.
        until: When its atom must have ended: the deadline or the limit.
        softened: Its soft limit was reached, and its atom told so.
        told: Why its atom was told to stop; None if it was not.
        abandoned: Its atom did not stop, and a deputy answers for it.
        worker: The task that flies it.
        deputy: The task that answers for an abandoned atom.
        registration: Its atom, once it is known.
        turn: What it has taken for its run beside its slot, or waits for; most take nothing.
        children: What its atom has sent and not heard of.
    """

    __slots__ = (
        "abandoned",
        "children",
        "connection",
        "deadline",
        "delivery",
        "deputy",
        "electron",
        "hold",
        "identity",
        "link",
        "registration",
        "ring",
        "softened",
        "started_ns",
        "told",
        "turn",
        "until",
        "worker",
    )

    def __init__(self, link: Link, connection: Connection, delivery: Delivery, hold: Hold) -> None:
        self.link: Link = link
        self.connection: Connection = connection
        self.delivery: Delivery = delivery
        self.hold: Hold = hold
        self.electron: Electron | None = None
        self.identity: Identity | None = None
        self.worker: asyncio.Task[Any] | None = asyncio.current_task()
        self.deputy: asyncio.Task[Any] | None = None
        self.started_ns: int = 0
        self.deadline: float = inf
        self.until: float = inf
        self.ring: Ring | None = None
        self.told: FailureKind | Settlement | None = None
        self.softened: bool = False
        self.turn: Turn | None = None
        self.abandoned: bool = False
        self.registration: Registration | None = None
        self.children: dict[Child, None] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the deputy of an abandoned atom is done."""
        return self.deputy is not None and self.deputy.done()

    @property
    def process(self) -> Process | None:
        """The child process that its atom runs in."""
        return None if self.turn is None else self.turn.process

    def abort_children(self) -> None:
        """Cancel what its atom has sent and not heard of."""
        children, self.children = self.children, None
        for child in children or ():
            child.abort()

    def __repr__(self) -> str:
        atom_id = self.electron.atom_id if self.electron is not None else _NEVER_READ
        told = f", told {self.told.value}" if self.told is not None else ""
        return f"<Flight of {self.delivery.id!r} to {atom_id!r}{told}{', abandoned' if self.abandoned else ''}>"


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
        settings: Settings,
        registry: Registry,
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
        self._settings = settings
        self._clock = settings.clock
        self._bounds = bounds_of(settings)
        self._registry = registry
        self._alarm = alarm
        self._tasks = tasks
        self._threads = threads
        self._turns = turns
        self._cancelled = cancelled
        self._make_bond = make_bond
        self._outcomes = Outcomes(node, settings)
        self._report = report
        self._on_landed = on_landed

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
            verdict = await self._answer(flight)  # an atom's fault never raises here
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
            self._watch(flight, self._clock.monotonic() + self._settings.cancel_grace, lambda: self._abandon(flight))

    def cancel(self, electron_id: str) -> None:
        """Cancel an electron: stop it if it is under way here, else remember to refuse it when it comes."""
        here = [flight for flight in self.flying if flight.delivery.id == electron_id]
        for flight in here:
            self.tell(flight, FailureKind.CANCELLED)
        if not here:
            self._cancelled.add(electron_id)

    async def forsake(self, seconds: float) -> None:
        """Leave what would not stop: its coroutines are not stepped again, its electrons are given back."""
        tasks = [task for flight in self.flying for task in (flight.worker, flight.deputy) if task is not None]
        for flight in self.flying:
            if flight.identity is not None:
                flight.identity.forsaken = True
        await self._tasks.end(tasks, seconds)

    def _land(self, flight: Flight) -> None:
        self.flying.pop(flight, None)
        if flight.abandoned:
            self.abandoned -= 1
        self._on_landed()

    async def _conclude(self, flight: Flight, verdict: Verdict) -> None:
        """Send what is to be sent, each confirmed, and then settle."""
        settlement = Settlement.REQUEUE  # the honest answer until we know better
        try:
            if verdict.reply is not None:
                await self._reply(flight, verdict.reply)
            settlement = verdict.settlement
        except ConductorError as error:  # no confirm: the electron comes again, here or elsewhere
            self._report.tell(ElectronRequeued, flight, reason=str(error))
        finally:
            if not flight.link.settle_nowait(flight.connection, flight.delivery, settlement):
                await flight.link.settle(flight.connection, flight.delivery, settlement)

    async def _reply(self, flight: Flight, properties: Properties) -> None:
        delivery, link = flight.delivery, flight.link
        codec, most = link.conductor.codec, link.conductor.max_body_bytes
        body = codec.encode_reply(properties)
        if len(body) > most:  # it fitted by itself, but not with what goes around it
            properties = self._outcomes.too_large(flight, len(body), most)
            body = codec.encode_reply(properties)
        frame = Frame(Route(Lane.REPLY, delivery.reply_to), body, codec.content_type, delivery.id)
        if link.send_nowait(frame):
            return
        try:
            await link.send(frame, self._clock.monotonic() + self._settings.send_patience)
        except NobodyThere as error:
            self._report.tell(PropertiesUnclaimed, flight, error=str(error))

    async def _answer(self, flight: Flight) -> Verdict:
        """Decode, admit, bond, run, encode, dispose."""
        flight.started_ns = self._clock.utc_ns()
        try:
            electron = codec_for(flight.delivery.content_type).decode_electron(flight.delivery.body, self._bounds)
        except Malformed as error:
            return self._refuse(flight, FailureKind.MALFORMED, str(error))
        flight.electron = electron
        self._report.tell(ElectronReceived, flight)
        registration = self._registry.find(electron.atom_id)
        refusal = admit(
            electron,
            known=registration is not None,
            cancelled=self._cancelled.holds(electron.id) or flight.told is not None,
            utc_ns=flight.started_ns,
        )
        if refusal is not None:
            self._cancelled.discard(electron.id)  # said once: the same id may be asked again
            unknown = refusal.kind is FailureKind.UNKNOWN_ATOM
            return self._refuse(
                flight, refusal.kind, self._registry.miss(electron.atom_id) if unknown else refusal.message
            )
        assert registration is not None  # noqa: S101  # admitted means known
        flight.registration = registration
        if registration.takes_turns:
            return await self._in_turn(flight, electron, registration)
        return await self._meet(flight, electron, registration)

    async def _in_turn(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict:
        """Wait for its turn, and leave it to the next at the end."""
        definition = registration.definition
        flight.turn = turn = Turn()
        try:
            if not self._turns.take_nowait(turn, definition):
                error = await self._wait_for(turn, flight, electron, definition)
                if error is not None or flight.told is not None:
                    return self._not_begun(flight, error)
            turn.has_come = True
            return await self._meet(flight, electron, registration)
        finally:
            self._turns.give_back(turn, definition)

    async def _wait_for(
        self, turn: Turn, flight: Flight, electron: Electron, definition: Definition
    ) -> BaseException | None:
        """Wait as the atom will run: whatever would stop it then ends the waiting now. Returns what ended it."""
        assert flight.worker is not None  # noqa: S101  # a worker is a task
        flight.identity = identity = Identity(flight.worker, copy_context(), electron.atom_id)
        left = time_left(electron, flight.started_ns)
        if left < inf:
            flight.deadline = self._clock.monotonic() + left
            self._watch(flight, flight.deadline, lambda: self.tell(flight, FailureKind.EXPIRED))
        try:
            await identity.drive(self._turns.take(turn, definition, flight.hold))
        finally:
            if flight.ring is not None:
                flight.ring.cancel()
            identity.end()
        return identity.error

    def _not_begun(self, flight: Flight, error: BaseException | None) -> Verdict:
        """Answer an electron whose turn did not come."""
        told = flight.told
        if isinstance(told, FailureKind):
            return self._refuse(flight, told, NOT_BEGUN[told])
        if told is None and error is not None and not is_cancellation(error):
            return self._conclusion(flight, self._outcomes.raised(flight, error))
        self._report.tell(ElectronRequeued, flight, reason="this node stops")
        return GIVE_BACK

    def give_back_waiting(self, link: Link | None = None) -> None:
        """Give back what waits for its turn: of one conductor, or of all."""
        for flight in tuple(self.flying):
            if flight.turn is not None and not flight.turn.has_come and link in (None, flight.link):
                self.tell(flight, Settlement.REQUEUE)

    async def _meet(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict:
        """Bond, run, encode, dispose: whatever is the application's own code runs as the atom, never as the worker."""
        assert flight.worker is not None  # noqa: S101  # a worker is a task
        CURRENT.set(flight)
        flight.identity = identity = Identity(flight.worker, copy_context(), electron.atom_id)
        CURRENT.set(None)
        try:
            coroutine = identity.call(self._bond, flight, electron, registration)
            await self._run(flight, electron, identity, coroutine)
            if flight.abandoned:
                return GIVE_BACK  # never sent: another has answered
            return self._dispose(flight, electron, registration)
        except Malformed as error:
            return self._refuse(flight, FailureKind.PAYLOAD_REFUSED, str(error))
        except StateRefused as error:
            return self._refuse(flight, FailureKind.STATE_REFUSED, str(error))
        except ValueError as error:
            return self._conclusion(flight, self._outcomes.raised(flight, error))
        except AuthorsError as error:
            return self._conclusion(flight, self._outcomes.raised(flight, error.inner))
        finally:
            identity.end()

    def _bond(self, flight: Flight, electron: Electron, registration: Registration) -> Coroutine[Any, Any, Any]:
        """Bring electron and atom together: the arguments are checked before the atom is called."""
        definition = registration.definition
        if flight.process is not None:
            return run_in_process(flight.process, definition.reference, electron)
        args, kwargs = definition.arguments(electron, self._bounds)
        instance = registration.instance(electron.copy_state)
        bond = self._make_bond(flight)
        if definition.is_async:
            return registration.call(instance, bond, electron, args, kwargs)
        return run_in_thread(self._threads, registration.thunk(instance, bond, electron, args, kwargs))

    async def _run(
        self, flight: Flight, electron: Electron, identity: Identity, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        """Run the atom until it ends or its time is up. What it gave is in `identity.value`, or `identity.error`."""
        self._set_time(flight, electron)
        self._report.tell(ElectronBonded, flight)
        try:
            await identity.drive(coroutine)
        finally:
            if flight.ring is not None:
                flight.ring.cancel()
            flight.abort_children()

    def _set_time(self, flight: Flight, electron: Electron) -> None:
        left, limit = time_left(electron, flight.started_ns), electron.limit
        if left == inf and limit is None and electron.soft_limit is None:
            return
        now = self._clock.monotonic()
        flight.deadline = min(flight.deadline, now + left)
        flight.until = flight.deadline if limit is None else min(flight.deadline, now + limit)
        self._watch_limit(flight)
        if electron.soft_limit is None or flight.process is not None:
            return
        if now + electron.soft_limit < flight.until:
            self._watch(flight, now + electron.soft_limit, lambda: self._soften(flight))

    def _soften(self, flight: Flight) -> None:
        soften(flight)
        self._watch_limit(flight)

    def _watch_limit(self, flight: Flight) -> None:
        if flight.until < inf:
            self._watch(flight, flight.until, lambda: self.tell(flight, FailureKind.TIMED_OUT))

    def _watch(self, flight: Flight, when: float, call: Callable[[], None]) -> None:
        if flight.ring is not None:
            flight.ring.cancel()
        flight.ring = self._alarm.at(when, call)

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

    def _dispose(self, flight: Flight, electron: Electron, registration: Registration) -> Verdict:
        identity, told = flight.identity, flight.told
        assert identity is not None  # noqa: S101  # it has run
        error = identity.error
        if error is None:
            return self._conclusion(flight, self._returned(flight, electron, registration, identity))
        if told is Settlement.REQUEUE or (told is None and _is_ended_from_outside(flight, error)):
            self._report.tell(ElectronRequeued, flight, reason="this node stops")
            return GIVE_BACK
        if isinstance(told, FailureKind):
            ending = Ending.STOPPED if flight.process is None else Ending.KILLED
            return self._conclusion(flight, self._outcomes.interrupted(flight, told, error, ending))
        if isinstance(failure := getattr(error, "failure", None), Failure) and flight.process is not None:
            return self._conclusion(flight, self._outcomes.failed_in_child(flight, failure))
        if flight.softened and is_over_soft_limit(error):
            return self._conclusion(flight, self._outcomes.over_soft_limit(flight, electron, error))
        return self._conclusion(flight, self._outcomes.raised(flight, error))

    def _returned(
        self, flight: Flight, electron: Electron, registration: Registration, identity: Identity
    ) -> Properties:
        if flight.process is not None:
            return self._outcomes.completed(flight, electron, identity.value)
        try:
            result = identity.call(registration.definition.encode_result, identity.value)
        except ValueError as error:
            return self._outcomes.refused(flight, FailureKind.RESULT_REFUSED, str(error))
        if len(result.body) > self._settings.max_payload_bytes:
            return self._outcomes.too_large(flight, len(result.body), self._settings.max_payload_bytes)
        return self._outcomes.completed(flight, electron, result)

    def _refuse(self, flight: Flight, kind: FailureKind, message: str) -> Verdict:
        """Answer an electron that was not started."""
        return self._conclusion(flight, self._outcomes.refused(flight, kind, message))

    def _conclusion(self, flight: Flight, properties: Properties) -> Verdict:
        self._report.outcome(flight, properties)
        return dispose(properties, flight.delivery.reply_to)


def _is_ended_from_outside(flight: Flight, error: BaseException) -> bool:
    """Whether it was the worker that somebody cancelled (as a loop does at its end), and the atom only with it."""
    return is_cancellation(error) and flight.worker is not None and flight.worker.cancelling() > 0
