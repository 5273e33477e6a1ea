"""The hub of the in-memory conductor: its routes, its connections, and the event loop it belongs to at the moment."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

from .conductor import Lane, Spread
from .errors import ConductorUnavailable
from .memory_queue import LossyQueue, Queue

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from .conductor import Route
    from .memory_listening import Listening, MemoryDelivery

__all__ = ("Hub", "Member", "Schedule")


class Member(Protocol):
    """A connection, as its hub sees it."""

    @property
    def listenings(self) -> dict[Route, Listening]:
        """What it listens on, and what it left with something unsettled."""
        ...

    def end(self, *, died: bool) -> None:
        """Refuse every call from now on, and let those that wait know."""
        ...

    def forget_waiting(self) -> None:
        """Drop the calls that wait: their loop is gone, and nobody is there to be woken."""
        ...


class Hub:
    """
    What the connections of one in-memory conductor share.

    Attributes:
        queues: The routes that take frames for one of their listeners.
        members: The connections, each with its number.
        loop: The event loop that they live on. What is queued outlives it.
    """

    __slots__ = ("_capacity", "_copies", "_kept", "_next_arrival", "_numbers", "_schedule", "loop", "members", "queues")

    def __init__(self, capacity: int) -> None:
        self.queues: dict[Route, Queue] = {}
        self.members: dict[Member, int] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self._capacity = capacity
        self._kept: dict[Route, Queue] = {}  # WORK waits, and nobody listens any more
        self._copies: dict[Route, list[Queue]] = {}  # Spread.ALL and LATEST: a queue for each listener
        self._schedule = Schedule()
        self._numbers = count(1)
        self._next_arrival = count(1).__next__

    def __repr__(self) -> str:
        waiting = sum(queue.size for queue in self._all_queues())
        routes = len(self.queues) + len(self._copies)
        return f"<Hub {len(self.members)} connections, {routes} routes, {waiting} frames waiting>"

    def enter(self, member: Member, loop: asyncio.AbstractEventLoop) -> None:
        """
        Take in a connection.

        Raises:
            ConductorUnavailable: Connections of another event loop are here.
        """
        if self.loop is not loop:
            self._move_to(loop)
        if not self.members:
            self._schedule.start(loop)
        self.members[member] = next(self._numbers)

    def part(self, *members: Member, died: bool) -> None:
        """
        End connections, all at once. What they have not settled comes again, in order.

        Args:
            died: They were cut: their routes stay, and their deliveries count it. Else they leave cleanly.
        """
        listenings = [listening for member in members for listening in member.listenings.values()]
        for member in members:
            del self.members[member]
            member.end(died=died)
        for listening in listenings:
            self.leave(listening, died=died)
        unsettled = [(listening.queue, delivery) for listening in listenings for delivery in listening.give_up()]
        unsettled.sort(key=lambda given: given[1].arrival, reverse=True)  # each goes in front of the one before
        places = [self._put_back(queue, delivery.again(died=died)) for queue, delivery in unsettled]
        for place in dict.fromkeys(places):
            place.offer()
        if not self.members:
            self._schedule.stop()

    def join(self, listening: Listening, route: Route) -> None:
        """
        Let a connection listen on a route.

        Raises:
            ConductorUnavailable: Another connection has that REPLY route.
        """
        if route.spread is not Spread.ONE:
            queue = self._new_queue(route)
            self._copies.setdefault(route, []).append(queue)
        else:
            queue = self._open(route)
            if route.lane is Lane.REPLY and queue.listenings:
                raise ConductorUnavailable(
                    f"a node named {route.name!r} is already connected: give this one another Settings.name",
                    permanent=True,
                )
        queue.join(listening)

    def leave(self, listening: Listening, *, died: bool = False) -> None:
        """Let a connection listen no longer; what it has not settled stays with it."""
        if not listening.is_joined:
            return
        queue = listening.queue
        queue.leave(listening)
        if queue.route.spread is not Spread.ONE:
            self._drop_copies(queue)
        elif not died and not queue.listenings:
            self._close(queue)

    def queues_for(self, route: Route) -> Sequence[Queue]:
        """Return the queues that a frame goes to: none if nobody is there."""
        queue = self.queues.get(route)
        if queue is not None:
            return (queue,)
        if route.spread is not Spread.ONE:
            return self._copies.get(route, ())
        return (self._open(route),) if route.lane is Lane.DEAD else ()

    def give_back(self, queue: Queue, delivery: MemoryDelivery) -> None:
        """Put a delivery back at the front; on a route that is closed, WORK waits for a later listener."""
        self._put_back(queue, delivery).offer()

    def depth(self, route: Route) -> int:
        """Count the frames that wait on a route."""
        alone = self.queues.get(route, self._kept.get(route))
        return sum(queue.size for queue in (self._copies.get(route, ()) if alone is None else (alone,)))

    def _put_back(self, queue: Queue, delivery: MemoryDelivery) -> Queue:
        route = queue.route
        if route.spread is Spread.ONE:
            queue = self.queues.get(route, queue)
            if route not in self.queues and route.lane is Lane.WORK:
                queue = self._kept.setdefault(route, queue)
        queue.put_back(delivery)
        return queue

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to another loop from now on. What may be lost is: it expires by a clock that is gone."""
        if self.members and self.loop is not None and not self.loop.is_closed():
            raise ConductorUnavailable(
                "this in-memory conductor has connections on another event loop, and belongs to that one until they "
                "are closed: use a conductor of its own for each loop",
                permanent=True,
            )
        for member in self.members:  # their loop was closed under them
            member.forget_waiting()
        for queue in self._all_queues():
            queue.senders.clear()
        if self.members:
            self.part(*self.members, died=True)
        for queue in self.queues.values():
            if not queue.is_settled:
                queue.clear()
        self.loop = loop

    def _open(self, route: Route) -> Queue:
        queue = self.queues.get(route)
        if queue is None:
            queue = self._kept.pop(route) if route in self._kept else self._new_queue(route)
            self.queues[route] = queue
        return queue

    def _close(self, queue: Queue) -> None:
        """Take nothing more on a route whose last listener left, unless dead letters lie there."""
        route = queue.route
        if route.lane is Lane.DEAD:
            return
        del self.queues[route]
        queue.dismiss_senders(taken=False)
        if route.lane is not Lane.WORK:
            queue.clear()
        elif queue.size or queue.lines:
            self._kept[route] = queue

    def _drop_copies(self, queue: Queue) -> None:
        """Forget the copies of a listener that left: nobody else lacks them."""
        copies = self._copies[queue.route]
        copies.remove(queue)
        if not copies:
            del self._copies[queue.route]
        queue.clear()
        queue.dismiss_senders(taken=True)

    def _new_queue(self, route: Route) -> Queue:
        is_latest = route.spread is Spread.LATEST
        kind = LossyQueue if is_latest or not route.lane.settled else Queue
        return kind(route, 1 if is_latest else self._capacity, self._schedule, self._next_arrival)

    def _all_queues(self) -> Iterator[Queue]:
        yield from self.queues.values()
        yield from self._kept.values()
        for copies in self._copies.values():
            yield from copies


