"""What becomes of electrons when a runtime is left: calmly, in a hurry, cancelled, or with a fault under way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

import atomizer
from atomizer import Atomizer, Frame, Lane, MemoryConductor, Route, events
from atomizer.testing.clock import all_blocked, on_virtual_time
from atomizer.testing.faults import FaultKind, Plan, Step
from atomizer.testing.record import RecordingConductor

from .pushing import PushingHub
from .wires import SLACK, WAIT, WORK, depth, double, faulty, now, quick, wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    Limited = Callable[[float], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def nothing_after(seconds: float) -> AsyncGenerator[None]:
    """Limit a program as anyio does, for an `async with`."""
    with anyio.fail_after(seconds):
        yield


@asynccontextmanager
async def left_after(seconds: float, runtime: Atomizer) -> AsyncGenerator[Atomizer]:
    """Enter a runtime, and make sure that leaving it takes no longer."""
    async with runtime:
        yield runtime
        left = now()
    assert now() - left <= seconds + SLACK


@on_virtual_time
async def test_stopping_while_a_settlement_hangs_is_bounded() -> None:
    """I13: whatever the other side does."""
    plan = Plan.at((Step.SETTLE, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    settings = quick(name="node", grace=2.0, cancel_grace=1.0, settle_grace=3.0)

    node = Atomizer(double, conductor=faulty(plan, hub), settings=settings)

    async with asker, left_after(2.0 + 1.0 + 4 * 3.0, node):
        assert await asker.run(double, 4) == 8


@on_virtual_time
async def test_stopping_while_a_reply_hangs_gives_the_electron_back() -> None:
    """I6: what is not confirmed is not acknowledged, and another node answers it."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    settings = quick(name="node", confirm_timeout=100.0, grace=2.0, cancel_grace=1.0, settle_grace=3.0)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker:
        async with left_after(2.0 + 1.0 + 4 * 3.0, Atomizer(double, conductor=wire, settings=settings)):
            handle = await asker.send(double, 4)
            await asyncio.sleep(2.0)
        left = await depth(hub, WORK)

    assert handle.done  # the reply had arrived; only its confirm had not
    assert left == 1
    assert wire.ledger.violations() == []


