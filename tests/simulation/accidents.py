"""What goes wrong in a world: the faults of its wires, and what happens to its runtimes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from atomizer.testing.faults import APPLICABLE, FaultKind, Plan, Step

from .asks import BUSY

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("FAULTS", "LEAVING", "PAIRS", "Accident", "draw_accidents", "draw_plan")

FAULTS = 20
"""How much goes wrong in every world, at least."""
PAIRS = [(step, kind) for step in Step for kind in sorted(APPLICABLE[step])]
"""Every fault at every step where it may happen."""

CHANCES = {Step.CONNECT: 0.04, Step.LISTEN: 0.01, Step.CLOSE: 0.1, Step.SEND_CONTROL: 0.08}
"""How likely a fault is. At most steps it is `CHANCE`; a world has many of some, and few of others."""
CHANCE = 0.05
FREQUENT = {Step.LISTEN: 40, Step.RECEIVE: 60, Step.SEND_WORK: 50, Step.SEND_REPLY: 40, Step.SETTLE: 60}
"""How often a step comes in every world, and more; others come twice, mostly."""


def draw_plan(seed: int) -> Plan:
    """Draw the faults: a pair of a step and a fault that is this seed's own, and others by chance."""
    own = Random(f"own {seed}")
    step, kind = PAIRS[seed % len(PAIRS)]
    nth = own.randint(1, FREQUENT.get(step, 2))
    chances = {step: Random(f"{step} {seed}") for step in Step}

    def fate(at: Step, number: int) -> FaultKind | None:
        chance = chances[at]
        drawn = chance.choice(sorted(APPLICABLE[at])) if chance.random() < CHANCES.get(at, CHANCE) else None
        return kind if (at, number) == (step, nth) else drawn

    return Plan(fate, limit=FAULTS, delay=0.05, silence=2.0)


class Accident(NamedTuple):
    """Something that happens to a runtime, or to all of them."""

    at: float
    what: str
    whom: str
    """The name of a node's place, or of an asker; empty means all."""
    seconds: float
    """How long it lasts, if it does."""

    def __str__(self) -> str:
        return f"{self.at:.3f} {self.what} {self.whom} ({self.seconds:.3f} s)"


LEAVING = ("calm", "hurry", "cancelled")
"""How a node is left, and another takes its place: it finishes what it has, or gives it back."""
TO_NODES = ("cut", "offline", "blackout", "death", *LEAVING)
"""
Beside leaving: its wire is cut; it is cut, and for a while there is no other; all wires are cut; it dies, and nobody
hears of it again.
"""
TO_ASKERS = ("cut", "offline", "blackout")


def draw_accidents(chance: Random, nodes: Sequence[str], askers: Sequence[str]) -> list[Accident]:
    """Draw a few accidents, the first a node's death."""
    return [draw_accident(chance, nodes, ("death",))] + [
        draw_accident(chance, nodes, TO_NODES) if chance.random() < 0.7 else draw_accident(chance, askers, TO_ASKERS)
        for _ in range(chance.randrange(1, 4))
    ]


def draw_accident(chance: Random, whom: Sequence[str], what: Sequence[str]) -> Accident:
    """Draw one."""
    return Accident(chance.uniform(0, BUSY), chance.choice(what), chance.choice(whom), chance.uniform(0.1, 1.5))
