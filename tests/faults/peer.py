"""A peer on the hub that is no runtime: it sends electrons by hand, and looks at everything that comes of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from atomizer import Electron, Frame, Lane, MemoryConductor, Progress, Properties, Route, Settlement
from atomizer.envelope import DEAD, UNCLAIMED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection, DeadLetter

__all__ = ("Peer", "peer_on")


class Peer:
    """Somebody named `peer`, on one connection."""

    def __init__(self, hub: MemoryConductor, connection: Connection) -> None:
        self.connection = connection
        self._hub = hub

    async def send(self, electron: Electron, *, reply_to: str = "peer", route: str = "", **frame: Any) -> None:
        """Send an electron to its atom's route."""
        await self.send_bytes(
            self._hub.codec.encode_electron(electron), route or electron.atom_id, electron.id, reply_to, **frame
        )

    async def send_bytes(self, body: bytes, route: str, id: str, reply_to: str = "peer", **frame: Any) -> None:
        """Send whatever it is."""
        to = Route(Lane.WORK, route)
        await self.connection.send(Frame(to, body, self._hub.codec.content_type, id, reply_to, **frame))

    async def outcome(self) -> Properties:
        """Wait for the next properties."""
        while True:
            delivery = await self.connection.receive(Lane.REPLY)
            await self.connection.settle(delivery, Settlement.ACK)
            reply = self._hub.codec.decode_reply(delivery.body)
            if isinstance(reply, Progress):
                continue
            assert isinstance(reply, Properties)
            return reply

    async def letters(self, place: str = DEAD) -> list[DeadLetter]:
        """Take what lies in a place of dead letters."""
        taken: list[DeadLetter] = []
        await self.connection.listen(Route(Lane.DEAD, place), 1_000)
        while (delivery := self.connection.receive_nowait(Lane.DEAD)) is not None:
            await self.connection.settle(delivery, Settlement.ACK)
            taken.append(self._hub.codec.decode_dead_letter(delivery.body))
        await self.connection.unlisten(Route(Lane.DEAD, place))
        return taken

    async def unclaimed(self) -> list[DeadLetter]:
        """Take what nobody was there to take."""
        return await self.letters(UNCLAIMED)

    def waiting(self, route: str) -> int:
        """Return how many electrons wait on a route."""
        return self.connection.depth(Route(Lane.WORK, route)) or 0


@asynccontextmanager
async def peer_on(hub: MemoryConductor) -> AsyncGenerator[Peer]:
    """Join a hub as `peer`."""
    async with hub.connect() as connection:
        await connection.listen(Route(Lane.REPLY, "peer"), 1_000)
        yield Peer(hub, connection)
