"""Checks of capabilities: what is declared works, and what is missing is refused with its name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..conductor import Capability, Lane, Route, Settlement, Spread
from ..errors import CapabilityMissing
from ._waiting import frame_to, nothing_comes, outcome, soon, stillness, take, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..conductor import Connection, Frame
    from .bench import Bench

__all__ = ("CHECKS",)

_DELAY = 0.2  # seconds
_IN_ORDER = ("e-1", "e-2", "e-3")
_EARLY = 0.005  # seconds that a coarse clock may be off


@check(needs=Capability.LATEST)
async def latest_gives_the_newest_to_each(bench: Bench) -> None:
    """With `Spread.LATEST` each listener gets the newest frame that it has not received, and no older one."""
    route = Route(Lane.EVENT, bench.name("topic"), spread=Spread.LATEST)
    async with bench.node() as one, bench.node() as two, bench.asker() as asker:
        for connection in (one, two):
            await connection.listen(route, 1)

        for number in range(5):
            await soon(bench, asker.send(frame_to(route, f"e-{number}")), "sending")

        for connection in (one, two):
            delivery = await take(bench, connection, Lane.EVENT)
            if delivery.id != "e-4":
                raise CheckFailed(f"{delivery.id!r} came, and e-4 is the newest")
            await nothing_comes(bench, connection, "it had the newest", Lane.EVENT)


@check(needs=Capability.NODE)
async def a_frame_for_one_node_reaches_that_one(bench: Bench) -> None:
    """WORK for one node reaches that node, and no other listener of the route."""
    route = work(bench)
    mine = Route(Lane.WORK, route.name, bench.name("node"))
    async with bench.node() as node, bench.node() as other, bench.asker() as asker:
        await node.listen(route, 5)
        await node.listen(mine, 5)
        await other.listen(route, 5)

        async with underway(bench, other.receive(Lane.WORK)) as elsewhere:
            await turns()
            for number in range(3):
                await soon(bench, asker.send(frame_to(mine, f"e-{number}")), "sending to one node")

            await take_all(bench, node, 3)
            await stillness(bench)
            if elsewhere.done():
                raise CheckFailed(f"{elsewhere.result().id!r} came to another node")


@check(needs=Capability.KEY)
async def a_key_goes_to_one_listener_in_order(bench: Bench) -> None:
    """Frames of one key go to one listener, in the order they were sent."""
    route = work(bench)
    keys = [f"key-{number}" for number in range(8)]
    came: dict[tuple[str, int], list[str]] = {}
    complete = asyncio.Event()

    async def receive_on(connection: Connection, listener: int) -> None:
        while True:
            delivery = await connection.receive(Lane.WORK)
            came.setdefault((delivery.reply_to, listener), []).append(delivery.id)
            if sum(len(ids) for ids in came.values()) >= len(keys) * len(_IN_ORDER):
                complete.set()
            await connection.settle(delivery, Settlement.ACK)

    async with bench.node() as one, bench.node() as two, bench.asker() as asker:
        for connection in (one, two):
            await connection.listen(route, 50)
        async with underway(bench, receive_on(one, 1)), underway(bench, receive_on(two, 2)):
            await turns()
            for id in _IN_ORDER:
                for key in keys:
                    await soon(bench, asker.send(frame_to(route, id, key=key, reply_to=key)), "sending with a key")
            await soon(bench, complete.wait(), "that all frames of all keys come")

    wrong = {where: ids for where, ids in came.items() if tuple(ids) != _IN_ORDER}
    if wrong:
        raise CheckFailed(f"by key and listener, these came: {wrong}")


@check(needs=Capability.KEY)
async def a_key_goes_one_at_a_time(bench: Bench) -> None:
    """The next frame of a key comes after the one before is settled; one given back comes first; other keys go on."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 10)
        for id, key in (("a-1", "a"), ("a-2", "a"), ("b-1", "b")):
            await asker.send(frame_to(route, id, key=key))
        held = {delivery.id: delivery for delivery in await take_all(bench, node, 2)}
        if set(held) != {"a-1", "b-1"}:
            raise CheckFailed(f"{sorted(held)} came, and nothing was settled")
        await nothing_comes(bench, node, "the frame of that key before is not settled")

        await node.settle(held["a-1"], Settlement.REQUEUE)

        again = await take(bench, node)
        if again.id != "a-1":
            raise CheckFailed(f"{again.id!r} came, and a-1 was given back")
        await nothing_comes(bench, node, "the frame of that key that was given back is not settled")
        await node.settle(again, Settlement.ACK)
        await take(bench, node)


