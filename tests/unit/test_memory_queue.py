"""Who gets which frame of an in-memory route, and when: order, priority, keys, delays, capacity, spread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from atomizer.conductor import Connection, Frame, Lane, Route, Settlement, Spread
from atomizer.errors import ConductorBroken
from atomizer.memory import MemoryConductor
from atomizer.testing.clock import all_blocked, current_clock, on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK = Route(Lane.WORK, "atom")


def frame(id: str, to: Route = WORK, **fields: Any) -> Frame:
    """Make a frame."""
    return Frame(to, b"", "application/json", id, **fields)


def ids_now(connection: Connection, lane: Lane = Lane.WORK) -> list[str]:
    """Take everything that comes without waiting, and settle nothing."""
    came: list[str] = []
    while (delivery := connection.receive_nowait(lane)) is not None:
        came.append(delivery.id)
    return came


async def test_priority_is_strict_and_order_is_kept_within_one() -> None:
    """All of 1 come before all of 0, and those before all of -1; numbers beyond mean the same."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 99)
        for number, priority in enumerate((0, -1, 1, 0, 5, -7, 1)):
            await node.send(frame(f"{priority}/{number}", priority=priority))

        assert ids_now(node) == ["1/2", "5/4", "1/6", "0/0", "0/3", "-1/1", "-7/5"]


async def test_keyed_frames_keep_their_place_among_others() -> None:
    """A frame with a key waits its turn by priority and order, like those without."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 99)
        await node.send(frame("e-1"))
        await node.send(frame("e-2", key="a"))
        await node.send(frame("e-3"))
        await node.send(frame("e-4", key="b", priority=1))
        await node.send(frame("e-5", priority=1))

        assert ids_now(node) == ["e-4", "e-5", "e-1", "e-2", "e-3"]


async def test_requeued_frame_comes_first() -> None:
    """What was given back goes to the front of its priority; two given back keep their order."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 2)
        for number in range(3):
            await node.send(frame(f"e-{number}"))
        first, second = await node.receive(Lane.WORK), await node.receive(Lane.WORK)

        await node.settle(first, Settlement.REQUEUE)
        await node.settle(second, Settlement.REQUEUE)

        await node.listen(WORK, 3)
        assert ids_now(node) == ["e-0", "e-1", "e-2"]


async def test_routes_take_turns() -> None:
    """A busy route does not hold up another one."""
    busy, quiet = Route(Lane.WORK, "busy"), Route(Lane.WORK, "quiet")
    async with MemoryConductor().connect() as node:
        for route in (busy, quiet):
            await node.listen(route, 99)
        for number in range(4):
            await node.send(frame(f"busy-{number}", busy))
        for number in range(2):
            await node.send(frame(f"quiet-{number}", quiet))

        assert ids_now(node) == ["busy-0", "quiet-0", "busy-1", "quiet-1", "busy-2", "busy-3"]


async def test_listeners_take_turns() -> None:
    """Connections that wait on one route get one each."""
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two, asyncio.TaskGroup() as group:
        waiting: list[asyncio.Task[Any]] = []
        for node in (one, two):
            await node.listen(WORK, 99)
            waiting += [group.create_task(node.receive(Lane.WORK)) for _ in range(2)]
        await asyncio.sleep(0)

        for number in range(2):
            await one.send(frame(f"e-{number}"))
        await asyncio.sleep(0)

        assert [task.done() for task in waiting] == [True, False, True, False]
        for number in range(2):
            await one.send(frame(f"e-{number}"))


