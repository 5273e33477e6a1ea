"""A connection of the in-memory conductor as its routes see it: credit, deliveries, and the calls that wait."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from .conductor import Delivery

if TYPE_CHECKING:
    import asyncio

    from .conductor import Frame
    from .memory_queue import Queue

__all__ = ("Inbox", "Listening", "MemoryDelivery", "delivery_of")


class MemoryDelivery(Delivery):
    """A delivery of this transport. It is made when its frame is taken, and is itself what waits in the queue."""

    arrival: int = 0
    """Its number among the frames of the hub."""
    expires_at: float = inf
    holder: Listening | None = None
    """Who has it, and has not settled it."""

    def again(self, *, died: bool) -> MemoryDelivery:
        """Make the delivery anew after it was given back, or after its holder died."""
        return MemoryDelivery(
            self.route,
            self.body,
            self.content_type,
            self.id,
            self.reply_to,
            (self.count or 0) + died,
            True,
            self.key,
            self.priority,
            self.arrival,
        )


def delivery_of(frame: Frame, arrival: int) -> MemoryDelivery:
    """Make the delivery that a frame will be."""
    priority = frame.priority
    return MemoryDelivery(
        frame.to,
        frame.body,
        frame.content_type,
        frame.id,
        frame.reply_to,
        0,
        False,
        frame.key,
        priority and (1 if priority > 0 else -1),
        arrival,
    )


class Inbox:
    """
    One lane of one connection.

    Attributes:
        waiting: The calls of `receive` that wait, in order. Each gets a delivery, or None when the connection ends.
        handed: How many calls were given something, and are not awake yet.
        ready: The routes that may have something, in turn. A route in here may prove empty; one outside has nothing.
    """

    __slots__ = ("handed", "ready", "waiting")

    def __init__(self) -> None:
        self.handed: int = 0
        self.waiting: deque[asyncio.Future[MemoryDelivery | None]] = deque()
        self.ready: deque[Listening] = deque()

    @property
    def is_awaited(self) -> bool:
        """Whether a call of `receive` waits for what comes next: none was given something and is not awake yet."""
        return not self.handed and any(not receiver.done() for receiver in self.waiting)


class Listening:
    """
    One connection that listens on one route.

    Attributes:
        connection: Whose it is.
        number: The connection's number in the hub: what a key's choice among listeners goes by.
        credit: How many deliveries it may hold unsettled; infinite on lanes that are not settled.
        unsettled: What it holds, by arrival.
        heads: The frames with a key that are next for it, as a heap of (priority, arrival, frame).
        is_joined: Whether its queue knows it.
        is_ready: Whether its inbox has it in `ready`.
    """

    __slots__ = ("connection", "credit", "heads", "inbox", "is_joined", "is_ready", "number", "queue", "unsettled")

    queue: Queue

    def __init__(self, connection: object, number: int, inbox: Inbox) -> None:
        self.connection: object = connection
        self.number: int = number
        self.inbox: Inbox = inbox
        self.credit: float = 0.0
        self.is_joined: bool = False
        self.unsettled: dict[int, MemoryDelivery] = {}
        self.heads: list[tuple[int, int, MemoryDelivery]] = []
        self.is_ready: bool = False

    def take(self) -> MemoryDelivery | None:
        """Take the next delivery that credit allows."""
        unsettled, queue = self.unsettled, self.queue
        if len(unsettled) >= self.credit:
            return None
        delivery = queue.take(self)
        if delivery is not None and queue.is_settled:
            delivery.holder = self
            unsettled[delivery.arrival] = delivery
        if delivery is not None and queue.senders:
            queue.admit()
        return delivery

    def hand_over(self, delivery: MemoryDelivery) -> bool:
        """Give a delivery that has just come to a receiver that waits, if nothing is before it and credit allows."""
        waiting = self.inbox.waiting
        while waiting and self.has_room_for_one:
            receiver = waiting.popleft()
            if not receiver.done():  # else it was cancelled, and is not yet awake to leave by itself
                self.hold(delivery)
                self.inbox.handed += 1
                receiver.set_result(delivery)
                return True
        return False

    @property
    def has_room_for_one(self) -> bool:
        """Whether a plain frame that comes now may be delivered here at once: nothing is before it."""
        queue = self.queue
        return not queue.size and queue.is_plain and len(self.unsettled) < self.credit

    @property
    def offered(self) -> int:
        """How many frames may be taken here now, whatever the credit."""
        return self.queue.common + len(self.heads)

    def hold(self, delivery: MemoryDelivery) -> None:
        """Have a delivery, until it is settled."""
        delivery.holder = self
        self.unsettled[delivery.arrival] = delivery

    def offer(self) -> None:
        """Hand what may be taken to the receivers that wait, or note that there may be something."""
        waiting = self.inbox.waiting
        while waiting:
            receiver = waiting.popleft()
            if receiver.done():  # cancelled, and not yet awake to leave by itself
                continue
            delivery = self.take()  # it may make room for a sender, and so offer again
            if delivery is None:
                waiting.appendleft(receiver)
                return
            self.inbox.handed += 1
            receiver.set_result(delivery)
        if not self.is_ready:
            self.is_ready = True
            self.inbox.ready.append(self)

    def grant(self, credit: float) -> None:
        """Change the credit."""
        was, self.credit = self.credit, credit
        if (was > 0) != (credit > 0):
            self.queue.choose_again()
        if self.queue.size:
            self.offer()

    def give_up(self) -> list[MemoryDelivery]:
        """Return what is unsettled, and hold it no longer."""
        left = list(self.unsettled.values())
        self.unsettled.clear()
        return left

    def __repr__(self) -> str:
        return f"<Listening {self.number} on {self.queue.route}: {len(self.unsettled)} of {self.credit} unsettled>"