@check(needs=Capability.PRIORITY)
async def priority_goes_before(bench: Bench) -> None:
    """On the whole, frames of priority 1 come before those of 0, and those before -1."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 0)
        for number in range(6):
            for priority in (-1, 0, 1):
                await soon(bench, asker.send(frame_to(route, str(priority), priority=priority)), f"sending {number}")
        await node.listen(route, 1)

        order: list[int] = []
        for _ in range(18):
            delivery = await take(bench, node)
            order.append(int(delivery.id))
            await node.settle(delivery, Settlement.ACK)

    places = [sum(place for place, each in enumerate(order) if each == priority) for priority in (1, 0, -1)]
    if not places[0] < places[1] < places[2]:
        raise CheckFailed(f"they came in this order: {order}")


@check(needs=Capability.DELAY)
async def a_delay_is_kept(bench: Bench) -> None:
    """A frame with a delay comes after its time, and holds up no other."""
    route = work(bench)
    clock = asyncio.get_running_loop().time
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 5)
        started = clock()
        await soon(bench, asker.send(frame_to(route, "e-later", delay=_DELAY)), "sending with a delay")
        await soon(bench, asker.send(frame_to(route, "e-now")), "sending without")

        first, second = await take_all(bench, node, 2)
        took = clock() - started

    if (first.id, second.id) != ("e-now", "e-later"):
        raise CheckFailed(f"they came in this order: {first.id}, {second.id}")
    if took < _DELAY - _EARLY:
        raise CheckFailed(f"it came after {took:.3f} s instead of {_DELAY} s")


@check(lacks=Capability.LATEST)
async def latest_is_refused_where_missing(bench: Bench) -> None:
    """Without LATEST, listening and sending with `Spread.LATEST` raise CapabilityMissing."""
    await _route_is_refused(bench, Route(Lane.EVENT, bench.name("topic"), spread=Spread.LATEST), Capability.LATEST)


@check(lacks=Capability.NODE)
async def node_is_refused_where_missing(bench: Bench) -> None:
    """Without NODE, listening and sending with `Route.node` raise CapabilityMissing."""
    await _route_is_refused(bench, Route(Lane.WORK, bench.name("atom"), "node"), Capability.NODE)


@check(lacks=Capability.KEY)
async def key_is_refused_where_missing(bench: Bench) -> None:
    """Without KEY, sending with `Frame.key` raises CapabilityMissing."""
    await _frame_is_refused(bench, frame_to(work(bench), key="key"), Capability.KEY)


@check(lacks=Capability.PRIORITY)
async def priority_is_refused_where_missing(bench: Bench) -> None:
    """Without PRIORITY, sending with `Frame.priority` raises CapabilityMissing."""
    await _frame_is_refused(bench, frame_to(work(bench), priority=1), Capability.PRIORITY)


@check(lacks=Capability.DELAY)
async def delay_is_refused_where_missing(bench: Bench) -> None:
    """Without DELAY, sending with `Frame.delay` raises CapabilityMissing."""
    await _frame_is_refused(bench, frame_to(work(bench), delay=_DELAY), Capability.DELAY)


async def _route_is_refused(bench: Bench, route: Route, capability: Capability) -> None:
    async with bench.node() as node:
        await _is_missing(bench, node.listen(route, 1), capability, "listen")
        await _is_missing(bench, node.send(frame_to(route)), capability, "send")
        if node.send_nowait(frame_to(route)):
            raise CheckFailed("send_nowait took it")


async def _frame_is_refused(bench: Bench, frame: Frame, capability: Capability) -> None:
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(frame.to, 1)
        if asker.send_nowait(frame):
            raise CheckFailed("send_nowait took it")

        await _is_missing(bench, asker.send(frame), capability, "send")

        await nothing_comes(bench, node, "it was refused")


async def _is_missing(bench: Bench, call: Coroutine[Any, Any, None], capability: Capability, name: str) -> None:
    async with underway(bench, call) as task:
        error = await outcome(task, bench.patience, name)
    if not isinstance(error, CapabilityMissing) or error.capability != capability.value:
        raise CheckFailed(f"{name} ended with {error!r}")


CHECKS = (
    latest_gives_the_newest_to_each,
    a_frame_for_one_node_reaches_that_one,
    a_key_goes_to_one_listener_in_order,
    a_key_goes_one_at_a_time,
    priority_goes_before,
    a_delay_is_kept,
    latest_is_refused_where_missing,
    node_is_refused_where_missing,
    key_is_refused_where_missing,
    priority_is_refused_where_missing,
    delay_is_refused_where_missing,
)
