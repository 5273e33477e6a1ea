"""
Worlds: a hub, one or two nodes, an asker, a stranger, and everything that goes wrong as a seed says.

A world lives on virtual time. When it has ended, `World.violations` says which promises were broken.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from contextlib import asynccontextmanager, suppress
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from atomizer import Atomizer, Lane, MemoryConductor, Route, Settings, events
from atomizer.codec import MESSAGEPACK, NATIVE_JSON
from atomizer.errors import AtomFailed, AtomUnknown, ConductorError, ConductorUnavailable
from atomizer.testing import clock
from atomizer.testing.faults import APPLICABLE, FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import Ledger, RecordingConductor

from .asks import ATOMS, BUSY, LISTENER, ROUTES, Ask, Doubts, breach, draw_ask, parent, plain, silent, slow
from .inhabitants import EXPIRY, MANNERS, Hurry, Place, Stranger, stranger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from atomizer import Bond, EventStream, Handle
    from atomizer.testing.clock import VirtualClock

__all__ = ("PAIRS", "World", "live")

PAIRS = [(step, kind) for step in Step for kind in sorted(APPLICABLE[step])]
"""Every fault at every step where it may happen."""

QUIET = 40.0
"""Seconds after which nothing may be left of all that."""
AGE = 400.0
"""Seconds after which something hangs."""
GRACE, CANCEL_GRACE, SETTLE_GRACE = 3.0, 0.5, 1.0
SLACK = 0.001


def live(seed: int) -> World:
    """Let a world live from its beginning to its end."""
    world = World(seed)
    try:
        clock.run(world.live)
    except Exception as error:
        world.accuse("".join(traceback.format_exception(error)))
    return world


class Accident(NamedTuple):
    """Something that happens to a runtime."""

    at: float
    what: str
    whom: int
    """A node, or -1 for the asker."""


def draw_plan(seed: int) -> Plan:
    """Draw the faults: a pair of a step and a fault that is this seed's own, and a few by chance."""
    own = Random(f"own {seed}")
    step, kind = PAIRS[seed % len(PAIRS)]
    nth = own.randint(1, FREQUENT.get(step, 2))
    chances = {step: Random(f"{step} {seed}") for step in Step}

    def fate(at: Step, number: int) -> FaultKind | None:
        drawn = chances[at].choice(sorted(APPLICABLE[at])) if chances[at].random() < RATE else None
        return kind if (at, number) == (step, nth) else drawn

    return Plan(fate, limit=12, delay=0.05, silence=2.0)


RATE = 0.04
FREQUENT = {Step.LISTEN: 20, Step.RECEIVE: 12, Step.SEND_WORK: 10, Step.SEND_REPLY: 10, Step.SETTLE: 10}
"""How often a step comes in every world; others come twice, mostly."""


