"""The in-memory conductor as a hub: its URL, its event loops, and the life of its routes."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from atomizer.conductor import Capability, Delivery, Durability, Frame, Lane, Route, Settlement, Spread
from atomizer.errors import ConductorBroken, ConductorClosed, ConductorUnavailable, NobodyThere
from atomizer.memory import MemoryConductor
from atomizer.testing.clock import VirtualLoop, all_blocked, current_clock, on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Generator

    from atomizer.conductor import Connection

WORK = Route(Lane.WORK, "atom")


def frame(id: str, to: Route = WORK, **fields: Any) -> Frame:
    """Make a frame."""
    return Frame(to, b"", "application/json", id, **fields)


def test_url_of_one_name_is_one_hub() -> None:
    """The same name is the same hub, and another name is another one."""
    one = MemoryConductor.from_url("memory://test-one-name")

    assert MemoryConductor.from_url("memory://test-one-name/") is one
    assert MemoryConductor.from_url("memory://test-other-name") is not one
    assert one.name == "test-one-name"


def test_url_without_a_name_is_a_shared_hub_too() -> None:
    """The empty name is a name like others, and the conductor is called memory."""
    conductor = MemoryConductor.from_url("memory://")

    assert MemoryConductor.from_url("memory://") is conductor
    assert conductor.name == "memory"


def test_url_sets_the_capacity() -> None:
    """`capacity` counts for a new hub; who asks the same or nothing gets that hub."""
    conductor = MemoryConductor.from_url("memory://test-capacity?capacity=7")

    assert conductor.capacity == 7
    assert MemoryConductor.from_url("memory://test-capacity") is conductor
    assert MemoryConductor.from_url("memory://test-capacity?capacity=7") is conductor


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("memory://test-refused?capcity=5", "'capcity'; known: 'capacity'"),
        ("memory://test-refused?capacity=0", "at least 1, and not '0'"),
        ("memory://test-refused?capacity=-3", "not '-3'"),
        ("memory://test-refused?capacity=many", "not 'many'"),
        ("memory://test-refused?capacity=", "not ''"),
        ("memory://test-refused#part", "no URL of an in-memory conductor"),
        ("amqp://test-refused", "no URL of an in-memory conductor"),
    ],
)
def test_url_that_cannot_be_is_refused(url: str, reason: str) -> None:
    """The error says what is wrong with the URL, and no hub is made."""
    with pytest.raises(ValueError, match=reason.replace("?", r"\?")):
        MemoryConductor.from_url(url)

    assert MemoryConductor.from_url("memory://test-refused").capacity == 10_000


def test_url_with_another_capacity_is_refused() -> None:
    """A hub that is there keeps its capacity, and says which."""
    MemoryConductor.from_url("memory://test-conflict?capacity=7")

    with pytest.raises(ValueError, match="capacity=7"):
        MemoryConductor.from_url("memory://test-conflict?capacity=8")


def test_capacity_below_one_is_refused() -> None:
    """A route that holds nothing could take nothing."""
    with pytest.raises(ValueError, match="capacity cannot be 0"):
        MemoryConductor(capacity=0)


def test_memory_can_do_everything_and_survives_nothing() -> None:
    """All capabilities, and the durability of this process."""
    conductor = MemoryConductor()

    assert conductor.capabilities == frozenset(Capability)
    assert conductor.durability is Durability.PROCESS
    assert conductor.codec.content_type == "application/vnd.atomizer.v1+msgpack"


async def test_connecting_from_another_loop_is_unavailable() -> None:
    """While a hub has connections on a loop, another loop is refused with the reason, and the first goes on."""
    conductor = MemoryConductor()

    with connected_elsewhere(conductor), pytest.raises(ConductorUnavailable, match="another event loop") as refusal:
        async with conductor.connect():
            pass

    assert refusal.value.permanent


@contextmanager
def connected_elsewhere(conductor: MemoryConductor) -> Generator[None, None, None]:
    """Hold a connection on the loop of another thread."""
    ready, done = threading.Event(), threading.Event()

    async def hold() -> None:
        async with conductor.connect():
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_frames_survive_their_loop() -> None:
    """What waits when a loop ends comes to a listener on the next one."""
    conductor = MemoryConductor()
    asyncio.run(send_and_leave(conductor, frame("e-1"), frame("e-2")))

    assert asyncio.run(take_ids(conductor, 2)) == ["e-1", "e-2"]


def test_delays_survive_their_loop() -> None:
    """What was left of a delay when a loop ended is left again on the next, whatever its clock says."""
    conductor = MemoryConductor()
    with asyncio.Runner(loop_factory=VirtualLoop) as first:
        first.run(send_and_leave(conductor, frame("e-late", delay=100.0), frame("e-soon", delay=60.0), wait=40.0))

    with asyncio.Runner(loop_factory=VirtualLoop) as second:
        came = second.run(take_timed(conductor, 2))

    assert came == [("e-soon", 20.0), ("e-late", 60.0)]


def test_lanes_that_may_be_lost_do_not_survive_their_loop() -> None:
    """What expires by one loop's clock is dropped when the hub goes to another, also what was not due yet."""
    conductor, route = MemoryConductor(), Route(Lane.CONTROL, "node")

    async def send_and_die() -> None:
        async with conductor.connect() as connection:
            await connection.listen(route, 1)
            await connection.send(frame("e-now", route))
            await connection.send(frame("e-later", route, delay=10.0))
            conductor.cut()

    async def count_later() -> tuple[int | None, Delivery | None]:
        async with conductor.connect() as connection:
            await connection.listen(route, 1)
            await asyncio.sleep(20)
            return connection.depth(route), connection.receive_nowait(Lane.CONTROL)

    with asyncio.Runner(loop_factory=VirtualLoop) as first:
        first.run(send_and_die())
    with asyncio.Runner(loop_factory=VirtualLoop) as second:
        assert second.run(count_later()) == (0, None)


