"""The pump: workers that take electrons off one link and fly them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..conductor import Lane, Settlement
from ..errors import ConductorError
from .flight import CURRENT

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .flights import Flights
    from .slots import Slots
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Pump",)

_WORK = Lane.WORK
_A_MOMENT = 0.01  # seconds; at once, a loop that cancels all its tasks to close would be given a new one
_TURN = 64  # flights after which a worker lets the loop turn: an atom that never suspends must not starve the others


class Pump:
    """
    The workers of one link.

    One of them at least waits for the next electron as long as a slot is free; when it gets one, the next takes its
    place. So no electron changes hands: the worker that receives it flies it.

    Attributes:
        workers: How many there are.
    """

    def __init__(self, link: Link, *, slots: Slots, flights: Flights, tasks: Tasks) -> None:
        self.link = link
        self._slots = slots
        self._flights = flights
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._open = False
        self._waiting: dict[asyncio.Task[None], None] = {}
        self.workers = 0
        self._since_turn = 0

    def __repr__(self) -> str:
        return f"<Pump of {self.link.name!r}, {self.workers} workers, {len(self._waiting)} waiting>"

    def open(self) -> None:
        """Begin to take electrons."""
        self._open = True
        self.prime()

    def prime(self) -> None:
        """Make sure that somebody waits for the next electron, if a slot is free."""
        if self._open and not self._waiting and self._slots.free > 0:
            self.workers += 1
            worker = self._tasks.start(self._work(), f"atomizer worker {self.link.name}-{self.workers}")
            self._waiting[worker] = None

    async def close(self, seconds: float) -> None:
        """Take nothing new. What is under way goes on."""
        self._open = False
        await self._tasks.end(tuple(self._waiting), seconds)

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101  # a worker is a task
        waiting, slots = self._waiting, self._slots
        try:
            while self._open and slots.free > 0:
                waiting[me] = None
                try:
                    connection, delivery = await self.link.receive_work()
                finally:
                    waiting.pop(me, None)
                self.prime()
                if not slots.take():
                    await self._take_slot(connection, delivery)
                await self._fly_on(connection, delivery, me)
                if me.cancelling() or len(waiting) > max(1, slots.free):
                    return  # somebody else cancelled it, or more wait than there are slots for
        finally:
            waiting.pop(me, None)
            self.workers -= 1
            self._loop.call_later(_A_MOMENT, self.prime)  # whatever ended this worker, the next electron finds one

    async def _take_slot(self, connection: Connection, delivery: Delivery) -> None:
        """Wait for a slot. The delivery is given back if that is cancelled."""
        try:
            await self._slots.wait()
        except BaseException:
            await self.link.settle(connection, delivery, Settlement.REQUEUE)
            raise

    async def _fly_on(self, connection: Connection, delivery: Delivery, me: asyncio.Task[None]) -> None:
        """Fly a delivery, and with the same slot what is there after it. Gives the slot back."""
        slots, link, flights = self._slots, self.link, self._flights
        flight = None
        try:
            while self._open:
                flight = flights.take_up(link, connection, delivery, slots, me)
                await flights.fly(flight)
                self._since_turn += 1
                if self._since_turn >= _TURN:
                    self._since_turn = 0
                    await asyncio.sleep(0)
                if flight.hold is not None or slots.wanted or slots.free < 0 or me.cancelling():
                    return
                next_one = self._next(connection)
                if next_one is None:
                    return
                delivery = next_one
            await link.settle(connection, delivery, Settlement.REQUEUE)  # closed meanwhile: this is something new
        finally:
            CURRENT.set(None)
            self._waiting[me] = None  # before the slot is free, or another worker would be started for it
            if flight is None or flight.hold is None:
                slots.release()
            else:
                flight.hold.end()

    def _next(self, connection: Connection) -> Delivery | None:
        """Return what a connection has brought besides, if anything new may begin."""
        if not self._open:
            return None
        try:
            return connection.receive_nowait(_WORK)
        except ConductorError:
            return None  # the link meets the same, and waits for the next connection
