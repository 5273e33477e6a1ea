"""Publishing: what a node tells its fleet. What went wrong always, and the rest while somebody follows it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..cancellation import foreign_cancellation_as_broken
from ..conductor import Frame, Route
from ..errors import ConductorError
from ..event_words import without_secrets
from ..events import Event, EventsLost
from .event_batches import ERRORS, FLEET, batch_id, written
from .event_filter import ERROR_KINDS, EventFilter
from .interests import Interested, interested, union_of, wants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..control import Interest
    from ..settings import Settings
    from .alarm import Alarm
    from .broadcast import Broadcast, EventStream
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Publication", "Publishing")

MOST_IN_A_BATCH = 256
"""Events of one frame: some 50 kB, and a third of a millisecond to write."""
MOST_FOLLOWERS = 256
"""Followers that are remembered; beyond that the one whose interest ends first makes room."""
GATHERED_FOR = 0.005
"""Seconds for which the first event of a batch waits for others."""


class Publishing:
    """
    The publications of one node: two for each of its conductors.

    Args:
        reaches_others: Says whether there may be anybody who listens; if not, nothing is published.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        broadcast: Broadcast,
        alarm: Alarm,
        tasks: Tasks,
        reaches_others: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._monotonic = settings.clock.monotonic
        self._broadcast = broadcast
        self._alarm = alarm
        self._tasks = tasks
        self._reaches_others = reaches_others
        self._links: dict[str, Link] = {}
        self._errors: dict[str, Publication] = {}
        self._fleet: dict[str, Publication] = {}
        self._interested: dict[tuple[str, str], Interested] = {}
        alarm.watch(self._interested.values(), self._end)

    def join(self, link: Link) -> None:
        """Publish on a conductor too."""
        self._links[link.name] = link
        if self._reaches_others():
            for each in self._links.values():
                if each.name not in self._errors:
                    self._errors[each.name] = publication = self._publication(each, ERRORS)
                    publication.tune(EventFilter(kinds=ERROR_KINDS))

    async def leave(self, link: Link, seconds: float) -> None:
        """Publish no more on a conductor; what is under way is still sent, if that takes no longer."""
        self._links.pop(link.name, None)
        for key in [key for key in self._interested if key[0] == link.name]:
            del self._interested[key]
        both = (self._errors.pop(link.name, None), self._fleet.pop(link.name, None))
        await self._close([each for each in both if each is not None], seconds)

    async def close(self, seconds: float) -> None:
        """Publish nothing any more; what is under way is still sent, if that takes no longer."""
        left = [*self._errors.values(), *self._fleet.values()]
        self._errors.clear()
        self._fleet.clear()
        self._links.clear()
        await self._close(left, seconds)

    def hear(self, link: Link, interest: Interest) -> None:
        """Take note of an interest: from now on, for as long as it lasts, what it is in is published."""
        key = (link.name, interest.follower)
        if link.name not in self._links:
            return
        if interest.seconds > 0:
            self._interested.pop(key, None)
            self._interested[key] = heard = interested(interest, link.name, self._monotonic())
            self._alarm.wake_by(heard.due)
            if len(self._interested) > MOST_FOLLOWERS:
                self._forget(min(self._interested, key=lambda each: self._interested[each].due))
            self._tune(link.name)
        elif key in self._interested:
            self._forget(key)

    def _end(self, over: Interested) -> None:
        """An interest has come to its end: its follower is gone, or what it said was lost."""
        for key in [key for key, each in self._interested.items() if each is over]:
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        del self._interested[key]
        self._tune(key[0])

    def _tune(self, name: str) -> None:
        everybody = [each for each in self._interested.values() if each.link == name]
        if everybody and name not in self._fleet:
            self._fleet[name] = self._publication(self._links[name], FLEET)
        if name in self._fleet:
            self._fleet[name].tune(union_of(everybody), everybody)

    def _publication(self, link: Link, route: Route) -> Publication:
        row = f"{self._settings.random.getrandbits(64):016x}"
        return Publication(link, route, row, settings=self._settings, broadcast=self._broadcast, tasks=self._tasks)

    async def _close(self, publications: Sequence[Publication], seconds: float) -> None:
        """End publications. One whose conductor is away has nowhere to send what is left."""
        tasks = [task for each in publications for task in each.close()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        await self._tasks.end(tasks, seconds)


class Publication:
    """
    One row of events on one topic of one conductor.

    One task waits until there is something, gathers what comes in the next moment, and sends it. What happens while it
    sends, or while its conductor is away, is kept in the ring of its stream, which drops the oldest: nobody waits for
    it. Of its own trouble it tells nothing, because that would be something to publish.
    """

    def __init__(
        self, link: Link, route: Route, row: str, *, settings: Settings, broadcast: Broadcast, tasks: Tasks
    ) -> None:
        self._link = link
        self._route = route
        self._row = row
        self._settings = settings
        self._broadcast = broadcast
        self._tasks = tasks
        self._next = 1
        self._tuned_to: EventFilter | None = None
        self._everybody: Sequence[Interested] | None = None
        self._stream: EventStream | None = None
        self._streams: deque[EventStream] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<Publication of {self._route} on {self._link.name!r}, {self._next - 1} so far>"

    def tune(self, wanted: EventFilter | None, everybody: Sequence[Interested] | None = None) -> None:
        """
        Publish something else from now on. What happened before is still published.

        Args:
            wanted: What to listen to; None means nothing.
            everybody: Those of whom one at least must want an event; None means that it is wanted anyway.
        """
        if everybody or not self._everybody:  # else what is still in a ring was wanted by those before
            self._everybody = everybody
        if wanted == self._tuned_to:
            return
        self._tuned_to = wanted
        if self._stream is not None:
            self._stream.end()
        self._stream = None
        if wanted is not None:
            self._stream = self._broadcast.stream(self._settings.event_ring, wanted)
            self._streams.append(self._stream)
            if self._task is None:
                self._task = self._tasks.start(self._publish(), f"atomizer publishes {self._route} {self._link.name}")

    def close(self) -> Sequence[asyncio.Task[None]]:
        """Publish nothing new. Returns the task that still sends what is left, if it can."""
        self.tune(None)
        if not self._closing.done():
            self._closing.set_result(None)
        task = self._task
        if task is not None and self._link.connection is None:
            task.cancel()
        return () if task is None else (task,)

    async def _publish(self) -> None:
        try:
            while self._streams:
                stream = self._streams.popleft()
                async for event in stream:
                    if await self._link.next_connection() is None:
                        return
                    await self._gather(stream)
                    for first, events in self._placed(_taken(event, stream)):
                        await self._send(first, events)
        finally:
            self._task = None

    async def _gather(self, stream: EventStream) -> None:
        """Wait for what comes in the next moment, unless there is enough, or no time."""
        if stream.unread < MOST_IN_A_BATCH and not self._closing.done():
            await asyncio.wait((self._closing,), timeout=GATHERED_FOR)

    def _placed(self, taken: Iterator[Event]) -> Iterator[tuple[int, list[Event]]]:
        """Give what is wanted its places in the row, and what was dropped places of its own."""
        events: list[Event] = []
        for event in taken:
            if isinstance(event, EventsLost):
                if events:
                    yield self._next - len(events), events
                    events = []
                self._next += event.dropped
            elif self._everybody is None or wants(event, self._everybody):
                events.append(without_secrets(event))
                self._next += 1
        if events:
            yield self._next - len(events), events

    async def _send(self, first: int, events: Sequence[Event]) -> None:
        link, codec = self._link, self._link.codec
        for place, body in written(first, events, codec.encode_events, link.most_bytes):
            frame = Frame(self._route, body, codec.content_type, batch_id(self._row, place))
            if not link.send_nowait(frame):
                await self._post(frame)

    async def _post(self, frame: Frame) -> None:
        """Send a frame: once, for this lane may lose it."""
        connection = self._link.connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(self._settings.confirm_timeout):
                with foreign_cancellation_as_broken(self._link.name):
                    await connection.send(frame)
        except (ConductorError, TimeoutError):
            return
        except Exception:  # what a conductor should translate must not end the node for the sake of an event
            return


def _taken(first: Event, stream: EventStream) -> Iterator[Event]:
    """Take what a stream has, up to a batch."""
    yield first
    for _ in range(MOST_IN_A_BATCH - 1):
        event = stream.read_nowait()
        if event is None:
            return
        yield event
