"""Dead letters to lay down, and a conductor that says and does no more than it must."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from atomizer import Conductor, Connection, DeadLetter, Electron, Frame, Lane, Properties, Route, Settlement
from atomizer.codec import MESSAGEPACK, Codec
from atomizer.envelope import DEAD, UNCLAIMED
from atomizer.errors import ConductorBroken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Delivery

DEAD_ROUTE, UNCLAIMED_ROUTE = Route(Lane.DEAD, DEAD), Route(Lane.DEAD, UNCLAIMED)


def letter(
    electron_id: str,
    atom_id: str = "tests.add",
    payload: bytes = b'{"a":1,"b":2}',
    codec: Codec = MESSAGEPACK,
    **more: Any,
) -> DeadLetter:
    """Write a dead letter as a node would; `electron` has what the electron is made of besides."""
    electron = Electron(id=electron_id, atom_id=atom_id, sender="gone", payload=payload, **more.pop("electron", {}))
    body = codec.encode_electron(electron)
    said = {"reason": "failed", "route": atom_id, "content_type": codec.content_type, "body": body, **more}
    return DeadLetter(electron_id=electron_id, atom_id=atom_id, **said)


def unclaimed(electron_id: str, result: bytes = b"3", **more: Any) -> DeadLetter:
    """Write a letter with properties that nobody took, as a node would."""
    body = MESSAGEPACK.encode_reply(Properties(electron_id=electron_id, atom_id="tests.add", result=result))
    said = {"reason": UNCLAIMED, "atom_id": "tests.add", "content_type": MESSAGEPACK.content_type, "body": body}
    return DeadLetter(electron_id=electron_id, **{**said, **more})


async def lay(conductor: Conductor, *letters: DeadLetter | bytes, to: Route = DEAD_ROUTE) -> None:
    """Lay letters, or bytes that are none, into a place."""
    async with conductor.connect() as connection:
        for each in letters:
            if isinstance(each, DeadLetter):
                frame = Frame(to, MESSAGEPACK.encode_dead_letter(each), MESSAGEPACK.content_type, each.electron_id)
            else:
                frame = Frame(to, each, MESSAGEPACK.content_type, "mangled")
            await connection.send(frame)


async def lying(conductor: Conductor, route: Route = DEAD_ROUTE) -> list[Delivery]:
    """Return what lies in a place, and leave it there."""
    async with conductor.connect() as connection:
        await connection.listen(route, 100_000)
        found = []
        while (delivery := connection.receive_nowait(Lane.DEAD)) is not None:
            found.append(delivery)
        return found


async def ids_lying(conductor: Conductor, route: Route = DEAD_ROUTE) -> list[str]:
    """Return the electrons of what lies in a place."""
    return [delivery.id for delivery in await lying(conductor, route)]


class PlainConductor(Conductor):
    """
    A conductor that does what the contract asks for, and nothing that it leaves open: no depth, no synchronous twins.

    Attributes:
        loses_acks: Its connections break where a dead letter is acknowledged.
        credits: What was last granted, by route.
    """

    def __init__(self, inner: Conductor) -> None:
        self.inner = inner
        self.name = inner.name
        self.codec = inner.codec
        self.capabilities = inner.capabilities
        self.durability = inner.durability
        self.loses_acks = False
        self.credits: dict[Route, int] = {}

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Connect the inner one."""
        async with self.inner.connect() as connection:
            yield PlainConnection(self, connection)


class PlainConnection(Connection):
    """A connection of it."""

    def __init__(self, conductor: PlainConductor, inner: Connection) -> None:
        self._conductor = conductor
        self._inner = inner

    async def listen(self, route: Route, credit: int) -> None:
        """Listen."""
        self._conductor.credits[route] = credit
        await self._inner.listen(route, credit)

    async def unlisten(self, route: Route) -> None:
        """Leave."""
        await self._inner.unlisten(route)

    async def receive(self, lane: Lane) -> Delivery:
        """Receive."""
        return await self._inner.receive(lane)

    async def send(self, frame: Frame) -> None:
        """Send."""
        await self._inner.send(frame)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Settle, or break."""
        if self._conductor.loses_acks and delivery.route.lane is Lane.DEAD and settlement is Settlement.ACK:
            raise ConductorBroken("cut where it acknowledged")
        await self._inner.settle(delivery, settlement)
