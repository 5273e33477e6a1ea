"""
Standstill: atoms of this node that wait for each other so that none of them can ever go on.

An atom waits for its children; a child waits at its gate for those inside; and one that has not come may wait for the
credit of its route, which those hold that came by it. Where the last is so, more credit helps. Where it is not, the
newest of the children that wait at a gate is refused, so that the others go on.

What happens on other nodes cannot be seen from here: an electron that is not here goes on by itself.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias, cast

from ..errors import TooManyWaiting, WaitsForItself
from .circle import circle, standing_still
from .credit import widened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ..registry import Registration
    from .flight import Child, Flight
    from .gate import Gate
    from .tasks import Tasks

    Waiting: TypeAlias = Flight | str
    """A flight, or a route whose credit is used up."""

__all__ = ("Standstill",)


class Standstill:
    """
    Watches the gates of a node. It looks at all that is under way, but only while a gate is full of atoms that wait.

    Args:
        flying: Everything under way, the oldest first.
        gates: The gates in use, by atom id.
        find: Returns the atom of an id.
        credits: Decides the credit of every route.
        regrant: Tells the conductors of new credit.
        slots: How many electrons run at once.
        suspended: How many atoms may wait at once.

    Attributes:
        least: The least credit of routes that need more than their atoms can use at once.
    """

    def __init__(
        self,
        *,
        flying: Collection[Flight],
        gates: Mapping[str, Gate[Flight]],
        find: Callable[[str], Registration | None],
        credits: Callable[[], dict[str, int]],
        regrant: Callable[[], None],
        tasks: Tasks,
        slots: int,
        suspended: int,
    ) -> None:
        self.least: dict[str, int] = {}
        self._flying = flying
        self._gates = gates
        self._find = find
        self._credits = credits
        self._regrant = regrant
        self._tasks = tasks
        self._most = slots + suspended
        self._suspended = suspended
        self._is_to_look = False

    def watch(self) -> bool:
        """Look closer soon, if need be. Returns whether to be called again when something has moved."""
        is_full = next(self._full(), None) is not None
        if is_full and not self._is_to_look:
            self._is_to_look = True
            self._tasks.start(self._look(), "atomizer standstill")
        if self.least:
            self._take_back()
        return is_full or bool(self.least)

    def _full(self) -> Iterator[Gate[Flight]]:
        """Give the gates that are full of atoms that wait."""
        for gate in self._gates.values():
            if len(gate.inside) >= gate.most and all(flight.waits_for_children for flight in gate.inside):
                yield gate

    def _take_back(self) -> None:
        """Take back the credit of routes at whose gates nobody waits, and inside of which nobody does."""
        crowded = {
            self._route_of(atom_id)
            for atom_id, gate in self._gates.items()
            if gate.waiting or any(flight.lends for flight in gate.inside)
        }
        if over := self.least.keys() - crowded:
            for route in over:
                del self.least[route]
            self._regrant()

    def _route_of(self, atom_id: str) -> str | None:
        registration = self._find(atom_id)
        return None if registration is None else registration.definition.route

    async def _look(self) -> None:
        self._is_to_look = False
        for gate in tuple(self._full()):
            view = _View(self._flying, self._route_of, self._credits)
            inside: Waiting = next(iter(gate.inside))
            if still := standing_still(inside, view.waits_for):
                self._end(still, view)

    def _end(self, still: tuple[Waiting, ...], view: _View) -> None:
        """End a standstill: by more credit where that may help, else by refusing one electron."""
        routes = [each for each in still if isinstance(each, str)]
        flights = {each: None for each in still if not isinstance(each, str)}
        if not routes:
            self._refuse([each for each in self._flying if each in flights and is_queueing(each)][-1], view)
        elif not self._widen(routes, view):
            for child in [child for flight in flights for child in view.missing(flight)]:
                child.abort()
                child.fail(TooManyWaiting(self._suspended))

    def _widen(self, routes: list[str], view: _View) -> bool:
        """Give routes more credit. Returns whether there is more to give."""
        wider = {route: widened(len(view.held[route]), self._most) for route in routes}
        more = {route: credit for route, credit in wider.items() if credit > view.credits[route]}
        self.least.update(more)
        if more:
            self._regrant()
        return bool(more)

    def _refuse(self, flight: Flight, view: _View) -> None:
        assert flight.turn is not None and flight.turn.queue is not None  # noqa: PT018, S101  # it queues
        gate, start = flight.turn.queue, cast("Waiting", flight)
        names = [each if isinstance(each, str) else atom_of(each) for each in circle(start, view.waits_for)]
        told = [name for before, name in pairwise([names[-1], *names]) if name != before]
        gate.turn_away(flight, WaitsForItself(atom_of(flight), gate.most, tuple(told or names[:1])))


class _View:
    """Who waits for whom, at one moment."""

    def __init__(
        self,
        flying: Collection[Flight],
        route_of: Callable[[str], str | None],
        credits: Callable[[], dict[str, int]],
    ) -> None:
        self._flying = flying
        self._route_of = route_of
        self._decide = credits

    @cached_property
    def credits(self) -> dict[str, int]:
        """The credit of every route."""
        return self._decide()

    @cached_property
    def held(self) -> dict[str, list[Flight]]:
        """What has come by each route."""
        held: dict[str, list[Flight]] = {}
        for flight in self._flying:
            if flight.registration is not None:
                held.setdefault(flight.registration.definition.route, []).append(flight)
        return held

    @cached_property
    def _here(self) -> dict[str, Flight]:
        return {flight.delivery.id: flight for flight in self._flying}

    def waits_for(self, waiting: Waiting) -> list[Waiting]:
        """Give those of whom one must go on before somebody does; nobody if they may go on by themselves."""
        if isinstance(waiting, str):
            held = self.held.get(waiting, [])
            return list(held) if len(held) >= self.credits.get(waiting, len(held) + 1) else []
        if waiting.told is not None or waiting.abandoned or waiting.is_over:
            return []
        if is_queueing(waiting):
            assert waiting.turn is not None and waiting.turn.queue is not None  # noqa: PT018, S101  # it queues
            return list(waiting.turn.queue.inside)
        if not waiting.waits_for_children:
            return []
        return [self._place_of(child) for child in waiting.children or () if not child.done]

    def missing(self, flight: Flight) -> list[Child]:
        """Give the children of an atom that have not come here."""
        return [child for child in flight.children or () if not child.done and child.electron_id not in self._here]

    def _place_of(self, child: Child) -> Waiting:
        return self._here.get(child.electron_id) or self._route_of(child.atom_id) or ""


def is_queueing(flight: Flight) -> bool:
    """Whether a flight waits at a gate."""
    return flight.turn is not None and flight.turn.queue is not None and flight in flight.turn.queue.waiting


def atom_of(flight: Flight) -> str:
    """Return the id of a flight's atom."""
    return "" if flight.electron is None else flight.electron.atom_id
