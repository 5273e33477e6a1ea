"""
Event rings: what is kept of what happened for a reader of events, until it reads.

Six times for each electron a ring is told something, and most of that is dropped unread. What it costs then is less
what is done than the memory that has to be touched again to be dropped: of a ring of 16 events a reader costs half of
what it costs of 1,024. So a record is a single tuple, what happens in one breath shares one, and a ring of everything
counts its events instead of keeping their numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..events import ElectronAdmitted, ElectronBonded, ElectronReceived, Event

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator

    from .event_filter import EventFilter

__all__ = ("BEGUN", "PartialRing", "Record", "Ring", "Tell", "TellBegun", "WholeRing")

Record: TypeAlias = "tuple[type[Event], int, str, str, str, int, dict[str, Any] | None]"
"""Of an event: its kind, `at_ns`, `electron_id`, `atom_id`, `conductor`, `attempt`, and what else it has."""

Begun: TypeAlias = "tuple[None, int, str, str, str, int, None]"
"""Likewise of all of `BEGUN` at once."""

BEGUN: tuple[type[Event], ...] = (ElectronReceived, ElectronAdmitted, ElectronBonded)
"""What an electron does in one breath that may be started when it comes, and is."""

TellBegun: TypeAlias = "Callable[[int, str, str, str, int], None]"


class Tell(Protocol):
    """Tells an event."""

    def __call__(  # noqa: PLR0917  # by name they would cost twice as much
        self,
        kind: type[Event],
        at_ns: int,
        electron_id: str,
        atom_id: str,
        conductor: str,
        attempt: int,
        more: dict[str, Any] | None = None,
        /,
    ) -> None:
        """
        Tell who wants to know.

        Args:
            at_ns: When it happened, by a reading just made; 0 has the clock read.
            more: What the event has besides.
        """
        ...


class Ring(ABC):
    """
    What is kept for one reader: the newest events that it wants and has not read.

    They are counted from 1. What it was told before the newest `buffer` ones is dropped.

    Attributes:
        wanted: What it takes.
        told: The number of the last event it was told.
        passed: The number of the last event that was read, or was dropped and is known to be.
        waiter: Who waits for the next.
    """

    __slots__ = ("_lost", "buffer", "passed", "told", "waiter", "wanted")

    def __init__(self, buffer: int, wanted: EventFilter) -> None:
        self.wanted: EventFilter = wanted
        self.buffer: int = buffer
        self.told: int = 0
        self.passed: int = 0
        self._lost = 0
        self.waiter: asyncio.Future[None] | None = None

    @abstractmethod
    def keep(self, seq: int, record: Record) -> None:
        """Keep an event, and drop the oldest if there is no room."""

    @abstractmethod
    def take(self) -> tuple[int, Record]:
        """Take the oldest event out, once what was dropped is passed."""

    @property
    def size(self) -> int:
        """How many events are kept."""
        return min(self.buffer, self.told - self.passed)

    @property
    def dropped(self) -> int:
        """How many events were dropped in all."""
        return self._lost + self._gone

    @property
    def _gone(self) -> int:
        return max(0, self.told - self.buffer - self.passed)

    def pass_dropped(self) -> int:
        """Go on to the oldest event that is kept, and return how many were dropped before it."""
        gone = self._gone
        self.passed += gone
        self._lost += gone
        return gone

    def wake(self) -> None:
        """Let who waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class PartialRing(Ring):
    """A ring of some events, with their numbers on the node."""

    __slots__ = ("_kept",)

    def __init__(self, buffer: int, wanted: EventFilter) -> None:
        super().__init__(buffer, wanted)
        self._kept: deque[tuple[int, Record]] = deque(maxlen=buffer)

    def keep(self, seq: int, record: Record) -> None:
        """Keep an event, and drop the oldest if there is no room."""
        self.told += 1
        self._kept.append((seq, record))
        if self.waiter is not None:
            self.wake()

    def take(self) -> tuple[int, Record]:
        """Take the oldest event out."""
        self.passed += 1
        return self._kept.popleft()


class WholeRing(Ring):
    """
    A ring of everything: no number on the node is left out.

    Attributes:
        since: The last number on the node before its first event.
    """

    __slots__ = ("_kept", "_opened", "_opened_to", "since")

    def __init__(self, buffer: int, wanted: EventFilter, since: int) -> None:
        super().__init__(buffer, wanted)
        self.since = since
        self._kept: deque[Record | Begun] = deque(maxlen=buffer)  # each of an event or more: never too few
        self._opened: deque[Record] = deque()
        self._opened_to = 0

    @property
    def seq(self) -> int:
        """The number on the node of the last event it was told."""
        return self.since + self.told

    def keep(self, seq: int, record: Record) -> None:
        """Keep an event, and drop the oldest if there is no room."""
        self.told += 1
        self._kept.append(record)
        if self.waiter is not None:
            self.wake()

    def take(self) -> tuple[int, Record]:
        """Take the oldest event out."""
        self.passed += 1
        if self._opened_to < self.passed:
            self._opened = deque(_opened(self._kept))
            self._opened_to = self.told
            self._kept.clear()
        for _ in range(len(self._opened) - 1 - (self._opened_to - self.passed)):
            self._opened.popleft()  # passed already
        return self.since + self.passed, self._opened.popleft()

    def tellers(self, utc_ns: Callable[[], int]) -> tuple[Tell, TellBegun]:
        """Make what tells this ring alone, as `Broadcast.tell` and `tell_begun` do."""
        keep, begun = self._kept.append, len(BEGUN)

        def tell(  # noqa: PLR0917  # as `Tell`
            kind: type[Event],
            at_ns: int,
            electron_id: str,
            atom_id: str,
            conductor: str,
            attempt: int,
            more: dict[str, Any] | None = None,
        ) -> None:
            self.told += 1
            keep((kind, at_ns or utc_ns(), electron_id, atom_id, conductor, attempt, more))
            if self.waiter is not None:
                self.wake()

        def tell_begun(at_ns: int, electron_id: str, atom_id: str, conductor: str, attempt: int) -> None:
            self.told += begun
            keep((None, at_ns, electron_id, atom_id, conductor, attempt, None))
            if self.waiter is not None:
                self.wake()

        return tell, tell_begun


def _opened(kept: Iterable[Record | Begun]) -> Iterator[Record]:
    """Go through the events one by one."""
    for record in kept:
        if record[0] is None:
            for kind in BEGUN:
                yield (kind, *record[1:])
        else:
            yield record
