"""
The contract between the runtime and a transport.

A `Conductor` describes a transport; `connect()` opens one `Connection`, which lives from ready to broken. It moves
bytes: it does not decode, retry, time out atoms, register or log. `atomizer.testing.conductor_checks()` holds every
promise below as one named check.

| lane | its bodies | |
|---|---|---|
| WORK | electrons | confirmed and settled |
| REPLY | properties, progress | confirmed and settled |
| DEAD | dead letters | confirmed and settled |
| CONTROL | cancel, … | may be lost, never settled |
| EVENT | events | may be lost, never settled |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from .codec import Codec

__all__ = (
    "Capability",
    "Conductor",
    "Connection",
    "Delivery",
    "Durability",
    "Frame",
    "Lane",
    "Route",
    "Settlement",
    "Spread",
)


class Lane(Enum):
    """What kind of body travels on a route."""

    WORK = "work"
    REPLY = "reply"
    CONTROL = "control"
    EVENT = "event"
    DEAD = "dead"

    if not TYPE_CHECKING:  # routes are looked up for every electron, and an enum's own hash is Python code
        __hash__ = object.__hash__

    @property
    def settled(self) -> bool:
        """Whether deliveries of this lane are settled, and sends on it confirmed."""
        return self in _SETTLED


_SETTLED = frozenset((Lane.WORK, Lane.REPLY, Lane.DEAD))


class Spread(Enum):
    """Who among the listeners of a route gets a frame."""

    ONE = "one"
    """One of them."""
    ALL = "all"
    """Every one."""
    LATEST = "latest"
    """Every one, but only the newest frame that it has not received yet (capability)."""

    if not TYPE_CHECKING:  # as above
        __hash__ = object.__hash__


class Settlement(Enum):
    """What became of a delivery."""

    ACK = "ack"
    """Done: it does not come again."""
    REQUEUE = "requeue"
    """Not done, and not its fault: it is offered again, its `count` unchanged."""
    REJECT = "reject"
    """Not wanted: it does not come again, and goes to the dead letters where the transport has some."""


class Capability(Enum):
    """What a transport may be able to do beyond the contract. What is missing is refused with its name."""

    LATEST = "latest"
    """`Spread.LATEST`."""
    NODE = "node"
    """WORK for one node: `Route.node`."""
    KEY = "key"
    """Affinity: `Frame.key`."""
    PRIORITY = "priority"
    """`Frame.priority`."""
    DELAY = "delay"
    """`Frame.delay`."""
    COUNT = "count"
    """It counts deliveries: `Delivery.count` is never None."""


class Durability(Enum):
    """What an accepted frame survives."""

    PROCESS = "process"
    """Nothing: it lives and dies with this process."""
    BROKER = "broker"
    """The end of any node: a broker keeps it."""


class Route(Struct, frozen=True, cache_hash=True):
    """Where a frame goes."""

    lane: Lane
    name: str = ""
    """WORK: the atom's route · REPLY, CONTROL: a node's name, "" means all · EVENT: a topic."""
    node: str = ""
    """WORK: this one node (capability)."""
    spread: Spread = Spread.ONE

    def __str__(self) -> str:
        return f"{self.lane.value}:{self.name}" + (f"@{self.node}" if self.node else "")


class Frame(Struct, frozen=True, gc=False):
    """A body on its way out."""

    to: Route
    body: bytes
    content_type: str
    id: str
    """The electron's id."""
    reply_to: str = ""
    """The name of the node that waits; "" means nobody does."""
    key: str = ""
    """Affinity (capability): frames of one key go to one listener, each after the one before it is settled."""
    priority: int = 0
    """Before (1) or after (-1) the others of its route (capability)."""
    delay: float = 0.0
    """Seconds until it may be delivered (capability)."""
    expires_in: float | None = None
    """CONTROL and EVENT: seconds after which it need not be delivered."""


class Delivery(Struct):
    """What came off the wire, with the right to settle it once."""

    route: Route
    body: bytes
    content_type: str
    id: str = ""
    """The electron's id, as the frame said."""
    reply_to: str = ""
    """The name of the node that waits; "" means nobody does."""
    count: int | None = None
    """Earlier deliveries that ended against our will; None where the transport cannot count."""
    redelivered: bool = False
    """Whether it may have been delivered before."""
    key: str = ""
    """The frame's affinity key."""
    priority: int = 0
    """The frame's priority."""


