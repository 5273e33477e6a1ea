"""One connection to the hub of the in-memory conductor."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from .conductor import Connection, Lane, Settlement
from .errors import ConductorBroken, ConductorClosed, NobodyThere, TooLarge
from .memory_listening import Inbox, Listening, MemoryDelivery, delivery_of

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from .conductor import Delivery, Frame, Route
    from .memory_hub import Hub
    from .memory_queue import Queue

__all__ = ("MemoryConnection",)

_REQUEUE = Settlement.REQUEUE  # looked up on its class, an enum's member costs as much as making a struct
_MAY_HAVE_NOBODY = frozenset((Lane.DEAD, Lane.CONTROL, Lane.EVENT))


class MemoryConnection(Connection):
    """
    A connection to a hub in this process.

    Raises:
        ConductorUnavailable: The hub has connections on another event loop.
    """

    __slots__ = ("_hub", "_inboxes", "_most_bytes", "_name", "_over", "_queues", "_sending", "listenings")

    def __init__(self, name: str, hub: Hub, most_bytes: int) -> None:
        self.listenings: dict[Route, Listening] = {}
        self._name = name
        self._hub = hub
        self._queues = hub.queues
        self._most_bytes = most_bytes
        self._inboxes = {lane: Inbox() for lane in Lane}
        self._sending: dict[asyncio.Future[bool], None] = {}  # in order
        self._over: type[ConductorBroken | ConductorClosed] | None = None
        hub.enter(self, asyncio.get_running_loop())

    def __repr__(self) -> str:
        state = "live" if self._over is None else "dead" if self._over is ConductorBroken else "closed"
        return f"<MemoryConnection of {self._name!r} {state}: {list(self.listenings.values())}>"

    # Listening

    async def listen(self, route: Route, credit: int) -> None:
        """Take frames of a route; never waits. See `Connection.listen`."""
        if self._over is not None:
            raise self._error()
        self._listening(route).grant(credit if route.lane.settled else inf)

    async def unlisten(self, route: Route) -> None:
        """Leave a route cleanly; never waits. What was received there can still be settled."""
        if self._over is not None:
            raise self._error()
        listening = self.listenings.get(route)
        if listening is not None:
            self._hub.leave(listening)
            if not listening.unsettled:
                del self.listenings[route]

    def reply_sink(self, route: Route, take: Callable[[Delivery], None]) -> bool:
        """Hand the frames of a REPLY route to a function, in the very call that sends them. See `Connection`."""
        if self._over is not None:
            raise self._error()
        if route.lane is not Lane.REPLY:
            return False
        self._listening(route).queue.drain(take)
        return True

    def _listening(self, route: Route) -> Listening:
        listening = self.listenings.get(route)
        if listening is None:
            listening = Listening(self, self._hub.members[self], self._inboxes[route.lane])
        if not listening.is_joined:
            self._hub.join(listening, route)
            self.listenings[route] = listening
        return listening

    # Receiving

    async def receive(self, lane: Lane) -> Delivery:
        """Wait for the next delivery of a lane. See `Connection.receive`."""
        ready_now = self.receive_nowait(lane)
        if ready_now is not None:
            return ready_now
        inbox = self._inboxes[lane]
        waiter: asyncio.Future[MemoryDelivery | None] = asyncio.get_running_loop().create_future()
        inbox.waiting.append(waiter)
        try:
            delivery = await waiter
        except BaseException:
            self._stop_waiting(inbox, waiter)
            raise
        if delivery is not None:
            inbox.handed -= 1
        if delivery is None or self._over is not None:
            raise self._error()
        return delivery

    def receive_nowait(self, lane: Lane) -> Delivery | None:
        """Take the next delivery of a lane, if there is one: from its routes in turn."""
        if self._over is not None:
            raise self._error()
        ready = self._inboxes[lane].ready
        if len(ready) == 1:  # nearly always; the rest is what `_take` comes to then
            listening = ready[0]
            queue, unsettled = listening.queue, listening.unsettled
            if queue.is_plain and queue.normal and not queue.senders and len(unsettled) < listening.credit:
                delivery = queue.normal.popleft()
                queue.size -= 1
                delivery.holder = listening
                unsettled[delivery.arrival] = delivery
                return delivery
        return self._take(ready)

    def _take(self, ready: deque[Listening]) -> MemoryDelivery | None:
        while ready:
            listening = ready[0]
            delivery = listening.take()  # it may make room for a sender, and so offer again
            if delivery is not None:
                if len(ready) > 1:
                    ready.rotate(-1)
                return delivery
            ready.popleft()
            listening.is_ready = False
        return None

    def _stop_waiting(self, inbox: Inbox, waiter: asyncio.Future[MemoryDelivery | None]) -> None:
        if waiter.done() and not waiter.cancelled():
            if waiter.result() is not None:
                inbox.handed -= 1
            self._hand_on(waiter.result())
        else:
            with suppress(ValueError):  # it may have been passed over already
                inbox.waiting.remove(waiter)

    def _hand_on(self, delivery: MemoryDelivery | None) -> None:
        """Let another have what came for a receiver that was cancelled; it has not been seen, so it is not marked."""
        if delivery is None or self._over is not None:
            return
        listening = self.listenings.get(delivery.route)
        if listening is None:  # left meanwhile, on a lane that may be lost
            return
        listening.unsettled.pop(delivery.arrival, None)
        delivery.holder = None
        self._hub.give_back(listening.queue, delivery)

    # Sending

    async def send(self, frame: Frame) -> None:
        """Send a frame; wait only while its route is full. See `Connection.send`."""
        if self._over is not None:
            raise self._error()
        if len(frame.body) > self._most_bytes:
            raise TooLarge(len(frame.body), self._most_bytes, f"max_body_bytes of conductor {self._name!r}")
        queues = self._hub.queues_for(frame.to)
        if not queues and frame.to.lane not in _MAY_HAVE_NOBODY:
            raise NobodyThere(frame.to.name)
        for queue in tuple(queues):
            if not queue.put_nowait(frame):
                await self._wait_for_room(queue, frame)

    def send_nowait(self, frame: Frame) -> bool:
        """Send a frame, unless its route is full, nobody is there, or it is too large."""
        body, queue = frame.body, self._queues.get(frame.to)
        if queue is None or frame.key or frame.priority or frame.delay or len(body) > self._most_bytes:
            return self._send_specially(frame, queue)
        if queue.is_lossy or queue.size >= queue.capacity:
            return queue.put_nowait(frame)
        # in one piece, and not as `put_nowait` does it: nearly every frame comes here
        delivery = MemoryDelivery(
            frame.to, body, frame.content_type, frame.id, frame.reply_to, 0, False, "", 0, queue.next_arrival()
        )
        if queue.sink is not None:
            queue.sink(delivery)
            return True
        only = queue.only
        if only is not None and only.inbox.waiting and only.hand_over(delivery):
            return True
        queue.size += 1
        queue.normal.append(delivery)
        if only is None or not only.is_ready or only.inbox.waiting:  # else the only one who listens knows
            queue.offer()
        return True

    def send_and_take(self, frame: Frame) -> Delivery | None:
        """Send a plain frame and receive it at once, if a receiver here waits for it and nobody else listens."""
        queue = self._queues.get(frame.to)
        if queue is None or frame.key or frame.priority or frame.delay or len(frame.body) > self._most_bytes:
            return None
        only = queue.only
        if only is None or only.connection is not self or not only.has_room_for_one or not only.inbox.is_awaited:
            return None
        delivery = delivery_of(frame, queue.next_arrival())
        only.hold(delivery)
        return delivery

    def _send_specially(self, frame: Frame, queue: Queue | None) -> bool:
        if self._over is not None or len(frame.body) > self._most_bytes:
            return False
        if queue is not None:
            return queue.put_nowait(frame)
        queues = self._hub.queues_for(frame.to)
        if not queues:
            return frame.to.lane in _MAY_HAVE_NOBODY
        if not all(each.has_room for each in queues):
            return False
        return all(each.put_nowait(frame) for each in tuple(queues))

    async def _wait_for_room(self, queue: Queue, frame: Frame) -> None:
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        entry = (waiter, frame)
        queue.senders.append(entry)
        self._sending[waiter] = None
        try:
            is_taken = await waiter
        finally:
            self._sending.pop(waiter, None)
            with suppress(ValueError):  # it is there only if it was cancelled
                queue.senders.remove(entry)
        if not is_taken:
            raise self._error() if self._over is not None else NobodyThere(frame.to.name)

    # Settling

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Settle a delivery; never waits. See `Connection.settle`."""
        self.settle_nowait(delivery, settlement)

    def settle_nowait(self, delivery: Delivery, settlement: Settlement) -> bool:
        """Settle a delivery."""
        if self._over is not None:
            raise self._error()
        holder = getattr(delivery, "holder", None)  # a stranger's has none
        if not isinstance(delivery, MemoryDelivery) or holder is None or holder.connection is not self:
            raise ValueError(_why_not_to_settle(delivery))
        delivery.holder = None
        del holder.unsettled[delivery.arrival]
        if settlement is _REQUEUE:
            self._hub.give_back(holder.queue, delivery.again(died=False))
        elif delivery.key:
            holder.queue.release(delivery.key)
        if holder.queue.size and (not holder.is_ready or holder.inbox.waiting):
            holder.offer()
        return True

    def depth(self, route: Route) -> int:
        """Count the frames that wait on a route, those not due yet among them."""
        return self._hub.depth(route)

    def offered(self, route: Route) -> int:
        """Count the frames that could be received of a route now, whatever the credit. See `Connection.offered`."""
        listening = self.listenings.get(route)
        return listening.offered if listening is not None and listening.is_joined else 0

    # The end

    def close(self) -> None:
        """Leave cleanly, as `MemoryConductor.connect` does; nothing if it is over."""
        if self._over is None:
            self._hub.part(self, died=False)

    def end(self, *, died: bool) -> None:
        """Refuse every call from now on, and wake those that wait. For the hub."""
        self._over = ConductorBroken if died else ConductorClosed
        self._queues = {}  # nothing goes out any more
        for inbox in self._inboxes.values():
            for receiver in inbox.waiting:
                if not receiver.done():
                    receiver.set_result(None)
            inbox.waiting.clear()
        for sender in self._sending:
            if not sender.done():
                sender.set_result(False)

    def forget_waiting(self) -> None:
        """Drop the calls that wait: their loop is gone. For the hub."""
        for inbox in self._inboxes.values():
            inbox.waiting.clear()
        self._sending.clear()

    def _error(self) -> ConductorBroken | ConductorClosed:
        whose = f"this connection of conductor {self._name!r}"
        if self._over is ConductorClosed:
            return ConductorClosed(f"{whose} was closed here: open another with connect()")
        return ConductorBroken(f"{whose} was cut: open another with connect()")


def _why_not_to_settle(delivery: Delivery) -> str:
    what = f"delivery {delivery.id!r} of {str(delivery.route)!r}"
    if not delivery.route.lane.settled:
        return f"{what}: deliveries of this lane are not settled"
    if isinstance(delivery, MemoryDelivery) and delivery.holder is None:
        return f"{what} was settled before"
    return f"{what} was not received on this connection: settle it where it was"
