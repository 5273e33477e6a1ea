"""Somebody who reads the dead letters of a world, and what lies there in the end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from atomizer import Lane, Route, Settlement
from atomizer.codec import codec_for
from atomizer.envelope import DEAD, UNCLAIMED
from atomizer.errors import Malformed

from .atoms import silent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection
    from atomizer.envelope import DeadLetter

    from .world import World

__all__ = ("Letters", "letters")

COMES_WITHIN = 4.0
"""Seconds after which it begins to read. Until then a hub with little room keeps nodes waiting."""


class Letters:
    """
    What was given up on, and what nobody took.

    Attributes:
        dead: The letters, by the ids of their electrons.
        unclaimed: Likewise, for properties.
    """

    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection
        self.dead: dict[str, list[DeadLetter]] = {}
        self.unclaimed: dict[str, list[DeadLetter]] = {}

    async def read(self) -> None:
        """Read them, as long as the world lives."""
        await asyncio.sleep(self._world.chance.uniform(0, COMES_WITHIN))
        for place in (DEAD, UNCLAIMED):
            await self._connection.listen(Route(Lane.DEAD, place), 10)
        while True:
            delivery = await self._connection.receive(Lane.DEAD)
            try:
                letter = codec_for(delivery.content_type).decode_dead_letter(delivery.body)
            except Malformed as error:
                self._world.accuse(f"a dead letter cannot be read: {error}")
            else:
                place = self.unclaimed if delivery.route.name == UNCLAIMED else self.dead
                place.setdefault(letter.electron_id, []).append(letter)
            await self._connection.settle(delivery, Settlement.ACK)

    def numbers_of_silent(self) -> set[int]:
        """Say which of those that answer nobody were given up on."""
        return {
            codec_for(letter.content_type).decode_electron(letter.body).decode(int)
            for letters in self.dead.values()
            for letter in letters
            if letter.atom_id == silent.atom_id
        }


@asynccontextmanager
async def letters(world: World) -> AsyncGenerator[Letters]:
    """Let somebody read the dead letters."""
    async with world.hub.connect() as connection:
        read = Letters(world, connection)
        reading = asyncio.create_task(read.read(), name="letters are read")
        try:
            yield read
        finally:
            reading.cancel()
            await asyncio.wait((reading,))
