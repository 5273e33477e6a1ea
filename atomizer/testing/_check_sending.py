"""Checks of sending: confirmed, or refused with certainty."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..conductor import Durability, Lane, Route, Settlement
from ..errors import ConductorError, NobodyThere, TooLarge
from ._waiting import fill, frame_to, nothing_comes, outcome, soon, stillness, take, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from ..conductor import Connection, Frame
    from .bench import Bench

__all__ = ("CHECKS",)

_MANY = 16  # frames


@check
async def send_is_confirmed(bench: Bench) -> None:
    """When `send` has returned the other side has the frame, even if the connection dies at once."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)

        await soon(bench, asker.send(frame_to(route)), "sending")
        await bench.cut(asker)

        await take(bench, node)


@check
async def many_may_send_at_once(bench: Bench) -> None:
    """Many tasks may send on one connection: every frame arrives, once."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, _MANY)

        async with AsyncExitStack() as stack:
            sends = [
                await stack.enter_async_context(underway(bench, asker.send(frame_to(route, f"e-{number}"))))
                for number in range(_MANY)
            ]
            await soon(bench, asyncio.wait(sends), "sending")

        came = {delivery.id for delivery in await take_all(bench, node, _MANY)}
        if len(came) != _MANY:
            raise CheckFailed(f"only {sorted(came)} came")
        await nothing_comes(bench, node, "every frame came")


@check
async def send_to_nobody_is_nobody_there(bench: Bench) -> None:
    """Sending WORK on which nobody listens raises NobodyThere, and harms nothing else."""
    await _nobody_is_there(bench, Lane.WORK)


@check
async def reply_to_nobody_is_nobody_there(bench: Bench) -> None:
    """Sending a REPLY to a node that is not there raises NobodyThere, and harms nothing else."""
    await _nobody_is_there(bench, Lane.REPLY)


async def _nobody_is_there(bench: Bench, lane: Lane) -> None:
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        nowhere = frame_to(Route(lane, bench.name("nobody")))

        await _is_refused(bench, asker, nowhere, NobodyThere)

        await soon(bench, asker.send(frame_to(route)), "sending to somebody afterwards")
        await take(bench, node)


@check
async def dead_letters_wait_for_somebody(bench: Bench) -> None:
    """A DEAD frame is taken with nobody there, and waits for a listener."""
    route = Route(Lane.DEAD, bench.name("dead"))
    async with bench.asker() as asker, bench.node() as node:
        await soon(bench, asker.send(frame_to(route)), "sending with nobody there")
        await node.listen(route, 1)

        delivery = await take(bench, node, Lane.DEAD)

        await node.settle(delivery, Settlement.ACK)


@check
async def control_and_events_need_nobody(bench: Bench) -> None:
    """CONTROL and EVENT frames may be sent with nobody there."""
    async with bench.asker() as asker:
        for lane in (Lane.CONTROL, Lane.EVENT):
            await soon(bench, asker.send(frame_to(Route(lane, bench.name("nobody")))), f"sending on {lane.value}")


@check
async def a_clean_end_closes_the_route(bench: Bench) -> None:
    """
    After the last listener left cleanly, sending WORK raises NobodyThere. A broker whose routes outlive their listeners
    may take it instead, and then keeps it for the next one.
    """
    route = work(bench)
    async with bench.asker() as asker:
        async with bench.node() as node:
            await node.listen(route, 1)
        async with underway(bench, asker.send(frame_to(route))) as sending:
            error = await outcome(sending, bench.patience, "sending after the last listener left")
        if isinstance(error, NobodyThere):
            return
        if error is not None:
            raise CheckFailed(f"send ended with {error!r}") from error
        if bench.conductor().durability is Durability.PROCESS:
            raise CheckFailed("the frame was taken, and nobody listens")
        async with bench.node() as later:
            await later.listen(route, 1)
            await take(bench, later)


@check
async def a_cut_keeps_the_route(bench: Bench) -> None:
    """A route whose only listener was cut still takes frames, and gives them to the next listener."""
    route = work(bench)
    async with bench.asker() as asker:
        async with bench.node() as node:
            await node.listen(route, 1)
            await bench.cut(node)
            await soon(bench, asker.send(frame_to(route)), "sending while the listener is away")

        async with bench.node() as again:
            await again.listen(route, 1)
            await take(bench, again)


@check
async def a_full_route_makes_senders_wait_or_refuses(bench: Bench) -> None:
    """Beyond a route's capacity `send` waits or raises Overloaded; what was taken arrives, and nothing else."""
    small = bench.small()
    if small is None:
        return
    route = work(bench)
    async with small.connect() as node, small.connect() as asker, AsyncExitStack() as stack:
        await node.listen(route, 0)
        sends = await fill(bench, stack, asker, route)
        expected = len(sends) - sends[-1].done()

        await node.listen(route, len(sends))

        came = sorted(delivery.id for delivery in await take_all(bench, node, expected))
        if came != sorted(f"e-{number}" for number in range(expected)):
            raise CheckFailed(f"{expected} frames were taken, and these came: {came}")
        await soon(bench, asyncio.wait(sends), "that the send which waited returns")
        await nothing_comes(bench, node, "all that was taken has come")


