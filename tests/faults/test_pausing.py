"""Pausing an atom or a conductor, and draining a runtime: nothing new is taken, and what is under way goes on."""

from __future__ import annotations

import asyncio

import pytest

import atomizer
from atomizer import Atomizer, MemoryConductor, events
from atomizer.errors import NotRunning, RegistrationRefused
from atomizer.testing.clock import all_blocked, on_virtual_time
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step

from .wires import WORK, depth, double, heard, now, quick, wait


@atomizer.atom(id="tests.triple", route="tests.double")
async def triple(number: int) -> int:
    """Triple a number, by the route of another atom."""
    return 3 * number


@on_virtual_time
async def test_a_paused_atom_finishes_what_it_has_and_takes_nothing_new() -> None:
    """And others go on."""
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(double, wait, conductor=hub, settings=quick(name="node")) as node:
        under_way = await asker.send(double, 1)
        await all_blocked()
        await node.pause(double)
        late = await asker.send(double, 2)
        waiting = await asker.send(wait)
        assert await under_way == 2
        await asyncio.sleep(100.0)
        paused = node.statistics()
        await node.resume(double)
        assert await late == 4
        await waiting.cancel()
        resumed = node.statistics()

    assert (paused.paused, paused.running, paused.completed) == (("tests.double",), 1, 1)
    assert resumed.paused == ()


@on_virtual_time
async def test_atoms_that_share_a_route_pause_together() -> None:
    """A transport cannot tell them apart."""
    async with Atomizer(double, triple, wait, settings=quick()) as runtime:
        await runtime.pause("tests.triple")
        paused = runtime.statistics().paused
        handle = await runtime.send(double, 2)
        await asyncio.sleep(10.0)
        is_done = handle.done
        await runtime.resume(double)
        result = await handle

    assert paused == ("tests.double", "tests.triple")
    assert (is_done, result) == (False, 4)


@on_virtual_time
async def test_a_paused_conductor_is_left_alone_while_another_is_served() -> None:
    """It stays connected: answers come, and asking over it goes on."""
    one, two = MemoryConductor("one"), MemoryConductor("two")

    async with Atomizer(double, one, two, settings=quick()) as runtime:
        await runtime.pause(one)
        late = await runtime.send(double.options(conductor="one"), 1)
        result = await runtime.run(double.options(conductor="two"), 2)
        paused, states = runtime.statistics().paused, runtime.statistics().conductors
        await runtime.resume(one)
        assert await late == 2

    assert (result, paused) == (4, ("one",))
    assert states == {"one": "ready", "two": "ready"}


@on_virtual_time
async def test_a_pause_holds_over_a_new_connection() -> None:
    """Whoever paused it need not know of the cut."""
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(double, conductor=hub, settings=quick(name="node")) as node:
        await node.pause(double)
        hub.cut()
        await asyncio.sleep(1.0)
        handle = await asker.send(double, 1)
        await asyncio.sleep(10.0)
        left, states = await depth(hub, WORK), node.statistics().conductors
        await node.resume(double)
        result = await handle

    assert (left, states, result) == (1, {"memory": "ready"}, 2)


@on_virtual_time
async def test_what_is_registered_on_a_paused_route_is_paused() -> None:
    """Until the route is taken up; and an atom that was taken away and comes back is not."""
    async with Atomizer(double, settings=quick()) as runtime:
        await runtime.pause(double)
        await runtime.register(triple)
        shared = runtime.statistics().paused
        for atom in (double, triple):
            await runtime.unregister(atom)
        await runtime.register(double)
        result = await runtime.run(double, 2)

    assert shared == ("tests.double", "tests.triple")
    assert result == 4


@on_virtual_time
async def test_pausing_once_more_changes_nothing_and_is_told_once() -> None:
    """Events name what was paused."""
    async with Atomizer(double, settings=quick()) as runtime, runtime.events() as stream:
        for _ in range(2):
            await runtime.pause(double)
        for _ in range(2):
            await runtime.resume(double)
        conductor = next(iter(runtime.statistics().conductors))
        await runtime.drain()
        await runtime.resume()
        seen = [await anext(stream) for _ in range(4)]
        await runtime.run(double, 1)
        following = await anext(stream)

    assert [(type(each), each.atom_id, each.conductor) for each in seen] == [
        (events.IntakePaused, "tests.double", ""),
        (events.IntakeResumed, "tests.double", ""),
        (events.IntakePaused, "", conductor),
        (events.IntakeResumed, "", conductor),
    ]
    assert not isinstance(following, events.IntakePaused | events.IntakeResumed)


@on_virtual_time
async def test_what_is_not_registered_is_not_paused() -> None:
    """By its name, or as an object; nor is anything on a runtime that is not open."""
    runtime = Atomizer(double, settings=quick())
    async with runtime:
        with pytest.raises(RegistrationRefused):
            await runtime.pause("tests.nobody")
        with pytest.raises(RegistrationRefused):
            await runtime.resume(MemoryConductor("stranger"))

    with pytest.raises(NotRunning):
        await runtime.pause(double)
    with pytest.raises(NotRunning):
        await runtime.drain()


# Draining


