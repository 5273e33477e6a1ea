"""Events to whoever listens: bounded rings that drop the oldest, and nothing built when nobody does."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ..events import Event, EventsLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..settings import Clock

__all__ = ("Broadcast", "EventStream")


WaitBy: TypeAlias = "Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]"
"""How a reader waits: one inside of an atom lends its slot meanwhile."""


class EventStream:
    """
    An async iterator over events, as they come.

    It keeps a bounded number of events for a slow reader and drops the oldest beyond that; the next read then gives an
    `EventsLost` that says how many. It ends when the runtime stops, or when it is closed. Nothing waits for it.

    Attributes:
        dropped: How many events were dropped in all.
    """

    def __init__(self, buffer: int, wants: Callable[[Event], bool] | None, wait_by: WaitBy | None = None) -> None:
        self._ring: deque[Event] = deque()
        self._buffer = buffer
        self._wants = wants
        self._wait_by = wait_by
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._unreported = 0
        self.dropped: int = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """
        Wait for the next event.

        Raises:
            StopAsyncIteration: The runtime has stopped or the stream was closed, and everything kept was read.
            RuntimeError: Another reader waits on this stream already.

        Cancellation: nothing is lost.
        """
        while not self._ring and not self._unreported:
            if self._ended:
                raise StopAsyncIteration
            await (self._wait() if self._wait_by is None else self._wait_by(self._wait))
        if self._unreported:
            dropped, self._unreported = self._unreported, 0
            return EventsLost(dropped=dropped, node=self._ring[0].node if self._ring else "")
        return self._ring.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream. What it kept can still be read."""
        self.end()

    def __repr__(self) -> str:
        state = "ended" if self._ended else "open"
        return f"<EventStream {state}, {len(self._ring)} of {self._buffer} kept, {self.dropped} dropped>"

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("an event stream has one reader at a time: open another with runtime.events()")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def offer(self, event: Event) -> None:
        """Keep an event for the reader, if it wants it. Never waits."""
        if self._ended or (self._wants is not None and not self._wants(event)):
            return
        if len(self._ring) >= self._buffer:
            self._ring.popleft()
            self.dropped += 1
            self._unreported += 1
        self._ring.append(event)
        self._wake()

    def end(self) -> None:
        """Take no more events. What is kept can still be read."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Broadcast:
    """
    Where a runtime tells what happens.

    Attributes:
        listening: Whether anybody listens: look here before building anything.
        dropped: How many events all streams together have dropped.
    """

    def __init__(self, node: str, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._streams: list[weakref.ref[EventStream]] = []
        self._seq = 0
        self._ended = False
        self.listening: bool = False

    def stream(
        self, buffer: int, wants: Callable[[Event], bool] | None = None, wait_by: WaitBy | None = None
    ) -> EventStream:
        """
        Open a stream. A stream that nobody holds any more is forgotten; one opened after the end has ended.

        Raises:
            ValueError: The buffer holds less than one event.
        """
        if buffer < 1:
            raise ValueError(f"a stream keeps at least 1 event for its reader: buffer={buffer}")
        stream = EventStream(buffer, wants, wait_by)
        if self._ended:
            stream.end()
            return stream
        self._streams.append(weakref.ref(stream, self._forget))
        self.listening = True
        return stream

    def emit(self, kind: type[Event], **fields: Any) -> None:
        """Tell every listener. Without one nothing is built, and no number is used."""
        if not self.listening:
            return
        self._seq += 1
        event = kind(node=self._node, seq=self._seq, at_ns=self._clock.utc_ns(), **fields)
        for stream in self._open_streams():
            stream.offer(event)

    def end(self) -> None:
        """End every stream, now and to come."""
        self._ended = True
        for stream in self._open_streams():
            stream.end()

    @property
    def dropped(self) -> int:
        """How many events the open streams have dropped."""
        return sum(stream.dropped for stream in self._open_streams())

    def _open_streams(self) -> list[EventStream]:
        return [stream for ref in self._streams if (stream := ref()) is not None]

    def _forget(self, ref: weakref.ref[EventStream]) -> None:
        self._streams.remove(ref)
        self.listening = bool(self._streams)