def test_delays_go_on_while_nobody_is_connected() -> None:
    """On one loop, the time without a connection counts."""
    conductor = MemoryConductor()

    async def main() -> list[tuple[str, float]]:
        await send_and_leave(conductor, frame("e-1", delay=100.0))
        await asyncio.sleep(150)
        return await take_timed(conductor, 1)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == [("e-1", 150.0)]


def test_connections_of_a_closed_loop_are_dead() -> None:
    """A hub whose loop was closed under its connections takes them for cut: what they held comes again."""
    conductor = MemoryConductor(capacity=1)
    loop = asyncio.new_event_loop()
    context = conductor.connect()
    connection = loop.run_until_complete(context.__aenter__())
    loop.run_until_complete(connection.listen(WORK, 1))
    loop.run_until_complete(connection.send(frame("e-held")))
    assert connection.receive_nowait(Lane.WORK) is not None
    loop.run_until_complete(connection.send(frame("e-queued")))
    stuck = [loop.create_task(connection.receive(Lane.REPLY)), loop.create_task(connection.send(frame("e-waiting")))]
    loop.run_until_complete(asyncio.sleep(0))
    for task in stuck:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # abandoned on purpose
    loop.close()

    assert asyncio.run(take_ids(conductor, 2)) == ["e-held", "e-queued"]


async def send_and_leave(conductor: MemoryConductor, *frames: Frame, wait: float = 0.0) -> None:
    """Send to a listener without credit, and leave after a while."""
    async with conductor.connect() as connection:
        await connection.listen(WORK, 0)
        for each in frames:
            await connection.send(each)
        await asyncio.sleep(wait)


async def take_timed(conductor: MemoryConductor, number: int) -> list[tuple[str, float]]:
    """Receive deliveries, each with the moment it came at."""
    async with conductor.connect() as connection:
        await connection.listen(WORK, 10)
        return [
            ((await connection.receive(Lane.WORK)).id, round(asyncio.get_running_loop().time(), 6))
            for _ in range(number)
        ]


async def take_ids(conductor: MemoryConductor, number: int) -> list[str]:
    """Receive deliveries, and return their ids."""
    return [id for id, _ in await take_timed(conductor, number)]


async def test_work_waits_for_a_later_listener() -> None:
    """After the last listener left, WORK that waits or was unsettled is kept, in order, and nothing more is taken."""
    conductor = MemoryConductor()
    async with conductor.connect() as asker:
        async with conductor.connect() as node:
            await node.listen(WORK, 2)
            for number in range(4):
                await asker.send(frame(f"e-{number}"))
            held = [node.receive_nowait(Lane.WORK), node.receive_nowait(Lane.WORK)]
        with pytest.raises(NobodyThere, match="'atom'"):
            await asker.send(frame("e-refused"))
        assert not asker.send_nowait(frame("e-refused"))
        assert asker.depth(WORK) == 4

        async with conductor.connect() as later:
            await later.listen(WORK, 9)
            again = [await later.receive(Lane.WORK) for _ in range(4)]

    assert [each and each.id for each in held] == ["e-0", "e-1"]
    assert [(d.id, d.redelivered, d.count) for d in again] == [
        ("e-0", True, 0),
        ("e-1", True, 0),
        ("e-2", False, 0),
        ("e-3", False, 0),
    ]