@check
async def a_body_that_is_too_large_is_refused(bench: Bench) -> None:
    """A body over `max_body_bytes` raises TooLarge, and harms nothing else."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 1)
        too_large = frame_to(route, "e-large", bytes(bench.conductor().max_body_bytes + 1))

        await _is_refused(bench, asker, too_large, TooLarge)

        await soon(bench, asker.send(frame_to(route, "e-small")), "sending a small one afterwards")
        delivery = await take(bench, node)
        if delivery.id != "e-small":
            raise CheckFailed(f"{delivery.id!r} came all the same")


@check
async def a_cancelled_send_harms_nothing_else(bench: Bench) -> None:
    """After a cancelled send the connection goes on; the frame comes once, or not at all."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, _MANY)
        for moment in range(5):
            async with underway(bench, asker.send(frame_to(route, f"e-cancelled-{moment}"))):
                await turns(moment)
        await soon(bench, asker.send(frame_to(route, "e-last")), "sending afterwards")

        came: list[str] = []
        while "e-last" not in came:
            came.append((await take(bench, node)).id)
        if len(set(came)) != len(came):
            raise CheckFailed(f"one came twice: {came}")


@check
async def the_nowait_twins_agree(bench: Bench) -> None:
    """`send_nowait`, `receive_nowait` and `settle_nowait` do what their twins do, or decline and do nothing."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 2)
        if node.receive_nowait(Lane.WORK) is not None:
            raise CheckFailed("receive_nowait brought something, and nothing was sent")
        if not asker.send_nowait(frame_to(route)):
            await nothing_comes(bench, node, "send_nowait declined")
            await asker.send(frame_to(route))
        await stillness(bench)
        delivery = node.receive_nowait(Lane.WORK) or await take(bench, node)
        await nothing_comes(bench, node, "one frame was sent, and it came")

        if not node.settle_nowait(delivery, Settlement.ACK):
            await node.settle(delivery, Settlement.ACK)

        await bench.cut(node)
        async with bench.node() as other:
            await other.listen(route, 2)
            await nothing_comes(bench, other, "it was settled")


@check
async def what_is_sent_and_taken_is_a_delivery(bench: Bench) -> None:
    """`send_and_take` brings its own frame in the place of a call that waits, to be settled; or does nothing."""
    route = work(bench)
    async with bench.node() as node:
        await node.listen(route, 1)
        async with underway(bench, node.receive(Lane.WORK)) as waiting:
            await stillness(bench)
            taken = node.send_and_take(frame_to(route, body=b"mine"))
            if taken is None:
                return
            if (taken.body, taken.redelivered) != (b"mine", False):
                raise CheckFailed(f"it took {taken.body!r}, redelivered={taken.redelivered}")
            if node.send_and_take(frame_to(route)) is not None:
                raise CheckFailed("it took a second one, and the credit is 1")
            await stillness(bench)
            if waiting.done():
                raise CheckFailed("the call that waited was woken, and what came was taken")
            await node.settle(taken, Settlement.REQUEUE)
            again = await soon(bench, waiting, "receiving what was given back")
            if (again.body, again.redelivered) != (b"mine", True):
                raise CheckFailed(f"given back, it came as {again.body!r}, redelivered={again.redelivered}")
            await node.settle(again, Settlement.ACK)
            await nothing_comes(bench, node, "it was settled")


CHECKS = (
    send_is_confirmed,
    many_may_send_at_once,
    send_to_nobody_is_nobody_there,
    reply_to_nobody_is_nobody_there,
    dead_letters_wait_for_somebody,
    control_and_events_need_nobody,
    a_clean_end_closes_the_route,
    a_cut_keeps_the_route,
    a_full_route_makes_senders_wait_or_refuses,
    a_body_that_is_too_large_is_refused,
    a_cancelled_send_harms_nothing_else,
    the_nowait_twins_agree,
    what_is_sent_and_taken_is_a_delivery,
)


async def _is_refused(bench: Bench, asker: Connection, frame: Frame, refusal: type[ConductorError]) -> None:
    """See that a frame is refused by `send`, and declined by `send_nowait`."""
    if asker.send_nowait(frame):
        raise CheckFailed("send_nowait took it")
    async with underway(bench, asker.send(frame)) as sending:
        error = await outcome(sending, bench.patience, "that send refuses it")
    if not isinstance(error, refusal):
        raise CheckFailed(f"send ended with {error!r}")
