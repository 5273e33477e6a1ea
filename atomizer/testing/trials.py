"""
Trials: a program lives again and again, and each time something else goes wrong with the electrons that it asks for.

A node crashes and another takes over, an electron is delivered twice, a reply is lost: the promise is *at least once*,
so an atom may run more than once for the same electron. An atom that does not bear that is found here.

.. code-block:: python

    async def buy(trial: Trial) -> None:
        charges.clear()
        async with trial.runtime(charge) as runtime:
            await runtime.run(charge, "anna", 500)
        assert sum(charges.values()) == 500


    def test_anna_is_charged_once() -> None:
        run_trials(buy)

All of it is on virtual time, and a seed decides what goes wrong: an error that comes out of a trial says which, and
with that the same trial is run again.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import structs

from ..conductor import Lane
from ..memory import MemoryConductor
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

__all__ = ("Fault", "Happened", "Program", "Trial", "TrialFailed", "run_trials")

Program: TypeAlias = "Callable[[Trial], Coroutine[Any, Any, object]]"
"""What a trial runs: an async function that takes it."""

_MOST = 4  # faults in one trial, so that each comes to its end
_STABLE = 20.0  # seconds in which nothing happens when all is over; a connection that hangs is found dead before that
_PATIENCE = 86_400.0


def run_trials(
    program: Program,
    *,
    seeds: Iterable[int] = range(20),
    faults: Iterable[Fault] = Fault,
    patience: float = _PATIENCE,
) -> tuple[Trial, ...]:
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
        The trials, each of which knows what happened in it.

    Raises:
        TrialFailed: The discipline of the ledger was broken, or nothing went wrong in any trial.
        TimeoutError: A run took longer than its patience.
        RuntimeError: An event loop runs in this thread already.
        Whatever the program raises. A note on the error says the seed, what went wrong in that trial, and how to run it
            alone.
    """
    chosen = tuple(dict.fromkeys(Fault(fault) for fault in faults))
    name = getattr(program, "__name__", "program")
    rehearsal = Trial(Fate(None))
    _run(rehearsal, program, patience, f"nothing went wrong yet: {name} fails by itself")
    trials = [Trial(rehearsal.fate(seed, chosen)) for seed in seeds]
    for trial in trials:
        _run(trial, program, patience, f"to run this trial alone: run_trials({name}, seeds=({trial.seed},){_said(chosen)})")
    if trials and not any(trial.happened for trial in trials):
        raise TrialFailed(f"nothing went wrong in any trial: {name} asks for no electron by `trial.runtime(…)`")
    return tuple(trials)


def _run(trial: Trial, program: Program, patience: float, advice: str) -> None:
    try:
        run(lambda clock: trial.live(program, clock, patience))
        if violations := trial.ledger.violations():
            raise TrialFailed("\n  ".join(("the discipline of the ledger was broken:", *violations)))
    except BaseException as error:
        error.add_note("\n".join((str(trial), advice)))
        raise


def _said(chosen: Sequence[Fault]) -> str:
    named = "".join(f"Fault.{fault.name}, " for fault in chosen)
    return "" if set(chosen) == set(Fault) else f", faults=({named.rstrip()})"


class TrialFailed(AssertionError):
    """A trial shows something wrong that its program does not look at; the message says what."""


class Happened(NamedTuple):
    """A fault that was met in a trial."""

    fault: Fault
    at: float
    """When, in seconds since the trial began."""
    where: str
    """At which step, in the words of a plan."""

    def __str__(self) -> str:
        return f"{self.fault} at {self.at:g} s, {self.where}"


class Trial:
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
        self.seed = fate.seed
        self.happened: list[Happened] = []
        self.ledger = Ledger()
        self._fate = fate
        self._plan = Plan(fate.draw, limit=_MOST)
        self._told = 0
        self._hub = MemoryConductor()
        self._names = 0
        self._serving: list[Nodes] = []
        self._seconds = 0.0
        self._tasks: asyncio.TaskGroup

    def __repr__(self) -> str:
        return f"<Trial of seed {self.seed}, {len(self.happened)} faults>"

    def __str__(self) -> str:
        return "\n  ".join((f"trial of seed {self.seed}:", *map(str, self.happened)))

    @asynccontextmanager
    async def runtime(
        self, *registrations: Definition | Atom | type[Atom], settings: Settings | None = None
    ) -> AsyncGenerator[Atomizer]:
        """
        Open a runtime that asks, and a node that serves these atoms; when it crashes, another one takes over.

        Left without an error, it waits until nothing is under way any more, duplicates included: what is true then is
        true in the end.

        Args:
            registrations: The atoms, as `Atomizer` takes them.
            settings: What the runtimes are told; names, clock and chance are the trial's own.

        Raises:
            As `Atomizer`, on entering.
        """
        settings = settings or Settings()
        nodes = Nodes(
            lambda conductor: self._make("node", conductor, settings, registrations),
            hub=self._hub,
            plan=self._plan,
            ledger=self.ledger,
            is_crash=self._is_crash,
        )
        self._tasks.create_task(nodes.live(), name="nodes of a trial")
        await nodes.ready()
        self._serving.append(nodes)
        try:
            wire = RecordingConductor(FaultyConductor(self._hub, self._plan, sink=True), self.ledger)
            async with self._make("asker", wire, settings, (), serve=False) as runtime:
                yield runtime
            self._seconds = self.clock.monotonic()
            await self._quiet()
        finally:
            self._serving.remove(nodes)
            await nodes.leave()

    async def live(self, program: Program, clock: VirtualClock, patience: float) -> None:
        """Run the program, on a virtual loop. It is `run_trials` that does so."""
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
        """Draw what goes wrong in another trial of the program, after one without faults."""
        places = places_of(faults, self._plan.seen, self._seconds)
        return Fate(seed, places, self._plan.seen, self._seconds)

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
        """Let the nodes crash that are there at this moment."""
        if self._serving:
            self.happened.append(Happened(Fault.CRASH, self.clock.monotonic(), "whatever it did"))
        for nodes in self._serving:
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
