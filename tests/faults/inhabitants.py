"""Who lives in a world beside its asker: nodes that come and go, and a stranger."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import atomizer
from atomizer import FailureKind, Frame, Lane, Route, Settlement
from atomizer.errors import Malformed

from .asks import BUSY, ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Atomizer, Connection

    from .worlds import World

__all__ = ("EXPIRY", "MANNERS", "Hurry", "Place", "Stranger", "stranger")

EXPIRY = 5.0
"""Seconds after which a broker forgets the reply route of a node that is gone."""


class Hurry(Exception):
    """An application's error, for which a runtime is left without waiting."""


MANNERS = ("calm", "hurry")
"""How a node is left."""


class Place:
    """Where a node is: one after another."""

    runtime: Atomizer

    def __init__(self, world: World, index: int) -> None:
        self.wire = world.wire()
        self._world = world
        self._name = f"node-{index}"
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
        live = self._live(f"{self._name}-{self._count}", self._leaving, ready, self._ended)
        group.create_task(live, name=self._name)
        await ready.wait()

    def leave(self, manner: str) -> None:
        """Let the node go."""
        if not self._leaving.done():
            self._leaving.set_result(manner)

    async def replace(self, group: asyncio.TaskGroup, manner: str) -> None:
        """Let the node go and start another."""
        if self._is_changing:
            return
        self._is_changing = True
        self.leave(manner)
        await self._ended.wait()
        self.wire = self._world.wire()
        await self.start(group)
        self._is_changing = False

    async def _live(self, name: str, leaving: asyncio.Future[str], ready: asyncio.Event, ended: asyncio.Event) -> None:
        try:
            async with self._world.runtime(name, self.wire, serve=True) as self.runtime:
                ready.set()
                if await leaving == "hurry":
                    raise Hurry
        except Hurry:
            pass
        ended.set()
        await asyncio.sleep(EXPIRY)
        await self._world.expire(Route(Lane.REPLY, name))


class Stranger:
    """Somebody on the hub who is no runtime, and sends what cannot be read, or nobody knows."""

    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection
        self._owed: dict[str, str] = {}
        self._kinds: dict[str, set[str]] = {}

    async def send(self) -> None:
        """Send one of each."""
        codec = self._world.hub.codec
        electron = atomizer.Electron(id="unknown", atom_id="worlds.nobody", sender="stranger")
        await self._send("malformed", b"\xc1 no electron", codec.content_type, FailureKind.MALFORMED)
        await self._send("foreign", b"what is this", "text/plain", FailureKind.MALFORMED)
        await self._send("unknown", codec.encode_electron(electron), codec.content_type, FailureKind.UNKNOWN_ATOM)

    async def read(self) -> None:
        """Read the answers, as long as the world lives."""
        await self._connection.listen(Route(Lane.REPLY, "stranger"), 10)
        while True:
            delivery = await self._connection.receive(Lane.REPLY)
            self._note(delivery)
            await self._connection.settle(delivery, Settlement.ACK)

    def depth(self, route: Route) -> int:
        """Return how many frames wait on a route of the hub."""
        return self._connection.depth(route) or 0

    def check(self) -> None:
        """I1: look whether everything was answered, and as what it is."""
        for id, kind in self._owed.items():
            if self._kinds.get(id) != {kind}:
                self._world.accuse(f"I1: the stranger's {id!r} was answered by {self._kinds.get(id)}")

    async def _send(self, id: str, body: bytes, content_type: str, kind: str) -> None:
        await asyncio.sleep(self._world.chance.uniform(0, BUSY / 3))
        try:
            await self._connection.send(Frame(ROUTES[0], body, content_type, id, reply_to="stranger"))
        except atomizer.NobodyThere:
            return
        self._owed[id] = kind

    def _note(self, delivery: atomizer.Delivery) -> None:
        try:
            reply = self._world.hub.codec.decode_reply(delivery.body)
        except Malformed as error:
            self._world.accuse(f"the stranger was sent what cannot be read: {error}")
            return
        assert isinstance(reply, atomizer.Properties)
        assert reply.failure is not None
        self._kinds.setdefault(reply.electron_id, set()).add(reply.failure.kind)


@asynccontextmanager
async def stranger(world: World) -> AsyncGenerator[Stranger]:
    """Let a stranger live."""
    async with world.hub.connect() as connection:
        odd = Stranger(world, connection)
        reading = asyncio.create_task(odd.read(), name="stranger reads")
        try:
            yield odd
        finally:
            reading.cancel()
            await asyncio.wait((reading,))