async def test_cancelled_receivers_give_back_in_order() -> None:
    """When several receivers are cancelled as something comes for them, it comes to others unmarked and in order."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 99)
        waiting = [asyncio.create_task(node.receive(Lane.WORK)) for _ in range(3)]
        await asyncio.sleep(0)
        for number in range(3):
            await node.send(frame(f"e-{number}"))

        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

        again = [node.receive_nowait(Lane.WORK) for _ in range(3)]
        assert [(each and each.id, each and each.redelivered) for each in again] == [
            ("e-0", False),
            ("e-1", False),
            ("e-2", False),
        ]


async def test_cancelled_receiver_leaves_the_row() -> None:
    """Receives that are cancelled before anything came leave nothing behind."""
    async with MemoryConductor().connect() as node:
        for _ in range(3):
            waiting = asyncio.create_task(node.receive(Lane.WORK))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait((waiting,))

        assert not node._inboxes[Lane.WORK].waiting


async def test_receiver_that_was_given_something_hears_of_a_cut_first() -> None:
    """When a connection is cut before the receiver wakes, it raises, and the delivery comes to somebody else."""
    conductor = MemoryConductor()
    async with conductor.connect() as victim, conductor.connect() as other:
        await victim.listen(WORK, 1)
        waiting = asyncio.create_task(victim.receive(Lane.WORK))
        await asyncio.sleep(0)
        await other.send(frame("e-1"))
        conductor.cut(victim)
        await other.listen(WORK, 1)

        with pytest.raises(ConductorBroken):
            await waiting

        assert ids_now(other) == ["e-1"]


async def test_cancelled_receiver_of_a_lane_that_may_be_lost_hands_on() -> None:
    """Also a CONTROL frame goes to another receiver; if the route was left meanwhile it is dropped."""
    route = Route(Lane.CONTROL, "node")
    async with MemoryConductor().connect() as node:
        for leave in (False, True):
            await node.listen(route, 1)
            waiting = asyncio.create_task(node.receive(Lane.CONTROL))
            await asyncio.sleep(0)
            await node.send(frame("e-1", route))
            if leave:
                await node.unlisten(route)

            waiting.cancel()
            await asyncio.wait((waiting,))

            assert ids_now(node, Lane.CONTROL) == ([] if leave else ["e-1"])


async def test_senders_wait_in_order_and_nobody_goes_ahead() -> None:
    """On a full route each send waits its turn, `send_nowait` declines, and what is given back fits all the same."""
    conductor = MemoryConductor(capacity=2)
    async with conductor.connect() as node, conductor.connect() as asker, asyncio.TaskGroup() as group:
        await node.listen(WORK, 1)
        for number in range(2):
            await asker.send(frame(f"e-{number}"))
        sends = [group.create_task(asker.send(frame(f"e-{number}"))) for number in range(2, 5)]
        await asyncio.sleep(0)
        assert not asker.send_nowait(frame("e-ahead"))
        held = await node.receive(Lane.WORK)
        await asyncio.sleep(0)
        assert [task.done() for task in sends] == [True, False, False]

        await node.settle(held, Settlement.REQUEUE)

        assert node.depth(WORK) == 3
        await node.listen(WORK, 99)
        assert ids_now(node) == ["e-0", "e-1", "e-2", "e-3", "e-4"]


async def test_cancelled_sender_leaves_the_row() -> None:
    """A send that is cancelled while it waits was not taken, and those behind it move up."""
    async with MemoryConductor(capacity=1).connect() as node, asyncio.TaskGroup() as group:
        await node.listen(WORK, 0)
        await node.send(frame("e-0"))
        first, second = (group.create_task(node.send(frame(f"e-{number}"))) for number in (1, 2))
        await asyncio.sleep(0)

        first.cancel()
        await asyncio.wait((first,))
        assert len(node._queues[WORK].senders) == 1
        await node.listen(WORK, 99)

        assert ids_now(node) == ["e-0", "e-2"]
        await second


async def test_many_senders_meet_many_receivers() -> None:
    """A thousand of each, on a route for one frame, and all meet."""
    number = 1_000
    async with MemoryConductor(capacity=1).connect() as node, asyncio.TaskGroup() as group:
        await node.listen(WORK, number)
        await node.send(frame("e-later", delay=0.001))
        sends = [group.create_task(node.send(frame(f"e-{each}"))) for each in range(number - 1)]
        receives = [group.create_task(node.receive(Lane.WORK)) for _ in range(number)]
        async with asyncio.timeout(20):
            await asyncio.wait([*sends, *receives])

    assert len({task.result().id for task in receives}) == number


async def test_dead_letters_need_no_listener_and_keep_their_senders() -> None:
    """A DEAD route is never closed: what waits for room there goes on waiting when its listener leaves."""
    route = Route(Lane.DEAD, "dead")
    conductor = MemoryConductor(capacity=1)
    async with conductor.connect() as asker, asyncio.TaskGroup() as group:
        assert asker.send_nowait(frame("e-0", route))
        waiting = group.create_task(asker.send(frame("e-1", route)))
        async with conductor.connect() as node:
            await node.listen(route, 0)
            await asyncio.sleep(0)
        assert not waiting.done()

        async with conductor.connect() as node:
            await node.listen(route, 9)
            assert ids_now(node, Lane.DEAD) == ["e-0", "e-1"]


@pytest.mark.parametrize("lane", [Lane.CONTROL, Lane.EVENT])
async def test_lanes_that_may_be_lost_drop_the_oldest(lane: Lane) -> None:
    """A full route of CONTROL or EVENT loses its oldest frame, one of low priority first, and nobody waits."""
    route = Route(lane, "name", spread=Spread.ALL)
    async with MemoryConductor(capacity=3).connect() as node:
        await node.listen(route, 0)
        for number in range(5):
            assert node.send_nowait(frame(f"e-{number}", route))
        await node.send(frame("e-high", route, priority=1))
        await node.send(frame("e-low", route, priority=-1))
        await node.send(frame("e-last", route))

        assert ids_now(node, lane) == ["e-high", "e-4", "e-last"]


async def test_full_route_of_delayed_frames_drops_the_first_of_them() -> None:
    """Frames that are not due yet count, and are dropped like others."""
    route = Route(Lane.EVENT, "topic")
    async with MemoryConductor(capacity=2).connect() as node:
        await node.listen(route, 0)
        for number in range(4):
            await node.send(frame(f"e-{number}", route, delay=60.0 - number))

        assert node.depth(route) == 2


@on_virtual_time
async def test_expired_frames_do_not_come() -> None:
    """A CONTROL frame whose time is over does not come; WORK comes however late."""
    control, latest = Route(Lane.CONTROL, "node"), Route(Lane.WORK, "latest", spread=Spread.LATEST)
    async with MemoryConductor().connect() as node:
        for route in (control, WORK, latest):
            await node.listen(route, 9)
        await node.send(frame("e-latest", latest, expires_in=10.0))
        for route in (control, WORK):
            await node.send(frame("e-short", route, expires_in=10.0))
            await node.send(frame("e-long", route, expires_in=100.0))

        await asyncio.sleep(50)

        assert ids_now(node, Lane.CONTROL) == ["e-long"]
        assert sorted(ids_now(node)) == ["e-latest", "e-long", "e-short"]


@on_virtual_time
async def test_delayed_frames_come_at_their_time_in_order_of_time() -> None:
    """Each comes when it is due, whatever the order they were sent in."""
    clock = current_clock()
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 9)
        for seconds in (30.0, 10.0, 20.0):
            await node.send(frame(f"e-{seconds:g}", delay=seconds))
        assert node.depth(WORK) == 3

        came = [((await node.receive(Lane.WORK)).id, clock.monotonic()) for _ in range(3)]

    assert came == [("e-10", 10.0), ("e-20", 20.0), ("e-30", 30.0)]


@on_virtual_time
async def test_delayed_frames_take_their_place_when_they_are_due() -> None:
    """A frame that falls due stands behind those that came meanwhile, with a key or without."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 9)
        await node.send(frame("e-later", delay=10.0))
        await node.send(frame("e-later-keyed", delay=20.0, key="b"))
        await node.send(frame("e-keyed", key="a"))
        await node.send(frame("e-now"))

        await asyncio.sleep(30)

        assert ids_now(node) == ["e-keyed", "e-now", "e-later", "e-later-keyed"]


