"""A hub that pushes, as a broker does: what the credit allows lies with the connection before anybody asks for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from atomizer import Lane, MemoryConductor
from atomizer.errors import ConductorError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection, Delivery

__all__ = ("PushingHub",)


class PushingHub(MemoryConductor):
    """Electrons are taken off it as soon as they are there."""

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Connect, and take what comes."""
        async with super().connect() as connection, asyncio.TaskGroup() as group:
            pushing = group.create_task(_push(connection))
            try:
                yield connection
            finally:
                pushing.cancel()


async def _push(connection: Connection) -> None:
    """Take what comes, and have it lie there until it is asked for."""
    receive, receive_nowait = connection.receive, connection.receive_nowait
    pushed: asyncio.Queue[Delivery] = asyncio.Queue()
    pusher = asyncio.current_task()  # as it does, the connection's own `receive` calls `receive_nowait`

    async def receive_pushed(lane: Lane) -> Delivery:
        return await (pushed.get() if lane is Lane.WORK else receive(lane))

    def receive_pushed_nowait(lane: Lane) -> Delivery | None:
        if lane is not Lane.WORK or asyncio.current_task() is pusher:
            return receive_nowait(lane)
        return None if pushed.empty() else pushed.get_nowait()

    connection.receive = receive_pushed  # type: ignore[method-assign]
    connection.receive_nowait = receive_pushed_nowait  # type: ignore[method-assign]
    while True:
        try:
            pushed.put_nowait(await receive(Lane.WORK))
        except ConductorError:
            return  # who reads CONTROL hears the same
