"""How many electrons of one atom run at once, and what happens to those that wait for their turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atom, Atomizer, Bond, Electron, MemoryConductor, Settings, Statistics, WaitsForItself
from atomizer.testing.clock import VirtualClock, all_blocked, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Peak:
    """How many run at once, how many did at most, and in which order they began."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.began: list[Any] = []

    async def stay(self, name: Any = None, seconds: float = 1.0) -> None:
        """Be one of those that run, for a while."""
        self.began.append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now -= 1


peak = Peak()


@atomizer.atom(id="tests.turns.twice", concurrency=2)
async def twice(name: int) -> None:
    """Run twice at once."""
    await peak.stay(name)


@atomizer.atom(id="tests.turns.once", singleton=True)
async def once(name: str) -> None:
    """Run once at a time."""
    await peak.stay(name)


class Once(Atom, id="tests.turns.Once", singleton=True):
    """Run once at a time, as a class."""

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Stay for a while."""
        await peak.stay(electron.id)


@atomizer.atom(id="tests.turns.free")
async def free() -> str:
    """Run as often as there are slots."""
    return "free"


@atomizer.atom(id="tests.turns.stubborn", singleton=True)
async def stubborn(seconds: float) -> None:
    """Do not stop when told."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            continue


@atomizer.atom(id="tests.turns.shared_route_one", route="tests.turns.shared", singleton=True)
async def one_of_a_route(name: str) -> None:
    """Share a route with an atom that has no bound."""
    await peak.stay(name)


@atomizer.atom(id="tests.turns.shared_route_free", route="tests.turns.shared")
async def free_on_a_route() -> str:
    """Share a route with a singleton."""
    return "free"


def on_virtual_time(main: Callable[[Atomizer, VirtualClock], Awaitable[Any]], *atoms: Any, **given: Any) -> Any:
    """Run something with a runtime of these atoms, on a clock that jumps."""
    peak.__init__()

    async def program(clock: VirtualClock) -> Any:
        settings = Settings(**{"clock": clock, "cancel_grace": 1.0, "grace": 10.0} | given)
        async with Atomizer(*atoms, settings=settings) as runtime:
            return await main(runtime, clock)

    return run(program)


def test_no_more_than_so_many_run_at_once_and_in_order() -> None:
    """However many are asked for."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> float:
        began = clock.monotonic()
        async for _ in runtime.map(twice, range(10), limit=10):
            pass
        return clock.monotonic() - began

    took = on_virtual_time(main, twice)

    assert (peak.most, peak.began) == (2, list(range(10)))
    assert took == pytest.approx(5.0)


@pytest.mark.parametrize("atom", [once, Once])
def test_a_singleton_runs_once_at_a_time_over_all_conductors(atom: Any) -> None:
    """The bound is the node's, not a route's."""
    peak.__init__()

    async def program(clock: VirtualClock) -> None:
        hubs = MemoryConductor("first"), MemoryConductor("second")
        async with Atomizer(atom, *hubs, settings=Settings(clock=clock)) as runtime:
            handles = [
                await runtime.send(atom.options(conductor=name), "x") for name in ("first", "second") for _ in range(3)
            ]
            for handle in handles:
                await handle

    run(program)

    assert (peak.most, len(peak.began)) == (1, 6)


def test_each_runtime_has_a_bound_of_its_own() -> None:
    """Per runtime, not per process."""
    peak.__init__()

    async def program(clock: VirtualClock) -> None:
        settings = Settings(clock=clock)
        async with Atomizer(once, settings=settings) as first, Atomizer(once, settings=settings) as second:
            for handle in [await runtime.send(once, "x") for runtime in (first, second)]:
                await handle

    run(program)

    assert peak.most == 2


def test_those_that_wait_take_no_slot() -> None:
    """Other atoms go on, even those of the same route."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> tuple[float, float, Statistics]:
        handles = [await runtime.send(one_of_a_route, str(number)) for number in range(5)]
        await all_blocked()
        statistics, began = runtime.statistics(), clock.monotonic()
        await runtime.run(free)
        await runtime.run(free_on_a_route)
        others_took = clock.monotonic() - began
        for handle in handles:
            await handle
        return others_took, clock.monotonic() - began, statistics

    others_took, all_took, statistics = on_virtual_time(main, one_of_a_route, free_on_a_route, free, slots=6)

    assert (others_took, all_took) == (pytest.approx(0.0), pytest.approx(5.0))
    assert (statistics.running, statistics.waiting, statistics.suspended) == (1, 4, 0)
    assert (peak.most, peak.began) == (1, ["0", "1", "2", "3", "4"])


