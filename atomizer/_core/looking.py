"""A look at a dead-letter place: what lies there is held while it lasts, and goes back as it was when it ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from ..bounds import bounds_of
from ..cancellation import cleanup, foreign_cancellation_as_broken
from ..codec import codec_for
from ..conductor import Delivery, Lane, Settlement
from ..envelope import DeadLetter
from ..errors import ConductorBroken, ConductorError, ConductorUnavailable, Malformed
from ..failure import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from ..bounds import Bounds
    from ..conductor import Conductor, Connection, Route
    from ..settings import Settings

__all__ = ("MOST_BYTES", "MOST_LETTERS", "UNREADABLE", "Found", "Look", "look_at")

MOST_LETTERS = 10_000
"""How many letters one look holds: as many as a route of the conductor in memory does."""
MOST_BYTES = 256 * 1024 * 1024
"""How much they may weigh together."""
UNREADABLE = "unreadable"
"""The reason of what lies there and is no dead letter."""

_QUIET = 0.5  # seconds: where a transport does not say how much there is, what is pushed comes within a round trip
_STEP = 64  # credit grows by so much: what the other side pushes unasked is bounded too


class Found(NamedTuple):
    """A letter, and what holds it."""

    number: int
    delivery: Delivery
    letter: DeadLetter


@asynccontextmanager
async def look_at(conductor: Conductor, route: Route, settings: Settings) -> AsyncGenerator[Look]:
    """
    Look at a dead-letter place, over a connection of its own.

    What is still held when the look ends is given back, and so it is when it breaks or whoever looks dies.

    Raises:
        ConductorUnavailable: The conductor cannot be reached.
        ConductorBroken: The connection died.
    """
    stack = AsyncExitStack()
    try:
        look = Look(await _connected(conductor, stack, settings), conductor.name, route, settings)
        try:
            yield look
        finally:
            await look.give_back()
    finally:
        await _leave(stack, settings)


async def _connected(conductor: Conductor, stack: AsyncExitStack, settings: Settings) -> Connection:
    seconds = settings.connect_timeout
    try:
        async with asyncio.timeout(seconds):
            return await stack.enter_async_context(conductor.connect())
    except TimeoutError as error:
        raise ConductorUnavailable(
            f"conductor {conductor.name!r} was not ready within {seconds:g} s (Settings.connect_timeout)"
        ) from error


async def _leave(stack: AsyncExitStack, settings: Settings) -> None:
    """Leave the connection. One that cannot be left well is over all the same: what it held comes again."""
    try:
        with cleanup(settings.settle_grace):
            await stack.aclose()
    except ConductorError:
        return


class Look:
    """
    What one connection holds of a dead-letter place.

    While it lasts nobody else sees what it holds.

    Attributes:
        is_broken: A letter could not be taken away, so no other will be.
    """

    def __init__(self, connection: Connection, conductor: str, route: Route, settings: Settings) -> None:
        self.is_broken: bool = False
        self._connection = connection
        self._conductor = conductor
        self._route = route
        self._settings = settings
        self._bounds = _bounds_of_letters(settings)
        self._held: dict[int, Found] = {}
        self._seen = 0
        self._bytes = 0
        self._credit = 0

    @property
    def found(self) -> Iterable[Found]:
        """What is held, the oldest first."""
        return self._held.values()

    async def read(self, wanted: Callable[[DeadLetter], bool], most: int = MOST_LETTERS) -> list[Found]:
        """
        Read, the oldest first: until so many wanted ones are found, all that lay there were seen, or enough is held.

        What comes while it reads may be missed. After it nothing more is taken, so that what is done with what was
        found can lead to new letters without end, and they are not found here.

        Raises:
            ConductorBroken: The connection died.
        """
        waiting = self._connection.depth(self._route)
        found: list[Found] = []
        while len(found) < most and (each := await self._next(waiting)) is not None:
            if wanted(each.letter):
                found.append(each)
        await self._grant(0)
        return found

    async def acknowledge(self, found: Found) -> None:
        """
        Take a letter away for good.

        Raises:
            ConductorBroken: Whether it is gone is unknown.
        """
        del self._held[found.number]
        self.is_broken = True
        if not self._connection.settle_nowait(found.delivery, Settlement.ACK):
            async with self._in_time("settled nothing"):
                await self._connection.settle(found.delivery, Settlement.ACK)
        self.is_broken = False

    async def give_back(self) -> None:
        """Give back all that is held, in order: the last one first, so that each goes in front of the one before."""
        try:
            with cleanup(self._settings.settle_grace):
                if self._credit:  # the reading was broken off: what is given back must not come here again
                    await self._connection.listen(self._route, 0)
                while self._held:
                    delivery = self._held.popitem()[1].delivery
                    if not self._connection.settle_nowait(delivery, Settlement.REQUEUE):
                        await self._connection.settle(delivery, Settlement.REQUEUE)
        except ConductorError:
            return  # what a dead connection held comes again by itself

    async def _next(self, waiting: int | None) -> Found | None:
        if len(self._held) >= MOST_LETTERS or self._bytes >= MOST_BYTES:
            return None
        if len(self._held) == self._credit:
            await self._grant(self._credit + _STEP)
        delivery = self._connection.receive_nowait(Lane.DEAD)
        if delivery is None and (waiting is None or self._seen < waiting):
            delivery = await self._before_it_is_quiet()
        if delivery is None:
            return None
        found = Found(self._seen, delivery, _letter_in(delivery, self._bounds))
        self._held[found.number] = found
        self._seen += 1
        self._bytes += len(delivery.body)
        return found

    async def _before_it_is_quiet(self) -> Delivery | None:
        try:
            async with asyncio.timeout(_QUIET):
                with foreign_cancellation_as_broken(self._conductor):
                    return await self._connection.receive(Lane.DEAD)
        except TimeoutError:
            return None

    async def _grant(self, credit: int) -> None:
        self._credit = credit
        async with self._in_time("answered nothing"):
            await self._connection.listen(self._route, credit)

    @asynccontextmanager
    async def _in_time(self, what: str) -> AsyncGenerator[None]:
        seconds = self._settings.confirm_timeout
        try:
            async with asyncio.timeout(seconds):
                with foreign_cancellation_as_broken(self._conductor):
                    yield
        except TimeoutError as error:
            raise ConductorBroken(f"conductor {self._conductor!r} {what} within {seconds:g} s") from error


def _bounds_of_letters(settings: Settings) -> Bounds:
    """Return what an envelope may weigh: in JSON an electron's own bytes are base64, which is a third more of them."""
    bounds = bounds_of(settings)
    return structs.replace(bounds, max_bytes=2 * bounds.max_bytes)


