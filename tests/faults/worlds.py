"""
Worlds: a hub, one or two nodes, an asker, a stranger, and everything that goes wrong as a seed says.

A world lives on virtual time. When it has ended, `World.violations` says which promises were broken.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import atomizer
from atomizer import (
    Atomizer,
    Bond,
    Ending,
    FailureKind,
    Frame,
    Lane,
    MemoryConductor,
    Route,
    Settings,
    Settlement,
    events,
)
from atomizer.codec import MESSAGEPACK, NATIVE_JSON
from atomizer.errors import AtomFailed, AtomUnknown, ConductorError, ConductorUnavailable, Malformed
from atomizer.testing import clock
from atomizer.testing.faults import APPLICABLE, FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import Ledger, RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from atomizer import Connection
    from atomizer.testing.clock import VirtualClock

__all__ = ("PAIRS", "World", "live")

PAIRS = [(step, kind) for step in Step for kind in sorted(APPLICABLE[step])]
"""Every fault at every step where it may happen."""

BUSY = 2.0
"""Seconds in which a world's electrons are sent, and its accidents happen."""
QUIET = 40.0
"""Seconds after which nothing may be left of all that."""
EXPIRY = 5.0
"""Seconds after which a broker forgets the reply route of a node that is gone."""
AGE = 400.0
"""Seconds after which something hangs."""
GRACE, CANCEL_GRACE, SETTLE_GRACE = 3.0, 0.5, 1.0
SLACK = 0.001

WORLD: ContextVar[World] = ContextVar("world")
"""The world in which an atom runs."""


def live(seed: int) -> World:
    """Let a world live from its beginning to its end."""
    world = World(seed)
    try:
        clock.run(world.live)
    except Exception as error:
        world.accuse("".join(traceback.format_exception(error)))
    return world


# The atoms


@atomizer.atom(id="worlds.plain")
async def plain(bond: Bond, number: int) -> int:
    """Answer at once."""
    WORLD.get().started(bond)
    return 3 * number + 1


@atomizer.atom(id="worlds.slow")
async def slow(bond: Bond, number: int) -> int:
    """Take its time."""
    WORLD.get().started(bond)
    await asyncio.sleep(0.1 * (number % 17))
    WORLD.get().ended(bond)
    return number + 100


@atomizer.atom(id="worlds.parent")
async def parent(bond: Bond, number: int) -> int:
    """Have two children at once, in one of two ways."""
    WORLD.get().started(bond)
    if number % 2:
        value = sum([value async for value in bond.map(slow, [number, number])])
    else:
        first = await bond.send(slow, number)
        value = await bond.run(slow, number) + await first
    WORLD.get().ended(bond)
    return value


@atomizer.atom(id="worlds.raising")
async def raising(bond: Bond, number: int) -> int:
    """Raise."""
    WORLD.get().started(bond)
    raise ValueError(f"number {number}")


@atomizer.atom(id="worlds.endless")
async def endless(bond: Bond, number: int) -> int:
    """Run over its limit, and stop when told."""
    WORLD.get().started(bond)
    await asyncio.sleep(1000)
    return number


