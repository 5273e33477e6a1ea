"""
A world: a hub, three nodes, two askers, one who leaves, a stranger, and everything that goes wrong as a seed says.

It lives on virtual time. When it has ended, `World.violations` says which promises were broken.
"""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from atomizer import Atomizer, FailureKind, MemoryConductor, Settings
from atomizer.codec import MESSAGEPACK, NATIVE_JSON
from atomizer.errors import ConductorUnavailable
from atomizer.testing import clock
from atomizer.testing.faults import FaultKind, FaultyConductor
from atomizer.testing.record import Ledger, RecordingConductor

from .accidents import FAULTS, LEAVING, Accident, draw_accidents, draw_plan
from .askers import Asker, ask_and_leave
from .asks import Doubts, draw_ask, draw_asks
from .atoms import ATOMS, LISTENER, NODE, RETRIED, plain
from .letters import letters
from .places import Place
from .promises import Promises
from .running import Running
from .stranger import Stranger, stranger
from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Bond, EventStream, Route
    from atomizer.errors import AtomFailed
    from atomizer.testing.clock import VirtualClock

    from .asks import Ask

__all__ = ("World", "live")

QUIET = 40.0
"""Seconds after which nothing may be left of all that."""
AGE = 400.0
"""Seconds after which something hangs."""
CANCEL_GRACE, SETTLE_GRACE = 0.5, 1.0
SLACK = 0.001
ENOUGH = 50
"""Violations after which a world is ended: with some bugs it would go on for ever."""
RING = 8
"""How many events a stream keeps that nobody reads."""


def live(seed: int) -> World:
    """
    Let a world live from its beginning to its end.

    Meanwhile no garbage is collected: when that happens depends on what lived before, and somebody may notice.
    """
    world = World(seed)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        clock.run(world.live)
    except asyncio.CancelledError:  # as it asked for itself
        world.accuse("that is enough")
    except Exception as error:
        world.accuse("".join(traceback.format_exception(error)))
    finally:
        if was_enabled:
            gc.enable()
    return world


