"""Checks of settling: once, by itself alone, and with what the settlement says."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..conductor import Capability, Lane, Route, Settlement
from ..errors import ConductorBroken
from ._waiting import frame_to, nothing_comes, outcome, soon, take, take_all, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .bench import Bench

__all__ = ("CHECKS",)


@check
async def ack_removes(bench: Bench) -> None:
    """What was settled with ACK does not come again, also not after the connection is left."""
    await _settle_for_good(bench, Settlement.ACK)


@check
async def reject_does_not_return(bench: Bench) -> None:
    """What was settled with REJECT does not come again, also not after the connection is left."""
    await _settle_for_good(bench, Settlement.REJECT)


async def _settle_for_good(bench: Bench, settlement: Settlement) -> None:
    route = work(bench)
    async with bench.node() as other, bench.asker() as asker:
        await other.listen(route, 0)
        async with bench.node() as node:
            await node.listen(route, 1)
            await asker.send(frame_to(route))
            await soon(bench, node.settle(await take(bench, node), settlement), "settling")
            await nothing_comes(bench, node, "it was settled")
        await other.listen(route, 1)

        await nothing_comes(bench, other, "it was settled")


@check
async def requeue_returns_it(bench: Bench) -> None:
    """What was settled with REQUEUE comes again: the same frame, marked as redelivered."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await asker.send(frame_to(route, body=b"the same", reply_to="somebody"))
        first = await take(bench, node)

        await soon(bench, node.settle(first, Settlement.REQUEUE), "settling")

        again = await take(bench, node)
        _the_same(first, again)


@check(needs=Capability.COUNT)
async def requeue_does_not_count(bench: Bench) -> None:
    """REQUEUE leaves `count` as it is, however often."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await asker.send(frame_to(route))
        for _ in range(3):
            delivery = await take(bench, node)
            if delivery.count != 0:
                raise CheckFailed(f"count was {delivery.count}, and nothing had ended against our will")
            await node.settle(delivery, Settlement.REQUEUE)


@check
async def settling_twice_is_refused(bench: Bench) -> None:
    """Settling a delivery twice raises ValueError, and changes nothing."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 2)
        await asker.send(frame_to(route))
        delivery = await take(bench, node)
        await node.settle(delivery, Settlement.ACK)

        for settlement in Settlement:
            await _is_refused(bench, node, delivery, settlement)

        await nothing_comes(bench, node, "it was settled with ACK first")


@check
async def settling_what_is_not_settled_is_refused(bench: Bench) -> None:
    """Settling a delivery of the CONTROL or the EVENT lane raises ValueError."""
    async with bench.node() as node, bench.asker() as asker:
        for lane in (Lane.CONTROL, Lane.EVENT):
            route = Route(lane, bench.name("name"))
            await node.listen(route, 1)
            await asker.send(frame_to(route))
            delivery = await take(bench, node, lane)

            await _is_refused(bench, node, delivery, Settlement.ACK)


async def _is_refused(bench: Bench, node: Connection, delivery: Delivery, settlement: Settlement) -> None:
    try:
        settled = node.settle_nowait(delivery, settlement)
    except ValueError:
        settled = False
    if settled:
        raise CheckFailed(f"settle_nowait took {settlement} and said it was settled")
    async with underway(bench, node.settle(delivery, settlement)) as settling:
        error = await outcome(settling, bench.patience, "settling it")
    if not isinstance(error, ValueError):
        raise CheckFailed(f"settle with {settlement} ended with {error!r}")


@check
async def settling_settles_that_one_alone(bench: Bench) -> None:
    """Settling a delivery settles no other one, not even an older one."""
    route = work(bench)
    async with bench.node() as other, bench.asker() as asker:
        await other.listen(route, 0)
        async with bench.node() as node:
            await node.listen(route, 3)
            for number in range(3):
                await asker.send(frame_to(route, f"e-{number}"))
            held = await take_all(bench, node, 3)
            await node.settle(held[1], Settlement.ACK)
            await bench.cut(node)
        await other.listen(route, 3)

        again = await take_all(bench, other, 2)

        if {delivery.id for delivery in again} != {held[0].id, held[2].id}:
            raise CheckFailed(f"the second of three was settled, and {[delivery.id for delivery in again]} came again")
        await nothing_comes(bench, other, "the third was settled")