@atomizer.atom(id="tests.goes_on")
async def goes_on(number: int) -> None:
    """Go on for a while when told to stop."""
    end = now() + 100.0
    while (left := end - now()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


GOES_ON = Route(Lane.WORK, goes_on.atom_id)


@pytest.mark.parametrize("is_readable", [True, False], ids=["of an abandoned atom", "of a refusal"])
@on_virtual_time
async def test_stopping_at_once_while_a_reply_hangs_gives_the_electron_back(is_readable: bool) -> None:
    """I6: also where no atom runs that could be stopped."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    node = Atomizer(goes_on, conductor=wire, settings=quick(name="node", confirm_timeout=100.0, cancel_grace=1.0))
    electron = atomizer.Electron(id="one", atom_id=goes_on.atom_id, payload=b"7", limit=1.0)
    body = hub.codec.encode_electron(electron) if is_readable else b"no electron"

    async with hub.connect() as asker:
        await asker.listen(Route(Lane.REPLY, "asker"), 10)
        with pytest.raises(LookupError, match="the application's own"):
            async with node:
                await asker.send(Frame(GOES_ON, body, hub.codec.content_type, "one", reply_to="asker"))
                await asyncio.sleep(5.0)
                raise LookupError("the application's own")
        left = await depth(hub, GOES_ON)

    assert now() <= 5.0 + 1.0 + 1.0
    assert left == 1
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_stopping_gives_back_what_waits_for_a_slot() -> None:
    """I13: nothing new is begun when a node stops."""

    @atomizer.atom(id="tests.ask_and_go_on")
    async def ask_and_go_on(bond: atomizer.Bond) -> None:
        await bond.run(double, 1)  # its slot is lent meanwhile, and somebody waits for the next electron
        await asyncio.sleep(5.0)

    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    other = Atomizer(double, conductor=hub, settings=quick(name="other"))
    node = Atomizer(ask_and_go_on, wait, conductor=wire, settings=quick(name="node", slots=1))

    async with asker, other:
        async with node, node.events() as stream:
            await asker.send(ask_and_go_on)
            await asyncio.sleep(2.0)
            await asker.send(wait)
            await all_blocked()
        bonded = [event.atom_id async for event in stream if isinstance(event, events.ElectronBonded)]
        left = await depth(hub, WAIT)

    assert bonded == ["tests.ask_and_go_on"]
    assert left == 1
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_cancelling_a_program_gives_back_what_is_under_way() -> None:
    """I6: the electrons wait for another node."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async def serve() -> None:
        async with Atomizer(double, conductor=wire, settings=quick(name="node")) as node:
            await node.serve()

    async with asker:
        serving = asyncio.create_task(serve())
        await all_blocked()
        handles = [await asker.send(double, number) for number in range(3)]
        await all_blocked()
        serving.cancel()
        await asyncio.wait((serving,))
        left = await depth(hub, WORK)
        cancelled_at = now()
        async with Atomizer(double, conductor=hub, settings=quick(name="next")):
            results = [await handle for handle in handles]

    assert serving.cancelled()
    assert (cancelled_at, left) == (0.0, 3)
    assert results == [0, 2, 4]
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_cancelling_a_program_while_it_stops_still_closes_everything() -> None:
    """Leaving holds a cancellation up until everything is closed, for a bounded time."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    node = Atomizer(wait, conductor=wire, settings=quick(name="node", grace=20.0, cancel_grace=1.0))

    async def serve() -> None:
        async with node:
            await node.serve()

    async with asker:
        serving = asyncio.create_task(serve())
        await all_blocked()
        await asker.send(wait)
        await all_blocked()
        node.stop()
        await asyncio.sleep(5.0)  # it lets the atom finish, which it will not
        serving.cancel()
        await asyncio.wait((serving,))
        left = await depth(hub, WAIT)
        state, conductors = node.statistics().state, node.statistics().conductors

    assert serving.cancelled()
    assert left == 1
    assert (state, conductors) == ("stopped", {"memory": "closed"})
    assert wire.ledger.violations() == []


@pytest.mark.parametrize("limited", [asyncio.timeout, nothing_after], ids=["asyncio", "anyio"])
@on_virtual_time
async def test_a_program_that_runs_out_of_time_while_it_stops_still_closes_everything(limited: Limited) -> None:
    """The same for a time limit around the whole: asyncio cancels once, anyio again and again."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    node = Atomizer(wait, conductor=wire, settings=quick(name="node", grace=20.0, cancel_grace=1.0))

    async with asker:
        with pytest.raises(TimeoutError):
            async with limited(5.0), node:
                await asker.send(wait)
                await all_blocked()
        left = await depth(hub, WAIT)

    assert now() <= 5.0 + 1.0
    assert left == 1
    assert wire.ledger.violations() == []


@atomizer.atom(id="tests.nap")
async def nap(seconds: float) -> None:
    """Sleep."""
    await asyncio.sleep(seconds)


@pytest.mark.parametrize("how", ["stop", "drain", "pause", "remove"])
@on_virtual_time
async def test_what_came_to_a_node_that_takes_nothing_more_is_left_to_others_at_once(how: str) -> None:
    """It lies there, not begun, behind atoms that take long: it does not wait for their end."""
    hub = PushingHub()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    node = Atomizer(nap, double, conductor=hub, settings=quick(name="node", slots=2, grace=100.0))

    async with asker, asyncio.TaskGroup() as group:
        await node.__aenter__()
        long = [await asker.send(nap, 25.0) for _ in range(2)]
        await all_blocked()
        lying = [await asker.send(double, number) for number in range(2)]
        await all_blocked()
        ways = {"drain": node.drain, "pause": partial(node.pause, hub), "remove": partial(node.unregister, hub)}
        group.create_task(ways.get(how, partial(node.__aexit__, None, None, None))())
        await all_blocked()
        late = [await asker.send(double, number) for number in range(2, 4)]
        async with Atomizer(double, conductor=hub, settings=quick(name="other")):
            doubled = [await handle for handle in lying + late]
            took = now()
        for handle in long:
            await handle
        if how != "stop":
            await node.__aexit__(None, None, None)

    assert (took, doubled) == (pytest.approx(1.0), [0, 2, 4, 6])