class World:
    """
    What lives and dies with one seed.

    Attributes:
        violations: The promises that were broken, one sentence each.
        starts: How often each electron has been begun, by its id and its atom's.
        at_work: How many of an electron, or of a singleton, run: by node and id.
        deadlines: When electrons are to be over, by id.
        given_up: The ids of what was given up on, and answered.
        owed: The numbers of what must be done, though nobody is told.
        happened: How many accidents there were.
    """

    clock: VirtualClock
    grace = 3.0

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.violations: list[str] = []
        self.ledger = Ledger()
        self.inner_ledger = Ledger()
        self.plan = draw_plan(seed)
        self.starts: Counter[tuple[str, str]] = Counter()
        self.at_work: Counter[tuple[str, str]] = Counter()
        self.deadlines: dict[str, float] = {}
        self.owed: set[int] = set()
        self.given_up: set[str] = set()
        self.done_in_silence: set[int] = set()
        self.happened = 0
        self._life: asyncio.Task[None] | None = None
        self.streams: list[tuple[EventStream, int]] = []  # and how much they may keep
        self._roll: dict[str, tuple[set[str], asyncio.Event]] = defaultdict(lambda: (set(), asyncio.Event()))
        self._draw(Random(seed))

    def _draw(self, chance: Random) -> None:
        """Draw what kind of world this is, and who is in it."""
        self.chance = chance
        self.hub = MemoryConductor(
            capacity=chance.choice((4, 10_000)),
            codec=chance.choice((MESSAGEPACK, MESSAGEPACK, MESSAGEPACK, NATIVE_JSON)),
        )
        self.slots = chance.choice((1, 2, 5))
        self.remember = chance.choice((3, 10_000))
        self.takes_by_sink = chance.random() < 0.3
        self.is_watched = chance.random() < 0.3  # whoever is not goes the straight line
        self.is_seen_from_inside = chance.random() < 0.25
        self.patience = chance.choice((100.0, 100.0, 0.3))
        self.poison_limit = chance.choice((1, 1_000, 1_000))
        self.nodes = [Place(self, f"node-{index}") for index in range(3)]
        asks = draw_asks(chance)
        self.askers = [Asker(self, f"asker-{index}", asks[index::2]) for index in range(2)]
        names = [node.name for node in self.nodes], [asker.name for asker in self.askers]
        self.accidents = draw_accidents(chance, *names)
        self.doubts = Doubts(
            may_have_nobody=any(accident.what in LEAVING for accident in self.accidents),  # the last may be one of them
            is_impatient=self.patience < 1,
            is_poisonous=self.poison_limit == 1,
        )

    def __repr__(self) -> str:
        kind = f"{self.slots} slots, {self.hub.codec.content_type}, capacity {self.hub.capacity}"
        return f"<World {self.seed}: {kind}, patience {self.patience:g}, {self.plan!r}>"

    @property
    def faults(self) -> int:
        """How much has gone wrong so far."""
        return len(self.plan.injected) + self.happened

    def accuse(self, sentence: str) -> None:
        """Write down that a promise was broken."""
        self.violations.append(sentence)
        if len(self.violations) == ENOUGH and self._life is not None:
            self._life.cancel()

    def note_failure(self, ask: Ask, error: AtomFailed) -> None:
        """Write down what is to lie among the dead letters too: it was tried more than once, and always fails."""
        failure = error.failure
        if ask.atom in RETRIED and failure.kind == FailureKind.FAILED and failure.attempts > 1:
            self.given_up.add(error.electron_id)

    def losses_of(self, electron_id: str) -> int:
        """How often an electron was delivered in vain, at most: each of its deliveries says how often before it."""
        return sum(row.count or 0 for row in self.ledger.received if row.id == electron_id)

    def was_duplicated(self, electron_id: str) -> bool:
        """Whether a fault doubled an electron without a mark on it, as no transport may."""
        return any(each.electron_id == electron_id and each.kind == FaultKind.DUPLICATE for each in self.plan.injected)

    def wire(self) -> Wire:
        """Make a way to the hub for one runtime."""
        inside = RecordingConductor(self.hub, self.inner_ledger) if self.is_seen_from_inside else self.hub
        faulty = FaultyConductor(inside, self.plan, cut=inside.cut, sink=self.takes_by_sink)
        return Wire(faulty, self.ledger)

    async def live(self, clock: VirtualClock) -> None:
        """Live."""
        self.clock = clock
        self._life = asyncio.current_task()
        self.ledger.now = self.inner_ledger.now = clock.monotonic
        LISTENER.set(self)
        asyncio.get_running_loop().set_exception_handler(self._hear)
        async with asyncio.timeout(AGE), stranger(self) as odd, letters(self) as read:
            promises = Promises(self, odd, read)
            async with asyncio.TaskGroup() as group:
                for place in self.nodes:
                    await place.start(group)
                async with AsyncExitStack() as stack:
                    for asker in self.askers:
                        await stack.enter_async_context(asker.open())
                    await self._be_busy(odd, promises, group)
                    await asyncio.sleep(QUIET)
                    await self._call_the_roll()
                    promises.check_rest()
                    async with asyncio.TaskGroup() as leaving:
                        for place in self.nodes:
                            leaving.create_task(place.leave(self.chance.choice(LEAVING)), name=f"{place.name} is left")
            await promises.check_end()

    async def expire(self, route: Route) -> None:
        """Let a route end whose node left it by a connection that was dead: a hub would keep it, and what is on it."""
        async with self.hub.connect() as connection:
            await connection.listen(route, 0)

    async def _be_busy(self, odd: Stranger, promises: Promises, nodes: asyncio.TaskGroup) -> None:
        async with asyncio.TaskGroup() as group:
            for accident in self.accidents:
                group.create_task(self._happen(accident, nodes), name=f"accident {accident}")
            for asker in self.askers:
                for ask in asker.asks:
                    group.create_task(asker.ask(ask), name=f"ask {ask}")
            group.create_task(odd.send(), name="stranger")
            group.create_task(ask_and_leave(self), name="leaver")
            group.create_task(promises.look_on(), name="onlooker")
        more = 0
        while self.faults < FAULTS:  # nothing else happens: they come to whoever goes on
            more += 1
            await self.askers[more % 2].ask(draw_ask(self.chance, plain, 10_000 + 100 * more)._replace(at=0.0))

    async def _call_the_roll(self) -> None:
        self.plan.limit = len(self.plan.injected)  # nothing goes wrong any more
        async with asyncio.TaskGroup() as group:
            for asker, place in zip((*self.askers, *self.askers), self.nodes, strict=False):
                group.create_task(asker.call_the_roll(place.runtime.name), name=f"roll of {place.name}")
        await asyncio.sleep(1.0)

    # Runtimes

    @asynccontextmanager
    async def runtime(self, name: str, wire: Wire, *, serve: bool) -> AsyncGenerator[Atomizer]:
        """Open a runtime, again and again until it works, and look at how long its end takes."""
        while True:
            runtime = self._make(name, wire, serve=serve)
            try:
                await runtime.__aenter__()
                break
            except ConductorUnavailable:  # a start may fail, if the plan says so
                continue
        error: BaseException | None = None
        try:
            yield runtime
        except BaseException as raised:
            error = raised
            raise
        finally:
            left = self.clock.monotonic()
            try:
                await runtime.__aexit__(None if error is None else type(error), error, None)
            finally:
                self._check_end_of(runtime, wire, left, self.grace if error is None else 0)

    def _make(self, name: str, wire: Wire, *, serve: bool) -> Atomizer:
        settings = Settings(
            name=name,
            slots=self.slots,
            grace=self.grace,
            settle_grace=SETTLE_GRACE,
            confirm_timeout=1.0,
            send_patience=self.patience if serve else 100.0,
            connect_patience=5.0,
            cancel_grace=CANCEL_GRACE,
            poison_limit=self.poison_limit,
            remember=self.remember,
            backoff_first=0.01,
            backoff_most=0.2,
            clock=self.clock,
            random=Random(f"{name} {self.seed}"),
        )
        runtime = Atomizer(*ATOMS, conductor=wire, settings=settings, serve=serve)
        if self.is_watched:
            self.streams.extend(((runtime.errors(buffer=100_000), 100_000), (runtime.events(buffer=RING), RING)))
        return runtime

    def _check_end_of(self, runtime: Atomizer, wire: Wire, left: float, grace: float) -> None:
        """I13: a runtime ends within its grace, and what its end takes besides."""
        took, most = self.clock.monotonic() - left, grace + CANCEL_GRACE + 4 * SETTLE_GRACE
        if took > most + SLACK:
            self.accuse(f"I13: {runtime!r} took {took:g} s to end, and {most:g} were its due")
        if wire.is_open:
            self.accuse(f"I13: {runtime!r} was left, and its connection is open")

    # What happens

    async def _happen(self, accident: Accident, group: asyncio.TaskGroup) -> None:
        await asyncio.sleep(accident.at)
        self.happened += 1
        everybody = {each.name: each for each in (*self.nodes, *self.askers)}
        whom = everybody[accident.whom]
        if accident.what == "blackout":
            for each in everybody.values():
                each.wire.cut()
        elif accident.what == "cut":
            whom.wire.cut()
        elif accident.what == "offline":
            wire = whom.wire
            wire.pull()
            await asyncio.sleep(accident.seconds)
            wire.plug()
        elif isinstance(whom, Place):
            await whom.replace(group, accident.what)

    # What atoms tell

    def running(self, bond: Bond) -> Running:
        """Hear that an atom's code begins, and how it comes to its end."""
        return Running(self, bond)

    async def all_present(self, bond: Bond) -> None:
        """Wait until every slot of this node is taken by one who waits here, and then a little."""
        here, all_here = self._roll[NODE.get()]
        here.add(bond.electron.id)
        if len(here) == self.slots:
            await asyncio.sleep(0.1)
            all_here.set()
        await all_here.wait()

    def one_too_many(self) -> None:
        """Hear that something runs beside those."""
        if not self._roll[NODE.get()][1].is_set():
            self.accuse(f"I10: node {NODE.get()} runs more than its {self.slots} slots")

    def _hear(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.accuse(f"the event loop heard: {context.get('exception')!r}, {context['message']}")