class Schedule:
    """
    The frames of a hub that are not due yet, and one timer for all of them.

    It goes by the clock of the loop that the hub belongs to. On another loop, what was left of a delay is left again:
    the clocks of two loops need not agree, and a frame may come late but never early.
    """

    __slots__ = ("_added", "_entries", "_loop", "_seen", "_timer")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Queue, MemoryDelivery]] = []
        self._added = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen = 0.0  # the clock, when it was last looked at
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go by a loop's clock from now on."""
        if loop is not self._loop:
            shift = loop.time() - self._seen
            self._entries = [(when + shift, added, queue, delivery) for when, added, queue, delivery in self._entries]
        self._loop = loop
        self._arm()

    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and not self._loop.is_closed():
            self._seen = self._loop.time()

    def now(self) -> float:
        """Return what the clock says."""
        if self._loop is not None:
            self._seen = self._loop.time()
        return self._seen

    def add(self, queue: Queue, delivery: MemoryDelivery, seconds: float) -> None:
        """Give a frame to its queue when it is due."""
        self._added += 1
        heappush(self._entries, (self.now() + seconds, self._added, queue, delivery))
        if self._entries[0][1] == self._added:
            self._arm()

    def forget(self, queue: Queue) -> None:
        """Drop what a queue has in here."""
        self._entries = [entry for entry in self._entries if entry[2] is not queue]
        heapify(self._entries)

    def forget_first(self, queue: Queue) -> None:
        """Drop what a queue has put in here first."""
        self._entries.remove(min((entry for entry in self._entries if entry[2] is queue), key=lambda entry: entry[1]))
        heapify(self._entries)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._entries and self._loop is not None:
            self._timer = self._loop.call_at(self._entries[0][0], self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self.now()
        while self._entries and self._entries[0][0] <= now:
            _, _, queue, delivery = heappop(self._entries)
            queue.fall_due(delivery)
        self._arm()
