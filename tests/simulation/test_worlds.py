"""
The simulation: two thousand worlds in which everything goes wrong, and no promise is broken.

The promises are I1 to I6, I9, I10, I13 and I14. A world that breaks one is told by its seed, and by the command that
lets it live again: `python -m tests.simulation SEED`. `nox -s simulate` lets ten thousand live.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .accidents import FAULTS, PAIRS
from .conftest import MATRIX
from .course import course
from .matrix import table
from .seeds import Lived, live_all
from .world import live

if TYPE_CHECKING:
    from atomizer.testing.faults import FaultKind, Step

SEEDS = range(2_000)
ELECTRONS = 40
ENOUGH = 5
"""How often each fault is to happen at each step, in all worlds together."""
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)  # whichever test comes first lets all the worlds live


def test_no_world_breaks_a_promise() -> None:
    """Whatever the transport does within its contract, and whoever comes, goes and dies."""
    broken = [str(lived) for lived in worlds() if lived.violations]

    assert not broken, "\n".join(broken)


def test_every_world_has_its_share() -> None:
    """A world with little in it proves little."""
    poor = [lived for lived in worlds() if lived.electrons < ELECTRONS or lived.faults < FAULTS]

    assert not poor


def test_every_fault_happens_at_every_step(request: pytest.FixtureRequest) -> None:
    """What a plan does not inject it does not prove."""
    hits: Counter[tuple[Step, FaultKind]] = Counter()
    for lived in worlds():
        hits += lived.hits

    request.config.stash[MATRIX] = table(hits)

    assert {pair: hits[pair] for pair in PAIRS if hits[pair] < ENOUGH} == {}


@pytest.mark.parametrize("seed", range(2_000, 2_010))
def test_a_world_takes_the_same_course_again(seed: int) -> None:
    """A seed that fails can be looked at: nothing depends on anything but it."""
    first, second = list(course(live(seed))), list(course(live(seed)))

    assert first == second


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_world_takes_the_same_course_in_another_process(hash_seed: str) -> None:
    """What the command tells is what happened, to the last digit, wherever it happened and after whatever else."""
    seeds = range(2_010, 2_015)
    here = [line for seed in seeds for line in course(live(seed))]

    there = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *map(str, seeds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert there.stdout.splitlines() == here


@cache
def worlds() -> list[Lived]:
    """Let all the worlds live, once for all tests."""
    return list(live_all(SEEDS))
