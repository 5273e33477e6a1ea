"""Checks of what is received: unchanged, once, within credit, and never lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conductor import Capability, Lane, Settlement
from ._waiting import frame_to, nothing_comes, soon, take, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from ..conductor import Connection
    from .bench import Bench

__all__ = ("CHECKS",)


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
        await node.listen(route, 20)

        await _share(bench, asker, [node] * 8, 16)


@check
async def connections_share_and_none_sees_a_copy(bench: Bench) -> None:
    """Many connections on one route share what comes: each frame goes to one of them."""
    route = work(bench)
    async with bench.node() as one, bench.node() as two, bench.asker() as asker:
        await one.listen(route, 20)
        await two.listen(route, 20)

        await _share(bench, asker, [one, two], 16)


async def _share(bench: Bench, asker: Connection, receivers: list[Connection], number: int) -> None:
    """Send frames to the route that was listened on last, and see that the receivers get each of them once."""


@check
async def credit_is_never_exceeded(bench: Bench) -> None:
    """A connection never holds more unsettled deliveries of a route than its credit, and settling one lets one come."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 3)
        for number in range(6):
            await asker.send(frame_to(route, f"e-{number}"))
        held = await take_all(bench, node, 3)
        await nothing_comes(bench, node, "3 of a credit of 3 are unsettled")

        await node.settle(held[0], Settlement.ACK)

        await take(bench, node)
        await nothing_comes(bench, node, "one was settled and one more came")


CHECKS = (
)
