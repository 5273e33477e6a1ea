"""What goes wrong in a drill: which faults, at which steps, by the chance of its seed. It only decides."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from .plan import FaultKind, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("Fate", "Fault", "Place", "places_of")

_RATE = 0.05  # how likely a fault is at each step, besides the one that is the seed's own


class Fault(StrEnum):
    """What may go wrong with an electron."""

    CRASH = "crash"
    """
    A node is gone from one moment to the next, and another takes over: before the atom runs, while it does, or when its
    reply is sent or about to be. An atom that waits is cancelled; one that does not ends, and nobody hears of it.
    """
    DUPLICATE = "duplicate"
    """An electron is delivered twice."""
    LOST_REPLY = "lost_reply"
    """
    The reply never arrives, or nobody confirms it, or the acknowledgement after it is lost. The node's connection dies
    of it, and the electron comes again.
    """


class Place(NamedTuple):
    """Where a fault may happen."""

    fault: Fault
    step: Step | None
    """None means at any moment."""
    kind: FaultKind = FaultKind.BREAK_BEFORE


_PLACES = (
    Place(Fault.CRASH, Step.SEND_REPLY, FaultKind.BREAK_BEFORE),
    Place(Fault.DUPLICATE, Step.SEND_WORK, FaultKind.DUPLICATE),
    Place(Fault.LOST_REPLY, Step.SEND_REPLY, FaultKind.DROP),
    Place(Fault.CRASH, None),
    Place(Fault.CRASH, Step.RECEIVE, FaultKind.BREAK_AFTER),
    Place(Fault.DUPLICATE, Step.RECEIVE, FaultKind.DUPLICATE),
    Place(Fault.LOST_REPLY, Step.SEND_REPLY, FaultKind.BREAK_AFTER),
    Place(Fault.CRASH, Step.SEND_REPLY, FaultKind.BREAK_AFTER),
    Place(Fault.LOST_REPLY, Step.SETTLE, FaultKind.DROP),
    Place(Fault.CRASH, Step.SETTLE, FaultKind.BREAK_BEFORE),
    Place(Fault.LOST_REPLY, Step.SEND_REPLY, FaultKind.HANG),
    Place(Fault.CRASH, Step.RECEIVE, FaultKind.BREAK_BEFORE),
)
"""Where all of them may happen; a few seeds in a row take those that differ most."""


def places_of(faults: Sequence[Fault], seen: Mapping[Step, int], seconds: float) -> tuple[Place, ...]:
    """
    Choose where some faults may happen in a program.

    Args:
        faults: What may go wrong.
        seen: How many of each step it has when nothing does.
        seconds: How long it takes then.
    """
    return tuple(
        place
        for place in _PLACES
        if place.fault in faults and (seconds > 0 if place.step is None else seen.get(place.step))
    )


class Fate:
    """
    What goes wrong for one seed: a fault that is its own, and a few by chance.

    Args:
        seed: What chance goes by; None means that nothing goes wrong.
        places: Where something may.
        seen: How many of each step the program has when nothing does.
        seconds: How long it takes then.

    Attributes:
        moment: When a node crashes, whatever it does, in seconds; None if it does not.
        drawn: The fault of each step, counted from 1, that was drawn to go wrong.
    """

    def __init__(
        self,
        seed: int | None,
        places: Sequence[Place] = (),
        seen: Mapping[Step, int] | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.seed = seed
        self.moment: float | None = None
        self.drawn: dict[tuple[Step, int], Fault] = {}
        self._own: tuple[Step, int] | None = None
        self._places = places
        self._chances = {step: Random(f"{seed} {step}") for step in Step}
        if places and seed is not None:
            self._choose(places[seed % len(places)], Random(seed), seen or Counter(), seconds)

    def draw(self, step: Step, nth: int) -> FaultKind | None:
        """Say what happens to the nth of a step, as `Plan` asks."""
        place = self._mine if (step, nth) == self._own else self._by_chance(step)
        if place is None:
            return None
        self.drawn[step, nth] = place.fault
        return place.kind

    def _choose(self, mine: Place, chance: Random, seen: Mapping[Step, int], seconds: float) -> None:
        self._mine = mine
        if mine.step is None:
            self.moment = chance.uniform(0.0, seconds)
        else:
            self._own = (mine.step, chance.randint(1, seen[mine.step]))

    def _by_chance(self, step: Step) -> Place | None:
        here = [place for place in self._places if place.step is step]
        chance = self._chances[step]
        return chance.choice(here) if chance.random() < _RATE and here else None
