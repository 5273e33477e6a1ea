"""The places of a world's nodes: at each is one node after another."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from atomizer import Lane, Route

from .atoms import NODE

if TYPE_CHECKING:
    from atomizer import Atomizer

    from .world import World

__all__ = ("EXPIRY", "Hurry", "Place")

EXPIRY = 5.0
"""Seconds after which a broker forgets the reply route of a node that is gone."""


class Hurry(Exception):
    """An application's error, for which a runtime is left without waiting."""


class Place:
    """Where a node is: one after another."""

    runtime: Atomizer

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.wire = world.wire()
        self._world = world
        self._count = 0
        self._leaving: asyncio.Future[str]
        self._life: asyncio.Task[None]
        self._is_changing = False

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start a node, and return when it is ready."""
        self._count += 1
        self._leaving = asyncio.get_running_loop().create_future()
        ready = asyncio.Event()
        name = f"{self.name}-{self._count}"
        self._life = group.create_task(self._live(name, self._leaving, ready), name=name)
        group.create_task(self._expire(name, self._life), name=f"{name} expires")
        await ready.wait()

    async def leave(self, manner: str) -> None:
        """Let the node go, and return when it is gone."""
        if manner == "death":  # whatever it still does, nobody hears of it
            self.wire.pull()
        if manner == "cancelled":  # and once more while it stops
            self._life.cancel()
            await asyncio.wait((self._life,), timeout=self._world.chance.uniform(0, 0.3))
            self._life.cancel()
        elif not self._leaving.done():
            self._leaving.set_result(manner)
        await asyncio.wait((self._life,))

    async def replace(self, group: asyncio.TaskGroup, manner: str) -> None:
        """Let the node go, and start another."""
        if self._is_changing:
            return
        self._is_changing = True
        await self.leave(manner)
        self.wire = self._world.wire()
        await self.start(group)
        self._is_changing = False

    async def _live(self, name: str, leaving: asyncio.Future[str], ready: asyncio.Event) -> None:
        NODE.set(name)
        with suppress(Hurry):
            async with self._world.runtime(name, self.wire, serve=True) as self.runtime:
                ready.set()
                if await leaving != "calm":
                    raise Hurry

    async def _expire(self, name: str, life: asyncio.Task[None]) -> None:
        """Let the reply route of a node end some time after it."""
        await asyncio.wait((life,))
        await asyncio.sleep(EXPIRY)
        await self._world.expire(Route(Lane.REPLY, name))
