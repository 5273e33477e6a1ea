"""Pausing: taking nothing new, of an atom, off a conductor, or at all, while what is under way goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from ..conductor import Conductor
from ..events import IntakePaused, IntakeResumed
from .flight import CURRENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..events import Event
    from ..registry import Registration, Registry
    from .broadcast import Broadcast
    from .flights import Flights
    from .granting import Granting
    from .intake import Intake
    from .pump import Pump
    from .supervision import Link

    Paused: TypeAlias = tuple[tuple[str, str], ...]
    """What is paused: the field of an event that names it, and its name."""

__all__ = ("Pausing",)


class Pausing:
    """
    Pauses the intake of one node, and takes it up again.

    Args:
        links: The conductors, as they are at any moment.
        until_landed: Waits until nothing is under way, or something is enough.
        is_in_vain: Whether what is under way will never end by itself.
        pumps: What takes electrons off the conductors, as they are at any moment.
        stir: Has those who wait in `until_landed` look again.
    """

    def __init__(  # noqa: PLR0913  # everything it takes to pause, by name
        self,
        *,
        intake: Intake,
        granting: Granting,
        registry: Registry,
        links: Mapping[str, Link],
        broadcast: Broadcast,
        flights: Flights,
        until_landed: Callable[[Callable[[], bool]], Awaitable[None]],
        is_in_vain: Callable[[], bool],
        pumps: Mapping[str, Pump],
        stir: Callable[[], None],
    ) -> None:
        self._intake = intake
        self._granting = granting
        self._registry = registry
        self._links = links
        self._broadcast = broadcast
        self._flights = flights
        self._until_landed = until_landed
        self._is_in_vain = is_in_vain
        self._pumps = pumps
        self._stir = stir

    @property
    def paused(self) -> tuple[str, ...]:
        """The ids of the atoms and the names of the conductors of which nothing is taken."""
        return tuple(name for _, name in self._paused())

    async def pause(self, item: Registration | Conductor) -> None:
        """Take nothing new of an atom and those that share its route, or off a conductor. Returns once that is told."""
        before = self._paused()
        if isinstance(item, Conductor):
            self._intake.pause_conductor(item.name)
        else:
            self._intake.pause_route(item.definition.route)
        await self._tell(before)

    async def resume(self, item: Registration | Conductor | None) -> None:
        """Take up again what was paused; None means what `drain` has paused. Returns once that is told."""
        before = self._paused()
        if item is None:
            self._intake.is_draining = False
        elif self._intake.is_draining:
            raise ValueError("everything is drained, so nothing can be resumed by name: resume() takes the drain back")
        elif isinstance(item, Conductor):
            self._intake.resume_conductor(item.name)
        else:
            self._intake.resume_route(item.definition.route)
        self._stir()
        await self._tell(before)

    async def drain(self, seconds: float | None) -> bool:
        """Take nothing new at all, and wait until nothing is under way. Returns whether that is so."""
        before, mine = self._paused(), CURRENT.get()
        self._intake.is_draining = True

        def is_enough() -> bool:
            left = [flight for flight in self._flights.under_way if flight is not mine]
            return not left or not self._intake.is_draining or self._is_in_vain()

        is_told = False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tell(before)
                is_told = True
                await asyncio.sleep(0)  # who was handed something before it was told begins with it now
                await self._until_landed(is_enough)
        return is_told and self._intake.is_draining and all(flight is mine for flight in self._flights.under_way)

    async def _tell(self, before: Paused) -> None:
        """Tell the conductors, and whoever listens, what is another since before."""
        after = self._paused()
        await self._granting.grant()
        for pump in tuple(self._pumps.values()):
            await pump.let_go()
        self._emit(IntakePaused, [each for each in after if each not in before])
        self._emit(IntakeResumed, [each for each in before if each not in after])

    def _emit(self, kind: type[Event], changed: list[tuple[str, str]]) -> None:
        for field, name in changed:
            if field == "conductor":
                self._broadcast.emit(kind, conductor=name)
            else:
                self._broadcast.emit(kind, atom_id=name)

    def _paused(self) -> Paused:
        atoms = (each.definition for each in self._registry.registrations)
        return (
            *(("atom_id", atom.atom_id) for atom in atoms if self._intake.holds_route(atom.route)),
            *(("conductor", name) for name in self._links if self._intake.holds_conductor(name)),
        )
