"""
Turns: what an electron waits for before it begins, where its atom says so.

First the gate of its atom, then a free child process, and at last its slot again: while it waits it has none, so that
others run meanwhile. Nothing of it has begun until then, so it can still expire, be cancelled or be given back.
"""

from __future__ import annotations

from contextvars import copy_context
from math import inf
from typing import TYPE_CHECKING

from ..errors import WaitsForItself
from .gate import Gate
from .identity import Identity

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection

    from ..definition import Definition
    from .alarm import Alarm
    from .children.processes import Processes
    from .flight import Flight
    from .turn import Turn

__all__ = ("Turns", "refuse_waiting_for_itself")


class Turns:
    """
    The turns of one node's electrons.

    Args:
        most_processes: How many child processes there are at most.
        make_processes: Makes the pool of child processes, once one is needed.

    Attributes:
        waiting: How many electrons wait for their turn.
        gates: The gates in use, by atom id.
        processes: The pool of child processes, if one was needed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        alarm: Alarm,
        most_processes: int,
        make_processes: Callable[[], Processes],
    ) -> None:
        self.waiting: int = 0
        self.processes: Processes | None = None
        self._loop = loop
        self._alarm = alarm
        self._most_processes = most_processes
        self._make_processes = make_processes
        self.gates: dict[str, Gate[Flight]] = {}

    @property
    def child_processes(self) -> int:
        """How many child processes there are."""
        return 0 if self.processes is None else self.processes.alive

    def most_of(self, definition: Definition) -> int | None:
        """Decide how many electrons of an atom are of use here at once; None is without a bound."""
        if definition.isolation is None:
            return definition.concurrency
        return min(self._most_processes, definition.concurrency or self._most_processes)

    async def wait_for(self, turn: Turn, flight: Flight, definition: Definition) -> BaseException | None:
        """
        Wait as the atom will run: whatever would stop it then ends the waiting now.

        Returns:
            What ended it, if that was an exception. Whether the turn has come is in `turn.has_come`.
        """
        if self._take_nowait(turn, flight, definition):
            turn.has_come = True
            return None
        waiting = Identity(flight.worker, self._loop, copy_context(), definition.atom_id, _nothing)
        flight.identity = waiting
        flight.due = flight.deadline
        self._alarm.wake_by(flight.due)
        try:
            if waiting.begin(self._take, (turn, flight, definition)):
                await waiting.drive()
        finally:
            flight.due = inf
            error = waiting.error
            waiting.end()
        turn.has_come = error is None and flight.told is None
        return error

    def _take_nowait(self, turn: Turn, flight: Flight, definition: Definition) -> bool:
        """Take a turn if that needs no waiting; else what it has is a part of it."""
        if definition.concurrency is not None:
            gate = self._gate(definition)
            if not gate.enter_nowait(flight):
                return False
            turn.gate = gate
        if definition.isolation is not None:
            turn.process = self._pool().take_nowait()
            return turn.process is not None
        return True

    async def _take(self, turn: Turn, flight: Flight, definition: Definition) -> None:
        """
        Wait for what a turn has not, without a slot.

        Raises:
            WaitsForItself: Nobody inside of its gate could ever leave.
            Whatever keeps the pool of child processes from its work.

        Cancellation: leaves the queues; what the turn has then is for `give_back`.
        """
        hold = flight.holding()
        if definition.concurrency is not None and turn.gate is None:
            turn.queue = self._gate(definition)
        hold.step_aside()
        self.waiting += 1
        try:
            if turn.queue is not None:
                await turn.queue.enter(flight)
                turn.gate, turn.queue = turn.queue, None
            if definition.isolation is not None:
                turn.process = await self._pool().take()
            await hold.step_in()
        finally:
            self.waiting -= 1

    def give_back(self, turn: Turn, flight: Flight, definition: Definition) -> None:
        """Leave to the next ones what a turn has."""
        if turn.process is not None:
            turn.process.give_back()
        if turn.gate is not None:
            turn.gate.leave(flight)
        gate = self.gates.get(definition.atom_id)
        if gate is not None and gate.is_idle:
            del self.gates[definition.atom_id]
        turn.process = turn.gate = turn.queue = None

    async def close(self, seconds: float) -> None:
        """End every child process, within so many seconds."""
        if self.processes is not None:
            await self.processes.close(seconds)

    def _pool(self) -> Processes:
        if self.processes is None:
            self.processes = self._make_processes()
        return self.processes

    def _gate(self, definition: Definition) -> Gate[Flight]:
        """Return the gate of an atom: of its id, so that it counts together with what it was registered as before."""
        most = definition.concurrency
        assert most is not None  # noqa: S101  # only such an atom has one
        gate = self.gates.get(definition.atom_id)
        if gate is None:
            self.gates[definition.atom_id] = gate = Gate["Flight"](most)
        else:
            gate.set_most(most)
        return gate


def _nothing(value: object) -> None:
    """Waiting has no result."""


def refuse_waiting_for_itself(definition: Definition, asker: Flight, flying: Collection[Flight]) -> None:
    """
    Refuse an ask that could only begin once its own asker has ended, as far as this node can tell.

    Args:
        definition: The atom that is asked.
        asker: The flight whose atom asks, and waits.
        flying: Everything under way on this node.

    Raises:
        WaitsForItself: As many of that atom as may run at once wait for this very electron.
    """
    most = definition.concurrency
    if most is None:
        return
    by_id = {flight.delivery.id: flight for flight in flying}
    flight: Flight | None = asker
    while flight is not None and flight.electron is not None:
        most -= flight.electron.atom_id == definition.atom_id
        if most <= 0:
            raise WaitsForItself(definition.atom_id, definition.concurrency or 0)
        flight = by_id.pop(flight.electron.parent, None) if flight.electron.reply else None