@pytest.mark.parametrize("lane", [Lane.REPLY, Lane.CONTROL, Lane.EVENT])
async def test_other_lanes_are_dropped_with_their_last_listener(lane: Lane) -> None:
    """What waits on a lane that nobody else could use goes with the listener."""
    conductor, route = MemoryConductor(), Route(lane, "name")
    async with conductor.connect() as asker:
        async with conductor.connect() as node:
            await node.listen(route, 1)
            await asker.send(frame("e-1", route))
            await asker.send(frame("e-2", route, delay=60.0))
        assert asker.depth(route) == 0

        async with conductor.connect() as later:
            await later.listen(route, 1)

            assert later.receive_nowait(lane) is None


@on_virtual_time
async def test_delayed_reply_is_dropped_with_its_route() -> None:
    """A reply that was not due yet when its node left does not come to a later one of the name."""
    conductor, route = MemoryConductor(), Route(Lane.REPLY, "node")
    async with conductor.connect() as asker:
        async with conductor.connect() as node:
            await node.listen(route, 1)
            await asker.send(frame("e-1", route, delay=60.0))
            await asker.send(frame("e-work", Route(Lane.DEAD, "dead"), delay=70.0))
        async with conductor.connect() as later:
            await later.listen(route, 1)

            await asyncio.sleep(100)

            assert later.receive_nowait(Lane.REPLY) is None
            assert asker.depth(Route(Lane.DEAD, "dead")) == 1


async def test_reply_held_by_the_last_listener_is_dropped_with_it() -> None:
    """A reply that was unsettled when its node left cleanly has nobody to go to."""
    conductor, route = MemoryConductor(), Route(Lane.REPLY, "node")
    async with conductor.connect() as asker:
        async with conductor.connect() as node:
            await node.listen(route, 1)
            await asker.send(frame("e-1", route))
            await node.receive(Lane.REPLY)

        async with conductor.connect() as later:
            await later.listen(route, 1)

            assert later.receive_nowait(Lane.REPLY) is None


async def test_work_requeued_after_its_route_was_left_is_kept() -> None:
    """Who left a route and gives back what he had from it gives it to a later listener."""
    conductor = MemoryConductor()
    async with conductor.connect() as node:
        await node.listen(WORK, 1)
        await node.send(frame("e-1"))
        delivery = await node.receive(Lane.WORK)
        await node.unlisten(WORK)

        await node.settle(delivery, Settlement.REQUEUE)

        await node.listen(WORK, 1)
        again = await node.receive(Lane.WORK)
        assert (again.id, again.redelivered, again.count) == ("e-1", True, 0)


async def test_credit_counts_what_was_held_before_leaving_a_route() -> None:
    """A connection that comes back to a route still holds what it had."""
    async with MemoryConductor().connect() as node:
        await node.listen(WORK, 1)
        await node.send(frame("e-1"))
        delivery = await node.receive(Lane.WORK)
        await node.unlisten(WORK)
        await node.listen(WORK, 1)
        await node.send(frame("e-2"))
        assert node.receive_nowait(Lane.WORK) is None

        await node.settle(delivery, Settlement.ACK)

        assert (await node.receive(Lane.WORK)).id == "e-2"


@on_virtual_time
async def test_credit_counts_what_is_taken_before_a_sender_is_let_in() -> None:
    """Whoever waits for room on a full route may be let in by a delivery, and its frame must wait for credit too."""
    hub = MemoryConductor(capacity=1)
    async with hub.connect() as node, hub.connect() as asker, asyncio.TaskGroup() as group:
        await node.listen(WORK, 2)
        held: list[Delivery] = []
        for id in ("a", "b"):
            await asker.send(frame(id))
            held.append(await node.receive(Lane.WORK))
        await asker.send(frame("c"))
        group.create_task(asker.send(frame("d")))
        receiving = [group.create_task(node.receive(Lane.WORK)) for _ in range(2)]
        await all_blocked()

        await node.settle(held[0], Settlement.ACK)
        await all_blocked()
        received = [task.result() for task in receiving if task.done()]
        await node.settle(held[1], Settlement.ACK)

    assert [delivery.id for delivery in received] == ["c"]


