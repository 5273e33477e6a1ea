"""The pump: workers that take electrons off one link and fly them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..conductor import Lane, Settlement
from ..errors import ConductorError
from .flight import CURRENT
from .slow_start import SlowStart
from .straight_line import StraightLine, Worker

if TYPE_CHECKING:
    from ..conductor import Connection, Delivery
    from .granting import Granting
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

    Each connection begins slowly. Until all slots may be used for it, one worker waits at a time: it looks at what
    comes before another may take anything.

    Args:
        starts_slowly: False where nothing that comes can have ended a process before: it would have ended with it.

    Attributes:
        is_open: Whether it takes electrons.
        is_plain: Whether it takes them without looking: it is open, and the slow start is over.
        workers: How many there are.
    """

    def __init__(
        self,
        link: Link,
        *,
        slots: Slots,
        line: StraightLine,
        granting: Granting,
        tasks: Tasks,
        starts_slowly: bool,
    ) -> None:
        self.link = link
        self._slots = slots
        self._line = line
        self._granting = granting
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self.is_open = False
        self.is_plain = False
        self._slow_start: SlowStart | None = None
        self._waiting: dict[asyncio.Task[None], None] = {}
        self.workers = 0
        if starts_slowly:
            link.on_connecting = self._begin_slowly
            link.on_settled = self._settled

    def __repr__(self) -> str:
        return f"<Pump of {self.link.name!r}, {self.workers} workers, {len(self._waiting)} waiting>"

    def open(self) -> None:
        """Begin to take electrons."""
        self.is_open = True
        self._judge()
        self.prime()

    def prime(self) -> None:
        """Make sure that somebody waits for the next electron, if a slot is free."""
        if not self.is_open or self._waiting or self._holds_back:
            return
        if self._slots.free <= 0:
            self._slots.is_watched = True
            return
        self.workers += 1
        worker = self._tasks.start(self._work(), f"atomizer worker {self.link.name}-{self.workers}")
        self._waiting[worker] = None

    async def close(self, seconds: float) -> None:
        """Take nothing new. What is under way goes on."""
        self.is_plain = False
        self.is_open = False
        await self._tasks.end(tuple(self._waiting), seconds)

    async def let_go(self) -> None:
        """
        Tell the conductor from which routes nothing is taken any more, and where that is all, give back what has come.

        Nobody has begun it: here it would only lie while others have nothing to do. It takes as long as the conductor
        takes.
        """
        link = self.link
        connection = link.connection
        await link.grant(self._granting.credits(link))
        while connection is not None and connection is link.connection and not any(link.credits.values()):
            try:
                delivery = connection.receive_nowait(_WORK)
            except ConductorError:
                return  # the link meets the same
            if delivery is None:
                return
            await link.settle(connection, delivery, Settlement.REQUEUE)
            await asyncio.sleep(0)  # also where nothing is waited for, the time for this may be up

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101  # a worker is a task
        worker = Worker(self.link, self._slots, me)
        try:
            arrived = await self._wait(worker)
            while arrived is not None:
                flying = self._line.fly(worker, *arrived, self._more)
                arrived = None  # who flies or waits keeps nothing of what it flew before
                await flying
                await self._line.let_the_loop_turn()
                arrived = await self._wait(worker)
        finally:
            self._give_back(worker)
            self._waiting.pop(me, None)
            self.workers -= 1
            self._loop.call_later(_A_MOMENT, self.prime)  # whatever ended this worker, the next electron finds one

    def _more(self, connection: Connection) -> Delivery | None:
        """Return what a connection has brought besides, if anything new may begin, and without a look at it first."""
        if not self.is_plain:
            return None
        try:
            delivery = connection.receive_nowait(_WORK)
        except ConductorError:
            return None  # the link meets the same, and waits for the next connection
        if delivery is not None and delivery.redelivered:
            self._look_at(delivery)
        return delivery

    async def _wait(self, worker: Worker) -> tuple[Connection, Delivery] | None:
        """
        Give the slot back, wait for the next electron, and take a slot for it. None means: this worker may end.

        Cancellation: the electron is given back.
        """
        waiting, slots = self._waiting, self._slots
        waiting[worker.task] = None  # before the slot is free, or another worker would be started for it
        self._give_back(worker)
        if not self.is_plain and (not self.is_open or self._holds_back or len(waiting) > 1):
            return None
        if worker.task.cancelling() or len(waiting) > max(1, slots.free) or slots.free <= 0:
            return None  # somebody else cancelled it, or more wait than there are slots for
        try:
            connection, delivery = await self.link.receive_work()
        finally:
            waiting.pop(worker.task, None)
        if delivery.redelivered or not self.is_plain:
            self._look_at(delivery)
        worker.has_slot = slots.take()  # before another worker is started for it
        if not waiting:
            self.prime()
        if not worker.has_slot:
            await self._wait_for_slot(connection, delivery)
            worker.has_slot = True
        return (connection, delivery) if await self._may_begin(connection, delivery) else None

    async def _may_begin(self, connection: Connection, delivery: Delivery) -> bool:
        """Give back what came while this was closed, or its connection ended: it comes again, and may be here first."""
        if self.is_open and connection is self.link.connection:
            return True
        await self.link.settle(connection, delivery, Settlement.REQUEUE)
        return False

    async def _wait_for_slot(self, connection: Connection, delivery: Delivery) -> None:
        """Wait for a slot. The delivery is given back if that is cancelled."""
        try:
            await self._slots.wait()
        except BaseException:
            await self.link.settle(connection, delivery, Settlement.REQUEUE)
            raise

    def _give_back(self, worker: Worker) -> None:
        CURRENT.set(None)
        flown = worker.flight
        worker.give_back()
        if not self.is_plain and flown is not None:  # what only joins is no suspect: this process lives, and runs it
            self._settled(flown.delivery)

    # Slow start

    @property
    def _holds_back(self) -> bool:
        """Whether nothing may be received beside what is out. Where an atom waits for children, they may."""
        slow = self._slow_start
        return slow is not None and slow.is_holding and not self._granting.waiting_for_children

    def _begin_slowly(self) -> None:
        """Begin on a new connection, before it is listened on."""
        self._slow_start = SlowStart(self._granting.total)
        self._judge()
        self.link.replan(self._granting.credits(self.link))
        self.prime()

    def _look_at(self, delivery: Delivery) -> None:
        """Take a delivery into account that has come."""
        if self._slow_start is not None:
            self._slow_start.received(delivery)
            self._judge()

    def _settled(self, delivery: Delivery) -> None:
        """Take into account that a delivery is settled, or flown to its end, or joins what is under way."""
        if self._slow_start is not None and self._slow_start.settled(delivery):
            self._judge()
            self.prime()

    def _judge(self) -> None:
        """Tell the others how far the slow start is."""
        slow = self._slow_start
        self.is_plain = self.is_open and (slow is None or slow.is_over)
        withheld = 0 if slow is None else slow.withheld
        if withheld != self.link.withheld:
            self.link.withheld = withheld
            self._granting.regrant()