def test_one_slot_is_enough_for_others_while_many_wait() -> None:
    """Two slots: one runs, and one that waits has none."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> float:
        handles = [await runtime.send(one_of_a_route, name) for name in "ab"]
        await all_blocked()
        began = clock.monotonic()
        await runtime.run(free)
        took = clock.monotonic() - began
        for handle in handles:
            await handle
        return took

    assert on_virtual_time(main, one_of_a_route, free_on_a_route, free, slots=2) == pytest.approx(0.0)


def test_the_route_of_a_bounded_atom_has_no_more_credit_than_can_run() -> None:
    """What would wait here is better left to a node that is free."""
    peak.__init__()

    async def program(clock: VirtualClock) -> tuple[int, float]:
        hub, settings = MemoryConductor(), Settings(clock=clock)
        asker = Atomizer(conductor=hub, serve=False, settings=settings)
        nodes = Atomizer(once, conductor=hub, settings=settings), Atomizer(once, conductor=hub, settings=settings)
        async with nodes[0], nodes[1], asker:
            began = clock.monotonic()
            async for _ in asker.map(once, ["a", "b", "c", "d"], limit=4):
                pass
            return peak.most, clock.monotonic() - began

    most, took = run(program)

    assert most == 2
    assert took == pytest.approx(2.0)


def test_one_that_is_cancelled_while_it_waits_is_answered_and_leaves_the_queue() -> None:
    """Before it was started; the next moves up."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> Any:
        handles = [await runtime.send(one_of_a_route, name) for name in "abc"]
        await all_blocked()
        await handles[1].cancel()
        failure = (await handles[1].properties()).failure
        answered_at = clock.monotonic()
        await handles[2]
        return failure, answered_at, clock.monotonic()

    failure, answered_at, ended_at = on_virtual_time(main, one_of_a_route, free_on_a_route)

    assert (failure.kind, failure.ending) == ("cancelled", "stopped")
    assert "before it was started" in failure.message
    assert peak.began == ["a", "c"]
    assert ended_at - answered_at == pytest.approx(2.0)


def test_one_whose_deadline_comes_while_it_waits_expires() -> None:
    """It was never started, and is answered at once."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> Any:
        first = await runtime.send(one_of_a_route, "a")
        second = await runtime.send(one_of_a_route.options(timeout=0.25), "b")
        began = clock.monotonic()
        failure = (await second.properties()).failure
        took = clock.monotonic() - began
        await first
        return failure, took

    failure, took = on_virtual_time(main, one_of_a_route, free_on_a_route)

    assert failure.kind == "expired"
    assert took == pytest.approx(0.25)
    assert peak.began == ["a"]


def test_waiting_does_not_count_as_running_but_as_living() -> None:
    """The limit begins with the run, the deadline does not."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> list[Any]:
        atoms = (one_of_a_route, one_of_a_route.options(limit=1.5), one_of_a_route.options(timeout=2.5))
        handles = [await runtime.send(each, "x") for each in atoms]
        return [(await handle.properties()).failure for handle in handles]

    first, limited, dated = on_virtual_time(main, one_of_a_route, free_on_a_route)

    assert first is None
    assert limited is None
    assert (dated.kind, dated.message) == ("timed_out", "it ran over its deadline")