async def test_cut_of_all_counts_once() -> None:
    """Connections that are cut together do not get each other's deliveries: each counts one death."""
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two, conductor.connect() as asker:
        for node in (one, two):
            await node.listen(WORK, 2)
        for number in range(4):
            await asker.send(frame(f"e-{number}"))
        for node in (one, two, one, two):
            assert node.receive_nowait(Lane.WORK) is not None

        conductor.cut()

    async with conductor.connect() as later:
        await later.listen(WORK, 9)
        again = [await later.receive(Lane.WORK) for _ in range(4)]
    assert [(delivery.id, delivery.count) for delivery in again] == [(f"e-{number}", 1) for number in range(4)]


async def test_cut_puts_back_in_order_for_receivers_that_wait() -> None:
    """What comes again comes in order, also to somebody who waits for it already."""
    conductor = MemoryConductor()
    async with conductor.connect() as victim, conductor.connect() as other:
        await victim.listen(WORK, 3)
        for number in range(3):
            await victim.send(frame(f"e-{number}"))
            assert victim.receive_nowait(Lane.WORK) is not None
        await other.listen(WORK, 3)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(other.receive(Lane.WORK)) for _ in range(3)]
            await asyncio.sleep(0)

            conductor.cut(victim)

    assert [task.result().id for task in waiting] == ["e-0", "e-1", "e-2"]


async def test_cutting_twice_changes_nothing() -> None:
    """A dead connection stays dead, and a closed one closed."""
    conductor = MemoryConductor()
    async with conductor.connect() as connection:
        conductor.cut(connection)
        conductor.cut(connection)
        conductor.cut()
    conductor.cut(connection)

    assert "dead" in repr(connection)


async def test_closed_connection_says_who_closed_it() -> None:
    """A call after the connection was left says that we closed it, not that it broke."""
    async with MemoryConductor().connect() as connection:
        pass

    with pytest.raises(ConductorClosed, match="was closed here"):
        await connection.receive(Lane.WORK)
    assert "closed" in repr(connection)


async def test_delivery_is_settled_where_it_was_received() -> None:
    """Another connection cannot settle it, and nothing happens to it."""
    conductor = MemoryConductor()
    async with conductor.connect() as one, conductor.connect() as two:
        await one.listen(WORK, 1)
        await one.send(frame("e-1"))
        delivery = await one.receive(Lane.WORK)

        with pytest.raises(ValueError, match="not received on this connection"):
            await two.settle(delivery, Settlement.ACK)

        await one.settle(delivery, Settlement.ACK)


async def test_sink_of_another_lane_is_declined() -> None:
    """Only replies are handed over by a sink."""
    async with MemoryConductor().connect() as connection:
        assert not connection.reply_sink(WORK, print)
        assert connection.depth(WORK) == 0


@on_virtual_time
async def test_sink_gets_a_delayed_reply_at_its_time() -> None:
    """A reply that waits for its time goes to the sink then."""
    came: list[tuple[str, float]] = []
    route = Route(Lane.REPLY, "node")
    async with MemoryConductor().connect() as connection:
        connection.reply_sink(route, lambda delivery: came.append((delivery.id, current_clock().monotonic())))

        await connection.send(frame("e-later", route, delay=30.0))
        await connection.send(frame("e-now", route))
        await asyncio.sleep(60)

    assert came == [("e-now", 0.0), ("e-later", 30.0)]


@on_virtual_time
async def test_sink_makes_room_when_a_delayed_reply_is_due() -> None:
    """A send that waits because of a delayed reply is taken when that goes to the sink."""
    came: list[Delivery] = []
    route = Route(Lane.REPLY, "node")
    async with MemoryConductor(capacity=1).connect() as connection:
        connection.reply_sink(route, came.append)
        await connection.send(frame("e-later", route, delay=30.0))

        await connection.send(frame("e-waits", route))

        assert current_clock().monotonic() == 30.0
    assert [each.id for each in came] == ["e-later", "e-waits"]


