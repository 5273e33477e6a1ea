"""Following: the events of a whole fleet in one stream, those of each node in their order."""

from __future__ import annotations

import asyncio
import weakref
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ..bounds import bounds_of
from ..cancellation import foreign_cancellation_as_broken
from ..codec import codec_for
from ..conductor import Frame, Lane, Route
from ..control import Interest
from ..errors import ConductorError, Malformed
from ..events import Event, EventsLost
from .broadcast import EventStream
from .event_batches import FLEET, Arrivals
from .event_filter import names_of
from .event_ring import PartialRing, Ring
from .outbound import EVERY_NODE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from ..conductor import Connection, Delivery
    from ..settings import Settings
    from .broadcast import Broadcast, WaitBy
    from .event_filter import EventFilter
    from .outbound import Outbound
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("FleetStream", "Following")

INTERESTED_FOR = 30.0
"""Seconds that an interest lasts: how long nodes publish for a follower that has died."""
SAID_EVERY = 10.0
"""Seconds after which it is said again: two may be lost, and a node that is new hears of it."""
SILENT_FOR = 5.0
"""Seconds without a batch after which a node is followed on another conductor, if it is heard there."""
_CREDIT = 1_000  # of a lane that is not settled, which ignores it
_MOST_NODES = 10_000


class FleetStream(EventStream):
    """The events of a fleet: what its own node tells its ring, and what has come from the others."""

    def offer(self, event: Event) -> None:
        """Keep an event of another node for the reader. Never waits."""
        kept: Any = event
        self._ring.keep(event.seq, kept)

    def _event_of(self, seq: int, record: Any) -> Event:
        return record if isinstance(record, Event) else super()._event_of(seq, record)


class Followed:
    """
    What is followed by one stream.

    Attributes:
        route: Where it comes from.
        follower: What the nodes know it by.
    """

    def __init__(self, stream: weakref.ref[FleetStream], wanted: EventFilter, route: Route, follower: str) -> None:
        self.route = route
        self._stream = stream
        self._wanted = wanted
        self.follower = follower

    def offer(self, event: Event) -> None:
        """Give the stream an event, if it wants it and is still held."""
        wanted, stream = self._wanted, self._stream()
        is_wanted = wanted.takes(type(event)) and wanted.fits(event.electron_id, event.atom_id)
        if stream is not None and (is_wanted or isinstance(event, EventsLost)):
            stream.offer(event)

    def interest(self, seconds: float) -> Interest:
        """Say what is wanted, and for how long."""
        return Interest(
            follower=self.follower,
            seconds=seconds,
            kinds=names_of(self._wanted.kinds),
            atom_id=self._wanted.atom_id or "",
            electron_id=self._wanted.electron_id or "",
        )


