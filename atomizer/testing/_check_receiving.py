"""Checks of what is received: unchanged, once, within credit, and never lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..conductor import Lane, Settlement
from ._waiting import frame_to, nothing_comes, soon, stillness, take, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from ..conductor import Connection, Route
    from .bench import Bench

__all__ = ("CHECKS",)

_MANY = 16  # frames


@check
async def empty_bodies_arrive_unchanged(bench: Bench) -> None:
    """An empty body arrives empty."""
    await _send_body(bench, b"")


@check
async def every_byte_value_arrives_unchanged(bench: Bench) -> None:
    """A body of all byte values arrives as it was sent."""
    await _send_body(bench, bytes(range(256)) * 3)


@check
async def a_mebibyte_arrives_unchanged(bench: Bench) -> None:
    """A body of one mebibyte arrives as it was sent."""
    await _send_body(bench, bytes(range(251)) * 4178 + b"end")


async def _send_body(bench: Bench, body: bytes) -> None:
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await soon(bench, asker.send(frame_to(route, body=body)), "sending it")

        delivery = await take(bench, node)

    if delivery.body != body:
        raise CheckFailed(f"{len(body)} bytes were sent and {len(delivery.body)} came, or others")


@check
async def the_fields_of_a_frame_arrive(bench: Bench) -> None:
    """A delivery carries the route, the content type, the id and the reply name of its frame."""
    route = work(bench)
    sent = frame_to(route, "e-ünique", b"x", reply_to=bench.name("node"))
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await asker.send(sent)

        came = await take(bench, node)

    expected = (sent.to, sent.content_type, sent.id, sent.reply_to)
    found = (came.route, came.content_type, came.id, came.reply_to)
    if found != expected:
        raise CheckFailed(f"{found} came of {expected}")


@check
async def a_first_delivery_is_not_marked(bench: Bench) -> None:
    """What was never delivered before is not marked as redelivered."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await asker.send(frame_to(route))

        delivery = await take(bench, node)

    if delivery.redelivered or delivery.count:
        raise CheckFailed(f"it came with redelivered={delivery.redelivered} and count={delivery.count}")


@check
async def receivers_share_and_none_sees_a_copy(bench: Bench) -> None:
    """Many receivers of one connection share what comes: each delivery goes to one of them."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, _MANY)

        came = await _received_by(bench, [node] * 5, asker, route)

    _each_once(came)


@check
async def connections_share_and_none_sees_a_copy(bench: Bench) -> None:
    """Many connections on one route share what comes: each frame goes to one of them."""
    route = work(bench)
    async with bench.node() as one, bench.node() as two, bench.asker() as asker:
        await one.listen(route, _MANY)
        await two.listen(route, _MANY)

        came = await _received_by(bench, [one, two], asker, route)

    _each_once(came)


async def _received_by(bench: Bench, receivers: list[Connection], asker: Connection, route: Route) -> list[str]:
    """Send many frames to receivers that all wait, and return the ids that came to any of them."""
    came: list[str] = []
    all_came = asyncio.Event()

    async def receive_on(connection: Connection) -> None:
        while True:
            delivery = await connection.receive(Lane.WORK)
            came.append(delivery.id)
            if len(came) >= _MANY:
                all_came.set()
            await connection.settle(delivery, Settlement.ACK)

    async with AsyncExitStack() as stack:
        for connection in receivers:
            await stack.enter_async_context(underway(bench, receive_on(connection)))
        for number in range(_MANY):
            await soon(bench, asker.send(frame_to(route, f"e-{number}")), "sending")
        await soon(bench, all_came.wait(), f"{_MANY} deliveries")
        await stillness(bench)
    return came


def _each_once(came: list[str]) -> None:
    wrong = {id: came.count(id) for id in (f"e-{number}" for number in range(_MANY)) if came.count(id) != 1}
    if wrong:
        raise CheckFailed(f"these did not come once, but so often: {wrong}")


@check
async def credit_is_never_exceeded(bench: Bench) -> None:
    """A connection never holds more unsettled deliveries of a route than its credit; one settled lets one more come."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 3)
        await _send_many(asker, route, 6)
        held = await take_all(bench, node, 3)
        await nothing_comes(bench, node, "3 are unsettled with a credit of 3")

        await node.settle(held[0], Settlement.ACK)

        await take(bench, node)
        await nothing_comes(bench, node, "3 are unsettled again with a credit of 3")


@check
async def credit_is_for_each_route(bench: Bench) -> None:
    """Credit is counted for each route: one that is used up does not hold up another."""
    first, second = work(bench), work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(first, 1)
        await node.listen(second, 1)
        await _send_many(asker, first, 2)
        await _send_many(asker, second, 2)

        held = await take_all(bench, node, 2)

        if {delivery.route for delivery in held} != {first, second}:
            raise CheckFailed("two deliveries of one route came with a credit of 1, and none of the other")
        await nothing_comes(bench, node, "both routes have a credit of 1 and 1 unsettled")