@check
async def settled_lanes_are_apart(bench: Bench) -> None:
    """Deliveries of different lanes are settled apart, whatever numbers a transport gives them."""
    routes = [Route(lane, bench.name("name")) for lane in (Lane.WORK, Lane.REPLY, Lane.DEAD)]
    async with bench.node() as node, bench.asker() as asker:
        held: list[Delivery] = []
        for route in routes:
            await node.listen(route, 2)
            for number in range(2):
                await asker.send(frame_to(route, f"{route.lane.value}-{number}"))
            held += await take_all(bench, node, 2, route.lane)

        for delivery in (held[0], held[3], held[4]):
            await soon(bench, node.settle(delivery, Settlement.ACK), "settling one of each lane")
        for delivery in (held[5], held[2], held[1]):
            await soon(bench, node.settle(delivery, Settlement.REQUEUE), "giving back the other of each lane")

        for delivery in (held[1], held[2], held[5]):
            again = await take(bench, node, delivery.route.lane)
            _the_same(delivery, again)
            await node.settle(again, Settlement.ACK)


@check
async def what_is_unsettled_at_a_cut_comes_again(bench: Bench) -> None:
    """What was received and not settled comes again to somebody when the connection dies, marked as redelivered."""
    first, again = await _lose(bench)

    for delivery in again:
        _the_same(next(before for before in first if before.id == delivery.id), delivery)


@check(needs=Capability.COUNT)
async def a_cut_counts(bench: Bench) -> None:
    """A delivery that ended with the death of its connection counts: `count` is 1 when it comes again."""
    _, again = await _lose(bench)

    if any(delivery.count != 1 for delivery in again):
        raise CheckFailed(f"they came with the counts {[delivery.count for delivery in again]}")


@check(lacks=Capability.COUNT)
async def what_is_not_counted_is_none(bench: Bench) -> None:
    """A transport that cannot count says None, not 0."""
    first, again = await _lose(bench)

    if any(delivery.count is not None for delivery in first + again):
        raise CheckFailed(f"they came with the counts {[delivery.count for delivery in first + again]}")


async def _lose(bench: Bench) -> tuple[list[Delivery], list[Delivery]]:
    """Receive three, cut that connection, and receive them again on another."""
    route = work(bench)
    async with bench.node() as other, bench.asker() as asker, AsyncExitStack() as stack:
        node = await stack.enter_async_context(bench.node())
        await node.listen(route, 3)
        for number in range(3):
            await asker.send(frame_to(route, f"e-{number}", b"body", reply_to="somebody"))
        first = await take_all(bench, node, 3)
        await bench.cut(node)
        await other.listen(route, 3)
        again = await take_all(bench, other, 3)
        await nothing_comes(bench, other, "all three came again", Lane.WORK)
    if {delivery.id for delivery in again} != {delivery.id for delivery in first}:
        raise CheckFailed(f"these came again: {[delivery.id for delivery in again]}")
    return first, again


@check
async def what_is_unsettled_at_a_clean_end_comes_again(bench: Bench) -> None:
    """What was received and not settled comes again to somebody when the connection is left, marked as redelivered."""
    route = work(bench)
    async with bench.node() as other, bench.asker() as asker:
        await other.listen(route, 0)
        async with bench.node() as node:
            await node.listen(route, 1)
            await asker.send(frame_to(route, body=b"body"))
            first = await take(bench, node)
        await other.listen(route, 1)

        again = await take(bench, other)

        _the_same(first, again)


@check
async def settling_after_death_is_broken(bench: Bench) -> None:
    """Settling on a connection that died raises ConductorBroken, in both forms."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        await asker.send(frame_to(route))
        delivery = await take(bench, node)
        await bench.cut(node)

        async with underway(bench, node.settle(delivery, Settlement.ACK)) as settling:
            error = await outcome(settling, bench.patience, "settling")
        try:
            settled = node.settle_nowait(delivery, Settlement.ACK)
        except ConductorBroken:
            settled = False

    if not isinstance(error, ConductorBroken) or settled:
        raise CheckFailed(f"settle ended with {error!r}, and settle_nowait settled: {settled}")


CHECKS = (
    ack_removes,
    reject_does_not_return,
    requeue_returns_it,
    requeue_does_not_count,
    settling_twice_is_refused,
    settling_what_is_not_settled_is_refused,
    settling_settles_that_one_alone,
    settled_lanes_are_apart,
    what_is_unsettled_at_a_cut_comes_again,
    a_cut_counts,
    what_is_not_counted_is_none,
    what_is_unsettled_at_a_clean_end_comes_again,
    settling_after_death_is_broken,
)


def _the_same(first: Delivery, again: Delivery) -> None:
    before = (first.id, first.body, first.content_type, first.reply_to, first.route)
    if (again.id, again.body, again.content_type, again.reply_to, again.route) != before:
        raise CheckFailed(f"{again} came instead of {first}")
    if not again.redelivered:
        raise CheckFailed(f"{again.id!r} came again without the mark `redelivered`")