class Conductor(ABC):
    """A reusable description of a transport."""

    name: str
    """Its name: the cid of events, and what `Options(conductor=…)` means."""
    codec: Codec
    """How bodies are written. What comes in is read by its own content type."""
    capabilities: frozenset[Capability] = frozenset()
    """What it can do beyond the contract."""
    durability: Durability = Durability.PROCESS
    """What an accepted frame survives."""
    max_body_bytes: int = 8 * 1024 * 1024 + 64 * 1024
    """The largest body it takes."""

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """
        Open one connection: entered means ready, left means closed, within a bounded time.

        It may be called again after a connection died. Leaving is a clean end: the routes that only this connection
        listened on take nothing more, unless the transport's routes outlive their listeners and keep it for the next
        one. What is left unsettled is given back. A call on a connection that was left raises `ConductorClosed`.

        Raises (on entering):
            ConductorUnavailable: It cannot be reached, or refuses us; `permanent` on it says whether trying again is in
                vain.

        Cancellation: while entering, nothing stays open; while leaving, the connection is closed all the same.
        """


class Connection(ABC):
    """
    One life of a transport, from ready to broken.

    All methods may be called by many tasks at once. When the transport dies, every pending and later call raises
    `ConductorBroken`, and what was received and not settled comes again to somebody, marked as redelivered. No call
    ever ends in a `CancelledError` that nobody asked for.
    """

    @abstractmethod
    async def listen(self, route: Route, credit: int) -> None:
        """
        Take frames of a route, with at most `credit` of them unsettled; call it again to change the number.

        Args:
            route: What to listen on. A REPLY route has one listener at a time.
            credit: Any number at any time; 0 stops taking, and keeps what was taken. Lanes that are not settled ignore
                it.

        Raises:
            ConductorUnavailable: Another live connection owns that REPLY route: a second node of the same name. A
                transport may need a moment until the name of a connection that died is free.
            CapabilityMissing: The route asks for what this transport cannot do.
            ConductorBroken: The connection died.
        """

    async def unlisten(self, route: Route) -> None:
        """
        Leave a route cleanly: what is queued there is for others, and where nobody else listens it takes nothing more.

        What was received and not settled stays with this connection. A transport whose routes outlive their listeners
        just stops taking, which is the default.

        Raises:
            ConductorBroken: The connection died.
        """
        await self.listen(route, 0)

    @abstractmethod
    async def receive(self, lane: Lane) -> Delivery:
        """
        Wait for the next delivery of a lane, on any route that is listened on.

        Many tasks may wait; each delivery goes to one of them.

        Raises:
            ConductorBroken: The connection died.

        Cancellation: nothing is lost; the delivery goes to another call.
        """

    @abstractmethod
    async def send(self, frame: Frame) -> None:
        """
        Send a frame: one attempt. Returns when the other side has it; CONTROL and EVENT frames may be lost all the
        same.

        Raises:
            NobodyThere: Nobody listens on its route. WORK and REPLY only; nothing was taken.
            Overloaded: The route is full; nothing was taken. A transport may wait instead.
            TooLarge: The body is over `max_body_bytes`; nothing was taken.
            CapabilityMissing: The frame asks for what this transport cannot do.
            ConductorBroken: The connection died; whether the frame was taken is unknown.

        Cancellation: whether the frame was taken is unknown.
        """

    @abstractmethod
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """
        Tell the other side what became of a delivery: once, on the connection that received it.

        Raises:
            ValueError: It was settled before, is of a lane that is not settled, or came over another connection.
            ConductorBroken: The connection died; the delivery will come again.

        Cancellation: either it was settled or it was not; settling again is refused.
        """

    def receive_nowait(self, lane: Lane) -> Delivery | None:
        """Do what `receive` does if it need not wait; else return None."""
        return None

    def send_nowait(self, frame: Frame) -> bool:
        """Do what `send` does if it need not wait and will not fail; else do nothing and return False."""
        return False

    def send_and_take(self, frame: Frame) -> Delivery | None:
        """
        Send a WORK frame and receive it here and now, in the place of a `receive` of this connection that waits for it.

        That one goes on waiting. What is taken is a delivery like any other: it counts against the credit, and is
        settled. Where anything stands before it, or another connection might have it, nothing is done.
        """
        return None

    def settle_nowait(self, delivery: Delivery, settlement: Settlement) -> bool:
        """Do what `settle` does if it need not wait; else do nothing and return False."""
        return False

    def reply_sink(self, route: Route, take: Callable[[Delivery], None]) -> bool:
        """
        Ask that replies be handed to a function as they come, instead of to `receive(Lane.REPLY)`.

        A transport that can do it calls `take` from the event loop for each delivery of the route; that settles it.
        `take` never raises and never waits.

        Returns:
            Whether it will be done; if not, listen and receive.

        Raises:
            ConductorUnavailable, ConductorBroken: As `listen`.
        """
        return False

    def depth(self, route: Route) -> int | None:
        """Return how many frames wait on a route, or None if the transport does not say."""
        return None

    def offered(self, route: Route) -> int | None:
        """
        Return how many frames this connection could be given of a route now, had it the credit; None as `depth`.

        Those that are not due yet are no such frames, nor those that wait behind another of their key. A transport that
        has neither has nothing to add to `depth`, which is the default.
        """
        return self.depth(route)
