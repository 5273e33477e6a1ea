"""Many worlds, over every core: each seed is one, and knows nothing of the others."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from atomizer import Lane
from atomizer.processors import usable_cpus

from .world import World, live

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from atomizer.testing.faults import FaultKind, Step

__all__ = ("Lived", "live_all", "replay_command")

CHUNK = 20
"""Worlds that a process lets live before it tells of them, and after which their garbage is collected."""


class Lived(NamedTuple):
    """What is kept of a world."""

    seed: int
    violations: list[str]
    hits: Counter[tuple[Step, FaultKind]]
    faults: int
    electrons: int

    def __str__(self) -> str:
        return "\n  ".join((f"{replay_command(self.seed)} tells it again:", *self.violations))


def replay_command(seed: int) -> str:
    """Say how to let a world live again."""
    return f"python -m tests.simulation {seed}"


def live_all(seeds: Sequence[int]) -> Iterator[Lived]:
    """Let the worlds of some seeds live, in processes of their own, and give them in order."""
    chunks = [seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(max(1, round(usable_cpus())), mp_context=get_context("spawn")) as processes:
        try:
            for chunk in processes.map(_live_chunk, chunks):
                yield from chunk
        finally:
            processes.shutdown(cancel_futures=True)


def _live_chunk(seeds: Sequence[int]) -> list[Lived]:
    gc.collect()
    return [_kept(live(seed)) for seed in seeds]


def _kept(world: World) -> Lived:
    sent = {row.id for row in world.ledger.sent if row.route.lane is Lane.WORK and not row.route.node}
    return Lived(world.seed, world.violations, world.plan.hits, world.faults, len(sent))
