"""
Liveness: whether work that exists gets done. A node may be connected, and well by every figure, and do nothing.

It is judged whenever somebody looks, from what is there anyway: an electron pays nothing for it, and nothing ticks.
From one look to the next it is remembered what was there, and since when that has not moved. So a node that does
nothing is noticed by the second look, `Settings.stalled_after` behind the first; whoever asks for the health every few
seconds notices it that much later at most.

What is under way is no reason by itself: an atom may run as long as its electron lets it. Work stands still where

- **no slot is free, and no end is in sight**: none of those who hold one has a limit or a deadline that is still to
  come. As long as one has, a slot comes free then, and what has promised to end is not taken for stuck before.
- **electrons wait that could be taken, and none is**: slots are free, the route has credit left, and the conductor
  brings nothing, however long those run that are under way.
- **electrons wait for those who hold their route's credit, and no end is in sight**: an atom with a `concurrency`, or
  what a slow start lets nothing run beside.

and in each case nothing has come and nothing has ended since. While slots are free and nothing waits, nothing stands
still, whatever runs. An atom that may well run for longer than `Settings.stalled_after` is given a limit; then there is
an end in sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ..errors import ConductorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..conductor import Route
    from ..settings import Settings
    from .flight import Flight
    from .flights import Flights
    from .intake import Intake
    from .report import Report
    from .slots import Slots
    from .supervision import Link

__all__ = ("Liveness", "Queue", "Stall", "stalls")


class Queue(Struct, frozen=True):
    """The electrons that wait on one route of one conductor."""

    name: str
    """The route and the conductor, for people."""
    waiting: int
    """How many wait that could be taken."""
    credit: int
    """How many deliveries of it may be held."""
    held: int
    """How many are."""


class Stall(Struct, frozen=True):
    """What stands still, at one moment."""

    queued: int
    """How many electrons wait on the routes of the node."""
    seconds: float
    """Since when, as far as anybody looked."""
    reasons: tuple[str, ...]
    """What stands still, for people."""


def stalls(slots: int, free: int, ending: int, queues: Iterable[Queue]) -> tuple[str, ...]:
    """
    Decide what of the work stands still if nothing moves.

    Args:
        slots: How many electrons run at once.
        free: How many slots nobody holds.
        ending: How many of those that hold a slot have a limit or a deadline that is still to come.
        queues: What waits.
    """
    if free <= 0:
        return () if ending else (f"all {slots} slots are held, and no limit or deadline ends any of it",)
    found: list[str] = []
    for queue in queues:
        if queue.waiting and queue.held < queue.credit:
            found.append(f"{queue.name} has {queue.waiting} waiting, slots are free, and none comes")
        elif queue.waiting and not ending:
            found.append(f"{queue.name} has {queue.waiting} waiting, and nothing says that those under way end")
    return tuple(found)


class Liveness:
    """
    Looks at one node.

    Args:
        links: The conductors, as they are at any moment.
    """

    def __init__(
        self,
        slots: Slots,
        settings: Settings,
        flights: Flights,
        report: Report,
        links: Mapping[str, Link],
        intake: Intake,
    ) -> None:
        self._slots = slots
        self._total = settings.slots
        self._flights = flights
        self._report = report
        self._links = links
        self._intake = intake
        self._monotonic = settings.clock.monotonic
        self._mark: object = None
        self._since = 0.0

    def look(self) -> Stall:
        """Look what stands still, and since when."""
        now, queues = self._monotonic(), self._queues()
        queued = sum(queue.waiting for queue in queues)
        reasons = stalls(self._total, self._slots.free, self._ending(now), queues)
        mark = (self._flights.completed, self._report.failed, self._newest()) if reasons else None
        if mark is None or mark != self._mark:
            self._since = now
        self._mark = mark
        return Stall(queued, now - self._since, reasons)

    def _queues(self) -> list[Queue]:
        held: dict[tuple[str, object], int] = {}
        for flight in self._flights.flying:
            key = flight.link.name, flight.delivery.route
            held[key] = held.get(key, 0) + 1
        return [
            Queue(f"{route} of conductor {name!r}", _offered(link, route), credit, held.get((name, route), 0))
            for name, link in self._links.items()
            for route, credit in link.credits.items()
            if self._intake.takes(name, route.name)
        ]

    def _ending(self, now: float) -> int:
        return sum(_has_slot(flight) and now < flight.until < float("inf") for flight in self._flights.flying)

    def _newest(self) -> object:
        newest = next(reversed(self._flights.flying), None)
        return None if newest is None else (newest.delivery.id, newest.started_ns)


def _offered(link: Link, route: Route) -> int:
    """Return how many electrons could come of a route, as far as its conductor says."""
    try:
        return 0 if link.connection is None else link.connection.offered(route) or 0
    except ConductorError:
        return 0  # its keeper meets the same, and says so


def _has_slot(flight: Flight) -> bool:
    return not (flight.lends or flight.waits or flight.abandoned)
