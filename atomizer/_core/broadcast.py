"""
Events to whoever listens: bounded rings that drop the oldest, and nothing told when nobody does.

What happens is kept as a record, a tuple, and becomes an event when somebody reads it. So a reader that never reads
costs a record for each event that it wants, and the room for as many as its ring keeps. Who wants what is known before:
by the kind of an event, and then by its electron and its atom.
"""

from __future__ import annotations

import asyncio
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, overload

from ..errors import EventsEnded
from ..events import (
    ElectronCompleted,
    ElectronSent,
    Event,
    EventsLost,
    PropertiesReceived,
)
from .event_filter import EVERYTHING, kinds_of
from .event_ring import BEGUN, PartialRing, WholeRing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..settings import Clock
    from .event_filter import EventFilter
    from .event_ring import Record, Ring, Tell, TellBegun

__all__ = ("Broadcast", "EventStream")

E = TypeVar("E", bound=Event)

Wanted: TypeAlias = "Callable[[Event], object]"
"""Says of an event whether it is the one that is waited for."""

WaitBy: TypeAlias = "Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]"
"""How a reader waits: one inside of an atom lends its slot meanwhile."""

_ROUTINE: tuple[type[Event], ...] = (ElectronSent, *BEGUN, ElectronCompleted, PropertiesReceived)


