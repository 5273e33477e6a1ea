"""Asking in the corners: replies that cannot be read, ids used twice, foreign contexts, sources that will not end."""

from __future__ import annotations

import asyncio
import math
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING

import pytest

import atomizer
from atomizer import Atomizer, Bond, FailureKind, Handle, MemoryConductor, Options, Properties, Settings, events

from .atoms import double, hang

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from atomizer import EventStream

QUICK = Settings(cancel_grace=0.02, grace=0.2, settle_grace=0.2)


class Picky(Exception):
    """It cannot be made of a message alone."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)


class Plain(Exception):
    """It can."""


@atomizer.atom(id="tests.large")
async def large(size: int) -> str:
    """Return a text of a size."""
    return "x" * size


@atomizer.atom(id="tests.picky", raises=(Picky,))
async def picky(number: int) -> None:
    """Raise what the asker cannot make again."""
    raise Picky(number, "seven")


@atomizer.atom(id="tests.plain", raises=(Plain,))
async def plain(number: int) -> None:
    """Raise what the asker can make again."""
    raise Plain(f"not {number}")


@atomizer.atom(id="tests.elsewhere")
async def elsewhere(bond: Bond, way: str) -> int:
    """Ask from a context in which nothing says whose atom this is."""

    async def ask() -> int:
        if way == "map":
            return sum([value async for value in bond.map(double, [21])])
        return await bond.run(double, 21)

    return await asyncio.create_task(ask(), context=Context())


async def until(stream: EventStream, kind: type[events.Event], atom_id: str) -> None:
    """Read events up to one of a kind about an atom."""
    async for event in stream:
        if isinstance(event, kind) and getattr(event, "atom_id", "") == atom_id:
            return


async def test_a_reply_that_cannot_be_read_is_a_failure() -> None:
    """Nothing better comes: whoever waited on would wait for ever."""
    hub = MemoryConductor()
    small = Settings(max_payload_bytes=1_000)
    async with Atomizer(large, conductor=hub), Atomizer(conductor=hub, serve=False, settings=small) as asker:
        with pytest.raises(atomizer.AtomFailed, match=r"reply could not be read.*at `\$") as caught:
            await asker.run(large, 200_000)
        outstanding = asker.statistics().outstanding

    assert caught.value.failure.kind == FailureKind.MALFORMED
    assert outstanding == 0


@pytest.mark.parametrize("id", ["", "x" * 257])
def test_an_id_out_of_range_is_refused(id: str) -> None:
    """No node could read it."""
    with pytest.raises(ValueError, match=r"Options\.id"):
        Options(id=id)


@pytest.mark.parametrize("name", ["timeout", "limit", "delay"])
def test_seconds_that_are_no_number_are_refused(name: str) -> None:
    """With the field's name."""
    with pytest.raises(TypeError, match=f"Options.{name}"):
        Options(**{name: "5"})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["timeout", "limit", "delay"])
def test_seconds_beyond_every_clock_are_refused(name: str) -> None:
    """But no end at all is one."""
    with pytest.raises(ValueError, match=f"Options.{name}"):
        Options(**{name: 1.1e9})  # type: ignore[arg-type]

    assert Options(timeout=math.inf).timeout == math.inf


async def test_a_handle_takes_out_no_other_of_its_id() -> None:
    """An id is free again after its outcome, and may stand for another request by then."""
    async with Atomizer() as runtime:
        asker, node = runtime._asker, runtime._node
        assert asker is not None
        assert node is not None
        first, second = (Handle[object]("e-1", "tests.hang", asker, Properties.value) for _ in range(2))
        node.correlation.expecting[second.electron_id] = second

        asker._forget(first)
        asker._give_up(first)
        await first.properties()

        assert node.correlation.find("e-1") is second


async def test_a_declared_exception_that_cannot_be_made_comes_as_the_failure() -> None:
    """The failure must not be lost over its clothes."""
    async with Atomizer(picky) as runtime:
        with pytest.raises(atomizer.AtomFailed, match="seven"):
            await runtime.run(picky, 7)


async def test_a_declared_exception_in_a_map_names_its_item() -> None:
    """On itself, and on the failure it comes from."""
    async with Atomizer(plain) as runtime:
        with pytest.raises(Plain) as caught:
            await anext(runtime.map(plain, [7]))

    assert getattr(caught.value, "item", None) == 7
    assert isinstance(caught.value.__cause__, atomizer.AtomFailed)
    assert caught.value.__cause__.item == 7


