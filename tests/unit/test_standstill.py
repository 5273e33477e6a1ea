"""Atoms that wait for each other at gates or for credit: what can go on does, and of what cannot one is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import AtomFailed, Atomizer, Bond, MemoryConductor, Options, Settings, TooManyWaiting
from atomizer.testing.clock import VirtualClock, all_blocked, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONG = 100.0
"""Seconds, of a clock that jumps: who is not done by then never is."""


@atomizer.atom(id="tests.still.first", route="tests.still.shared", singleton=True)
async def first(bond: Bond, number: int) -> int:
    """Ask another atom of the same route."""
    return await bond.run(second, number)


@atomizer.atom(id="tests.still.second", route="tests.still.shared", singleton=True)
async def second(number: int) -> int:
    """Take a moment."""
    await asyncio.sleep(0.01)
    return number


@atomizer.atom(id="tests.still.third", route="tests.still.shared", concurrency=2)
async def third(bond: Bond, number: int) -> int:
    """Ask an atom that asks another, all of the same route."""
    return await bond.run(first, number)


@atomizer.atom(id="tests.still.with_free", route="tests.still.mixed", singleton=True)
async def with_free(bond: Bond, number: int) -> int:
    """Ask an atom of the same route that has no bound."""
    return await bond.run(free, number)


@atomizer.atom(id="tests.still.free", route="tests.still.mixed")
async def free(number: int) -> int:
    """Have no bound."""
    return number


@atomizer.atom(id="tests.still.deep", concurrency=2)
async def deep(bond: Bond, depth: int) -> int:
    """Ask its own atom."""
    await asyncio.sleep(0.05)
    return 0 if depth == 0 else 1 + await bond.run(deep, depth - 1)


@atomizer.atom(id="tests.still.asks", singleton=True)
async def asks(bond: Bond, ring: list[str]) -> str:
    """Ask the next of a ring by its id, after a moment."""
    await asyncio.sleep(1.0)
    return "asked " + await bond.run(ring[0], ring[1:], result=str) if ring else "end"


x, y, z = (atomizer.atom(id=f"tests.still.{name}", singleton=True)(asks.__wrapped__) for name in "xyz")


@atomizer.atom(id="tests.still.late", singleton=True)
async def late(bond: Bond, ring: list[str]) -> str:
    """Send first, and wait later."""
    handle = await bond.send(ring[0], ring[1:], result=str)
    await asyncio.sleep(5.0)
    return await handle


@atomizer.atom(id="tests.still.two_strands", singleton=True)
async def two_strands(bond: Bond, ring: list[str]) -> str:
    """Wait for one child that ends and for one that cannot begin."""
    if not ring:
        return "end"
    try:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(bond.run(ring[0], ring[1:], result=str)), group.create_task(bond.run(slow))
    except ExceptionGroup as failed:
        return str(failed.exceptions[0])
    return " ".join(each.result() for each in asked)


@atomizer.atom(id="tests.still.slow")
async def slow() -> str:
    """Take its time."""
    await asyncio.sleep(10.0)
    return "slow"


@atomizer.atom(id="tests.still.free_soon", concurrency=2)
async def free_soon(bond: Bond, what: str) -> str:
    """Wait for its own atom, or run for a while."""
    if what == "run":
        await asyncio.sleep(10.0)
        return "ran"
    return await bond.run(free_soon, "run")


@atomizer.atom(id="tests.still.sends", singleton=True)
async def sends(bond: Bond, to: str) -> str:
    """Send, for somebody else to have, and wait for something that ends."""
    if not to:
        return "sent"
    await bond.send(to, "", result=str, options=Options(detached=True))
    return await bond.run(slow)


sends_too = atomizer.atom(id="tests.still.sends_too", singleton=True)(sends.__wrapped__)


def on_virtual_time(main: Callable[[Atomizer], Awaitable[Any]], *atoms: Any, **given: Any) -> Any:
    """Run something with a runtime of these atoms, on a clock that jumps, unless it takes for ever."""

    async def program(clock: VirtualClock) -> Any:
        settings = Settings(**{"clock": clock, "grace": 0.0, "cancel_grace": 0.1} | given)
        async with Atomizer(*atoms, settings=settings) as runtime, asyncio.timeout(LONG):
            return await main(runtime)

    return run(program)


async def outcomes(runtime: Atomizer, *asked: tuple[Any, Any]) -> list[Any]:
    """Ask all at once; give each result, or the message of its failure."""
    handles = [await runtime.send(atom, argument) for atom, argument in asked]
    return [each.failure.message if each.failure else each.value() for each in [await h.properties() for h in handles]]


# For credit


@pytest.mark.parametrize("many", [2, 3, 10, 70, 300])
def test_atoms_of_a_shared_route_come_to_their_children(many: int) -> None:
    """However many are in front of them."""
    asked = [(first, number) for number in range(many)]

    assert on_virtual_time(lambda runtime: outcomes(runtime, *asked), first, second) == list(range(many))


@pytest.mark.parametrize("slots", [1, 2, 64])
def test_three_generations_share_a_route(slots: int) -> None:
    """Each waits for the next."""
    asked = [(atom, number) for number in range(20) for atom in (third, first)]

    values = on_virtual_time(lambda runtime: outcomes(runtime, *asked), first, second, third, slots=slots)

    assert values == [number for _, number in asked]


@pytest.mark.parametrize("many", [5, 100])
def test_a_route_is_shared_by_atoms_with_and_without_a_bound(many: int) -> None:
    """What has no bound is not kept from its asker by others that wait for it."""
    asked = [(with_free, number) for number in range(many)]

    assert on_virtual_time(lambda runtime: outcomes(runtime, *asked), with_free, free, slots=3) == list(range(many))


def test_a_child_that_too_many_keep_from_coming_is_refused() -> None:
    """A node bears only so many that wait; then an asker is told, and the others go on."""

    async def main(runtime: Atomizer) -> list[Any]:
        return await outcomes(runtime, *[(first, number) for number in range(20)])

    told = on_virtual_time(main, first, second, slots=2, suspended=4)

    refused = [each for each in told if isinstance(each, str)]
    assert len(refused) < 20
    assert all(TooManyWaiting.__name__ in each or "suspended" in each for each in refused)
    assert [each for each in told[-3:] if not isinstance(each, str)] == [17, 18, 19]


def test_an_atom_that_waits_for_another_route_takes_no_more_of_its_own() -> None:
    """What would only wait behind it is left to a node that is free."""

    @atomizer.atom(id="tests.still.leads", singleton=True)
    async def leads(bond: Bond, number: int) -> str:
        return await bond.run(slow)

    async def program(clock: VirtualClock) -> float:
        hub, settings = MemoryConductor(), Settings(clock=clock)
        asker = Atomizer(conductor=hub, serve=False, settings=settings)
        nodes = [Atomizer(leads, slow, conductor=hub, settings=settings) for _ in range(2)]
        async with nodes[0], nodes[1], asker:
            began = clock.monotonic()
            async for _ in asker.map(leads, range(6), limit=6):
                pass
            return clock.monotonic() - began

    assert run(program) == pytest.approx(30.0)


# At gates


def test_two_that_ask_their_own_atom_do_not_wait_for_each_other_for_ever() -> None:
    """One is refused, and the other has its place."""
    values = on_virtual_time(lambda runtime: outcomes(runtime, (deep, 1), (deep, 1)), deep)

    assert values[0] == 1
    assert "WaitsForItself" in values[1]
    assert "'tests.still.deep' waits for 'tests.still.deep'" in values[1]


def test_two_that_ask_each_other_at_once() -> None:
    """The one whose asking closes the circle is refused."""
    values = on_virtual_time(lambda runtime: outcomes(runtime, (x, [y.atom_id]), (y, [x.atom_id])), x, y)

    assert sum("WaitsForItself" in value for value in values) == 1
    assert "asked end" in values


def test_three_in_a_ring() -> None:
    """The circle is told from end to end."""
    ring = [(x, [y.atom_id]), (y, [z.atom_id]), (z, [x.atom_id])]

    values = on_virtual_time(lambda runtime: outcomes(runtime, *ring), x, y, z)

    [refusal] = [value for value in values if "WaitsForItself" in value]
    assert values.count("asked end") == 2
    assert all(f"{name!r} waits for" in refusal or f"waits for {name!r}" in refusal for name in (x.atom_id, z.atom_id))


def test_others_that_wait_at_the_gate_are_not_refused() -> None:
    """Only who is in the circle can end it."""
    asked = [(x, [y.atom_id]), (y, [x.atom_id]), *[(x, [])] * 5, *[(y, [])] * 5]

    values = on_virtual_time(lambda runtime: outcomes(runtime, *asked), x, y)

    assert values[2:] == ["end"] * 10


def test_a_circle_that_closes_when_somebody_begins_to_wait() -> None:
    """Its electron was at the gate long before."""
    values = on_virtual_time(lambda runtime: outcomes(runtime, (late, [y.atom_id]), (y, [late.atom_id])), late, y)

    assert sum("WaitsForItself" in value for value in values) == 1


def test_a_circle_that_closes_when_another_child_has_ended() -> None:
    """Until then its asker may go on."""
    values = on_virtual_time(
        lambda runtime: outcomes(runtime, (two_strands, [y.atom_id]), (y, [two_strands.atom_id])), two_strands, y, slow
    )

    assert sum("WaitsForItself" in value for value in values) == 1


def test_it_is_no_circle_while_one_inside_still_runs() -> None:
    """It leaves, and lets in who waits."""
    asked = [(free_soon, "run"), (free_soon, "wait")]

    assert on_virtual_time(lambda runtime: outcomes(runtime, *asked), free_soon) == ["ran", "ran"]


def test_detached_children_close_no_circle() -> None:
    """Nobody waits for them: they have their turn later."""
    asked = [(sends, sends_too.atom_id), (sends_too, sends.atom_id)]

    assert on_virtual_time(lambda runtime: outcomes(runtime, *asked), sends, sends_too, slow) == ["slow", "slow"]


def test_a_circle_over_two_nodes_ends_at_the_deadline() -> None:
    """Neither sees the other's gate: such asks need a timeout."""

    async def program(clock: VirtualClock) -> list[str]:
        hub, settings = MemoryConductor(), Settings(clock=clock, grace=1.0)
        async with Atomizer(x, conductor=hub, settings=settings) as one, Atomizer(y, conductor=hub, settings=settings):
            asked = [await one.send(a.options(timeout=20.0), [b.atom_id]) for a, b in ((x, y), (y, x))]
            async with asyncio.timeout(LONG):
                failures = [(await each.properties()).failure for each in asked]
        return [failure.kind for failure in failures if failure is not None]

    assert run(program) == ["timed_out", "timed_out"]


def test_a_node_goes_on_as_before_after_a_circle() -> None:
    """Nothing is left at the gates."""

    async def main(runtime: Atomizer) -> Any:
        await outcomes(runtime, (x, [y.atom_id]), (y, [x.atom_id]))
        with pytest.raises(AtomFailed):
            await runtime.run(x, [x.atom_id])
        await all_blocked()
        return await outcomes(runtime, (x, []), (y, [])), runtime.statistics()

    values, statistics = on_virtual_time(main, x, y)

    assert values == ["end", "end"]
    assert (statistics.running, statistics.waiting, statistics.suspended) == (0, 0, 0)
