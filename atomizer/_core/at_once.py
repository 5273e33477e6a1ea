"""
At once: an electron that its asker waits for, and that nothing stands before, is flown by its asker.

Whoever says `await runtime.run(…)` does nothing else until the answer is here. So where the atom is one that is over in
one step, no worker need be woken and no turn of the loop be waited for: that is more than half of the time that one
electron takes when it is alone. It walks the same road, bytes and settlement included, with a slot of its own and in a
context of its own. If it waits for something after all, a worker takes it over where it stands.
"""

from __future__ import annotations

import asyncio
from types import coroutine
from typing import TYPE_CHECKING, Any

from .straight_line import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from ..conductor import Connection, Delivery, Frame
    from ..registry import Registration
    from ..settings import Clock
    from .pump import Pump
    from .slots import Slots
    from .straight_line import StraightLine
    from .tasks import Tasks

__all__ = ("AtOnce",)

_MOST_SECONDS = 0.001  # what may be spent so in a row: then the loop turns, or an atom that never waits starves others


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
        find: Callable[[str], Registration | None],
    ) -> None:
        self._pump = pump
        self._link = pump.link
        self._slots = slots
        self._line = line
        self._tasks = tasks
        self._monotonic = clock.monotonic
        self._find = find
        self._spent = 0.0

    def fly(self, frame: Frame, atom_id: str) -> bool:
        """
        Send an electron and fly it, if it can be over in this very call.

        Returns:
            Whether it was sent. If not, nothing was done.
        """
        registration, connection, slots = self._find(atom_id), self._link.connection, self._slots
        if registration is None or registration.suspends or connection is None:
            return False
        if not self._pump.is_open or slots.free <= 0 or slots.wanted:
            return False
        if self._spent > _MOST_SECONDS:
            self._spent = 0.0
            return False
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return False
        delivery = connection.send_and_take(frame)
        if delivery is None:
            return False
        began = self._monotonic()
        self._fly(Worker(self._link, slots, task, has_slot=slots.take()), connection, delivery)
        self._spent += self._monotonic() - began
        return True

    def _fly(self, worker: Worker, connection: Connection, delivery: Delivery) -> None:
        flying = self._line.fly(worker, connection, delivery, _nothing_more)
        try:
            waits_for = self._tasks.context.copy().run(flying.send, None)
        except StopIteration:
            worker.give_back()
        except BaseException:
            worker.give_back()
            raise
        else:
            self._tasks.start(self._go_on(worker, flying, waits_for), f"atomizer worker {self._link.name} at once")

    async def _go_on(self, worker: Worker, flying: Coroutine[Any, Any, None], waits_for: Any) -> None:
        """Take over what waits for something after all."""
        me = asyncio.current_task()
        assert me is not None  # noqa: S101  # it was started as a task
        worker.task = me
        flight = worker.flight
        if flight is not None:
            flight.worker = me
            if flight.identity is not None:
                flight.identity.host = me
        try:
            await _from_here(flying, waits_for)
        finally:
            worker.give_back()


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
