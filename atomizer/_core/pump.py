"""The pump: workers that take electrons off one link and fly them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from ..conductor import Lane, Settlement
from ..errors import ConductorError
from .flight import CURRENT
from .straight_line import StraightLine, Worker

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .slots import Slots
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Pump",)

_WORK = Lane.WORK
_A_MOMENT = 0.01  # seconds; at once, a loop that cancels all its tasks to close would be given a new one


class Pump:
    """
    The workers of one link.

    One of them at least waits for the next electron as long as a slot is free; when it gets one, the next takes its
    place. So no electron changes hands: the worker that receives it flies it.

    Attributes:
        workers: How many there are.
    """

    def __init__(self, link: Link, *, slots: Slots, line: StraightLine, tasks: Tasks) -> None:
        self.link = link
        self._slots = slots
        self._line = line
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._open = False
        self._waiting: dict[asyncio.Task[None], None] = {}
        self.workers = 0

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
        worker = Worker(self.link, self._slots, me)
        try:
            if self._open:
                await self._line.fly(worker, connection, delivery, partial(self._next, connection))
            else:  # closed while it waited for a slot: this is something new
                await self.link.settle(connection, delivery, Settlement.REQUEUE)
        finally:
            CURRENT.set(None)
            self._waiting[me] = None  # before the slot is free, or another worker would be started for it
            if worker.flight is None or worker.flight.hold is None:
                self._slots.release()
            else:
                worker.flight.hold.end()

    def _next(self, connection: Connection) -> Delivery | None:
        """Return what a connection has brought besides, if anything new may begin."""
        if not self._open:
            return None
        try:
            return connection.receive_nowait(_WORK)
        except ConductorError:
            return None  # the link meets the same, and waits for the next connection