class EventStream:
    """
    An async iterator over events, as they come.

    It keeps a bounded number of events for a slow reader and drops the oldest beyond that; the next read then gives an
    `EventsLost` that says how many. It ends when the runtime stops, or when it is closed. Nothing waits for it.
    """

    def __init__(self, node: str, ring: Ring, leave: Callable[[Ring], None], wait_by: WaitBy | None) -> None:
        self._node = node
        self._ring = ring
        self._leave = leave
        self._wait_by = wait_by
        self._ended = False

    @property
    def dropped(self) -> int:
        """How many events were dropped in all."""
        return self._ring.dropped

    @property
    def unread(self) -> int:
        """How many events are kept for the reader."""
        return self._ring.size

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
        ring = self._ring
        while ring.passed == ring.told:
            if self._ended:
                raise StopAsyncIteration
            await (self._wait() if self._wait_by is None else self._wait_by(self._wait))
        return self._next(ring)

    def read_nowait(self) -> Event | None:
        """Return the next event if there is one; else None."""
        return self._next(self._ring) if self._ring.passed != self._ring.told else None

    def _next(self, ring: Ring) -> Event:
        if dropped := ring.pass_dropped():
            return EventsLost(dropped=dropped, node=self._node)
        return self._event_of(*ring.take())

    def _event_of(self, seq: int, record: Any) -> Event:
        """Make an event of what the ring has kept."""
        return _event_of(self._node, seq, record)

    @overload
    async def wait_for(self, wanted: type[E], *, timeout: float | None = None) -> E: ...  # noqa: ASYNC109
    @overload
    async def wait_for(
        self,
        wanted: str | Wanted,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Event: ...
    async def wait_for(self, wanted: Any, *, timeout: float | None = None) -> Event:  # noqa: ASYNC109  # most need one
        """
        Wait for the next event that is wanted. Those before it are read, and gone.

        Args:
            wanted: A class of events, the name of a kind on the wire, or a function that says of an event whether it
                is the one.
            timeout: Seconds to wait at most; None waits until the stream ends. What is kept already is looked at
                first, whatever the time.

        Raises:
            EventsEnded: The stream has ended without one.
            TimeoutError: None came in time.
            ValueError: There is no kind of that name.
            TypeError: It is neither a kind of event nor a function.
            RuntimeError: Another reader waits on this stream already.

        Cancellation: nothing is lost but what was looked at.
        """
        is_wanted = _wanted(wanted)
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                async for event in self:
                    if is_wanted(event):
                        return event
        except TimeoutError:
            if not limit.expired():
                raise  # the caller's own function has raised it
            raise TimeoutError(f"no event that is wanted came within {timeout:g} s") from None
        raise EventsEnded("the stream has ended without an event that is wanted")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream. What it kept can still be read."""
        self.end()

    def __repr__(self) -> str:
        state, ring = "ended" if self._ended else "open", self._ring
        return f"<EventStream {state}, {ring.size} of {ring.buffer} kept, {ring.dropped} dropped>"

    async def _wait(self) -> None:
        ring = self._ring
        if ring.waiter is not None:
            raise RuntimeError("an event stream has one reader at a time: open another with runtime.events()")
        ring.waiter = asyncio.get_running_loop().create_future()
        try:
            await ring.waiter
        finally:
            ring.waiter = None

    def end(self) -> None:
        """Take no more events. What is kept can still be read."""
        self._ended = True
        self._leave(self._ring)
        self._ring.wake()


def _event_of(node: str, seq: int, record: Record) -> Event:
    kind, at_ns, electron_id, atom_id, conductor, attempt, more = record
    return kind(
        node=node,
        seq=seq,
        at_ns=at_ns,
        electron_id=electron_id,
        atom_id=atom_id,
        conductor=conductor,
        attempt=attempt,
        **(more or {}),
    )


def _wanted(wanted: type[Event] | str | Wanted) -> Wanted:
    """Make a function of what is wanted, and refuse what no event could ever be."""
    if callable(wanted) and not isinstance(wanted, type):
        return wanted
    kinds = kinds_of((wanted,))
    return lambda event: kinds is not None and type(event) in kinds


class Broadcast:
    """
    Where a runtime tells what happens.

    Attributes:
        listening: Whether anybody listens: look here before anything is worked out for an event.
        routine: Whether anybody listens to what each electron does that goes well: to its being sent, received,
            bonded, completed or answered.
        tell: As `emit`, with the fields in their order, and quicker; look at `listening` or `routine` before.
    """

    def __init__(self, node: str, clock: Clock) -> None:
        self._node = node
        self._utc_ns = clock.utc_ns
        self._streams: dict[Ring, weakref.ref[EventStream]] = {}
        self._general: tuple[Ring, ...] = ()
        self._followers: dict[str, tuple[Ring, ...]] = {}
        self._by_kind: dict[type[Event], tuple[Ring, ...]] = {}
        self._has_narrow = False
        self._sole: WholeRing | None = None
        self._seq = 0
        self._dropped_before = 0
        self._ended = False
        self.listening: bool = False
        self.routine: bool = False
        self.tell: Tell = self._tell_many
        self.tell_begun: TellBegun = self._tell_many_begun

    def stream(self, buffer: int, wanted: EventFilter = EVERYTHING, wait_by: WaitBy | None = None) -> EventStream:
        """
        Open a stream. A stream that nobody holds any more is forgotten; one opened after the end has ended.

        Raises:
            ValueError: The buffer holds less than one event.
        """
        if buffer < 1:
            raise ValueError(f"a stream keeps at least 1 event for its reader: buffer={buffer}")
        self._settle()
        ring = WholeRing(buffer, wanted, self._seq) if wanted == EVERYTHING else PartialRing(buffer, wanted)
        stream = EventStream(self._node, ring, self.leave, wait_by)
        self.join(ring, stream)
        return stream

    def join(self, ring: Ring, stream: EventStream) -> None:
        """Tell a ring what it wants from now on, until it leaves or the stream that reads it is forgotten."""
        if self._ended:
            stream.end()
        else:
            self._join(ring, weakref.ref(stream, partial(self._forget, ring)))

    def emit(  # as an event has them
        self,
        kind: type[Event],
        *,
        electron_id: str = "",
        atom_id: str = "",
        conductor: str = "",
        attempt: int = 0,
        **more: Any,
    ) -> None:
        """Tell who wants to know. If nobody does, no record is made, and no number is used."""
        if self.listening:
            self.tell(kind, 0, electron_id, atom_id, conductor, attempt, more)

    def end(self) -> None:
        """End every stream, now and to come."""
        self._ended = True
        for ref in tuple(self._streams.values()):
            if (stream := ref()) is not None:
                stream.end()

    @property
    def dropped(self) -> int:
        """How many events were dropped in all, by streams that are closed or forgotten too."""
        return self._dropped_before + sum(ring.dropped for ring in tuple(self._streams))

    def _tell_many(  # noqa: PLR0917  # as `Tell`
        self,
        kind: type[Event],
        at_ns: int,
        electron_id: str,
        atom_id: str,
        conductor: str,
        attempt: int,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Tell those who want to know. `at_ns` is when it happened, just now; 0 has the clock read."""
        rings = self._by_kind.get(kind)
        if rings is None:
            rings = self._find(kind)
        if self._has_narrow:
            rings = tuple(ring for ring in rings if ring.wanted.fits(electron_id, atom_id))
        if electron_id in self._followers:
            rings += self._find_followers(kind, electron_id, atom_id)
        if not rings:
            return
        self._seq = seq = self._seq + 1
        record = (kind, at_ns or self._utc_ns(), electron_id, atom_id, conductor, attempt, more)
        for ring in rings:
            ring.keep(seq, record)

    def _tell_many_begun(self, at_ns: int, electron_id: str, atom_id: str, conductor: str, attempt: int) -> None:
        for kind in BEGUN:
            self._tell_many(kind, at_ns, electron_id, atom_id, conductor, attempt)

    # Who listens: a stream may be forgotten at any moment, so what is gone through is replaced and never changed.

    def _find(self, kind: type[Event]) -> tuple[Ring, ...]:
        """Find who takes a kind, and know it from now on."""
        by_kind = self._by_kind
        by_kind[kind] = found = tuple(ring for ring in self._general if ring.wanted.takes(kind))
        return found

    def _find_followers(self, kind: type[Event], electron_id: str, atom_id: str) -> tuple[Ring, ...]:
        followers = self._followers.get(electron_id, ())
        return tuple(ring for ring in followers if ring.wanted.takes(kind) and ring.wanted.fits(electron_id, atom_id))

    def _join(self, ring: Ring, stream: weakref.ref[EventStream]) -> None:
        followed = ring.wanted.electron_id
        self._streams[ring] = stream
        if followed is None:
            self._general = (*self._general, ring)
        else:
            self._followers[followed] = (*self._followers.get(followed, ()), ring)
        self._see_who_listens()

    def leave(self, ring: Ring) -> None:
        """Tell a ring nothing any more."""
        if self._streams.pop(ring, None) is None:
            return
        self._dropped_before += ring.dropped
        followed = ring.wanted.electron_id
        if followed is None:
            self._general = tuple(other for other in self._general if other is not ring)
        elif left := tuple(other for other in self._followers[followed] if other is not ring):
            self._followers[followed] = left
        else:
            del self._followers[followed]
        self._see_who_listens()

    def _forget(self, ring: Ring, _: object) -> None:
        self.leave(ring)

    def _see_who_listens(self) -> None:
        general, followers = self._general, self._followers
        self._by_kind = {}
        self._has_narrow = any(ring.wanted.atom_id is not None for ring in general)
        self.listening = bool(self._streams)
        self.routine = bool(followers) or any(ring.wanted.takes(kind) for ring in general for kind in _ROUTINE)
        self._settle()
        only = general[0] if len(general) == 1 and not followers else None
        self._sole = only if isinstance(only, WholeRing) else None
        tellers = None if self._sole is None else self._sole.tellers(self._utc_ns)
        self.tell, self.tell_begun = tellers or (self._tell_many, self._tell_many_begun)

    def _settle(self) -> None:
        """Learn how many numbers the one that is told alone has used."""
        if self._sole is not None:
            self._seq = self._sole.seq
