"""The places of a world's nodes: at each is one node after another."""

from __future__ import annotations

import asyncio
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
        self._ended: asyncio.Event
        self._is_changing = False

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start a node, and return when it is ready."""
        self._count += 1
        self._leaving = asyncio.get_running_loop().create_future()
        ready = asyncio.Event()
        self._ended = asyncio.Event()
        live = self._live(f"{self.name}-{self._count}", self._leaving, ready, self._ended)
        group.create_task(live, name=self.name)
        await ready.wait()

    def leave(self, manner: str) -> None:
        """Let the node go."""
        if not self._leaving.done():
            self._leaving.set_result(manner)

    async def replace(self, group: asyncio.TaskGroup, manner: str) -> None:
        """Let the node go, and start another."""
        if self._is_changing:
            return
        self._is_changing = True
        if manner == "death":  # whatever it still does, nobody hears of it
            self.wire.pull()
        self.leave(manner)
        await self._ended.wait()
        self.wire = self._world.wire()
        await self.start(group)
        self._is_changing = False

    async def _live(self, name: str, leaving: asyncio.Future[str], ready: asyncio.Event, ended: asyncio.Event) -> None:
        NODE.set(name)
        try:
            async with self._world.runtime(name, self.wire, serve=True) as self.runtime:
                ready.set()
                if await leaving != "calm":
                    raise Hurry
        except Hurry:
            pass
        ended.set()
        await asyncio.sleep(EXPIRY)
        await self._world.expire(Route(Lane.REPLY, name))
