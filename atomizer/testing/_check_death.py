"""Checks of a connection's death by a cut: loud, complete, and harmless to others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from ..conductor import Lane, Route, Settlement
from ..errors import ConductorBroken
from ._waiting import fill, frame_to, outcome, soon, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..conductor import Connection
    from .bench import Bench

__all__ = ("CHECKS",)

_LOUD = 1.0  # seconds within which a cut must be heard


@check
async def a_cut_is_heard_by_receivers(bench: Bench) -> None:
    """When a connection is cut, every receive that waits raises ConductorBroken within a second, on each lane."""
    async with bench.node() as node, AsyncExitStack() as stack:
        waiting: list[asyncio.Task[Any]] = []
        for lane in Lane:
            await node.listen(Route(lane, bench.name("name")), 1)
            waiting += [await stack.enter_async_context(underway(bench, node.receive(lane))) for _ in range(2)]
        await turns()

        await bench.cut(node)

        for task in waiting:
            _is_broken(
                await outcome(task, _loud(bench), "a receive on a connection that was cut"), "a receive that waited"
            )


@check
async def a_cut_is_heard_by_senders(bench: Bench) -> None:
    """When a connection is cut, a send that waits for room raises ConductorBroken within a second."""
    small = bench.small()
    if small is None:
        return
    route = work(bench)
    async with small.connect() as node, small.connect() as asker, AsyncExitStack() as stack:
        await node.listen(route, 0)
        last = (await fill(bench, stack, asker, route))[-1]
        if last.done():  # it refuses, and lets nobody wait
            return

        await bench.cut(asker)

        _is_broken(await outcome(last, _loud(bench), "a send on a connection that was cut"), "a send that waited")


@check
async def later_calls_raise_broken(bench: Bench) -> None:
    """Every later call on a connection that was cut raises ConductorBroken; the nowait twins raise it or decline."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await node.listen(route, 2)
        for number in range(2):
            await asker.send(frame_to(route, f"e-{number}"))
        held = await take_all(bench, node, 2)
        await bench.cut(node)

        calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "receive": lambda: node.receive(Lane.WORK),
            "send": lambda: node.send(frame_to(route)),
            "settle": lambda: node.settle(held[0], Settlement.ACK),
            "listen": lambda: node.listen(route, 1),
            "unlisten": lambda: node.unlisten(route),
        }
        for name, call in calls.items():
            async with underway(bench, call()) as task:
                _is_broken(await outcome(task, _loud(bench), name), name)
        _declines("receive_nowait", lambda: node.receive_nowait(Lane.WORK))
        _declines("send_nowait", lambda: node.send_nowait(frame_to(route)))
        _declines("settle_nowait", lambda: node.settle_nowait(held[1], Settlement.ACK))


def _declines(name: str, call: Callable[[], object]) -> None:
    try:
        answer = call()
    except ConductorBroken:
        return
    if answer:
        raise CheckFailed(f"{name} answered {answer!r}")


@check
async def no_cancellation_that_nobody_asked_for(bench: Bench) -> None:
    """A cut ends no call in a CancelledError: in a task group the others would never hear of it."""
    async with bench.node() as node:
        await node.listen(work(bench), 1)
        async with underway(bench, _receive_in_a_group(node)) as group:
            await turns()

            await bench.cut(node)

            error = await outcome(group, _loud(bench), "a task group with a receive in it")
    _is_broken(error, "a task group with a receive in it")


async def _receive_in_a_group(node: Connection) -> None:
    broken: list[ConductorBroken] = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(node.receive(Lane.WORK))
            group.create_task(asyncio.Event().wait())
    except* ConductorBroken as errors:
        broken += [error for error in errors.exceptions if isinstance(error, ConductorBroken)]
    if broken:
        raise broken[0]


@check
async def a_cut_harms_no_other_connection(bench: Bench) -> None:
    """When one connection is cut, the others go on."""
    route = work(bench)
    async with bench.node() as victim, bench.node() as node, bench.asker() as asker:
        await victim.listen(work(bench), 1)
        await node.listen(route, 1)
        async with underway(bench, node.receive(Lane.WORK)) as receiving:
            await turns()

            await bench.cut(victim)

            await soon(bench, asker.send(frame_to(route)), "sending on another connection")
            await soon(bench, receiving, "receiving on another connection")


@check
async def leaving_after_a_cut_is_quiet(bench: Bench) -> None:
    """A connection that was cut is left without an exception, in time."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(bench.node())
        await node.listen(work(bench), 1)
        await bench.cut(node)

        await soon(bench, stack.aclose(), "leaving")


CHECKS = (
    a_cut_is_heard_by_receivers,
    a_cut_is_heard_by_senders,
    later_calls_raise_broken,
    no_cancellation_that_nobody_asked_for,
    a_cut_harms_no_other_connection,
    leaving_after_a_cut_is_quiet,
)


def _loud(bench: Bench) -> float:
    return min(_LOUD, bench.patience)


def _is_broken(error: BaseException | None, what: str) -> None:
    if not isinstance(error, ConductorBroken):
        raise CheckFailed(f"{what} ended with {error!r}")