def test_what_waits_when_the_runtime_stops_is_given_back() -> None:
    """To a node that takes it; what runs may finish."""
    peak.__init__()

    async def program(clock: VirtualClock) -> tuple[list[str], list[str]]:
        hub, settings = MemoryConductor(), Settings(clock=clock, grace=5.0)
        atoms = (one_of_a_route, free_on_a_route)
        async with Atomizer(conductor=hub, serve=False, settings=settings) as asker:
            first = Atomizer(*atoms, conductor=hub, settings=settings)
            told = first.events()
            async with first:
                handles = [await asker.send(one_of_a_route, name) for name in "abc"]
                await all_blocked()
            kinds = [event.kind async for event in told if event.electron_id]
            async with Atomizer(*atoms, conductor=hub, settings=settings):
                for handle in handles:
                    await handle
        return peak.began, kinds

    began, kinds = run(program)

    assert began == ["a", "b", "c"]
    assert [kind for kind in kinds if kind not in ("received", "admitted")] == [
        "bonded",
        "requeued",
        "requeued",
        "completed",
    ]


def test_an_abandoned_atom_keeps_its_place() -> None:
    """It still runs, and no more than so many may."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> Any:
        began = clock.monotonic()
        failure = (await (await runtime.send(stubborn.options(limit=1.0), 30.0)).properties()).failure
        answered = clock.monotonic() - began
        await runtime.run(stubborn, 1.0)
        return failure, answered, clock.monotonic() - began

    failure, answered, took = on_virtual_time(main, stubborn)

    assert failure.ending == "abandoned"
    assert (answered, took) == (pytest.approx(2.0), pytest.approx(31.0))


def test_an_atom_that_is_registered_anew_counts_together_with_what_it_was() -> None:
    """The old one may still run; a wider bound lets in more at once."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> int:
        handles = [await runtime.send(once, "old")]
        await all_blocked()
        await runtime.register(atomizer.atom(id="tests.turns.once", concurrency=2)(once.__wrapped__), replace=True)
        handles += [await runtime.send(once, name) for name in ("new", "newer", "newest")]
        for handle in handles:
            await handle
        return peak.most

    assert on_virtual_time(main, once) == 2


# An atom that would wait for itself


@atomizer.atom(id="tests.turns.selfish", singleton=True)
async def selfish(bond: Bond, how: str) -> str:
    """Ask itself, in one way or another."""
    if how == "not":
        return "done"
    if how == "by way of another":
        return await bond.run(between, "not")
    if how == "by id":
        return await bond.run("tests.turns.selfish", "not", result=str)
    if how == "detached":
        await bond.send(selfish.options(detached=True), "not")
        return "sent"
    if how == "without a reply":
        await bond.send(selfish.options(reply=False), "not")
        return "sent"
    return await bond.run(selfish, "not")


@atomizer.atom(id="tests.turns.between")
async def between(bond: Bond, how: str) -> str:
    """Ask the other on behalf of somebody."""
    return await bond.run(selfish, how)


@atomizer.atom(id="tests.turns.deep", concurrency=3)
async def deep(bond: Bond, depth: int) -> int:
    """Ask its own atom, so many times."""
    return 1 if depth == 1 else 1 + await bond.run(deep, depth - 1)


@pytest.mark.parametrize("how", ["directly", "by id", "by way of another"])
def test_an_ask_that_would_wait_for_its_own_asker_is_refused(how: str) -> None:
    """It could begin only when the asker ends, who waits for it."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> Any:
        return (await (await runtime.send(selfish, how)).properties()).failure

    failure = on_virtual_time(main, selfish, between)

    assert "WaitsForItself" in failure.type + failure.message
    assert "detached=True" in failure.message


@pytest.mark.parametrize("how", ["detached", "without a reply"])
def test_an_ask_that_nobody_waits_for_is_taken(how: str) -> None:
    """It has its turn when the asker has ended."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> str:
        return await runtime.run(selfish, how)

    assert on_virtual_time(main, selfish, between) == "sent"


def test_an_atom_may_ask_itself_as_deep_as_its_bound_allows() -> None:
    """And no deeper."""

    async def main(runtime: Atomizer, clock: VirtualClock) -> Any:
        return await runtime.run(deep, 3), (await (await runtime.send(deep, 4)).properties()).failure

    depth, failure = on_virtual_time(main, deep)

    assert depth == 3
    assert "3 times at a time" in failure.message


def test_the_refusal_says_what_to_do() -> None:
    """For people and for programs."""
    error = WaitsForItself("a.B", 1)

    assert (error.atom_id, error.concurrency) == ("a.B", 1)
    assert "runs once at a time" in str(error)