async def test_results_refuse_a_second_reader() -> None:
    """And the first one is not disturbed."""
    released = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        await released.wait()
        yield 21

    async with Atomizer(double) as runtime, asyncio.TaskGroup() as group:
        results = runtime.map(double, source())
        first = group.create_task(anext(results))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader"):
            await anext(results)
        with pytest.raises(RuntimeError, match="one reader"):
            await anext(results.settled())
        released.set()

    assert first.result() == 42


async def test_an_async_source_lives_in_one_task() -> None:
    """Timeouts and context variables hold over its items, and it is closed where it was opened."""
    tenant: ContextVar[str] = ContextVar("tenant", default="none")
    seen: list[object] = []

    async def source() -> AsyncIterator[int]:
        seen.append(asyncio.current_task())
        tenant.set("seven")
        try:
            async with asyncio.timeout(30):
                for number in range(10):
                    seen.append(tenant.get())
                    yield number
        finally:
            seen.append(asyncio.current_task())

    async with Atomizer(double) as runtime, runtime.map(double, source(), limit=1, ordered=True) as results:
        read = [await anext(results), await anext(results)]

    assert read == [0, 2]
    assert set(seen[1:-1]) == {"seven"}
    assert seen[0] is seen[-1]


async def test_an_async_source_that_will_not_end_is_left_behind() -> None:
    """Closing waits for it a bounded time."""
    released = asyncio.Event()
    ended = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 21
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        ended.set()

    async with Atomizer(double, settings=QUICK) as runtime:
        async with runtime.map(double, source(), limit=2) as results:
            first = await anext(results)
            reading = asyncio.create_task(anext(results))
            await asyncio.sleep(0)
        was_running = not ended.is_set()
        with pytest.raises(StopAsyncIteration):
            await reading
    released.set()
    await ended.wait()

    assert first == 42
    assert was_running


async def test_a_child_without_a_reply_is_cancelled_with_its_parent() -> None:
    """It is a child all the same."""
    released = asyncio.Event()

    @atomizer.atom(id="tests.leaves")
    async def leaves(bond: Bond) -> None:
        await bond.send(hang.options(reply=False))
        await released.wait()

    async with Atomizer(leaves, hang, settings=QUICK) as runtime, runtime.events() as stream:
        handle = await runtime.send(leaves)
        await until(stream, events.ElectronBonded, "tests.hang")
        released.set()
        await handle
        await until(stream, events.ElectronCancelled, "tests.hang")


async def test_an_electron_without_a_reply_can_be_cancelled() -> None:
    """Its handle is done from the start, its atom is not."""
    async with Atomizer(hang, settings=QUICK) as runtime, runtime.events() as stream:
        handle = await runtime.send(hang.options(reply=False))
        await until(stream, events.ElectronBonded, "tests.hang")
        await handle.cancel()
        await until(stream, events.ElectronCancelled, "tests.hang")

    assert handle.done


async def test_cancelling_again_does_not_put_off_the_answer() -> None:
    """The patience with nodes that do not answer runs from the first time."""
    async with Atomizer(hang, settings=QUICK) as runtime:
        handle = await runtime.send(hang)
        moments: list[float] = []
        for _ in range(3):
            await handle.cancel()
            moments.append(handle.due)
        with pytest.raises(atomizer.AtomCancelled):
            await handle

    assert len(set(moments)) == 1


async def test_asking_without_any_conductor_says_so() -> None:
    """The last one was taken away."""
    hub = MemoryConductor()
    async with Atomizer(double, conductor=hub) as runtime:
        await runtime.unregister(hub)
        with pytest.raises(atomizer.ConductorUnavailable, match="no conductor"):
            await runtime.run(double, 1)


@pytest.mark.parametrize("way", ["run", "map"])
async def test_an_atom_that_asks_from_a_foreign_context_lends_its_slot(way: str) -> None:
    """Whose atom it is, the bond knows too."""
    async with Atomizer(elsewhere, double, settings=Settings(slots=1)) as runtime, asyncio.timeout(5):
        assert await runtime.run(elsewhere, way) == 42


async def test_each_waiter_on_a_stopped_runtime_has_an_exception_of_its_own() -> None:
    """A shared one would gather everybody's traceback."""
    hub = MemoryConductor()
    async with hub.connect() as connection:
        await connection.listen(atomizer.Route(atomizer.Lane.WORK, "tests.hang"), 1)
        async with Atomizer(conductor=hub, settings=QUICK) as runtime:
            handle = await runtime.send(hang)

    caught: list[BaseException] = []
    for _ in range(2):
        with pytest.raises(atomizer.NotRunning) as error:
            await handle
        caught.append(error.value)

    assert caught[0] is not caught[1]
