"""I15: health is red when work exists and none of it is done, and green while it is."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, Lane, MemoryConductor
from atomizer.testing.clock import all_blocked, on_virtual_time

from .wires import double, quick, wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection, FunctionAtom, Health


class Deaf(MemoryConductor):
    """A conductor of which one node hears nothing: connected, with credit, and nothing is ever brought."""

    @asynccontextmanager
    async def deaf(self) -> AsyncGenerator[Connection]:
        """Connect without bringing work."""
        async with super().connect() as connection:
            receive = connection.receive

            async def receive_no_work(lane: Lane) -> atomizer.Delivery:
                if lane is Lane.WORK:
                    await asyncio.Event().wait()
                return await receive(lane)

            connection.receive = receive_no_work  # type: ignore[method-assign]
            yield connection


class DeafWay(atomizer.Conductor):
    """The way of a node to a hub, over which no work comes."""

    def __init__(self, hub: Deaf) -> None:
        self.name = "deaf"
        self.codec = hub.codec
        self.connect = hub.deaf  # type: ignore[method-assign]

    def connect(self) -> AsyncGenerator[Connection]:  # type: ignore[override]
        """Replaced above."""
        raise AssertionError


async def health_after(runtime: Atomizer, seconds: float) -> Health:
    """Look every ten seconds, as a probe does, and return the last judgement."""
    health = runtime.health()
    for _ in range(int(seconds // 10)):
        await asyncio.sleep(10.0)
        health = runtime.health()
    return health


@on_virtual_time
async def test_a_connected_node_that_hears_nothing_is_red() -> None:
    """Work waits, slots are free, and none comes."""
    hub = Deaf()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(double, conductor=DeafWay(hub), settings=quick(name="node", stalled_after=60.0)) as node:
        idle = await health_after(node, 600)
        handle = await asker.send(double, 1)
        before = await health_after(node, 50)
        after = await health_after(node, 30)
        queued = node.statistics().queued
        await handle.cancel()

    assert idle.ok
    assert before.ok
    assert not after.ok
    assert queued == 1
    assert after.reasons[0].startswith("work:tests.double of conductor 'deaf' has 1 waiting, slots are free")


@on_virtual_time
async def test_a_node_whose_slots_are_all_stuck_is_red() -> None:
    """Nothing says that any of it will end."""
    async with Atomizer(wait, settings=quick(slots=2, grace=0.0, stalled_after=60.0)) as runtime:
        for _ in range(2):
            await runtime.send(wait)
        await all_blocked()
        before = await health_after(runtime, 50)
        after = await health_after(runtime, 20)

    assert before.ok
    assert after.reasons == (
        "all 2 slots are held, and no limit or deadline ends any of it: nothing has moved for 70 s",
    )


@pytest.mark.parametrize(
    "asked",
    [wait.options(limit=3600.0), wait.options(timeout=3600.0)],
    ids=["limit", "deadline"],
)
@on_virtual_time
async def test_atoms_that_have_an_end_in_sight_may_fill_all_slots(asked: FunctionAtom[..., Any, ..., Any]) -> None:
    """Their own limit says how long is too long."""
    async with Atomizer(wait, settings=quick(slots=2, grace=0.0, stalled_after=60.0)) as runtime:
        for _ in range(2):
            await runtime.send(asked)
        during = await health_after(runtime, 3000)

    assert during.ok


@on_virtual_time
async def test_a_long_atom_is_no_trouble_while_slots_are_free_and_nothing_waits() -> None:
    """It may run as long as it likes."""
    async with Atomizer(wait, settings=quick(slots=2, grace=0.0, stalled_after=60.0)) as runtime:
        await runtime.send(wait)
        during = await health_after(runtime, 3000)

    assert during.ok


@pytest.mark.parametrize(("limit", "is_well"), [(None, False), (5000.0, True)], ids=["no end", "an end in sight"])
@on_virtual_time
async def test_work_that_waits_for_a_singleton_is_red_unless_that_ends(limit: float | None, is_well: bool) -> None:
    """Slots are free, but not for its kind."""

    @atomizer.atom(id="tests.alone", singleton=True)
    async def alone() -> None:
        await asyncio.sleep(1_000_000)

    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    settings = quick(name="node", grace=0.0, stalled_after=60.0)

    async with asker, Atomizer(alone, conductor=hub, settings=settings) as node:
        handles = [await asker.send(alone.options(limit=limit)) for _ in range(3)]
        health = await health_after(node, 300)
        for handle in handles:
            await handle.cancel()

    assert health.ok is is_well


@on_virtual_time
async def test_a_busy_node_with_a_queue_is_green() -> None:
    """It moves."""
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(double, conductor=hub, settings=quick(name="node", slots=1, stalled_after=60.0)) as node:
        handles = [await asker.send(double, number) for number in range(500)]
        health, queued = await health_after(node, 300), node.statistics().queued
        for handle in handles:
            await handle

    assert health.ok
    assert queued > 100


@on_virtual_time
async def test_what_waits_on_purpose_is_no_trouble() -> None:
    """What is not due, what waits behind another of its key, and what was paused."""
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    settings = quick(name="node", grace=0.0, stalled_after=60.0)

    async with asker, Atomizer(double, wait, conductor=hub, settings=settings) as node:
        handles = [await asker.send(double.options(delay=5000.0), 1)]
        handles += [await asker.send(wait.options(key="one", limit=5000.0)) for _ in range(2)]
        by_itself = await health_after(node, 300)
        await node.pause(double)
        handles.append(await asker.send(double, 1))
        paused = await health_after(node, 300)
        for handle in handles:
            await handle.cancel()

    assert (by_itself.reasons, paused.reasons) == ((), ())


@on_virtual_time
async def test_work_that_waits_is_green_again_when_it_moves() -> None:
    """The figures say since when it did not."""
    async with Atomizer(wait, settings=quick(slots=1, grace=0.0, stalled_after=60.0)) as runtime:
        handle = await runtime.send(wait)
        await all_blocked()
        red, stalled = await health_after(runtime, 100), runtime.statistics().stalled
        await handle.cancel()
        await all_blocked()
        green, moving = runtime.health(), runtime.statistics()

    assert (red.ok, stalled) == (False, 100.0)
    assert (green.ok, moving.stalled, moving.stalls) == (True, 0.0, ())


@on_virtual_time
async def test_nothing_is_called_stalled_where_the_setting_is_zero() -> None:
    """The figures are there all the same."""
    async with Atomizer(wait, settings=quick(slots=1, grace=0.0, stalled_after=0.0)) as runtime:
        await runtime.send(wait)
        await all_blocked()
        health = await health_after(runtime, 1000)
        stalled = runtime.statistics().stalled

    assert (health.ok, stalled) == (True, 1000.0)


@on_virtual_time
async def test_a_runtime_that_was_not_entered_is_not_healthy() -> None:
    """Nothing can be relied on there yet."""
    health = Atomizer(double, settings=quick()).health()

    assert not health
    assert "not entered" in health.reasons[0]


@on_virtual_time
async def test_a_short_standstill_is_told_in_parts_of_a_second() -> None:
    """Not as none at all."""
    async with Atomizer(wait, settings=quick(slots=1, grace=0.0, stalled_after=0.3)) as runtime:
        await runtime.send(wait)
        await asyncio.sleep(0.1)
        runtime.health()
        await asyncio.sleep(0.35)
        runtime.health()
        await asyncio.sleep(0.35)
        reasons = runtime.health().reasons

    assert any("for 0.35 s" in reason or "for 0.7 s" in reason for reason in reasons)
