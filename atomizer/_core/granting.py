"""Granting: telling the conductors of one node how much credit its routes have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .credit import allot, bounded
from .standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..registry import Registration, Registry
    from ..settings import Settings
    from .flight import Flight
    from .slots import Slots
    from .supervision import Link
    from .tasks import Tasks
    from .turns import Turns

__all__ = ("Granting",)


class Granting:
    """
    Decides the credit of a node's routes anew whenever atoms begin or cease to wait, and tells it to the conductors.

    Args:
        links: The conductors, as they are at any moment.
        flying: Everything under way, the oldest first.
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
        tasks: Tasks,
    ) -> None:
        self._registry = registry
        self._links = links
        self._slots = slots
        self._turns = turns
        self._tasks = tasks
        self._total = self._credit = settings.slots
        self._lent = 0  # slots lent when the credit was last thought about
        self._is_granting = self._is_stale = False
        self._standstill = Standstill(
            flying=flying,
            gates=turns.gates,
            find=registry.find,
            credits=self.credits,
            regrant=self._regrant,
            tasks=tasks,
            slots=settings.slots,
            suspended=settings.suspended,
        )

    def credits(self, *, without: Registration | None = None) -> dict[str, int]:
        """Decide the credit of every route, by its name."""
        bounds: dict[str, list[int | None]] = {}
        for registration in self._registry.registrations:
            if registration is not without:
                most = self._turns.most_of(registration.definition)
                bounds.setdefault(registration.definition.route, []).append(most)
        least = self._standstill.least
        return {route: bounded(self._credit, each, least.get(route, 0)) for route, each in bounds.items()}

    async def grant(self, credits: Mapping[str, int]) -> None:
        """Tell every conductor the credit of routes."""
        for link in tuple(self._links.values()):
            await link.grant(credits)

    def look(self) -> bool:
        """Think about the credit again: an atom waits, or waits no more. Returns whether to be told of the next."""
        if self._slots.lent != self._lent:
            self._lent = self._slots.lent
            credit = allot(self._total, self._lent, self._credit)
            if credit != self._credit:
                self._credit = credit
                self._regrant()
        return self._standstill.watch()

    def _regrant(self) -> None:
        """Tell the conductors of new credit. What is decided meanwhile is told after it."""
        self._is_stale = True
        if not self._is_granting:
            self._is_granting = True
            self._tasks.start(self._grant_newest(), "atomizer credit")

    async def _grant_newest(self) -> None:
        try:
            while self._is_stale:
                self._is_stale = False
                await self.grant(self.credits())
        finally:
            self._is_granting = False