class World:
    """
    What lives and dies with one seed.

    Attributes:
        violations: The promises that were broken, one sentence each.
    """

    clock: VirtualClock
    asker: Atomizer

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.violations: list[str] = []
        self.ledger = Ledger()
        self.inner_ledger = Ledger()
        self.plan = draw_plan(seed)
        self.starts: Counter[str] = Counter()
        self.deadlines: dict[str, float] = {}
        self.owed: set[int] = set()
        self.done_in_silence: set[int] = set()
        self.chance = chance = Random(seed)
        self.hub = MemoryConductor(
            capacity=chance.choice((4, 10_000)), codec=chance.choice((MESSAGEPACK, MESSAGEPACK, NATIVE_JSON))
        )
        self.slots = chance.choice((1, 2, 5))
        self.takes_by_sink = chance.random() < 0.3
        self.patience = chance.choice((100.0, 100.0, 0.3))
        self.nodes = [Place(self, index) for index in range(chance.choice((1, 2)))]
        kinds = [*ATOMS, *chance.choices((plain, slow, parent), k=4)]
        self.asks = [draw_ask(chance, atom) for atom in kinds]
        self.accidents = [self._draw_accident() for _ in range(chance.randrange(4))]
        self.doubts = Doubts(
            may_have_nobody=any(accident.what in MANNERS for accident in self.accidents),  # the next is not there yet
            is_impatient=self.patience < 1,
        )
        self.asker_wire = self.wire()
        self.streams: list[EventStream] = []

    def __repr__(self) -> str:
        return f"<World {self.seed}: {len(self.asks)} asks, {len(self.nodes)} nodes, {self.plan!r}>"

    def accuse(self, sentence: str) -> None:
        """Write down that a promise was broken."""
        self.violations.append(sentence)

    def wire(self) -> RecordingConductor:
        """Make a way to the hub for one runtime."""
        inside = RecordingConductor(self.hub, self.inner_ledger)
        faulty = FaultyConductor(inside, self.plan, cut=inside.cut, sink=self.takes_by_sink)
        return RecordingConductor(faulty, self.ledger)

    async def live(self, clock: VirtualClock) -> None:
        """Live."""
        self.clock = clock
        LISTENER.set(self)
        asyncio.get_running_loop().set_exception_handler(self._hear)
        async with asyncio.timeout(AGE), stranger(self) as odd:
            async with asyncio.TaskGroup() as group:
                for place in self.nodes:
                    await place.start(group)
                async with self.runtime("asker", self.asker_wire, serve=False) as self.asker:
                    told = self.asker.events(buffer=100_000)
                    await self._be_busy(odd, group)
                    await asyncio.sleep(QUIET)
                    self._check_rest(odd)
                    for place in self.nodes:
                        place.leave(self.chance.choice(MANNERS))
            await self._check_end(odd, told)

    async def expire(self, route: Route) -> None:
        """Let a route end whose node left it by a connection that was dead: a hub would keep it, and what is on it."""
        async with self.hub.connect() as connection:
            await connection.listen(route, 0)

    async def _be_busy(self, odd: Stranger, nodes: asyncio.TaskGroup) -> None:
        async with asyncio.TaskGroup() as group:
            for accident in self.accidents:
                group.create_task(self._happen(accident, nodes), name=f"accident {accident}")
            for ask in self.asks:
                group.create_task(self._ask(ask), name=f"ask {ask}")
            group.create_task(odd.send(), name="stranger")
            group.create_task(self._ask_and_leave(), name="leaver")

    # Runtimes

    @asynccontextmanager
    async def runtime(self, name: str, wire: RecordingConductor, *, serve: bool) -> AsyncGenerator[Atomizer]:
        """Open a runtime, again and again until it works, and look at how long its end takes."""
        while True:
            runtime = self._make(name, wire, serve=serve)
            try:
                await runtime.__aenter__()
                break
            except ConductorUnavailable:  # a start may fail, if the plan says so
                continue
        try:
            yield runtime
        except BaseException as error:
            left = self.clock.monotonic()
            await runtime.__aexit__(type(error), error, None)
            self._check_end_of(runtime, left, 0)
            raise
        else:
            left = self.clock.monotonic()
            await runtime.__aexit__(None)
            self._check_end_of(runtime, left, GRACE)

    def _make(self, name: str, wire: RecordingConductor, *, serve: bool) -> Atomizer:
        settings = Settings(
            name=name,
            slots=self.slots,
            grace=GRACE,
            settle_grace=SETTLE_GRACE,
            confirm_timeout=1.0,
            send_patience=self.patience if serve else 100.0,
            connect_patience=5.0,
            cancel_grace=CANCEL_GRACE,
            poison_limit=1_000,
            backoff_first=0.01,
            backoff_most=0.2,
            clock=self.clock,
            random=Random(f"{name} {self.seed}"),
        )
        runtime = Atomizer(*ATOMS, conductor=wire, settings=settings, serve=serve)
        self.streams.append(runtime.errors(buffer=100_000))
        return runtime

    def _check_end_of(self, runtime: Atomizer, left: float, grace: float) -> None:
        """I13: a runtime ends within its grace, and what its end takes besides."""
        took, most = self.clock.monotonic() - left, grace + CANCEL_GRACE + 4 * SETTLE_GRACE
        if took > most + SLACK:
            self.accuse(f"I13: {runtime!r} took {took:g} s to end, and {most:g} were its due")

    # What happens

    async def _happen(self, accident: Accident, group: asyncio.TaskGroup) -> None:
        await asyncio.sleep(accident.at)
        if accident.what == "blackout":
            for wire in (self.asker_wire, *(place.wire for place in self.nodes)):
                wire.cut()
        elif accident.whom < 0:
            self.asker_wire.cut()
        elif accident.what == "cut":
            self.nodes[accident.whom].wire.cut()
        else:
            await self.nodes[accident.whom].replace(group, accident.what)

    def _draw_accident(self) -> Accident:
        whom = self.chance.randrange(-1, len(self.nodes))
        what = self.chance.choice(("cut", "blackout") if whom < 0 else ("cut", *MANNERS))
        return Accident(self.chance.uniform(0, BUSY), what, whom)

    async def _ask(self, ask: Ask) -> None:
        await asyncio.sleep(ask.at)
        began = self.clock.monotonic()
        if ask.id is not None and ask.timeout is not None:
            self.deadlines[ask.id] = began + ask.timeout
        asking = self._run(ask) if ask.by_run else self._send(ask)
        outcome = await asking
        took = self.clock.monotonic() - began
        if ask.timeout is not None and took > ask.timeout + GRACE + SLACK:
            self.accuse(f"I9: {ask} was answered after {took:g} s")
        if reason := breach(ask, outcome, self.doubts):
            self.accuse(f"{reason}: {ask} ended in {outcome!r}")

    async def _send(self, ask: Ask) -> object:
        try:
            handle = await self.asker.send(ask.target, ask.number)
        except (AtomFailed, ConductorError) as error:
            return error
        if ask.atom is silent:
            self.owed.add(ask.number)
            return None
        if ask.cancel_after is not None:
            await asyncio.sleep(ask.cancel_after)
            await handle.cancel()
        return await self._result(handle)

    async def _run(self, ask: Ask) -> object:
        running = asyncio.create_task(self._result(self.asker.run(ask.target, ask.number)), name=f"run {ask}")
        await asyncio.wait((running,), timeout=ask.cancel_after)
        running.cancel()
        await asyncio.wait((running,))
        return asyncio.CancelledError() if running.cancelled() else running.result()

    async def _result(self, asked: Awaitable[object]) -> object:
        try:
            return await asked
        except (AtomFailed, ConductorError) as error:
            return error

    async def _ask_and_leave(self) -> None:
        """Ask, and leave before the answer may have come: nothing may wait for ever, here or on the nodes."""
        chance = Random(f"leaver {self.seed}")
        await asyncio.sleep(chance.uniform(0, BUSY))
        handles: list[Handle[Any]] = []
        try:
            async with self.runtime("leaver", self.wire(), serve=False) as leaver:
                for atom in chance.sample((plain, slow, parent), 2):
                    with suppress(AtomUnknown):
                        handles.append(await leaver.send(atom.options(limit=0.5), 7))
                await asyncio.sleep(chance.uniform(0, 1))
                if chance.random() < 0.5:
                    raise Hurry
        except Hurry:
            pass
        self.violations.extend(f"I1: {handle!r} was left waiting" for handle in handles if not handle.done)
        await asyncio.sleep(EXPIRY)
        await self.expire(Route(Lane.REPLY, "leaver"))

    # What atoms tell

    def started(self, bond: Bond) -> None:
        """Hear that an atom's code has begun."""
        self.starts[bond.electron.id] += 1
        if bond.electron.atom_id == silent.atom_id:
            self.done_in_silence.add(bond.electron.decode(int))
        if self._life_left(bond) <= 0:
            self.accuse(f"I9: {bond!r} began after its deadline")
        if bond.time_left() > self._life_left(bond) + SLACK:
            self.accuse(f"I9: {bond!r} was given more time than there is")

    def ended(self, bond: Bond) -> None:
        """Hear that an atom's code has come to its end."""
        if self._life_left(bond) < -SLACK:
            self.accuse(f"I9: {bond!r} ran on after its deadline")

    def _life_left(self, bond: Bond) -> float:
        """Return the seconds until the deadline that this electron, or its parent, was sent with."""
        electron = bond.electron
        deadline = self.deadlines.get(electron.id, self.deadlines.get(electron.parent, inf))
        return deadline - self.clock.monotonic()

    def _hear(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.accuse(f"the event loop heard: {context.get('exception')!r}, {context['message']}")

    # Checking

    def _check_rest(self, odd: Stranger) -> None:
        """Look whether everything is as if nothing had been."""
        for runtime in (self.asker, *(place.runtime for place in self.nodes)):
            figures = runtime.statistics()
            restless = {
                name: number
                for name in ("running", "suspended", "abandoned", "outstanding")
                if (number := getattr(figures, name))
            }
            if restless:
                self.accuse(f"{runtime!r} is not at rest: {restless}")
        for number in self.owed - self.done_in_silence:
            self.accuse(f"I1: {silent.atom_id}({number}) was accepted and not done")
        odd.check()
        self._check_queues(odd)

    def _check_queues(self, odd: Stranger) -> None:
        for route in ROUTES:
            if depth := odd.depth(route):
                self.accuse(f"I1: {depth} electrons are left on {route}")

    async def _check_end(self, odd: Stranger, told: EventStream) -> None:
        """Look at what is left when every runtime has ended."""
        self._check_queues(odd)
        self.violations.extend(self.ledger.violations())
        inside = (sentence for sentence in self.inner_ledger.violations() if LATE_TO_SETTLE not in sentence)
        self.violations.extend(f"on the hub: {sentence}" for sentence in inside)
        answered = Counter([e.electron_id async for e in told if isinstance(e, events.PropertiesReceived)])
        self.violations.extend(f"I4: {id} was answered {times} times" for id, times in answered.items() if times > 1)
        for stream in self.streams:
            async for event in stream:
                if isinstance(event, events.RuntimeFaulted):
                    self.accuse(f"{event.node}: {event}")
        received = Counter(row.id for row in self.ledger.received if row.route.lane is Lane.WORK)
        for id, times in self.starts.items():
            if times > received[id]:
                self.accuse(f"I3: {id} was delivered {received[id]} times, and run {times} times")


LATE_TO_SETTLE = "left unsettled"
"""What a fault may do inside: a settlement that it delays comes after the end of the connection."""


LATE_TO_SETTLE = "left unsettled"
"""What a fault may do inside: a settlement that it delays comes after the end of the connection."""