@on_virtual_time
async def test_a_drained_runtime_has_nothing_under_way_and_can_still_ask() -> None:
    """What comes meanwhile waits, or goes to others; `resume()` takes up again."""
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(double, conductor=hub, settings=quick(name="node")) as node:
        handles = [await asker.send(double, number) for number in range(3)]
        await all_blocked()
        draining = asyncio.create_task(node.drain())
        await all_blocked()
        late = await asker.send(double, 9)
        is_drained, drained_at = await draining, now()
        left = await depth(hub, WORK)
        async with Atomizer(triple, conductor=(other := MemoryConductor("other")), settings=quick(name="third")):
            await node.register(other)
            asked = await node.run(triple.options(conductor="other"), 5)
        paused = node.statistics().paused
        await node.resume()
        results = [await handle for handle in [*handles, late]]

    assert (is_drained, drained_at, left) == (True, 1.0, 1)
    assert (asked, paused) == (15, ("memory", "other"))
    assert results == [0, 2, 4, 18]


@on_virtual_time
async def test_draining_waits_no_longer_than_it_is_told() -> None:
    """What is under way goes on all the same."""
    async with Atomizer(double, settings=quick()) as runtime:
        handle = await runtime.send(double, 1)
        await all_blocked()
        at_once = await runtime.drain(0.0)
        soon = await runtime.drain(0.4)
        waited = now()
        result = await handle
        after = await runtime.drain(0.0)

    assert (at_once, soon, waited, result, after) == (False, False, 0.4, 2, True)


@on_virtual_time
async def test_a_pause_by_name_outlasts_a_drain() -> None:
    """Two reasons, each taken back by itself."""
    async with Atomizer(double, settings=quick()) as runtime:
        await runtime.pause(double)
        await runtime.drain()
        await runtime.resume()
        paused = runtime.statistics().paused
        handle = await runtime.send(double, 1)
        await asyncio.sleep(10.0)
        is_done = handle.done
        await runtime.resume(double)
        assert await handle == 2

    assert (paused, is_done) == (("tests.double",), False)


@on_virtual_time
async def test_draining_ends_when_somebody_resumes() -> None:
    """It would wait for ever: what comes now is new."""
    async with Atomizer(double, wait, settings=quick(grace=0.0)) as runtime:
        await runtime.send(wait)
        await all_blocked()
        draining = asyncio.create_task(runtime.drain())
        await all_blocked()
        await runtime.resume()
        is_drained = await draining

    assert not is_drained


@on_virtual_time
async def test_draining_is_given_up_where_what_is_left_waits_for_children_that_nobody_runs() -> None:
    """A runtime alone in memory."""

    @atomizer.atom(id="tests.parent")
    async def parent(bond: atomizer.Bond) -> int:
        await asyncio.sleep(1.0)
        return await bond.run(double, 4)

    async with Atomizer(parent, double, settings=quick()) as runtime:
        handle = await runtime.send(parent)
        await all_blocked()
        is_drained = await runtime.drain()
        gave_up_at = now()
        await runtime.resume()
        result = await handle

    assert (is_drained, gave_up_at, result) == (False, 1.0, 8)


@on_virtual_time
async def test_an_atom_that_drains_its_own_runtime_does_not_wait_for_itself() -> None:
    """It is under way until it returns."""
    runtimes: list[Atomizer] = []

    @atomizer.atom(id="tests.drains")
    async def drains() -> bool:
        return await runtimes[0].drain(60.0)

    async with Atomizer(drains, double, settings=quick()) as runtime:
        runtimes.append(runtime)
        await runtime.send(double, 1)
        is_drained = await runtime.run(drains)

    assert (is_drained, now()) == (True, 1.0)


@on_virtual_time
async def test_pausing_is_not_undone_by_what_is_being_told_meanwhile() -> None:
    """A conductor that is slow to be told gets the newest word last."""
    slow = Plan(lambda step, nth: FaultKind.DELAY if step is Step.LISTEN and nth > 6 else None, limit=1_000, delay=1.0)
    hub = MemoryConductor()
    wire = FaultyConductor(hub, slow)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    @atomizer.atom(id="tests.asks")
    async def asks(bond: atomizer.Bond) -> None:
        await bond.run(wait)

    node = Atomizer(asks, double, wait, conductor=wire, settings=quick(name="node", grace=0.0))
    async with asker, node, node.events() as stream:
        await asker.send(asks)  # it lends its slot, and the credit of every route is told anew
        await asyncio.sleep(0.5)
        await node.pause(double)
        await heard(stream, events.IntakePaused)
        await asyncio.sleep(60.0)
        late = await asker.send(double, 1)
        await asyncio.sleep(60.0)
        is_done = late.done

    assert not is_done


@on_virtual_time
async def test_a_conductor_is_paused_by_its_name() -> None:
    """As its events and figures name it."""
    async with Atomizer(double, conductor=MemoryConductor("main"), settings=quick()) as runtime:
        await runtime.pause("main")
        paused = runtime.statistics().paused
        await runtime.resume("main")

        assert await runtime.run(double, 1) == 2

    assert paused == ("main",)


@on_virtual_time
async def test_while_everything_is_drained_nothing_is_resumed_by_name() -> None:
    """It would change nothing, so it is said."""
    async with Atomizer(double, settings=quick()) as runtime:
        await runtime.drain()
        with pytest.raises(ValueError, match="takes the drain back"):
            await runtime.resume(double)
        await runtime.resume()

        assert await runtime.run(double, 1) == 2
