"""Whether the darts of Monte Carlo π fall as chance would have it."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest

from examples.montecarlo_pi.darts import BLOCK, RADIUS_SQUARED, count_inside, running_counts, squares

SHARE = pi / 4


def deviation(tosses: int, chunk: int, seed: int) -> float:
    """Return how far a count is from what is expected, in standard deviations."""
    expected = tosses * SHARE
    return (count_inside(tosses, chunk, seed) - expected) / sqrt(expected * (1 - SHARE))


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**200])
def test_estimate_is_near_to_pi(seed: int) -> None:
    """Within five standard deviations, which chance leaves once in two million."""
    assert abs(deviation(20_000_000, 0, seed)) < 5


def test_chunks_of_a_seed_vary_as_independent_ones_do() -> None:
    """Neither more nor less than chance has it, and without a trend from one to the next."""
    deviations = np.array([deviation(BLOCK, chunk, 1) for chunk in range(400)])

    assert abs(float(deviations.mean())) * 20 < 4
    assert 0.85 < float(deviations.std()) < 1.15
    assert abs(float(np.corrcoef(deviations[:-1], deviations[1:])[0, 1])) * 20 < 4


def test_places_inside_are_a_quarter_of_pi_of_all() -> None:
    """Counted exactly, place by place: cells that are inside or outside as a whole shift π by less than 10⁻⁷."""
    squared = squares(np.arange(BLOCK, dtype=np.uint16), np.empty(BLOCK, np.float32))
    low, high = np.zeros(BLOCK, np.int64), np.full(BLOCK, BLOCK)
    while (low < high).any():  # how many places of each column are inside, by bisection
        middle = (low + high) // 2
        inside = (middle < BLOCK) & (squared + squared[np.minimum(middle, BLOCK - 1)] < RADIUS_SQUARED)
        low, high = np.where(inside, middle + 1, low), np.where(inside, high, middle)

    assert abs(4 * int(low.sum()) / 2**32 - pi) < 1e-7


def test_both_coordinates_of_a_dart_use_their_whole_range() -> None:
    """The middles of the first and the last cell are half a cell inside of the square."""
    ends = squares(np.array([0, BLOCK - 1], np.uint16), np.empty(2, np.float32))

    assert np.sqrt(ends.astype(np.float64)).round(2).tolist() == [0.5, BLOCK - 0.5]


@pytest.mark.parametrize("tosses", [1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_running_count_ends_with_the_count(tosses: int) -> None:
    """Whole blocks and what is left of them are counted once."""
    marks = sorted({1, (tosses + 1) // 2, tosses})

    counts = running_counts(marks, [tosses], 9)

    assert counts[-1] == count_inside(tosses, 0, 9)
    assert counts == sorted(counts)
    assert all(0 <= count <= mark for count, mark in zip(counts, marks, strict=True))


def test_running_count_goes_on_from_chunk_to_chunk() -> None:
    """A mark may lie in any of them."""
    sizes = [100_000, 100_000, 50_001]
    ends = [count_inside(size, chunk, 9) for chunk, size in enumerate(sizes)]

    assert running_counts([100_000, 200_000, 250_001], sizes, 9) == [ends[0], sum(ends[:2]), sum(ends)]


def test_darts_without_a_seed_are_others_each_time() -> None:
    """Chance comes from the system then."""
    assert len({count_inside(1_000_000, 0, None) for _ in range(5)}) > 1
