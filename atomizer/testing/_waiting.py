"""Bounded waits: how a check shows that something comes, or that nothing does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..conductor import Frame, Lane, Route
from ..errors import Overloaded
from .bench import CheckFailed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Coroutine

    from ..conductor import Connection, Delivery
    from .bench import Bench

__all__ = (
    "fill",
    "frame_to",
    "nothing_comes",
    "outcome",
    "soon",
    "stillness",
    "take",
    "take_all",
    "turns",
    "underway",
    "work",
)

T = TypeVar("T")

_FULL = 1_000  # frames that a small conductor certainly does not hold on one route
_TURNS = 20  # of the event loop: more than any chain of callbacks in a conductor should need


def work(bench: Bench) -> Route:
    """Return a WORK route that nobody has used before."""
    return Route(Lane.WORK, bench.name("atom"))


def frame_to(route: Route, id: str = "e-1", body: bytes = b"{}", **fields: Any) -> Frame:
    """Make a frame; `fields` are those of `Frame`."""
    return Frame(route, body, "application/json", id, **fields)


async def soon(bench: Bench, awaitable: Awaitable[T], what: str) -> T:
    """Await what must come within the bench's patience."""
    try:
        async with asyncio.timeout(bench.patience):
            return await awaitable
    except TimeoutError:
        raise CheckFailed(f"this did not happen within {bench.patience:g} s: {what}") from None


async def take(bench: Bench, connection: Connection, lane: Lane = Lane.WORK) -> Delivery:
    """Receive what must come."""
    return await soon(bench, connection.receive(lane), f"a delivery on the lane {lane.value}")


async def take_all(bench: Bench, connection: Connection, number: int, lane: Lane = Lane.WORK) -> list[Delivery]:
    """Receive so many deliveries, which must come."""
    return [await take(bench, connection, lane) for _ in range(number)]


async def turns(number: int = _TURNS) -> None:
    """Let the event loop turn."""
    for _ in range(number):
        await asyncio.sleep(0)


async def stillness(bench: Bench) -> None:
    """Wait until what has not happened will not happen: turns of the loop, and the bench's quiet time."""
    await turns()
    if bench.quiet:
        await asyncio.sleep(bench.quiet)
        await turns()


async def nothing_comes(bench: Bench, connection: Connection, why: str, lane: Lane = Lane.WORK) -> None:
    """Show that a connection gets nothing on a lane, by a receive that waits and one that does not."""
    async with underway(bench, connection.receive(lane)) as receiving:
        await stillness(bench)
        came = receiving.result() if receiving.done() else connection.receive_nowait(lane)
    if came is not None:
        raise CheckFailed(f"the lane {lane.value} brought {came.id!r}, though {why}")


@asynccontextmanager
async def underway(bench: Bench, coroutine: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T], None]:
    """Run something meanwhile; when this is left it is cancelled, and must end."""
    task = asyncio.get_running_loop().create_task(coroutine)  # its owner is this block
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,), timeout=bench.patience)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain
    if not task.done():
        raise CheckFailed("a call that was cancelled did not end")


async def outcome(task: asyncio.Task[Any], within: float, what: str) -> BaseException | None:
    """Wait for a call to end within so many seconds, and return what it raised."""
    await asyncio.wait((task,), timeout=within)
    if not task.done():
        raise CheckFailed(f"this did not end within {within:g} s: {what}")
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def fill(bench: Bench, stack: AsyncExitStack, asker: Connection, route: Route) -> list[asyncio.Task[None]]:
    """Send to a route until it is full. The last send waits for room, or raised Overloaded; the others are taken."""
    sends: list[asyncio.Task[None]] = []
    while not sends or await _is_taken(bench, sends[-1]):
        if len(sends) > _FULL:
            raise CheckFailed(f"the route took {_FULL} frames and is not full")
        sending = underway(bench, asker.send(frame_to(route, f"e-{len(sends)}")))
        sends.append(await stack.enter_async_context(sending))
    return sends


async def _is_taken(bench: Bench, sending: asyncio.Task[None]) -> bool:
    """Say whether a send went through at once; it may wait, or raise Overloaded."""
    await turns()
    await asyncio.wait((sending,), timeout=bench.quiet)
    if not sending.done():
        return False
    error = sending.exception()
    if error is not None and not isinstance(error, Overloaded):
        raise CheckFailed(f"send to a full route ended with {error!r}")
    return error is None
