"""
Drills: a program lives again and again, and each time something else goes wrong with the electrons that it asks for.

A node crashes and another takes over, an electron is delivered twice, a reply is lost: the promise is *at least once*,
so an atom may run more than once for the same electron. An atom that does not bear that is found here.

.. code-block:: python

    async def buy(drill: Drill) -> None:
        charges.clear()
        async with drill.runtime(charge) as runtime:
            await runtime.run(charge, "anna", 500)
        assert sum(charges.values()) == 500


    def test_anna_is_charged_once() -> None:
        run_drills(buy)

All of it is on virtual time, and a seed decides what goes wrong: an error that comes out of a drill says which, and
with that the same drill is run again.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import structs

from ..conductor import Lane
from ..memory import MemoryConductor
from ..registry import Registry
from ..runtime import Atomizer
from ..settings import Settings
from ._fate import Fate, Fault, places_of
from ._nodes import Nodes
from .clock import VirtualClock, run
from .faults import FaultyConductor
from .ledger import Ledger
from .plan import Plan
from .record import RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence

    from ..atom import Atom, Definition
    from ..conductor import Conductor, Connection

__all__ = ("Drill", "DrillFailed", "Fault", "Happened", "Program", "run_drills")

Program: TypeAlias = "Callable[[Drill], Coroutine[Any, Any, object]]"
"""What a drill runs: an async function that takes it."""

_NODES = 2  # so that what comes twice may come to different ones
_MOST = 4  # faults in one drill, so that each comes to its end
_STABLE = 20.0  # seconds in which nothing happens when all is over; a connection that hangs is found dead before that
_PATIENCE = 86_400.0


def run_drills(
    program: Program,
    *,
    seeds: Iterable[int] = range(20),
    faults: Iterable[Fault] = Fault,
    patience: float = _PATIENCE,
) -> tuple[Drill, ...]:
    """
    Run a program once without faults, and then once for each seed, each time with other faults.

    The first run shows at which steps something can go wrong. Then each seed has a fault of its own at one of them, and
    seldom more by chance. Every run is on a fresh virtual loop with a fresh hub in memory. When it is over, the ledger
    of what went over the hub must show no violation.

    Args:
        program: It begins by putting its own world in order, for it is run many times in one process.
        seeds: What chance goes by.
        faults: What may go wrong.
        patience: Virtual seconds that one run may take.

    Returns:
        The drills, each of which knows what happened in it.

    Raises:
        DrillFailed: The discipline of the ledger was broken, or nothing went wrong in any drill.
        TimeoutError: A run took longer than its patience.
        RuntimeError: An event loop runs in this thread already.
        Whatever the program raises. A note on the error says the seed, what went wrong in that drill, and how to run it
            alone.
    """
    chosen = tuple(dict.fromkeys(Fault(fault) for fault in faults))
    name = getattr(program, "__name__", "program")
    rehearsal = Drill(Fate(None))
    _run(rehearsal, program, patience, f"{name} fails by itself")
    drills = [Drill(rehearsal.fate(seed, chosen)) for seed in seeds]
    for drill in drills:
        _run(
            drill,
            program,
            patience,
            f"to run this drill alone: run_drills({name}, seeds=({drill.seed},){_said(chosen)})",
        )
    if drills and not any(drill.happened for drill in drills):
        raise DrillFailed(f"nothing went wrong in any drill: {name} asks for no electron by `drill.runtime(…)`")
    return tuple(drills)


def _run(drill: Drill, program: Program, patience: float, advice: str) -> None:
    try:
        run(lambda clock: drill.live(program, clock, patience))
        _check_discipline(drill.ledger)
    except BaseException as error:
        error.add_note("\n".join((str(drill), advice)))
        raise


def _check_discipline(ledger: Ledger) -> None:
    if violations := ledger.violations():
        raise DrillFailed("\n  ".join(("the discipline of the ledger was broken:", *violations)))


def _said(chosen: Sequence[Fault]) -> str:
    named = "".join(f"Fault.{fault.name}, " for fault in chosen)
    return "" if set(chosen) == set(Fault) else f", faults=({named.rstrip()})"


class DrillFailed(AssertionError):
    """A drill shows something wrong that its program does not look at; the message says what."""


class Happened(NamedTuple):
    """A fault that was met in a drill."""

    fault: Fault
    at: float
    """When, in seconds since the drill began."""
    where: str
    """At which step, in the words of a plan."""

    def __str__(self) -> str:
        return f"{self.fault} at {self.at:g} s, {self.where}"


class Drill:
    """
    One run of a program, in which the faults of a seed happen.

    Attributes:
        seed: What chance goes by; None while nothing goes wrong.
        happened: The faults that were met.
        ledger: What went over the connections of its runtimes.
        clock: Its time, which begins with it.
    """

    clock: VirtualClock

    def __init__(self, fate: Fate) -> None:
        self.seed: int | None = fate.seed
        self.happened: list[Happened] = []
        self.ledger: Ledger = Ledger()
        self._fate = fate
        self._plan = Plan(fate.draw, limit=_MOST)
        self._told = 0
        self._hub = MemoryConductor()
        self._names = 0
        self._serving: list[Nodes] = []
        self._seconds = 0.0
        self._tasks: asyncio.TaskGroup

    def __repr__(self) -> str:
        return f"<Drill of seed {self.seed}, {len(self.happened)} faults>"

    def __str__(self) -> str:
        head = "drill without faults:" if self.seed is None else f"drill of seed {self.seed}:"
        return "\n  ".join((head, *map(str, self.happened)))

    @asynccontextmanager
    async def runtime(
        self, *registrations: Definition | Atom | type[Atom], settings: Settings | None = None
    ) -> AsyncGenerator[Atomizer]:
        """
        Open a runtime that asks, and two nodes that serve these atoms; when one crashes, another takes its place.

        Left without an error, it waits until nothing is under way any more, duplicates included: what is true then is
        true in the end.

        Args:
            registrations: The atoms, as `Atomizer` takes them.
            settings: What the runtimes are told; names, clock and chance are the drill's own.

        Raises (on entering):
            ValueError: An atom runs in a thread or in a child process, which take real time.
            As `Atomizer`.
        """
        _refuse_real_time(registrations)
        settings = settings or Settings()
        serving = [self._nodes(settings, registrations) for _ in range(_NODES)]
        for nodes in serving:
            self._tasks.create_task(nodes.live(), name="nodes of a drill")
            await nodes.ready()
        self._serving += serving
        try:
            wire = RecordingConductor(FaultyConductor(self._hub, self._plan, sink=True), self.ledger)
            async with self._make("asker", wire, settings, (), serve=False) as runtime:
                yield runtime
            self._seconds = self.clock.monotonic()
            await self._quiet()
        finally:
            for nodes in serving:
                self._serving.remove(nodes)
                await nodes.leave()

    async def live(self, program: Program, clock: VirtualClock, patience: float) -> None:
        """Run the program, on a virtual loop. It is `run_drills` that does so."""
        self.clock = clock
        if self._fate.moment is not None:
            asyncio.get_running_loop().call_later(self._fate.moment, self._crash)
        try:
            async with asyncio.timeout(patience), asyncio.TaskGroup() as self._tasks:
                await program(self)
        except BaseExceptionGroup as group:
            raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None
        finally:
            self._note_faults()

    def fate(self, seed: int, faults: Sequence[Fault]) -> Fate:
        """Draw what goes wrong in another drill of the program, after one without faults."""
        places = places_of(faults, self._plan.seen, self._seconds)
        return Fate(seed, places, self._plan.seen, self._seconds)

    def _nodes(self, settings: Settings, registrations: Sequence[Definition | Atom | type[Atom]]) -> Nodes:
        return Nodes(
            lambda conductor: self._make("node", conductor, settings, registrations),
            hub=self._hub,
            plan=self._plan,
            ledger=self.ledger,
            is_crash=self._is_crash,
        )

    def _make(
        self,
        role: str,
        conductor: Conductor,
        settings: Settings,
        registrations: Sequence[Definition | Atom | type[Atom]],
        *,
        serve: bool = True,
    ) -> Atomizer:
        self._names += 1
        name = f"{role}-{self._names}"
        own = structs.replace(settings, url="", name=name, clock=self.clock, random=Random(f"{self.seed} {name}"))
        return Atomizer(*registrations, conductor=conductor, settings=own, serve=serve)

    def _crash(self) -> None:
        """Let a node crash that is there at this moment; if one is at work, that one."""
        for nodes in sorted(self._serving, key=lambda each: each.is_idle)[:1]:
            self.happened.append(Happened(Fault.CRASH, self.clock.monotonic(), "whatever it did"))
            nodes.crash()

    def _is_crash(self) -> bool:
        return any(each.fault is Fault.CRASH for each in self._note_faults())

    def _note_faults(self) -> list[Happened]:
        """Write down what the plan has injected since the last time."""
        new = self._plan.injected[self._told :]
        self._told += len(new)
        noted = [
            Happened(
                self._fate.drawn[each.step, each.nth],
                each.at,
                f"{each.kind} at {each.step} {each.nth}, electron {each.electron_id!r}",
            )
            for each in new
        ]
        self.happened += noted
        return noted

    async def _quiet(self) -> None:
        """Wait until nothing is under way, and nothing comes any more."""
        async with self._hub.connect() as watch:
            seen = -1
            while not (self._is_idle(watch) and seen == len(self.ledger.received)):
                seen = len(self.ledger.received)
                await asyncio.sleep(_STABLE)

    def _is_idle(self, watch: Connection) -> bool:
        routes = {row.route for row in self.ledger.sent if row.route.lane is Lane.WORK}
        return all(nodes.is_idle for nodes in self._serving) and not any(watch.depth(route) for route in routes)


def _refuse_real_time(registrations: Sequence[Definition | Atom | type[Atom]]) -> None:
    registry = Registry(name="this drill")
    for item in registrations:
        definition = registry.register(item).definition
        if definition.isolation is not None or not definition.is_async:
            where = "a thread" if definition.isolation is None else "a child process"
            raise ValueError(
                f"{definition.atom_id} runs in {where}, which takes real time, and a drill is on virtual time: "
                "drill an `async def` that calls the same function"
            )
