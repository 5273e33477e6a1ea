"""
At once: an electron that its asker waits for, and that nothing stands before, is flown by its asker.

Whoever says `await runtime.run(…)` does nothing else until the answer is here. So where the atom is one that is over in
one step, no worker need be woken and no turn of the loop be waited for: that is nearly half of the time that one
electron takes when it is alone. It walks the same road, bytes and settlement included, with a slot of its own and in a
context of its own. If it waits for something after all, a worker takes it over where it stands.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any

from ..conductor import Settlement
from ..errors import ConductorError
from ..events import ElectronSent
from .straight_line import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from ..conductor import Connection, Delivery, Frame
    from ..registry import Registration
    from ..settings import Clock
    from .broadcast import Broadcast
    from .pump import Pump
    from .slots import Slots
    from .straight_line import StraightLine
    from .tasks import Tasks

__all__ = ("AtOnce",)

_MOST = 64  # electrons until the loop turns, or an atom that never waits starves others
_MOST_SECONDS = 0.001  # likewise
_A_MOMENT = 0.01  # seconds; at once, a loop that cancels all its tasks to close would be given a new one


class AtOnce:
    """
    What flies electrons of one link at once.

    Args:
        find: Returns the atom of an id, or None.
    """

    def __init__(
        self,
        pump: Pump,
        *,
        slots: Slots,
        line: StraightLine,
        tasks: Tasks,
        clock: Clock,
        broadcast: Broadcast,
        find: Callable[[str], Registration | None],
    ) -> None:
        self._pump = pump
        self._link = pump.link
        self._slots = slots
        self._line = line
        self._tasks = tasks
        self._monotonic = clock.monotonic
        self._broadcast = broadcast
        self._find = find
        self._in_a_row = 0
        self._spent = 0.0

    def fly(self, frame: Frame, atom_id: str) -> bool:
        """
        Send an electron and fly it, if it can be over in this very call.

        Returns:
            Whether it was sent. If not, it is still to be sent.
        """
        registration, connection, slots = self._find(atom_id), self._link.connection, self._slots
        if registration is None or registration.suspends or registration.takes_turns or connection is None:
            return False
        if not self._pump.is_plain or slots.free <= 0 or slots.wanted or self._is_enough():
            return False
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return False
        delivery = connection.send_and_take(frame)
        if delivery is None:
            return False
        if self._broadcast.routine:
            self._broadcast.tell(ElectronSent, 0, delivery.id, atom_id, self._link.name, 1)
        began = self._monotonic()
        self._fly(Worker(self._link, slots, task, has_slot=slots.take(), is_asker=True), connection, delivery)
        self._spent += self._monotonic() - began
        return True

    def _is_enough(self) -> bool:
        """Decide whether the loop must turn, as it does when a worker flies the next one."""
        self._in_a_row += 1
        if self._in_a_row <= _MOST and self._spent <= _MOST_SECONDS:
            return False
        self._in_a_row, self._spent = 0, 0.0
        return True

    def _fly(self, worker: Worker, connection: Connection, delivery: Delivery) -> None:
        flying = self._line.fly(worker, connection, delivery, _nothing_more)
        try:
            waits_for = self._tasks.context.copy().run(flying.send, None)
        except StopIteration:
            worker.give_back()
        except BaseException:
            worker.give_back()
            with suppress(ConductorError, ValueError):  # it may be settled already
                connection.settle_nowait(delivery, Settlement.REQUEUE)
            raise
        else:
            self._take_over(worker, flying, waits_for)

    def _take_over(self, worker: Worker, flying: Coroutine[Any, Any, None], waits_for: Any) -> None:
        name = f"atomizer worker {self._link.name} at once"
        task = self._tasks.start(self._go_on(worker, flying, waits_for), name)
        task.add_done_callback(partial(self._ended, worker, flying, waits_for))

    def _ended(
        self, worker: Worker, flying: Coroutine[Any, Any, None], waits_for: Any, task: asyncio.Task[Any]
    ) -> None:
        """Give the slot back; or try again, if somebody cancelled the task before it began."""
        if worker.is_asker:
            task.get_loop().call_later(_A_MOMENT, self._take_over, worker, flying, waits_for)
        else:
            worker.give_back()

    async def _go_on(self, worker: Worker, flying: Coroutine[Any, Any, None], waits_for: Any) -> None:
        """Take over what waits for something after all."""
        me = asyncio.current_task()
        assert me is not None  # noqa: S101  # it was started as a task
        worker.task, worker.is_asker = me, False
        flight = worker.flight
        if flight is not None:
            flight.worker = me
            if flight.identity is not None:
                flight.identity.host = me
        await _from_here(flying, waits_for)


def _nothing_more(connection: Connection) -> None:
    """Only one is flown at once."""


@coroutine
def _from_here(flying: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that another task has begun."""
    while True:
        step: Callable[[Any], Any] = flying.send
        try:
            value = yield waits_for
        except GeneratorExit:  # the loop is gone
            flying.close()
            raise
        except BaseException as error:
            step, value = flying.throw, error
        try:
            waits_for = step(value)
        except StopIteration:
            return
