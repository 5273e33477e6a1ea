"""
The fault matrix: every fault at every step, in a thousand worlds, and no promise is broken (I1 to I6, I9, I13, I14).

A world that breaks one is told by its seed: `python -m tests.faults.replay SEED` lets it live again, and tells of it.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .conftest import MATRIX
from .worlds import PAIRS, World, live

if TYPE_CHECKING:
    from atomizer.testing.faults import FaultKind, Step

SEEDS = range(1_000)
CHUNK = 50
ENOUGH = 5
"""How often each fault is to happen at each step, in all worlds together."""


@pytest.mark.parametrize("first", SEEDS[::CHUNK], ids=lambda first: f"seeds {first} to {first + CHUNK - 1}")
def test_no_world_breaks_a_promise(first: int) -> None:
    """Whatever the transport does within its contract, and whoever comes and goes."""
    broken = [f"world {world.seed}: {sentence}" for world in worlds(first) for sentence in world.violations]

    assert not broken, f"python -m tests.faults.replay {broken[0].split()[1].rstrip(':')}"


@pytest.mark.timeout(300)
def test_every_fault_happens_at_every_step(request: pytest.FixtureRequest) -> None:
    """What a plan does not inject it does not prove."""
    hits: Counter[tuple[Step, FaultKind]] = Counter()
    for first in SEEDS[::CHUNK]:
        for world in worlds(first):
            hits += world.hits

    request.config.stash[MATRIX] = table(hits)

    assert {pair: hits[pair] for pair in PAIRS if hits[pair] < ENOUGH} == {}


@pytest.mark.parametrize("seed", range(1_000, 1_010))
def test_a_world_takes_the_same_course_again(seed: int) -> None:
    """A seed that fails can be looked at: nothing depends on anything but it."""
    first, second = course(live(seed)), course(live(seed))

    assert first == second


class Lived(NamedTuple):
    """What is kept of a world."""

    seed: int
    violations: list[str]
    hits: Counter[tuple[Step, FaultKind]]


@cache
def worlds(first: int) -> list[Lived]:
    """Let a chunk of worlds live, once for all tests."""
    chunk = (live(seed) for seed in range(first, first + CHUNK))
    return [Lived(world.seed, world.violations, world.plan.hits) for world in chunk]


def course(world: World) -> list[object]:
    """Return everything that went over a world's wires."""
    ledger = world.ledger
    sent = [(row.at, row.connection, row.route, row.id, row.outcome) for row in ledger.sent]
    received = [(row.at, row.connection, row.route, row.id) for row in ledger.received]
    settled = [(row.at, row.connection, row.route, row.id, row.settlement, row.outcome) for row in ledger.settled]
    return [*world.violations, *world.plan.injected, *sent, *received, *settled]


def table(hits: Counter[tuple[Step, FaultKind]]) -> list[str]:
    """Draw how often each fault happened at each step; a blank is no pair."""
    steps, kinds = list(dict.fromkeys(step for step, _ in PAIRS)), sorted({kind for _, kind in PAIRS})
    head = " " * 14 + "".join(f"{kind:>14}" for kind in kinds)
    rows = [
        f"{step:14}" + "".join(f"{hits[step, kind] if (step, kind) in PAIRS else '':>14}" for kind in kinds)
        for step in steps
    ]
    return [head, *rows]
