"""The frames of one route of the in-memory conductor, and who gets which."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, ClassVar
from zlib import crc32

from .memory_listening import delivery_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .conductor import Delivery, Frame, Route
    from .memory_hub import Schedule
    from .memory_listening import Listening, MemoryDelivery

__all__ = ("LossyQueue", "Queue")

_GOLDEN = 0x9E3779B1  # 2**32 divided by the golden ratio: the usual multiplier to mix 32 bits with


class Line:
    """The frames of one key. They go to one listener, one at a time."""

    __slots__ = ("frames", "is_out")

    def __init__(self) -> None:
        self.frames: deque[MemoryDelivery] = deque()
        self.is_out: bool = False  # one of them is unsettled: the next must wait


class Queue:
    """
    The frames that wait on a route.

    They wait in three levels by priority, in order in each. Those with a key wait in a line of their own, and only the
    head of a line stands with the listener that the key chose. Those not due yet wait in the hub's schedule.

    Attributes:
        size: How many wait, those not due yet among them.
        senders: Calls of `send` that wait for room, in order; each gets whether its frame was taken.
        sink: Where frames go at once, instead of waiting.
        is_plain: It is settled, and no frame had a key or a priority so far: all that are due are in `normal`.
        normal: Those without either, in order.
        only: Who listens, if it is one alone.
        next_arrival: Numbers the frames of the hub.
        is_lossy: It loses its oldest frame rather than be full.
    """

    __slots__ = (
        "_high",
        "_is_admitting",
        "_levels",
        "_low",
        "_schedule",
        "capacity",
        "is_plain",
        "is_settled",
        "lines",
        "listenings",
        "next_arrival",
        "normal",
        "only",
        "route",
        "senders",
        "sink",
        "size",
    )

    is_lossy: ClassVar[bool] = False

    def __init__(self, route: Route, capacity: int, schedule: Schedule, next_arrival: Callable[[], int]) -> None:
        self.route: Route = route
        self.capacity: int = capacity
        self.is_settled: bool = route.lane.settled
        self.size: int = 0
        self.lines: dict[str, Line] = {}
        self.listenings: deque[Listening] = deque()
        self.senders: deque[tuple[asyncio.Future[bool], Frame]] = deque()
        self.sink: Callable[[Delivery], None] | None = None
        self.is_plain: bool = self.is_settled
        self.only: Listening | None = None
        self._high: deque[MemoryDelivery] = deque()
        self.normal: deque[MemoryDelivery] = deque()
        self._low: deque[MemoryDelivery] = deque()
        self._levels = (self.normal, self._high, self._low)  # by priority: 0, 1, -1
        self._schedule = schedule
        self.next_arrival: Callable[[], int] = next_arrival
        self._is_admitting = False

    def __repr__(self) -> str:
        return f"<Queue {self.route}: {self.size} of {self.capacity}, {len(self.listenings)} listening>"

    # Frames come

    @property
    def has_room(self) -> bool:
        """Whether a frame would be taken now. While senders wait there is none: room goes to them at once."""
        return self.size < self.capacity

    @property
    def common(self) -> int:
        """How many are due and have no key: any listener may take them."""
        return sum(map(len, self._levels))

    def put_nowait(self, frame: Frame) -> bool:
        """Take a frame if there is room; else return False."""
        if self.size >= self.capacity:
            return False
        self._accept(frame)
        return True

    def put_back(self, delivery: MemoryDelivery) -> None:
        """Put what was given back at the front, in the order it once came. It always fits; it is not offered yet."""
        if self.sink is not None:
            self.sink(delivery)
            return
        self.size += 1
        if delivery.key:
            line = self.lines.setdefault(delivery.key, Line())
            line.frames.appendleft(delivery)
            line.is_out = False
            self._show_head(line)
        else:
            level = self._levels[delivery.priority]
            place = 0
            while place < len(level) and level[place].arrival < delivery.arrival:  # others were given back too
                place += 1
            level.insert(place, delivery)

    def fall_due(self, delivery: MemoryDelivery) -> None:
        """Take over a frame from the schedule; it was counted when it came."""
        self.size -= 1
        delivery.arrival = self.next_arrival()
        self._enter(delivery)
        self.admit()

    def _accept(self, frame: Frame) -> None:
        delivery = delivery_of(frame, self.next_arrival())
        self.is_plain = self.is_plain and not (frame.key or frame.priority)
        if frame.delay > 0:
            self._delay(delivery, frame.delay)
        elif self.sink is not None:
            self.sink(delivery)
        else:
            self._enter(delivery)

    def _delay(self, delivery: MemoryDelivery, seconds: float) -> None:
        self.size += 1
        self._schedule.add(self, delivery, seconds)

    def _enter(self, delivery: MemoryDelivery) -> None:
        if self.sink is not None:
            self.sink(delivery)
            return
        self.size += 1
        if delivery.key:
            line = self.lines.setdefault(delivery.key, Line())
            line.frames.append(delivery)
            if len(line.frames) == 1 and not line.is_out:
                self._offer_head(line)
        else:
            self._levels[delivery.priority].append(delivery)
            self.offer()

    # Frames go

    def offer(self) -> None:
        """Offer what waits to the listeners, beginning with another one each time."""
        listenings = self.listenings
        if len(listenings) == 1:
            listenings[0].offer()
            return
        listenings.rotate(-1)
        for listening in tuple(listenings):
            listening.offer()

    def take(self, listening: Listening) -> MemoryDelivery | None:
        """
        Take the next frame for a listener: the first of the highest priority that it may have.

        Senders that wait are let in by the listener, once it holds that frame: what they send may come to it at once.
        """
        level = self._high or self.normal or self._low
        heads = listening.heads
        if heads and (not level or heads[0][:2] < (-level[0].priority, level[0].arrival)):
            delivery = self._take_head(heads)
        elif level:
            delivery = level.popleft()
        else:
            return None
        self.size -= 1
        return delivery

    def release(self, key: str) -> None:
        """Let the next frame of a key go: the one before is settled."""
        line = self.lines.get(key)
        if line is None:  # dropped with its route
            return
        line.is_out = False
        if line.frames:
            self._offer_head(line)
        else:
            del self.lines[key]

    def drain(self, sink: Callable[[Delivery], None]) -> None:
        """Hand over what waits, and from now on all that comes."""
        self.sink = sink
        waiting = [delivery for level in (self._high, self.normal, self._low) for delivery in level]
        waiting += [delivery for line in self.lines.values() for delivery in line.frames]
        self._empty()
        self.size -= len(waiting)
        for delivery in waiting:
            sink(delivery)
        self.admit()

    def clear(self) -> None:
        """Drop what waits."""
        self._empty()
        self._schedule.forget(self)
        self.size = 0

    # Listeners come and go

    def join(self, listening: Listening) -> None:
        """Let a connection listen. It has no credit yet."""
        self.listenings.append(listening)
        self._count_listenings()
        listening.queue = self
        listening.is_joined = True

    def leave(self, listening: Listening) -> None:
        """Let a connection listen no longer."""
        self.listenings.remove(listening)
        self._count_listenings()
        listening.is_joined = False
        listening.credit = 0
        listening.heads.clear()
        self.sink = None
        self.choose_again()

    def _count_listenings(self) -> None:
        self.only = self.listenings[0] if len(self.listenings) == 1 else None

    def choose_again(self) -> None:
        """Let every key choose among the listeners there are now."""
        if not self.lines:
            return
        for listening in self.listenings:
            listening.heads.clear()
        for line in tuple(self.lines.values()):  # an offer may let a sender in, with a new key
            if line.frames and not line.is_out:
                self._offer_head(line)

    def dismiss_senders(self, *, taken: bool) -> None:
        """Let nobody wait for room any more."""
        while self.senders:
            waiter, _ = self.senders.popleft()
            if not waiter.done():
                waiter.set_result(taken)

    # Inside

    def admit(self) -> None:
        """Take frames of senders that wait, as far as there is room."""
        if self._is_admitting:  # each frame taken may be received at once, and make room for the next: no recursion
            return
        self._is_admitting = True
        try:
            while self.senders and self.size < self.capacity:
                waiter, frame = self.senders.popleft()
                if not waiter.done():
                    waiter.set_result(True)
                    self._accept(frame)
        finally:
            self._is_admitting = False

    def _offer_head(self, line: Line) -> None:
        listening = self._show_head(line)
        if listening is not None:
            listening.offer()

    def _show_head(self, line: Line) -> Listening | None:
        """Stand the head of a line with the listener that its key chooses, if there is one."""
        head = line.frames[0]
        listening = _choose(head.key, self.listenings)
        if listening is not None:
            heappush(listening.heads, (-head.priority, head.arrival, head))
        return listening

    def _take_head(self, heads: list[tuple[int, int, MemoryDelivery]]) -> MemoryDelivery:
        delivery = heappop(heads)[2]
        line = self.lines[delivery.key]
        line.frames.popleft()
        line.is_out = True
        return delivery

    def _empty(self) -> None:
        for level in self._levels:
            level.clear()
        self.lines.clear()
        for listening in self.listenings:
            listening.heads.clear()


def _choose(key: str, listenings: deque[Listening]) -> Listening | None:
    """
    Choose the listener of a key: the highest score, of those that take anything.

    When a listener comes or goes, only the keys that it wins or had change hands (rendezvous hashing). A bare CRC would
    not do: it is linear, so that of three listeners one would win half of all keys.
    """
    taking = [listening for listening in listenings if listening.credit > 0]
    text = key.encode()
    return max(taking, key=lambda listening: crc32(text, listening.number) * _GOLDEN & 0xFFFFFFFF, default=None)


class LossyQueue(Queue):
    """A queue that loses its oldest frame rather than let anybody wait, and those that have expired."""

    __slots__ = ()

    is_lossy = True
    size: int

    @property
    def has_room(self) -> bool:
        """It always has."""
        return True

    def put_nowait(self, frame: Frame) -> bool:
        """Take a frame, in place of the oldest if it is full."""
        if self.size >= self.capacity:
            self._drop_oldest()
        self._accept(frame)
        return True

    def put_back(self, delivery: MemoryDelivery) -> None:
        """Put back what was given back, unless it is full: then this is the oldest."""
        if self.size < self.capacity:
            super().put_back(delivery)

    def take(self, listening: Listening) -> MemoryDelivery | None:
        """Take the next frame that has not expired."""
        while (delivery := super().take(listening)) is not None:
            if delivery.expires_at == inf or delivery.expires_at > self._schedule.now():
                break
        return delivery

    def _accept(self, frame: Frame) -> None:
        delivery = delivery_of(frame, self.next_arrival())
        delivery.key = ""  # without settling there is no "one at a time"
        if frame.expires_in is not None and not self.is_settled:
            delivery.expires_at = self._schedule.now() + frame.expires_in
        if frame.delay > 0:
            self._delay(delivery, frame.delay)
        else:
            self._enter(delivery)

    def _drop_oldest(self) -> None:
        level = self._low or self.normal or self._high
        if level:
            level.popleft()
        else:
            self._schedule.forget_first(self)
        self.size -= 1