def _letter_in(delivery: Delivery, bounds: Bounds) -> DeadLetter:
    """Read a letter. What cannot be read is one too, so that it can be seen and dropped; and each has an id."""
    try:
        letter = codec_for(delivery.content_type).decode_dead_letter(delivery.body, bounds)
    except Malformed as error:
        letter = _without_envelope(delivery, bounds) or _unreadable(delivery, error)
    if letter.electron_id:
        return letter
    return structs.replace(letter, electron_id=_id_by(letter.body))


def _id_by(body: bytes) -> str:
    """Make an id for what came without one: the same bytes have the same."""
    from hashlib import sha256  # noqa: PLC0415  # slow to import, and hardly ever needed

    return f"unnamed-{sha256(body).hexdigest()[:16]}"


def _without_envelope(delivery: Delivery, bounds: Bounds) -> DeadLetter | None:
    """Read an electron that lies there as it came: one that left no room for an envelope around it."""
    try:
        electron = codec_for(delivery.content_type).decode_electron(delivery.body, bounds)
    except Malformed:
        return None
    return DeadLetter(
        electron_id=electron.id,
        reason=FailureKind.FAILED,
        body=delivery.body,
        content_type=delivery.content_type,
        atom_id=electron.atom_id,
        route=electron.atom_id,
        sender=electron.sender,
        attempts=electron.attempt,
        failures=electron.failures,
        trace=electron.trace,
        replayed=electron.replayed,
    )


def _unreadable(delivery: Delivery, error: Malformed) -> DeadLetter:
    return DeadLetter(
        electron_id=delivery.id,
        reason=UNREADABLE,
        body=delivery.body,
        content_type=delivery.content_type,
        attempts=0,
        failures=(Failure(kind=FailureKind.MALFORMED, message=f"the envelope cannot be read: {error}"),),
    )
