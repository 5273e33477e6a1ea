"""A stranger on the hub, who is no runtime, and sends what cannot be read, or nobody knows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import atomizer
from atomizer import FailureKind, Frame, Lane, Route, Settlement
from atomizer.errors import Malformed

from .asks import BUSY
from .atoms import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection

    from .world import World

__all__ = ("Stranger", "stranger")


class Stranger:
    """What it sends, and what it is answered."""

    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection
        self._owed: dict[str, str] = {}
        self._kinds: dict[str, set[str]] = {}

    async def send(self) -> None:
        """Send one of each."""
        codec = self._world.hub.codec
        electron = atomizer.Electron(id="unknown", atom_id="world.nobody", sender="stranger")
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
        may_be = {FailureKind.POISON} if self._world.doubts.is_poisonous else set[str]()
        for id, kind in self._owed.items():
            kinds = self._kinds.get(id, set())
            if not kinds or not kinds <= {kind, *may_be}:
                self._world.accuse(f"I1: the stranger's {id!r} was answered by {kinds}")

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