@on_virtual_time
async def test_delayed_frames_count_in_the_capacity() -> None:
    """A route full of frames that are not due yet is full, and has room when they are taken."""
    async with MemoryConductor(capacity=1).connect() as node, asyncio.TaskGroup() as group:
        await node.listen(WORK, 9)
        await node.send(frame("e-later", delay=10.0))
        waiting = group.create_task(node.send(frame("e-now")))
        await all_blocked()
        assert not waiting.done()

        assert [(await node.receive(Lane.WORK)).id for _ in range(2)] == ["e-later", "e-now"]


@on_virtual_time
async def test_no_timer_is_left_when_the_last_connection_ends() -> None:
    """Delayed frames stay in the hub, but not on the loop."""
    conductor = MemoryConductor()
    async with conductor.connect() as node:
        await node.listen(WORK, 9)
        await node.send(frame("e-1", delay=3600.0))

    loop = asyncio.get_running_loop()
    assert not [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    assert "1 frames waiting" in repr(conductor)


async def test_key_stays_with_its_listener_and_only_a_leavers_keys_move() -> None:
    """Keys spread over the listeners; when one leaves, its keys go to others and no other key moves."""
    keys = [f"key-{number}" for number in range(300)]
    conductor = MemoryConductor()
    for _ in range(3):  # a bare CRC spreads well over the first three numbers, and badly over these
        async with conductor.connect():
            pass
    async with conductor.connect() as one, conductor.connect() as two:
        async with conductor.connect() as three:
            nodes = {"one": one, "two": two, "three": three}
            before = await owners(nodes, keys)
        del nodes["three"]
        after = await owners(nodes, keys)

    assert all(80 < list(before.values()).count(name) < 120 for name in ("one", "two", "three"))
    assert {key for key in keys if after[key] != before[key]} == {key for key in keys if before[key] == "three"}


async def owners(nodes: Mapping[str, Connection], keys: list[str]) -> dict[str, str]:
    """Send one frame of each key, and say who got it."""
    owner: dict[str, str] = {}
    for node in nodes.values():
        await node.listen(WORK, len(keys))
    for key in keys:
        await nodes["one"].send(frame(key, key=key))
    for name, node in nodes.items():
        while (delivery := node.receive_nowait(Lane.WORK)) is not None:
            owner[delivery.id] = name
            await node.settle(delivery, Settlement.ACK)
    return owner


@pytest.mark.parametrize("leave", [False, True])
async def test_keys_of_a_listener_that_takes_nothing_go_to_another(leave: bool) -> None:
    """A listener without credit, or that left, owns no key; what it holds of a key is still before the next."""
    keys = [f"key-{number}" for number in range(8)]
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two:
        await one.listen(WORK, 9)
        for number in range(2):
            for key in keys:
                await one.send(frame(f"{key}/{number}", key=key))
        held = [await one.receive(Lane.WORK) for _ in range(7)]
        await two.listen(WORK, 99)

        await (one.unlisten(WORK) if leave else one.listen(WORK, 0))

        assert ids_now(two) == ["key-7/0"]
        for delivery in held:
            await one.settle(delivery, Settlement.ACK)
        assert ids_now(two) == [f"{key}/1" for key in keys[:7]]


async def test_key_that_is_out_holds_also_when_its_route_was_closed_meanwhile() -> None:
    """Who left a route and still holds a frame of a key holds up the next of that key, for whoever listens then."""
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two:
        await one.listen(WORK, 9)
        await one.send(frame("e-1", key="k"))
        held = await one.receive(Lane.WORK)
        await one.unlisten(WORK)
        await two.listen(WORK, 9)
        await two.send(frame("e-2", key="k"))
        assert ids_now(two) == []

        await one.settle(held, Settlement.ACK)

        assert ids_now(two) == ["e-2"]


async def test_key_waits_for_its_listeners_credit() -> None:
    """Frames of a key wait for the listener the key chose, and others go on elsewhere."""
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two:
        nodes: dict[str, Connection] = {"one": one, "two": two}
        owner = (await owners(nodes, ["k"]))["k"]
        mine, other = nodes.pop(owner), next(iter(nodes.values()))
        await mine.listen(WORK, 1)
        await other.listen(WORK, 9)
        await one.send(frame("e-filling", key="k"))
        held = await mine.receive(Lane.WORK)
        await one.send(frame("e-keyed", key="k"))
        await one.send(frame("e-free"))

        assert ids_now(mine) == []
        assert ids_now(other) == ["e-free"]
        await mine.settle(held, Settlement.ACK)
        assert ids_now(mine) == ["e-keyed"]


async def test_key_is_handed_to_a_receiver_that_waits_when_it_is_released() -> None:
    """Settling the frame before wakes the receiver that waits for the next of that key."""
    async with MemoryConductor().connect() as node, asyncio.TaskGroup() as group:
        await node.listen(WORK, 9)
        for number in range(2):
            await node.send(frame(f"e-{number}", key="k"))
        held = await node.receive(Lane.WORK)
        waiting = group.create_task(node.receive(Lane.WORK))
        await asyncio.sleep(0)
        assert not waiting.done()

        await node.settle(held, Settlement.REJECT)

        assert (await waiting).id == "e-1"


async def test_key_comes_first_again_after_a_cut() -> None:
    """The frame of a key that its dead holder had comes before the next of that key."""
    conductor = MemoryConductor()
    async with conductor.connect() as victim, conductor.connect() as other:
        await victim.listen(WORK, 9)
        for number in range(2):
            await victim.send(frame(f"e-{number}", key="k"))
        await victim.receive(Lane.WORK)
        conductor.cut(victim)

        await other.listen(WORK, 9)

        again = await other.receive(Lane.WORK)
        assert (again.id, again.count, again.redelivered) == ("e-0", 1, True)
        assert ids_now(other) == []
        await other.settle(again, Settlement.ACK)
        assert ids_now(other) == ["e-1"]


async def test_all_on_a_settled_lane_is_settled_by_each_listener() -> None:
    """With `Spread.ALL`, each listener has a copy of WORK, with its own credit and its own settlement."""
    route = Route(Lane.WORK, "atom", spread=Spread.ALL)
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two:
        for node in (one, two):
            await node.listen(route, 1)
        for number in range(2):
            await one.send(frame(f"e-{number}", route))
        first = await one.receive(Lane.WORK)
        assert ids_now(one) == []
        assert ids_now(two) == ["e-0"]
        assert one.depth(route) == 2

        await one.settle(first, Settlement.REQUEUE)

        again = await one.receive(Lane.WORK)
        assert (again.id, again.redelivered) == ("e-0", True)


async def test_all_waits_for_the_slowest_listener() -> None:
    """A frame for everybody waits while one of them has no room; when that one leaves it is done."""
    route = Route(Lane.WORK, "atom", spread=Spread.ALL)
    conductor = MemoryConductor(capacity=1)
    async with conductor.connect() as fast, asyncio.TaskGroup() as group:
        await fast.listen(route, 99)
        async with conductor.connect() as slow:
            await slow.listen(route, 0)
            await fast.send(frame("e-0", route))
            assert ids_now(fast) == ["e-0"]
            assert not fast.send_nowait(frame("e-declined", route))
            waiting = group.create_task(fast.send(frame("e-1", route)))
            await asyncio.sleep(0)
            assert not waiting.done()

        await waiting
        assert ids_now(fast) == ["e-1"]


async def test_latest_on_a_settled_lane_forgets_what_was_given_back_for_something_newer() -> None:
    """With `Spread.LATEST`, a frame that is given back comes again only if nothing newer waits."""
    route = Route(Lane.WORK, "atom", spread=Spread.LATEST)
    async with MemoryConductor().connect() as node:
        await node.listen(route, 1)
        await node.send(frame("e-0", route))
        held = await node.receive(Lane.WORK)
        await node.settle(held, Settlement.REQUEUE)
        held = await node.receive(Lane.WORK)
        assert (held.id, held.redelivered) == ("e-0", True)
        for number in range(1, 4):
            await node.send(frame(f"e-{number}", route, key="k"))

        await node.settle(held, Settlement.REQUEUE)

        assert ids_now(node) == ["e-3"]
