"""Checks of the lanes: replies to one node, control and events to many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..conductor import Lane, Route, Settlement, Spread
from ..errors import ConductorUnavailable
from ._waiting import frame_to, nothing_comes, outcome, soon, stillness, take, underway
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .bench import Bench

__all__ = ("CHECKS",)

_AGAIN = 0.01  # seconds between two tries: nobody tells us when the other side has noticed


@check
async def a_reply_reaches_the_asker_and_nobody_else(bench: Bench) -> None:
    """A REPLY reaches the node it is for, and no other."""
    mine, other = _replies(bench), _replies(bench)
    async with bench.asker() as asker, bench.asker() as bystander, bench.node() as node:
        await asker.listen(mine, 5)
        await bystander.listen(other, 5)

        await node.send(frame_to(mine))

        delivery = await take(bench, asker, Lane.REPLY)
        await nothing_comes(bench, bystander, "the reply was for another node", Lane.REPLY)
        await nothing_comes(bench, asker, "one reply was sent, and it came", Lane.REPLY)
        await asker.settle(delivery, Settlement.ACK)


@check
async def a_second_node_of_a_name_is_refused(bench: Bench) -> None:
    """While a node listens for its replies, another of the same name is refused for good, and the first one goes on."""
    route = _replies(bench)
    async with bench.asker() as asker, bench.asker() as second, bench.node() as node:
        await asker.listen(route, 5)

        await _is_refused(bench, second, route)

        await node.send(frame_to(route))
        await take(bench, asker, Lane.REPLY)


@check
async def a_name_is_free_after_a_clean_end(bench: Bench) -> None:
    """When a node has left, its name may be used again."""
    route = _replies(bench)
    async with bench.node() as node:
        async with bench.asker() as asker:
            await asker.listen(route, 5)
        async with bench.asker() as again:
            await soon(bench, _listen_when_free(again, route), "listening under the name that was left")

            await node.send(frame_to(route))
            await take(bench, again, Lane.REPLY)


@check
async def replies_wait_for_a_node_that_was_cut(bench: Bench) -> None:
    """A node that was cut may come back under its name, and gets the replies it had not settled or not received."""
    route = _replies(bench)
    async with bench.node() as node, bench.asker() as again:
        async with bench.asker() as asker:
            await asker.listen(route, 5)
            await node.send(frame_to(route, "e-unsettled"))
            await take(bench, asker, Lane.REPLY)
            await bench.cut(asker)
        await node.send(frame_to(route, "e-unreceived"))

        await soon(bench, _listen_when_free(again, route), "listening under the name of the one that was cut")

        came = {(await take(bench, again, Lane.REPLY)).id for _ in range(2)}
        if came != {"e-unsettled", "e-unreceived"}:
            raise CheckFailed(f"these came: {sorted(came)}")


@check
async def a_reply_sink_gets_what_receive_would_have_got(bench: Bench) -> None:
    """A reply sink that is taken gets every reply, also those that waited; one that is declined changes nothing."""
    route = _replies(bench)
    came: list[Delivery] = []
    complete = asyncio.Event()

    def sink(delivery: Delivery) -> None:
        came.append(delivery)
        if len(came) >= 2:
            complete.set()

    async with bench.asker() as asker, bench.node() as node:
        await asker.listen(route, 0)
        await node.send(frame_to(route, "e-waited", b"1"))
        if not asker.reply_sink(route, sink):
            await asker.listen(route, 5)
            await take(bench, asker, Lane.REPLY)
            return

        await node.send(frame_to(route, "e-came", b"2"))

        await soon(bench, complete.wait(), "that the sink gets both replies")
        await nothing_comes(bench, asker, "the sink had it", Lane.REPLY)
    if [(delivery.id, delivery.body) for delivery in came] != [("e-waited", b"1"), ("e-came", b"2")]:
        raise CheckFailed(f"the sink got {came}")


@check
async def a_reply_sink_listens(bench: Bench) -> None:
    """A reply sink counts as listening: a second node is refused. What it got is settled."""
    route = _replies(bench)
    came: list[Delivery] = []
    async with bench.node() as node:
        async with bench.asker() as asker, bench.asker() as second:
            if not asker.reply_sink(route, came.append):
                return
            await soon(bench, node.send(frame_to(route)), "sending to the sink")
            await _is_refused(bench, second, route)
            await stillness(bench)
            await bench.cut(asker)
        async with bench.asker() as again:
            await soon(bench, _listen_when_free(again, route), "listening under that name again")
            await nothing_comes(bench, again, "the sink had it, and that settles it", Lane.REPLY)
    if len(came) != 1:
        raise CheckFailed(f"the sink got {came}")


@check
async def all_reaches_every_listener(bench: Bench) -> None:
    """A frame to every listener reaches each of them once, the sender's own connection too."""
    for lane in (Lane.EVENT, Lane.CONTROL):
        await _reaches_all(bench, Route(lane, bench.name("topic"), spread=Spread.ALL))