async def test_sink_of_a_dead_connection_gets_nothing() -> None:
    """Replies that come after a cut wait for the node to come back."""
    came: list[Delivery] = []
    again: list[Delivery] = []
    conductor, route = MemoryConductor(), Route(Lane.REPLY, "node")
    async with conductor.connect() as node, conductor.connect() as later:
        async with conductor.connect() as asker:
            asker.reply_sink(route, came.append)
            conductor.cut(asker)
        await node.send(frame("e-1", route))

        later.reply_sink(route, again.append)

    assert (came, [each.id for each in again]) == ([], ["e-1"])


async def test_sink_gets_a_reply_that_is_given_back() -> None:
    """Replies received before the sink was set, and requeued after, go to the sink."""
    came: list[Delivery] = []
    route = Route(Lane.REPLY, "node")
    async with MemoryConductor().connect() as connection:
        await connection.listen(route, 1)
        await connection.send(frame("e-1", route, key="k"))
        await connection.send(frame("e-2", route, key="k"))
        delivery = await connection.receive(Lane.REPLY)
        connection.reply_sink(route, came.append)

        await connection.settle(delivery, Settlement.REQUEUE)

    assert [each.id for each in came] == ["e-2", "e-1"]


async def test_last_listener_that_leaves_turns_waiting_senders_away() -> None:
    """Who waits for room on a route that nobody listens on any more is told that nobody is there."""
    conductor = MemoryConductor(capacity=1)
    async with conductor.connect() as asker, conductor.connect() as node:
        await node.listen(WORK, 0)
        await asker.send(frame("e-1"))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(outcome_of_send(asker, frame("e-2")))
            await asyncio.sleep(0)

            await node.unlisten(WORK)

    assert isinstance(waiting.result(), NobodyThere)


async def outcome_of_send(connection: Connection, sent: Frame) -> Exception | None:
    """Send, and return what was raised."""
    try:
        await connection.send(sent)
    except Exception as error:
        return error
    return None


async def test_reprs_show_the_state() -> None:
    """A conductor and a connection show what they hold."""
    conductor = MemoryConductor("orders")
    async with conductor.connect() as connection:
        await connection.listen(WORK, 2)
        await connection.listen(Route(Lane.EVENT, "topic", spread=Spread.ALL), 0)
        await connection.send(frame("e-1"))
        await connection.send(frame("e-2"))
        await connection.receive(Lane.WORK)

        assert repr(conductor) == "<MemoryConductor 'orders' <Hub 1 connections, 2 routes, 1 frames waiting>>"
        assert "live" in repr(connection)
        assert "work:atom: 1 of 2 unsettled" in repr(connection)


async def test_a_frame_is_sent_and_taken_only_where_it_would_come_next() -> None:
    """Not past what waits, not from others who listen, not beyond the credit, and none that is special."""
    hub = MemoryConductor()
    async with hub.connect() as node, hub.connect() as other:
        assert node.send_and_take(frame("nobody")) is None
        await node.listen(WORK, 2)
        assert node.send_and_take(frame("no receiver")) is None
        receiving = asyncio.create_task(node.receive(Lane.WORK))
        await asyncio.sleep(0)

        taken = node.send_and_take(frame("first"))

        assert taken is not None
        assert (taken.id, taken.count, taken.redelivered) == ("first", 0, False)
        assert node.send_and_take(frame("keyed", key="k")) is None
        assert node.send_and_take(frame("late", delay=1.0)) is None
        assert other.send_and_take(frame("others")) is None
        await other.listen(WORK, 1)
        assert node.send_and_take(frame("shared")) is None
        await other.unlisten(WORK)
        await node.send(frame("second"))
        assert node.send_and_take(frame("third")) is None
        assert (await receiving).id == "second"
        await node.settle(taken, Settlement.ACK)


async def test_what_was_sent_and_taken_comes_again_after_a_cut() -> None:
    """Counted and marked, as any other."""
    hub = MemoryConductor()
    async with hub.connect() as node:
        await node.listen(WORK, 1)
        receiving = asyncio.create_task(node.receive(Lane.WORK))
        await asyncio.sleep(0)
        assert node.send_and_take(frame("once")) is not None
        hub.cut(node)
        await asyncio.wait((receiving,))
        assert isinstance(receiving.exception(), ConductorBroken)
        async with hub.connect() as next_one:
            await next_one.listen(WORK, 1)
            again = await next_one.receive(Lane.WORK)

    assert (again.id, again.count, again.redelivered) == ("once", 1, True)