@atomizer.atom(id="worlds.stubborn")
async def stubborn(bond: Bond, number: int) -> int:
    """Run over its limit, and go on for a while when told to stop."""
    WORLD.get().started(bond)
    end = clock.current_clock().monotonic() + 3.0
    while (left := end - clock.current_clock().monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return number


@atomizer.atom(id="worlds.silent")
async def silent(bond: Bond, number: int) -> None:
    """Have an effect, and no answer."""
    WORLD.get().started(bond)


ATOMS = (plain, slow, parent, raising, endless, stubborn, silent)
ROUTES = tuple(Route(Lane.WORK, atom.atom_id) for atom in ATOMS)
LIMITED = {endless: 0.2, stubborn: 0.2}
MAY_HAVE_DEADLINE = (slow, parent)


# What a seed decides


class Ask(NamedTuple):
    """One electron of the asker's."""

    atom: Any
    number: int
    at: float
    by_run: bool
    timeout: float | None
    cancel_after: float | None

    def __str__(self) -> str:
        timeout = "" if self.timeout is None else f", timeout {self.timeout}"
        return f"{self.atom.atom_id}({self.number}{timeout})"

    @property
    def id(self) -> str | None:
        """The id of an electron that has a deadline: its world knows it by that."""
        return None if self.timeout is None else f"{self.atom.__name__} asked at {self.at:.6f}"

    @property
    def target(self) -> Any:
        """The atom, with the options of this call."""
        if self.atom is silent:
            return silent.options(reply=False)
        return self.atom.options(limit=LIMITED.get(self.atom), timeout=self.timeout, id=self.id)


class Accident(NamedTuple):
    """Something that happens to a runtime."""

    at: float
    what: str
    whom: int
    """A node, or -1 for the asker."""


def draw_ask(chance: Random, atom: Any) -> Ask:
    """Draw when and how something is asked, and whether it is cancelled."""
    has_deadline = atom in MAY_HAVE_DEADLINE and chance.random() < 0.5
    is_cancelled = atom is not silent and chance.random() < 0.3
    return Ask(
        atom,
        chance.randrange(100),
        chance.uniform(0, BUSY),
        by_run=atom is not silent and chance.random() < 0.4,
        timeout=chance.uniform(0.1, 2.0) if has_deadline else None,
        cancel_after=chance.uniform(0, 1.0) if is_cancelled else None,
    )


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
        self.silently_done: Counter[int] = Counter()
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
        self.asker_wire = self.wire()
        self.streams: list[atomizer.EventStream] = []

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
        WORLD.set(self)
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

    @property
    def may_have_nobody(self) -> bool:
        """Whether a time may come at which nobody takes electrons: a node was left, and the next is not there yet."""
        return any(accident.what in MANNERS for accident in self.accidents)

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
        if reason := self._judge(ask, outcome):
            self.accuse(f"{reason}: {ask} ended in {outcome!r}")

    async def _send(self, ask: Ask) -> object:
        try:
            handle = await self.asker.send(ask.target, ask.number)
        except (AtomFailed, ConductorError) as error:
            return error
        if ask.atom is silent:
            self.silently_done[ask.number] += 0  # it is owed
            return None
        if ask.cancel_after is not None:
            await asyncio.sleep(ask.cancel_after)
            await handle.cancel()
        return await handle.properties()

    async def _run(self, ask: Ask) -> object:
        running = asyncio.create_task(self._result(self.asker.run(ask.target, ask.number)), name=f"run {ask}")
        await asyncio.wait((running,), timeout=ask.cancel_after)
        running.cancel()
        await asyncio.wait((running,))
        return asyncio.CancelledError() if running.cancelled() else running.result()

    async def _result(self, running: Coroutine[Any, Any, Any]) -> object:
        try:
            return await running
        except (AtomFailed, ConductorError) as error:
            return error

    async def _ask_and_leave(self) -> None:
        """Ask, and leave before the answer may have come: nothing may wait for ever, here or on the nodes."""
        chance = Random(f"leaver {self.seed}")
        await asyncio.sleep(chance.uniform(0, BUSY))
        handles: list[atomizer.Handle[Any]] = []
        try:
            async with self.runtime("leaver", self.wire(), serve=False) as leaver:
                for atom in chance.sample((plain, slow, parent, endless), 2):
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
            self.silently_done[bond.electron.decode(int)] += 1
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

    # Judging

    def _judge(self, ask: Ask, outcome: object) -> str:
        """Say which promise an outcome breaks; nothing if none."""
        properties = outcome if isinstance(outcome, atomizer.Properties) else None
        if isinstance(outcome, asyncio.CancelledError):
            return "" if ask.cancel_after is not None else "I14, cancelled by nobody"
        if isinstance(outcome, AtomUnknown) or (ask.timeout is not None and isinstance(outcome, ConductorError)):
            return "" if ask.timeout is not None or self.may_have_nobody else "I1, not sent"
        if isinstance(outcome, ConductorError):
            return "I1, not sent"
        failure = outcome.failure if isinstance(outcome, AtomFailed | atomizer.Properties) else None
        if failure is not None:
            return "" if self._is_expected(ask, failure) else "I2, an unexpected failure"
        value = outcome if properties is None else properties.value()
        return "" if value == truth(ask.atom, ask.number) else "I2, not the value of a run without faults"

    def _is_expected(self, ask: Ask, failure: atomizer.Failure) -> bool:
        if failure.kind == FailureKind.CANCELLED:
            return ask.cancel_after is not None
        if ask.timeout is not None and failure.kind in LATE:
            return True
        if ask.atom is raising:
            return (failure.kind, failure.type, failure.message) == (
                FailureKind.FAILED,
                "builtins.ValueError",
                f"number {ask.number}",
            )
        if ask.atom in LIMITED:
            ending = Ending.STOPPED if ask.atom is endless else Ending.ABANDONED
            return (failure.kind, failure.ending) == (FailureKind.TIMED_OUT, ending)
        if ask.atom is not parent or failure.kind != FailureKind.FAILED:
            return False
        return (
            (ask.timeout is not None and failure.type in LATE_CHILD)
            or (self.patience < 1 and failure.type in IMPATIENT_CHILD)
            or (self.may_have_nobody and failure.type == "atomizer.errors.AtomUnknown")
        )

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
        for number, times in self.silently_done.items():
            if not times:
                self.accuse(f"I1: {silent.atom_id}({number}) was accepted and not done")
        odd.check()
        self._check_queues(odd)

    def _check_queues(self, odd: Stranger) -> None:
        for route in ROUTES:
            if depth := odd.depth(route):
                self.accuse(f"I1: {depth} electrons are left on {route}")

    async def _check_end(self, odd: Stranger, told: atomizer.EventStream) -> None:
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
LATE = (FailureKind.TIMED_OUT, FailureKind.EXPIRED, FailureKind.NO_ANSWER)
IMPATIENT_CHILD = ("atomizer.errors.ConductorBroken", "atomizer.errors.ConductorUnavailable")
LATE_CHILD = ("atomizer.errors.AtomTimedOut", "atomizer.errors.Expired", *IMPATIENT_CHILD)


def truth(atom: Any, number: int) -> object:
    """Say what an atom gives in a run without faults."""
    values = {plain: 3 * number + 1, slow: number + 100, parent: 2 * (number + 100)}
    return values.get(atom)


class Hurry(Exception):
    """An application's error, for which a runtime is left without waiting."""


MANNERS = ("calm", "hurry")
"""How a node is left."""


class Place:
    """Where a node is: one after another."""

    runtime: Atomizer

    def __init__(self, world: World, index: int) -> None:
        self.wire = world.wire()
        self._world = world
        self._name = f"node-{index}"
        self._count = 0
        self._leaving: asyncio.Future[str]
        self._ended: asyncio.Event
        self._is_changing = False

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start a node, and return when it is ready."""
        self._count += 1
        self._leaving = asyncio.get_running_loop().create_future()
        ready = asyncio.Event()
        self._ended = asyncio.Event()
        live = self._live(f"{self._name}-{self._count}", self._leaving, ready, self._ended)
        group.create_task(live, name=self._name)
        await ready.wait()

    def leave(self, manner: str) -> None:
        """Let the node go."""
        if not self._leaving.done():
            self._leaving.set_result(manner)

    async def replace(self, group: asyncio.TaskGroup, manner: str) -> None:
        """Let the node go and start another."""
        if self._is_changing:
            return
        self._is_changing = True
        self.leave(manner)
        await self._ended.wait()
        self.wire = self._world.wire()
        await self.start(group)
        self._is_changing = False

    async def _live(self, name: str, leaving: asyncio.Future[str], ready: asyncio.Event, ended: asyncio.Event) -> None:
        try:
            async with self._world.runtime(name, self.wire, serve=True) as self.runtime:
                ready.set()
                if await leaving == "hurry":
                    raise Hurry
        except Hurry:
            pass
        ended.set()
        await asyncio.sleep(EXPIRY)
        await self._world.expire(Route(Lane.REPLY, name))


class Stranger:
    """Somebody on the hub who is no runtime, and sends what cannot be read, or nobody knows."""

    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection
        self._owed: dict[str, str] = {}
        self._kinds: dict[str, set[str]] = {}

    async def send(self) -> None:
        """Send one of each."""
        codec = self._world.hub.codec
        electron = atomizer.Electron(id="unknown", atom_id="worlds.nobody", sender="stranger")
        await self._send("malformed", b"\xc1 no electron", codec.content_type, FailureKind.MALFORMED)
        await self._send("foreign", b"what is this", "text/plain", FailureKind.MALFORMED)
        await self._send("unknown", codec.encode_electron(electron), codec.content_type, FailureKind.UNKNOWN_ATOM)

    async def read(self) -> None:
        """Read the answers, as long as the world lives."""
        await self._connection.listen(Route(Lane.REPLY, "stranger"), 10)
        while True:
            delivery = await self._connection.receive(Lane.REPLY)
            self._note(delivery)
            await self._connection.settle(delivery, Settlement.ACK)

    def depth(self, route: Route) -> int:
        """Return how many frames wait on a route of the hub."""
        return self._connection.depth(route) or 0

    def check(self) -> None:
        """I1: look whether everything was answered, and as what it is."""
        for id, kind in self._owed.items():
            if self._kinds.get(id) != {kind}:
                self._world.accuse(f"I1: the stranger's {id!r} was answered by {self._kinds.get(id)}")

    async def _send(self, id: str, body: bytes, content_type: str, kind: str) -> None:
        await asyncio.sleep(self._world.chance.uniform(0, BUSY / 3))
        try:
            await self._connection.send(Frame(ROUTES[0], body, content_type, id, reply_to="stranger"))
        except atomizer.NobodyThere:
            return
        self._owed[id] = kind

    def _note(self, delivery: atomizer.Delivery) -> None:
        try:
            reply = self._world.hub.codec.decode_reply(delivery.body)
        except Malformed as error:
            self._world.accuse(f"the stranger was sent what cannot be read: {error}")
            return
        assert isinstance(reply, atomizer.Properties)
        assert reply.failure is not None
        self._kinds.setdefault(reply.electron_id, set()).add(reply.failure.kind)


@asynccontextmanager
async def stranger(world: World) -> AsyncGenerator[Stranger]:
    """Let a stranger live."""
    async with world.hub.connect() as connection:
        odd = Stranger(world, connection)
        reading = asyncio.create_task(odd.read(), name="stranger reads")
        try:
            yield odd
        finally:
            reading.cancel()
            await asyncio.wait((reading,))
