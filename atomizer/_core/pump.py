"""The pump: workers that take electrons off one link and fly them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..conductor import Settlement
from .flight import Flight

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .flight import Flights
    from .slots import Slots
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Pump",)

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
        try:
            while self._open and self._slots.free > 0:
                self._waiting[me] = None
                try:
                    connection, delivery = await self.link.receive_work()
                finally:
                    self._waiting.pop(me, None)
                self.prime()
                await self._fly(connection, delivery, me)
                if me.cancelling() or len(self._waiting) > max(1, self._slots.free):
                    return  # somebody else cancelled it, or more wait than there are slots for
                await self._let_the_loop_turn()
        finally:
            self._waiting.pop(me, None)
            self.workers -= 1
            self._loop.call_later(_A_MOMENT, self.prime)  # whatever ended this worker, the next electron finds one

    async def _fly(self, connection: Connection, delivery: Delivery, me: asyncio.Task[None]) -> None:
        try:
            hold = await self._slots.hold()
        except BaseException:
            await self.link.settle(connection, delivery, Settlement.REQUEUE)
            raise
        try:
            if self._open:
                await self._flights.fly(Flight(self.link, connection, delivery, hold))
            else:  # closed while it waited for a slot: this is something new
                await self.link.settle(connection, delivery, Settlement.REQUEUE)
        finally:
            self._waiting[me] = None  # before the slot is free, or another worker would be started for it
            hold.end()

    async def _let_the_loop_turn(self) -> None:
        self._since_turn += 1
        if self._since_turn >= _TURN:
            self._since_turn = 0
            await asyncio.sleep(0)