@check
async def control_to_all_nodes_reaches_all(bench: Bench) -> None:
    """A CONTROL frame to the name "" reaches every node that listens there."""
    await _reaches_all(bench, Route(Lane.CONTROL, spread=Spread.ALL))


async def _reaches_all(bench: Bench, route: Route) -> None:
    async with bench.node() as one, bench.node() as two, bench.asker() as asker:
        listeners = (one, two, asker)
        for connection in listeners:
            await connection.listen(route, 1)

        mine = {bench.name("e"), bench.name("e")}  # others may talk to all nodes meanwhile
        for id in sorted(mine):
            await soon(bench, asker.send(frame_to(route, id)), "sending")

        for connection in listeners:
            came: list[str] = []
            while not mine <= set(came):
                came.append((await take(bench, connection, route.lane)).id)
            if len(mine & set(came)) != sum(id in mine for id in came):
                raise CheckFailed(f"one came twice to a listener: {came}")


@check
async def control_to_one_node_reaches_that_one(bench: Bench) -> None:
    """A CONTROL frame to a node's name reaches that node, and no other."""
    mine, other = Route(Lane.CONTROL, bench.name("node")), Route(Lane.CONTROL, bench.name("node"))
    async with bench.node() as node, bench.node() as bystander, bench.asker() as asker:
        await node.listen(mine, 1)
        await bystander.listen(other, 1)

        await soon(bench, asker.send(frame_to(mine)), "sending")

        await take(bench, node, Lane.CONTROL)
        await nothing_comes(bench, bystander, "it was for another node", Lane.CONTROL)


@check
async def unsettled_lanes_need_no_credit(bench: Bench) -> None:
    """CONTROL and EVENT frames come without being settled, whatever the credit says."""
    async with bench.node() as node, bench.asker() as asker:
        for lane in (Lane.CONTROL, Lane.EVENT):
            route = Route(lane, bench.name("name"))
            await node.listen(route, 1)
            for number in range(5):
                await asker.send(frame_to(route, f"e-{number}"))
            for _ in range(5):
                await take(bench, node, lane)


@check
async def lanes_do_not_mix(bench: Bench) -> None:
    """Routes of one name on different lanes are different routes."""
    name = bench.name("name")
    async with bench.node() as node, bench.asker() as asker:
        for lane in Lane:
            await node.listen(Route(lane, name), 1)
        for lane in Lane:
            await asker.send(frame_to(Route(lane, name), lane.value))

        for lane in Lane:
            delivery = await take(bench, node, lane)
            if delivery.id != lane.value or delivery.route.lane is not lane:
                raise CheckFailed(f"the lane {lane.value} brought {delivery}")


CHECKS = (
    a_reply_reaches_the_asker_and_nobody_else,
    a_second_node_of_a_name_is_refused,
    a_name_is_free_after_a_clean_end,
    replies_wait_for_a_node_that_was_cut,
    a_reply_sink_gets_what_receive_would_have_got,
    a_reply_sink_listens,
    all_reaches_every_listener,
    control_to_all_nodes_reaches_all,
    control_to_one_node_reaches_that_one,
    unsettled_lanes_need_no_credit,
    lanes_do_not_mix,
)


def _replies(bench: Bench) -> Route:
    return Route(Lane.REPLY, bench.name("node"))


async def _is_refused(bench: Bench, second: Connection, route: Route) -> None:
    async with underway(bench, second.listen(route, 5)) as listening:
        error = await outcome(listening, bench.patience, "that the second node is refused")
    if not isinstance(error, ConductorUnavailable):
        raise CheckFailed(f"listen ended with {error!r}")
    if not error.permanent:
        raise CheckFailed("the refusal says that trying again may help")


async def _listen_when_free(connection: Connection, route: Route) -> None:
    """Listen, as soon as the other side has noticed that the one before is gone."""
    while True:
        try:
            return await connection.listen(route, 5)
        except ConductorUnavailable:
            await asyncio.sleep(_AGAIN)
