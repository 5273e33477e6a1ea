"""The node: everything of a runtime that lives on the event loop, wired together, opened and closed in order."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING

from ..cancellation import cleanup
from ..codec import Unknown, codec_for
from ..conductor import Durability, Settlement
from ..control import Cancel
from ..errors import AtomizerBug, Malformed
from ..events import RuntimeFaulted
from .alarm import Alarm
from .at_once import AtOnce
from .correlation import Correlation
from .fleet import Fleet
from .granting import Granting
from .intake import Intake
from .letting_go import let_go
from .liveness import Liveness
from .outbound import Outbound
from .pausing import Pausing
from .process_pool import make_processes, most_processes
from .pump import Pump
from .report import Report
from .routes import routes_of
from .slots import Slots
from .supervision import Link
from .tasks import Tasks
from .threads import Threads
from .turns import Turns
from .unanswered import Unanswered
from .watchdog import Watchdog
from .ways import make_ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..conductor import Conductor, Delivery
    from ..registry import Registration, Registry
    from ..settings import Settings
    from .broadcast import Broadcast
    from .children.processes import Processes
    from .flights import Flights
    from .straight_line import StraightLine
    from .surrounding import Bonds
    from .trace_context import Tracing

__all__ = ("Node",)


class Node:
    """
    A runtime's life on its event loop.

    Attributes:
        links: Its conductors by name, in the order in which they were named.
        stopping: Set when it takes nothing new any more.
        fault: What went wrong in atomizer itself, if anything did.
        take_reply: Takes what comes back to this node. To be set before it is opened.
    """

    take_reply: Callable[[Delivery], None]

    def __init__(  # noqa: PLR0913  # everything a runtime knows of itself, by name
        self,
        name: str,
        *,
        settings: Settings,
        registry: Registry,
        broadcast: Broadcast,
        serve: bool,
        alone: bool,
        bonds: Bonds,
        tracing: Tracing | None,
        on_fault: Callable[[], None],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        loop = self.loop
        self.name = name
        self.links: dict[str, Link] = {}
        self.stopping: bool = False
        self.fault: AtomizerBug | None = None
        self._settings, self._registry, self._broadcast = settings, registry, broadcast
        self._serve, self._alone, self._hurried = serve, alone, False
        self._on_fault = on_fault
        self._pumps: dict[str, Pump] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._moved = asyncio.Event()
        self.tasks: Tasks = Tasks(loop, copy_context(), self._faulted)
        self.alarm: Alarm = Alarm(loop, settings.clock)
        self.slots: Slots = Slots(settings.slots, settings.suspended, self._slot_freed)
        self.correlation: Correlation = Correlation()
        self._unanswered = Unanswered(self.correlation)
        self.outbound: Outbound = Outbound(
            name, settings=settings, broadcast=broadcast, tasks=self.tasks, tracing=tracing
        )
        self.threads: Threads = Threads(loop, f"atomizer-{name}")
        self.report: Report = Report(broadcast)
        self.turns: Turns = Turns(loop, self.alarm, most_processes(settings), self._make_processes)
        self.flights: Flights
        self.flights, self._line = self._make_ways(bonds)
        self._watchdog = Watchdog(loop, settings, broadcast=broadcast, flights=self.flights)
        self._intake = Intake()
        self._granting = self._make_granting()
        self.pausing: Pausing = self._make_pausing()
        self.liveness: Liveness = Liveness(self.slots, settings, self.flights, self.report, self.links, self._intake)
        self.fleet: Fleet = self._make_fleet()

    async def open(self, conductors: list[Conductor]) -> None:
        """
        Connect every conductor and begin to take electrons.

        Raises:
            ConductorUnavailable: One was not ready within `Settings.connect_patience`; nothing stays open.

        Cancellation: nothing stays open, once `close` was called.
        """
        self._watchdog.watch()
        for registration in self._registry.registrations:
            await registration.open()
        for conductor in conductors:
            self._attach(conductor)
        for link in tuple(self.links.values()):
            await self._until_ready(link)
        for pump in self._pumps.values():
            pump.open()

    async def add_conductor(self, conductor: Conductor) -> None:
        """Connect one more conductor and take electrons from it. Raises as `open`; it is then not there."""
        link = self._attach(conductor)
        try:
            await self._until_ready(link)
        except BaseException:
            await self.remove_conductor(conductor.name)
            raise
        if conductor.name in self._pumps:
            self._pumps[conductor.name].open()

    async def remove_conductor(self, name: str) -> None:
        """Take nothing more from a conductor, let what it brought finish within `Settings.grace`, and close it."""
        link = self.links.pop(name)
        pump = self._pumps.pop(name, None)
        self._intake.pause_conductor(name)  # until another of the name comes
        if pump is not None:
            await pump.close(self._settings.settle_grace)
            await let_go((pump,), self.tasks, self._settings.settle_grace)
        self._give_back_waiting(link)
        await self._landed(self._settings.grace, lambda: not any(f.link is link for f in self.flights.under_way))
        await self.fleet.leave(link, self._settings.settle_grace)
        await self.tasks.end((self._keepers.pop(name),), self._settings.settle_grace)
        self._unanswered.over(link)

    async def add_atom(self, registration: Registration) -> None:
        """Take an atom's electrons on every conductor."""
        if self._serve:
            for link in tuple(self.links.values()):
                for route in routes_of((registration,), link.conductor, self.name):
                    await link.listen(route, self._granting.credits(link)[route.name])

    async def leave_atom(self, registration: Registration) -> None:
        """Leave an atom's route to others, unless another atom shares it."""
        name = registration.definition.route
        if any(each.definition.route == name for each in self._registry.registrations if each is not registration):
            await self._granting.grant(without=registration)
            return
        self._intake.resume_route(name)
        for link in self.links.values():
            for own in routes_of((registration,), link.conductor, self.name):
                await link.unlisten(own)

    def retire_atom(self, registration: Registration) -> None:
        """Close an atom that is not registered any more, as soon as its last electron has landed."""
        self.tasks.start(self._retire(registration), f"atomizer retires {registration.definition.atom_id}")

    async def _retire(self, registration: Registration) -> None:
        await self._landed(
            self._settings.grace, lambda: not any(f.registration is registration for f in self.flights.under_way)
        )
        error = await self._close_atom(registration)
        if error is not None:
            self._broadcast.emit(RuntimeFaulted, atom_id=registration.definition.atom_id, error=repr(error))

    def hurry(self) -> None:
        """Stop waiting for what is under way: whoever leaves was cancelled meanwhile."""
        self._hurried = True
        self._moved.set()

    async def close(self, *, drain: bool) -> None:
        """
        Take nothing new, let what is under way finish, give the rest back, close.

        Args:
            drain: Wait up to `Settings.grace` for what is under way; else give it back at once.

        Raises:
            ExceptionGroup: Shared atoms raised in their `close`; everything is closed all the same.

        Cancellation: is held up until everything is closed, for a bounded time.
        """
        settings = self._settings
        self.stopping = self.slots.is_watched = self._intake.is_over = True
        self.flights.attempts.is_leaving = not self._alone
        with cleanup(settings.grace + settings.cancel_grace + 7 * settings.settle_grace):
            for pump in self._pumps.values():
                await pump.close(settings.settle_grace)
            await let_go(self._pumps.values(), self.tasks, settings.settle_grace)
            self._give_back_waiting()
            if drain:
                await self._landed(settings.grace, self._is_hopeless)
            await self._give_back()
            self._unanswered.at_the_end()
            await self.fleet.close(settings.settle_grace)
            await self._close_everything()

    def take_control(self, link: Link, delivery: Delivery) -> None:
        """Do what another node asks for on the CONTROL lane. What a newer node may mean is passed over."""
        try:
            control = codec_for(delivery.content_type).decode_control(delivery.body)
        except Malformed as error:
            self._broadcast.emit(RuntimeFaulted, electron_id=delivery.id, error=f"malformed control: {error}")
            return
        if isinstance(control, Cancel):
            self.flights.cancel(control.electron_id)
        elif not isinstance(control, Unknown):
            self.fleet.take(link, control)

    def _attach(self, conductor: Conductor) -> Link:
        def take_control(delivery: Delivery) -> None:
            self.take_control(link, delivery)

        link = Link(
            conductor,
            self.name,
            settings=self._settings,
            broadcast=self._broadcast,
            tasks=self.tasks,
            on_reply=self.take_reply,
            on_control=take_control,
            on_failed=self._unanswered.over,
        )
        self.links[conductor.name] = link
        self._intake.resume_conductor(conductor.name)
        if self._serve:
            self._pumps[conductor.name] = self._make_pump(link)
            credits = self._granting.credits(link)
            routes = routes_of(self._registry.registrations, conductor, self.name)
            link.plan({route: credits[route.name] for route in routes})
        self._keepers[conductor.name] = self.tasks.start(link.keep(), f"atomizer keeper {conductor.name}")
        self.fleet.join(link)
        return link

    def _make_pump(self, link: Link) -> Pump:
        pump = Pump(
            link,
            slots=self.slots,
            line=self._line,
            granting=self._granting,
            tasks=self.tasks,
            starts_slowly=link.conductor.durability is Durability.BROKER,
        )
        link.at_once = AtOnce(
            pump,
            slots=self.slots,
            line=self._line,
            tasks=self.tasks,
            clock=self._settings.clock,
            broadcast=self._broadcast,
            find=self._registry.find,
        ).fly
        return pump

    async def _until_ready(self, link: Link) -> None:
        """Wait for the first connection; until then what goes wrong is tried again."""
        await link.ready(self._settings.clock.monotonic() + self._settings.connect_patience)

    def _make_ways(self, bonds: Bonds) -> tuple[Flights, StraightLine]:
        return make_ways(
            self.name,
            settings=self._settings,
            loop=self.loop,
            registry=self._registry,
            broadcast=self._broadcast,
            report=self.report,
            alarm=self.alarm,
            tasks=self.tasks,
            threads=self.threads,
            turns=self.turns,
            bonds=bonds,
            on_landed=self._moved.set,
        )

    def _make_granting(self) -> Granting:
        return Granting(
            settings=self._settings,
            registry=self._registry,
            links=self.links,
            flying=self.flights.flying.keys(),
            slots=self.slots,
            turns=self.turns,
            intake=self._intake,
            tasks=self.tasks,
        )

    def _make_pausing(self) -> Pausing:
        return Pausing(
            intake=self._intake,
            granting=self._granting,
            registry=self._registry,
            links=self.links,
            broadcast=self._broadcast,
            flights=self.flights,
            until_landed=self._until_landed,
            is_in_vain=self._is_hopeless,
            pumps=self._pumps,
            stir=self._moved.set,
        )

    def _make_fleet(self) -> Fleet:
        return Fleet(
            self.name,
            settings=self._settings,
            links=self.links,
            flying=self.flights.flying.keys(),
            outbound=self.outbound,
            broadcast=self._broadcast,
            alarm=self.alarm,
            tasks=self.tasks,
            reaches_others=lambda: not self._alone or len(self.links) > 1,
        )

    def _slot_freed(self) -> None:
        """A slot is free: somebody may wait for the next electron, and the routes may need other credit."""
        self.slots.is_watched = self.stopping
        for pump in self._pumps.values():
            pump.prime()
        if self._granting.look():
            self.slots.is_watched = True
        if self.stopping or self._intake.is_draining:
            self._moved.set()

    async def _landed(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Wait until nothing is under way any more, or it is enough, or the time is up."""
        with cleanup(seconds):
            await self._until_landed(enough)

    async def _until_landed(self, enough: Callable[[], bool]) -> None:
        self.flights.is_watched = True
        while self.flights.under_way and not enough():
            self._moved.clear()
            await self._moved.wait()

    def _is_hopeless(self) -> bool:
        """Whether waiting is in vain: somebody is in a hurry, or what is left waits for children that nobody runs."""
        return self._hurried or (self._alone and all(f.lends and f.pausing is None for f in self.flights.under_way))

    def _give_back_waiting(self, link: Link | None = None) -> None:
        """Give back what waits for its turn or its next attempt: of one conductor, or of all. Nothing of it runs."""
        for flight in tuple(self.flights.flying):
            is_begun = not flight.waits and (flight.pausing is None or self._alone)
            if not is_begun and link in (None, flight.link):
                self.flights.tell(flight, Settlement.REQUEUE)

    async def _give_back(self) -> None:
        for flight in self.flights.under_way:
            self.flights.tell(flight, Settlement.REQUEUE)
        await self._landed(self._settings.cancel_grace, lambda: False)
        await self.flights.forsake(self._settings.settle_grace)

    async def _close_everything(self) -> None:
        errors = [error for each in self._registry.registrations if (error := await self._close_atom(each)) is not None]
        await self.tasks.end(self._keepers.values(), self._settings.settle_grace)
        await self.turns.close(self._settings.settle_grace)
        self.threads.close()
        self.alarm.close()
        self._watchdog.close()
        await self.tasks.end_all(self._settings.settle_grace)
        if errors:
            raise ExceptionGroup("atoms that could not be closed", errors)

    async def _close_atom(self, registration: Registration) -> Exception | None:
        """Close a shared atom; what goes wrong there must not keep the rest open."""
        try:
            with cleanup(self._settings.settle_grace):
                await registration.close()
        except Exception as error:
            return error
        return None

    def _make_processes(self) -> Processes:
        return make_processes(self.name, loop=self.loop, settings=self._settings, tasks=self.tasks)

    def _faulted(self, error: BaseException) -> None:
        self.fault = AtomizerBug(f"a task of the runtime ended in {error!r}")
        self.fault.__cause__ = error
        self._broadcast.emit(RuntimeFaulted, error=repr(error))
        self._on_fault()