@check
async def a_credit_of_zero_takes_nothing(bench: Bench) -> None:
    """A route that is listened on with a credit of 0 exists, and nothing of it is taken."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 0)
        await soon(bench, asker.send(frame_to(route)), "sending to a listener without credit")

        await nothing_comes(bench, node, "the credit is 0")


@check
async def credit_lowered_to_zero_stops_taking(bench: Bench) -> None:
    """Lowering the credit to 0 stops taking and keeps what was taken: it can be settled, and comes to nobody else."""
    route = work(bench)
    async with bench.node() as node, bench.node() as other, bench.asker() as asker:
        await node.listen(route, 5)
        await asker.send(frame_to(route, "e-kept"))
        kept = await take(bench, node)

        await node.listen(route, 0)

        await other.listen(route, 5)
        await asker.send(frame_to(route, "e-other"))
        await nothing_comes(bench, node, "its credit was lowered to 0")
        elsewhere = await take(bench, other)
        if elsewhere.id != "e-other":
            raise CheckFailed("what was taken before came to another listener")
        await node.settle(kept, Settlement.ACK)


@check
async def credit_that_is_raised_resumes(bench: Bench) -> None:
    """Raising the credit takes what waits, also for a receiver that waits already."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 0)
        await _send_many(asker, route, 3)
        async with underway(bench, node.receive(Lane.WORK)) as receiving:
            await turns()

            await node.listen(route, 2)

            await soon(bench, asyncio.wait((receiving,)), "that the receiver which waited gets one")
            await take(bench, node)
            await nothing_comes(bench, node, "2 are unsettled with a credit of 2")


@check
async def credit_below_what_is_held_waits_for_it(bench: Bench) -> None:
    """A credit lowered under what is held takes nothing until enough of that is settled."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 3)
        await _send_many(asker, route, 3)
        held = await take_all(bench, node, 3)
        await node.listen(route, 1)
        await asker.send(frame_to(route, "e-next"))

        for delivery in held[:2]:
            await node.settle(delivery, Settlement.ACK)
        await nothing_comes(bench, node, "1 is unsettled with a credit of 1")
        await node.settle(held[2], Settlement.ACK)

        await take(bench, node)


@check
async def a_cancelled_receive_loses_nothing(bench: Bench) -> None:
    """When a receive is cancelled, at whatever moment, the delivery goes to another call."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, _MANY)
        for moment in range(_MANY):
            async with underway(bench, node.receive(Lane.WORK)) as receiving:
                await turns(moment % 3)
                await soon(bench, asker.send(frame_to(route, f"e-{moment}")), "sending")
                await turns(moment // 3)
            delivery = await take(bench, node) if receiving.cancelled() else receiving.result()
            if delivery.id != f"e-{moment}":
                raise CheckFailed(f"{delivery.id!r} came instead of the one that the cancelled receive had")
            await node.settle(delivery, Settlement.ACK)
        await nothing_comes(bench, node, "everything came and was settled")


@check
async def a_cancelled_receive_wakes_another(bench: Bench) -> None:
    """When the receiver that a delivery woke is cancelled, the next one that waits gets it."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 5)
        for moment in range(5):
            async with underway(bench, node.receive(Lane.WORK)) as one, underway(bench, node.receive(Lane.WORK)) as two:
                await turns()
                await asker.send(frame_to(route))
                await turns(moment)
                one.cancel()

                await soon(bench, asyncio.wait((one,)), "that the cancelled receive ends")
                delivery = await soon(bench, two if one.cancelled() else one, "that the other one gets it")
                await node.settle(delivery, Settlement.ACK)


@check
async def leaving_a_route_hands_it_on(bench: Bench) -> None:
    """After `unlisten` nothing of the route comes here, others get it, and what was received can still be settled."""
    route = work(bench)
    async with bench.node() as node, bench.node() as other, bench.asker() as asker:
        await node.listen(route, 5)
        await asker.send(frame_to(route, "e-before"))
        before = await take(bench, node)
        await other.listen(route, 5)

        await node.unlisten(route)

        await asker.send(frame_to(route, "e-after"))
        await nothing_comes(bench, node, "it has left the route")
        after = await take(bench, other)
        if after.id != "e-after":
            raise CheckFailed(f"{after.id!r} came to the other, and the one who left holds it")
        await soon(bench, node.settle(before, Settlement.ACK), "settling what was received before")


CHECKS = (
    empty_bodies_arrive_unchanged,
    every_byte_value_arrives_unchanged,
    a_mebibyte_arrives_unchanged,
    the_fields_of_a_frame_arrive,
    a_first_delivery_is_not_marked,
    receivers_share_and_none_sees_a_copy,
    connections_share_and_none_sees_a_copy,
    credit_is_never_exceeded,
    credit_is_for_each_route,
    a_credit_of_zero_takes_nothing,
    credit_lowered_to_zero_stops_taking,
    credit_that_is_raised_resumes,
    credit_below_what_is_held_waits_for_it,
    a_cancelled_receive_loses_nothing,
    a_cancelled_receive_wakes_another,
    leaving_a_route_hands_it_on,
)


async def _send_many(asker: Connection, route: Route, number: int) -> None:
    for each in range(number):
        await asker.send(frame_to(route, f"e-{each}"))
