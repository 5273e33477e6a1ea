"""Granting: telling the conductors of one node how much credit its routes have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .credit import allot, bounded, slowed
from .standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ..registry import Registration, Registry
    from ..settings import Settings
    from .flight import Flight
    from .intake import Intake
    from .slots import Slots
    from .supervision import Link
    from .tasks import Tasks
    from .turns import Turns

__all__ = ("Granting",)


class Granting:
    """
    Decides the credit of a node's routes, and tells it to the conductors.

    It is decided anew whenever atoms begin or cease to wait, a slow start goes on, or something is paused or taken up
    again.

    Args:
        links: The conductors, as they are at any moment.
        flying: Everything under way, the oldest first.
        intake: What is paused.

    Attributes:
        total: How many electrons run at once.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        links: Mapping[str, Link],
        flying: Collection[Flight],
        slots: Slots,
        turns: Turns,
        intake: Intake,
        tasks: Tasks,
    ) -> None:
        self._registry = registry
        self._links = links
        self._flying = flying
        self._slots = slots
        self._turns = turns
        self._intake = intake
        self._tasks = tasks
        self.total: int = settings.slots
        self._credit = self.total
        self._lent = 0, 0  # slots lent when the credit was last thought about, and those that widen what is held back
        self._is_granting = self._is_stale = False
        self._standstill = Standstill(
            flying=flying,
            gates=turns.gates,
            find=registry.find,
            credits=self._least_credits,
            regrant=self.regrant,
            tasks=tasks,
            slots=settings.slots,
            suspended=settings.suspended,
        )

    @property
    def waiting_for_children(self) -> int:
        """How many atoms wait for children, their slot lent; what only waits for its next attempt does not count."""
        return sum(flight.lends and flight.pausing is None for flight in self._flying)

    def credits(self, link: Link, *, without: Registration | None = None) -> dict[str, int]:
        """Decide the credit of every route on one conductor, by the route's name."""
        credits = self._unpaused((link,), without)
        return {route: credit if self._intake.takes(link.name, route) else 0 for route, credit in credits.items()}

    async def grant(self, *, without: Registration | None = None) -> None:
        """Tell every conductor the credit of its routes. Each is told what is right when its turn comes."""
        for link in tuple(self._links.values()):
            await link.grant(self.credits(link, without=without))

    def look(self) -> bool:
        """Think about the credit again: an atom waits, or waits no more. Returns whether to be told of the next."""
        lent = self._slots.lent, self.waiting_for_children if self._holds_back(self._links.values()) else 0
        if lent != self._lent:
            self._lent = lent
            before, self._credit = self._credit, allot(self.total, self._slots.lent, self._credit)
            if self._credit != before or any(link.withheld for link in self._links.values()):
                self.regrant()
        return self._standstill.watch()

    def regrant(self) -> None:
        """Tell the conductors of new credit soon. What is decided meanwhile is told after it."""
        self._is_stale = True
        if not self._is_granting:
            self._is_granting = True
            self._tasks.start(self._grant_newest(), "atomizer credit")

    def _holds_back(self, links: Iterable[Link]) -> bool:
        """Whether nothing may come beside what is out; but children must."""
        return any(link.withheld >= self.total for link in links)

    def _unpaused(self, links: Collection[Link], without: Registration | None = None) -> dict[str, int]:
        """Decide the credit of every route, as if nothing was paused: the least of some conductors."""
        withheld = max((link.withheld for link in links), default=0)
        lent = self.waiting_for_children if self._holds_back(links) else self._slots.lent
        credit = slowed(self.total, withheld, lent, self._credit)
        bounds: dict[str, list[int | None]] = {}
        for registration in self._registry.registrations:
            if registration is not without:
                most = self._turns.most_of(registration.definition)
                bounds.setdefault(registration.definition.route, []).append(most)
        least = self._standstill.least
        return {route: bounded(credit, each, least.get(route, 0)) for route, each in bounds.items()}

    def _least_credits(self) -> dict[str, int]:
        """Decide what can come at least by every route, as long as nobody pauses it: that ends by itself."""
        return self._unpaused(self._links.values())

    async def _grant_newest(self) -> None:
        try:
            while self._is_stale:
                self._is_stale = False
                await self.grant()
        finally:
            self._is_granting = False