class Following:
    """
    The streams of one node that follow its fleet.

    Its own events come to them at once, and those of the others over the conductors: for each there is a reader as long
    as anything is followed. A node that is reached over two conductors is followed on the first that brought something.

    Args:
        links: The conductors, as they are at any moment.
    """

    def __init__(
        self,
        node: str,
        *,
        settings: Settings,
        links: Mapping[str, Link],
        outbound: Outbound,
        broadcast: Broadcast,
        tasks: Tasks,
    ) -> None:
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._monotonic = settings.clock.monotonic
        self._bounds = bounds_of(settings)
        self._links = links
        self._outbound = outbound
        self._broadcast = broadcast
        self._tasks = tasks
        self._number = count(1).__next__
        self._followed: dict[Ring, Followed] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._sayer: asyncio.Task[None] | None = None
        self._arrivals = Arrivals(_MOST_NODES)
        self._ways: dict[str, tuple[Link, float]] = {}

    def follow(self, route: Route, wanted: EventFilter, buffer: int, wait_by: WaitBy | None = None) -> FleetStream:
        """
        Open a stream of what the whole fleet tells on a topic, from about now on.

        Raises:
            ValueError: The buffer holds less than one event.
        """
        if buffer < 1:
            raise ValueError(f"a stream keeps at least 1 event for its reader: buffer={buffer}")
        ring = PartialRing(buffer, wanted)
        stream = FleetStream(self._node, ring, self._leave, wait_by)
        ref = weakref.ref(stream, partial(self._forget, ring))
        self._followed[ring] = Followed(ref, wanted, route, f"{self._node}/{self._number()}")
        self._broadcast.join(ring, stream)
        if self._sayer is None:
            self._sayer = self._tasks.start(self._say_again(), "atomizer interest")
        for link in tuple(self._links.values()):
            self._attend(link)
        return stream

    def join(self, link: Link) -> None:
        """Follow on a conductor too, if anything is followed."""
        if self._followed:
            self._attend(link)

    def leave(self, link: Link) -> None:
        """Follow no more on a conductor."""
        reader = self._readers.pop(link.name, None)
        if reader is not None:
            reader.cancel()

    def close(self) -> None:
        """Follow the others no more; the streams go on to the end of this node's own events."""
        for followed in tuple(self._followed.values()):
            self._say(followed, 0.0)
        self._followed.clear()
        self._stop()

    # The events of the others

    def _attend(self, link: Link) -> None:
        """Make sure that a conductor is listened on, and that the nodes behind it know."""
        if link.name not in self._readers:
            self._readers[link.name] = self._tasks.start(self._read(link), f"atomizer events {link.name}")
        elif link.connection is not None:
            self._tasks.start(self._listen(link, link.connection), f"atomizer listens {link.name}")

    async def _read(self, link: Link) -> None:
        connection: Connection | None = None
        while (connection := await link.next_connection(connection)) is not None:
            await self._listen(link, connection)
            while (delivery := await self._receive(link, connection)) is not None:
                self._take(link, delivery)

    async def _listen(self, link: Link, connection: Connection) -> None:
        """Listen on every topic that is followed, and say so to the nodes."""
        for route in dict.fromkeys(followed.route for followed in tuple(self._followed.values())):
            while (  # noqa: ASYNC110  # after a refusal there is nothing to wait for but time
                connection is link.connection
                and self._follows(route)
                and not await self._ask(link, connection.listen(route, _CREDIT))
            ):
                await asyncio.sleep(self._settings.backoff_most)
        for followed in tuple(self._followed.values()):
            self._say(followed, INTERESTED_FOR, link)

    async def _ask(self, link: Link, asked: Awaitable[None]) -> bool:
        """Have a conductor listen or not, within a bounded time. Returns whether it did."""
        try:
            async with asyncio.timeout(self._settings.confirm_timeout):
                with foreign_cancellation_as_broken(link.name):
                    await asked
        except (ConductorError, TimeoutError):
            return False
        except Exception:  # as where a conductor is kept connected: what it should translate must not end the node
            return False
        return True

    async def _receive(self, link: Link, connection: Connection) -> Delivery | None:
        """Wait for the next batch; None means that the connection is dead."""
        try:
            with foreign_cancellation_as_broken(link.name):
                return await connection.receive(Lane.EVENT)
        except ConductorError:
            return None
        except Exception:  # as above
            return None

    def _take(self, link: Link, delivery: Delivery) -> None:
        """Give a batch to the streams of its topic. One that cannot be read is missing, and the next one shows it."""
        try:
            events = codec_for(delivery.content_type).decode_events(delivery.body, self._bounds)
        except Malformed:
            return
        if not events or events[0].node == self._node or not self._is_way(events[0].node, link):
            return
        missing = self._arrivals.take(delivery.id, len(events))
        if missing is None:
            return
        if missing:
            events = (EventsLost(node=events[0].node, dropped=missing), *events)
        for followed in tuple(self._followed.values()):
            if followed.route == delivery.route:
                for event in events:
                    followed.offer(event)

    def _is_way(self, node: str, link: Link) -> bool:
        """Whether a node is followed on this conductor: another one brings the same, until this one has been silent."""
        now = self._monotonic()
        way, until = self._ways.pop(node, (link, now))
        if now > until or way.connection is None or self._links.get(way.name) is not way:
            way = link
        self._ways[node] = (way, now + SILENT_FOR if way is link else until)
        if len(self._ways) > _MOST_NODES:
            del self._ways[next(iter(self._ways))]
        return way is link

    # What the others are told

    async def _say_again(self) -> None:
        while True:
            await asyncio.sleep(SAID_EVERY)
            for followed in tuple(self._followed.values()):
                self._say(followed, INTERESTED_FOR)

    def _say(self, followed: Followed, seconds: float, on: Link | None = None) -> None:
        if followed.route != FLEET:
            return  # the others tell that anyway
        for link in tuple(self._links.values()) if on is None else (on,):
            body = link.codec.encode_control(followed.interest(seconds))
            self._outbound.tell(link, Frame(EVERY_NODE, body, link.codec.content_type, followed.follower))

    # The end

    def _forget(self, ring: Ring, _: object) -> None:
        """Nobody holds a stream any longer: any thread may find that out, and in the middle of anything."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave, ring)

    def _leave(self, ring: Ring) -> None:
        """Follow for a stream no more."""
        self._broadcast.leave(ring)
        followed = self._followed.pop(ring, None)
        if followed is None:
            return
        self._say(followed, 0.0)
        if not self._follows(followed.route):
            for link in tuple(self._links.values()):
                if link.connection is not None:
                    self._tasks.start(self._unlisten(link, link.connection, followed.route), "atomizer unlistens")
        if not self._followed:
            self._stop()

    async def _unlisten(self, link: Link, connection: Connection, route: Route) -> None:
        if not self._follows(route):  # again, by now
            await self._ask(link, connection.unlisten(route))

    def _follows(self, route: Route) -> bool:
        return any(followed.route == route for followed in tuple(self._followed.values()))

    def _stop(self) -> None:
        for reader in self._readers.values():
            reader.cancel()
        self._readers.clear()
        if self._sayer is not None:
            self._sayer.cancel()
        self._sayer = None
        self._arrivals = Arrivals(_MOST_NODES)
        self._ways.clear()
