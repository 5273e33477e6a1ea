"""An asker that waits flies its own electron, where that is over in one step."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from atomizer import AtomCancelled, AtomFailed, Atomizer, MemoryConductor, Settings, atom
from atomizer.testing.clock import VirtualClock, run

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@atom(id="once.double")
async def double(number: int) -> int:
    return 2 * number


@atom(id="once.tenant")
async def tenant() -> str:
    found = TENANT.get()
    TENANT.set("the atom")
    return found


@atom(id="once.who")
async def who() -> str:
    task = asyncio.current_task()
    assert task is not None
    return task.get_name()


@atom(id="once.waits")
async def waits(times: int) -> int:
    for _ in range(times):
        await asyncio.sleep(0)
    return times


@atom(id="once.hangs")
async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


@atom(id="once.fails")
async def fails() -> None:
    raise ValueError("seven")


@atom(id="once.leaves")
async def leaves() -> None:
    await asyncio.timeout(0.001).__aenter__()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)


@atom(id="once.quits")
async def quits() -> None:
    raise SystemExit(3)


async def test_an_electron_that_is_over_in_one_step_takes_no_turn_of_the_loop() -> None:
    """That is nearly half of the time that one alone takes."""
    turned: list[bool] = []
    async with Atomizer(double) as runtime:
        await runtime.run(double, 1)  # now a worker waits
        asyncio.get_running_loop().call_soon(turned.append, True)

        assert await runtime.run(double, 21) == 42

        assert not turned
        assert runtime.statistics().completed == 2


async def test_what_it_raises_comes_as_from_any_other() -> None:
    """Failures, and even the end of the process, are answers."""
    async with Atomizer(fails, quits) as runtime:
        with pytest.raises(AtomFailed, match="seven"):
            await runtime.run(fails)
        with pytest.raises(AtomFailed, match="3"):
            await runtime.run(quits)


async def test_an_atom_has_no_context_of_its_asker() -> None:
    """I7: variables go neither in nor out, whoever flies it."""
    async with Atomizer(tenant) as runtime:
        TENANT.set("the asker")
        found = {await runtime.run(tenant) for _ in range(3)}

    assert found == {"nobody"}  # as it was where the runtime was opened
    assert TENANT.get() == "the asker"


async def test_an_atom_is_not_its_asker() -> None:
    """`asyncio.current_task()` is its own while it runs, and the asker's again afterwards."""
    me = asyncio.current_task()
    assert me is not None
    async with Atomizer(who) as runtime:
        name = await runtime.run(who)

        assert name == "once.who"
        assert asyncio.current_task() is me


async def test_what_an_atom_leaves_behind_does_not_reach_its_asker() -> None:
    """I7: a timeout that was not left, a cancellation that comes late."""
    async with Atomizer(leaves, double) as runtime:
        await runtime.run(leaves)
        for number in range(10):
            assert await runtime.run(double, number) == 2 * number
            await asyncio.sleep(0.001)

    me = asyncio.current_task()
    assert me is not None
    assert me.cancelling() == 0


async def test_an_atom_that_waits_after_all_is_taken_over_where_it_stands() -> None:
    """The first time it is not known; it is not run twice for it."""
    async with Atomizer(waits) as runtime:
        assert [await runtime.run(waits, times) for times in (3, 0, 5)] == [3, 0, 5]
        assert runtime.statistics().completed == 3
        assert runtime.statistics().running == 0


async def test_an_asker_that_is_cancelled_cancels_what_was_taken_over() -> None:
    """As any other."""
    async with Atomizer(hangs, settings=Settings(slots=1)) as runtime:
        asking = asyncio.create_task(runtime.run(hangs))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait((asking,))
        handle = await runtime.send(hangs)  # the slot is free again
        await handle.cancel()

        with pytest.raises(AtomCancelled):
            await handle
        assert asking.cancelled()


def test_a_limit_reaches_what_was_taken_over() -> None:
    """Its deadline is one of the runtime's."""

    async def main(clock: VirtualClock) -> float:
        async with Atomizer(hangs, settings=Settings(clock=clock)) as runtime:
            began = clock.monotonic()
            with pytest.raises(AtomFailed, match="deadline"):
                await runtime.run(hangs.options(timeout=3.0))
            return clock.monotonic() - began

    assert run(main) == pytest.approx(3.0, abs=0.01)


async def test_many_in_a_row_let_others_run() -> None:
    """A fast atom must not starve the loop."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Atomizer(double) as runtime:
        beside = asyncio.create_task(other())
        for number in range(2_000):
            await runtime.run(double, number)
        beside.cancel()

    assert turns > 2


async def test_nothing_is_overtaken() -> None:
    """What waits in the queue comes first."""
    order: list[int] = []

    @atom(id="once.notes")
    async def notes(number: int) -> None:
        order.append(number)

    async with Atomizer(notes, settings=Settings(slots=1)) as runtime:
        handles = [await runtime.send(notes, number) for number in range(3)]
        await runtime.run(notes, 3)
        for handle in handles:
            await handle

    assert order == [0, 1, 2, 3]


async def test_a_busy_node_flies_nothing_at_once() -> None:
    """No more run than there are slots."""
    async with Atomizer(hangs, double, settings=Settings(slots=1)) as runtime:
        hanging = await runtime.send(hangs)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking = asyncio.create_task(runtime.run(double, 21))
        for _ in range(5):
            await asyncio.sleep(0)
        waited = not asking.done()
        await hanging.cancel()

        assert await asking == 42
        assert waited


async def test_two_nodes_share_what_is_run() -> None:
    """Where somebody else listens too, the queue decides."""
    hub = MemoryConductor()
    async with Atomizer(double, conductor=hub) as one, Atomizer(double, conductor=hub) as other:
        for number in range(20):
            assert await one.run(double, number) == 2 * number

        assert one.statistics().completed + other.statistics().completed == 20
        assert other.statistics().completed > 0
