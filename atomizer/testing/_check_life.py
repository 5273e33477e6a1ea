"""Checks of a connection's life: from ready to closed, and what is left of it."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conductor import Lane, Route, Settlement
from ..errors import ConductorError, ConductorUnavailable
from ._waiting import frame_to, outcome, soon, stillness, take, take_all, turns, underway, work
from .bench import CheckFailed, check

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from ..conductor import Conductor, Connection
    from .bench import Bench

__all__ = ("CHECKS",)

_MOMENTS = 10  # at which something is cancelled


@check
async def ready_on_entry(bench: Bench) -> None:
    """A connection is ready as soon as it is entered."""
    route = work(bench)
    async with bench.node() as node, bench.asker() as asker:
        await soon(bench, node.listen(route, 1), "listening")
        await soon(bench, asker.send(frame_to(route)), "sending")

        await take(bench, node)


@check
async def connect_failure_is_unavailable(bench: Bench) -> None:
    """Connecting to what is not there raises ConductorUnavailable."""
    conductor = bench.unreachable()
    if conductor is None:
        return
    try:
        await soon(bench, _enter_and_leave(conductor), "that connecting fails")
    except ConductorUnavailable:
        return
    raise CheckFailed("it was connected")


@check
async def cancel_during_connect_leaves_nothing_open(bench: Bench) -> None:
    """When connecting is cancelled, at whatever moment, nothing stays open."""
    took = await _time_of_a_life(bench)
    with _nothing_left() as left:
        for moment in range(_MOMENTS):
            async with underway(bench, _enter_and_leave(bench.conductor())):
                await turns(moment)
                await asyncio.sleep(took * moment / _MOMENTS)
        await stillness(bench)
    left.check()


@check
async def cancel_during_close_is_bounded(bench: Bench) -> None:
    """When leaving a busy connection is cancelled it ends in time, and what was unsettled comes again."""
    for moment in range(_MOMENTS):
        route = work(bench)
        async with bench.asker() as asker:
            leaving = asyncio.Event()
            async with underway(bench, _busy_life(bench, asker, route, leaving)) as life:
                await soon(bench, leaving.wait(), "being busy")
                await turns(moment)
            if not life.cancelled() and (error := life.exception()) is not None:
                raise CheckFailed(f"leaving raised {error!r}") from error

            async with bench.node() as other:
                await other.listen(route, 10)
                await take_all(bench, other, 3)


@check
async def closing_a_busy_connection_is_bounded(bench: Bench) -> None:
    """A connection with waiting receivers and unsettled deliveries is left in time, and its calls end."""
    route = work(bench)
    async with bench.asker() as asker, AsyncExitStack() as stack:
        node = await stack.enter_async_context(bench.node())
        await _be_busy(bench, node, asker, route)
        async with underway(bench, node.receive(Lane.REPLY)) as receiving:
            await turns()

            await soon(bench, stack.aclose(), "leaving")

            error = await outcome(receiving, bench.patience, "a receive on the connection that was left")
    if not isinstance(error, ConductorError):
        raise CheckFailed(f"a receive that waited ended with {error!r}")


@check
async def a_conductor_connects_again(bench: Bench) -> None:
    """A conductor can be connected again: after a clean end, after a cut, and while another connection lives."""
    for is_cut in (False, True):
        async with bench.node() as first, bench.node():
            if is_cut:
                await bench.cut(first)
        await ready_on_entry.body(bench)


@check
async def faults_of_the_block_pass_through(bench: Bench) -> None:
    """An exception inside `async with connect()` comes out as it is."""
    fault = ZeroDivisionError("of the block")
    try:
        async with bench.node():
            raise fault
    except ZeroDivisionError as error:
        if error is not fault:
            raise CheckFailed("it came out as another one") from error
        return
    raise CheckFailed("it was swallowed")


@check
async def use_after_leaving_is_refused(bench: Bench) -> None:
    """Every call on a connection that was left raises a ConductorError."""
    route = work(bench)
    async with bench.asker() as asker, bench.node() as connection:
        await connection.listen(route, 1)
        await asker.send(frame_to(route))
        delivery = await take(bench, connection)
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "listen": lambda: connection.listen(route, 1),
        "receive": lambda: connection.receive(Lane.WORK),
        "send": lambda: connection.send(frame_to(route)),
        "settle": lambda: connection.settle(delivery, Settlement.ACK),
    }

    for name, call in calls.items():
        async with underway(bench, call()) as task:
            error = await outcome(task, bench.patience, name)
        if not isinstance(error, ConductorError):
            raise CheckFailed(f"{name} ended with {error!r}")


@check
async def nothing_is_left(bench: Bench) -> None:
    """A connection that was used and left leaves no task, descriptor, warning or complaint of the loop."""
    await _time_of_a_life(bench)  # the first one may open what all share
    with _nothing_left() as left:
        for is_cut in (False, True):
            async with bench.node() as node, bench.asker() as asker:
                await _be_busy(bench, node, asker, work(bench))
                if is_cut:
                    await bench.cut(node)
            del node, asker
        await stillness(bench)
    left.check()


CHECKS = (
    ready_on_entry,
    connect_failure_is_unavailable,
    cancel_during_connect_leaves_nothing_open,
    cancel_during_close_is_bounded,
    closing_a_busy_connection_is_bounded,
    a_conductor_connects_again,
    faults_of_the_block_pass_through,
    use_after_leaving_is_refused,
    nothing_is_left,
)


async def _enter_and_leave(conductor: Conductor) -> None:
    async with conductor.connect():
        await asyncio.sleep(0)


async def _time_of_a_life(bench: Bench) -> float:
    started = time.perf_counter()
    await soon(bench, _enter_and_leave(bench.conductor()), "connecting and leaving")
    return time.perf_counter() - started


async def _be_busy(bench: Bench, node: Connection, asker: Connection, route: Route) -> None:
    """Have two deliveries unsettled, one more on its way, and a route of each other kind."""
    await node.listen(route, 2)
    await node.listen(Route(Lane.REPLY, bench.name("node")), 1)
    await node.listen(Route(Lane.CONTROL, bench.name("node")), 1)
    for number in range(3):
        await asker.send(frame_to(route, f"e-{number}"))
    await take_all(bench, node, 2)


async def _busy_life(bench: Bench, asker: Connection, route: Route, leaving: asyncio.Event) -> None:
    async with bench.node() as node:
        await _be_busy(bench, node, asker, route)
        async with underway(bench, node.receive(Lane.WORK)):
            leaving.set()


class _Leftovers:
    """What there is more of than before."""

    def __init__(self) -> None:
        self._tasks = asyncio.all_tasks()
        self._descriptors = _descriptors()
        self.complaints: list[str] = []

    def check(self) -> None:
        tasks = [task.get_name() for task in asyncio.all_tasks() - self._tasks]
        more = _descriptors() - self._descriptors
        if tasks or more > 0 or self.complaints:
            raise CheckFailed(f"tasks {tasks}, {max(more, 0)} descriptors and complaints {self.complaints} were left")


@contextmanager
def _nothing_left() -> Generator[_Leftovers, None, None]:
    """Collect warnings, and complaints of the loop, meanwhile; `check()` afterwards says whether anything is left."""
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    gc.collect()  # what others left is not ours
    left = _Leftovers()

    def complain(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        left.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    loop.set_exception_handler(complain)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield left
            gc.collect()
    finally:
        loop.set_exception_handler(handler)
    left.complaints += [str(warning.message) for warning in warned]


def _descriptors() -> int:
    try:
        return len(tuple(Path("/proc/self/fd").iterdir()))
    except FileNotFoundError:  # only Linux has it
        return 0
