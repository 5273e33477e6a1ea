"""
The straight line: the way of nearly every electron through a node, from receipt to settlement, in one piece.

`Flights.fly` has all the steps, each where it can be read. An electron of which nothing special is said needs few of
them, and takes a sixth less time when they are done here, one after the other, by a worker that goes on to the next
electron with what it has at hand. Whatever is special goes the long way: other codecs, bytes that cannot be read,
limits, turns, cancellation, an expired or unknown one. So does what goes wrong.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..conductor import Frame, Settlement
from ..errors import ConductorError, Malformed
from ..events import ElectronCompleted
from ..properties import Properties
from .admission import time_left
from .disposition import GIVE_BACK, Verdict, dispose
from .flight import CURRENT, Flight
from .identity import Identity
from .slots import Slots
from .supervision import Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..conductor import Connection, Delivery
    from ..electron import Electron
    from ..registry import Registration
    from ..settings import Settings
    from .alarm import Alarm
    from .answered import Answered
    from .answering import Answers
    from .broadcast import Broadcast
    from .flights import Flights
    from .reception import Reception
    from .remember import Remembered

__all__ = ("StraightLine", "Worker")

_SETTLE = Verdict()
_ACK = Settlement.ACK  # looked up on its class, a member costs as much as making a struct
_TURN = 64  # flights after which a worker lets the loop turn


class Worker(Struct, eq=False):
    """
    A task that flies electrons, one after another.

    Attributes:
        link: Whose electrons.
        slots: Where its slot is from.
        task: The task.
        flight: What it flies, or flew last with the slot that it has.
        has_slot: Whether it has one.
        is_asker: It is no worker, but the asker, who flies its own electron at once: nothing of the core waits as it.
    """

    link: Link
    slots: Slots
    task: asyncio.Task[Any]
    flight: Flight | None = None
    has_slot: bool = False
    is_asker: bool = False

    def give_back(self) -> None:
        """Give back the slot, if it has one."""
        if not self.has_slot:
            return
        self.has_slot = False
        if self.flight is None or self.flight.hold is None:
            self.slots.release()
        else:
            self.flight.hold.end()
        self.flight = None


class StraightLine:
    """The way of electrons of which nothing special is said."""

    def __init__(  # noqa: PLR0913  # what an electron meets on its way, by name
        self,
        node: str,
        *,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        reception: Reception,
        flights: Flights,
        answers: Answers,
        answered: Answered,
        alarm: Alarm,
        broadcast: Broadcast,
        cancelled: Remembered,
    ) -> None:
        self._node = node
        self._utc_ns = settings.clock.utc_ns
        self._monotonic = settings.clock.monotonic
        self._most_bytes = settings.max_payload_bytes
        self._loop = loop
        self._take_up = reception.take_up
        self._flights = flights
        self._answers = answers
        self._answered = answered
        self._alarm = alarm
        self._broadcast = broadcast
        self._cancelled = cancelled.since
        self._since_turn = 0

    async def let_the_loop_turn(self) -> None:
        """Let others run after a number of flights: an atom that never suspends must not starve them."""
        if self._since_turn >= _TURN:
            self._since_turn = 0
            await asyncio.sleep(0)

    async def _verdict_on(self, worker: Worker, flight: Flight) -> Verdict:
        """Decide what becomes of an electron, after as many attempts as it takes."""
        verdict = self._flights.verdict_on(flight)
        if verdict.again is None:
            return verdict
        if worker.is_asker:
            await asyncio.sleep(0)  # from here on a worker does it: what follows waits
        return await self._flights.try_again(flight, verdict)

    async def _conclude(self, worker: Worker, flight: Flight, verdict: Verdict) -> None:
        try:
            if worker.is_asker:
                await asyncio.sleep(0)  # from here on a worker does it: what follows may wait
        finally:
            await self._answers.conclude(flight, verdict)

    async def fly(  # noqa: C901, PLR0912, PLR0915  # in one piece: see above
        self,
        worker: Worker,
        connection: Connection,
        delivery: Delivery,
        more: Callable[[Connection], Delivery | None],
    ) -> None:
        """
        Fly a delivery, and what is there after it while the worker's slot is its own: each answered, and then settled.

        Args:
            worker: Who flies. It has a slot.
            connection: Where the delivery is from.
            delivery: The first one.
            more: Returns what a connection has besides, if there is something and anything new may begin.

        Cancellation: the delivery under way is given back.
        """
        link, slots, task = worker.link, worker.slots, worker.task
        flights, answers, alarm, broadcast = self._flights, self._answers, self._alarm, self._broadcast
        take_up, answered, may_come_again = self._take_up, self._answered, link.settlements_may_be_lost
        cancelled, loop, utc_ns, monotonic = self._cancelled, self._loop, self._utc_ns, self._monotonic
        flying, find, bond, bounds = flights.flying, flights.find, flights.bond, flights.bounds
        content_type, decode, encode = link.codec.content_type, link.codec.decode_electron, link.codec.encode_reply
        most_bytes, route_to = self._most_bytes, answers.route_to
        while True:
            started_ns, left, deadline = utc_ns(), inf, inf
            electron: Electron | None = None
            registration: Registration | None = None
            if delivery.content_type == content_type and not delivery.redelivered:
                try:
                    electron = decode(delivery.body, bounds)
                    registration = find(electron.atom_id)
                    if electron.deadline_ns is not None or electron.budget is not None:
                        left = time_left(electron, started_ns)
                        deadline = monotonic() + left
                    if (
                        electron.limit is not None
                        or electron.soft_limit is not None
                        or electron.trials is not None
                        or left <= 0
                    ):
                        registration = None
                    if cancelled and electron.id in cancelled:
                        registration = None
                except Malformed:
                    pass  # it is read again below, and answered
            if electron is None or registration is None or registration.takes_turns:
                if worker.is_asker:
                    await asyncio.sleep(0)  # from here on a worker flies it: what follows may wait
                worker.flight = flight = take_up(link, connection, delivery, slots, worker.task)
                await flights.fly(flight)
            else:
                worker.flight = flight = Flight(
                    link, connection, delivery, slots, task, started_ns, electron, registration,
                    deadline, deadline, deadline,
                )  # fmt: skip
                verdict: Verdict | None = GIVE_BACK
                flying[flight] = None
                try:
                    if deadline < alarm.next:
                        alarm.wake_by(deadline)
                    CURRENT.set(flight)
                    flight.identity = identity = Identity(
                        task, loop, copy_context(), electron.atom_id, registration.finish
                    )
                    if broadcast.routine:
                        broadcast.tell_begun(started_ns, electron.id, electron.atom_id, link.name, electron.attempt)
                    if identity.begin(bond, (flight, electron, registration)):
                        registration.suspends = True
                        await flights.finish(flight, identity)
                    result = identity.value
                    if (
                        flight.abandoned
                        or result is None
                        or flight.children is not None
                        or flight.joined is not None
                        or len(result.body) > most_bytes
                    ):
                        verdict = await self._verdict_on(worker, flight)
                    else:
                        flights.completed += 1
                        reply = Properties(
                            electron_id=electron.id,
                            atom_id=electron.atom_id,
                            started_ns=started_ns,
                            ended_ns=utc_ns(),
                            result=result.body,
                            content_type=result.content_type,
                            attempt=electron.attempt,
                            node=self._node,
                        )
                        if broadcast.routine:
                            broadcast.tell(
                                ElectronCompleted,
                                reply.ended_ns,
                                electron.id,
                                electron.atom_id,
                                link.name,
                                electron.attempt,
                            )
                        body, reply_to = encode(reply), delivery.reply_to
                        try:
                            if (
                                reply_to
                                and connection is link.connection
                                and len(body) <= link.most_bytes
                                and connection.send_nowait(Frame(route_to(reply_to), body, content_type, delivery.id))
                            ):
                                verdict = _SETTLE
                                verdict = None if connection.settle_nowait(delivery, _ACK) else _SETTLE
                        except ConductorError:
                            pass  # `conclude` meets it again, and tells it
                        if verdict is GIVE_BACK:  # nothing was sent
                            verdict = dispose(reply, reply_to)
                        elif (verdict is not None or may_come_again) and len(result.body) <= answered.most_bytes:
                            answered.young[electron.id] = reply
                            if len(answered.young) >= answered.half:
                                answered.turn_over()
                        del reply, body  # they may be large, and the next one may take long
                    result = None
                finally:
                    try:
                        if verdict is not None and not flight.abandoned:  # else another has concluded it
                            await self._conclude(worker, flight, verdict)
                    finally:
                        flights.land(flight)
            self._since_turn += 1
            if (
                self._since_turn >= _TURN
                or flight.hold is not None
                or slots.wanted
                or slots.free < 0
                or task.cancelling()
            ):
                return
            following = more(connection)
            if following is None:
                return
            delivery = following
