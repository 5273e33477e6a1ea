"""
Throwing darts, many at once, in one thread.

A dart lands in one of 2³² places: the middles of 65,536 × 65,536 cells over a quarter of the square. Counting whole
cells puts the expected π 9·10⁻⁸ too low, which is a fiftieth of the error band of 10¹¹ tosses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Places: TypeAlias = NDArray[np.uint16]
    Squares: TypeAlias = NDArray[np.float32]

__all__ = ("BLOCK", "RADIUS_SQUARED", "count_inside", "running_counts", "squares", "throw")

BLOCK = 65_536
"""Darts at a time: what they need stays in the cache of one core, and one call of numpy is worth its while."""
RADIUS_SQUARED = np.float32(2.0**32)
_MIDDLE = np.float32(0.5)


def count_inside(tosses: int, chunk: int, seed: int | None) -> int:
    """
    Count the darts of a chunk that land inside the circle.

    Args:
        tosses: How many darts to throw.
        chunk: Which stream of the seed they are drawn from; the streams are independent of each other.
        seed: Which darts; None draws one from the system.
    """
    return sum(int(np.count_nonzero(inside)) for inside in throw(tosses, chunk, seed))


def running_counts(marks: list[int], sizes: list[int], seed: int) -> list[int]:
    """
    Count the darts inside along the way, when the chunks of a seed are thrown one after another.

    Args:
        marks: After how many darts to count, in rising order.
        sizes: How many darts the chunks have, from the first one on.
        seed: Which darts.
    """
    counts: list[int] = []
    thrown = before = 0
    for inside in (block for chunk, size in enumerate(sizes) for block in throw(size, chunk, seed)):
        while len(counts) < len(marks) and marks[len(counts)] <= thrown + len(inside):
            counts.append(before + int(np.count_nonzero(inside[: marks[len(counts)] - thrown])))
        thrown += len(inside)
        before += int(np.count_nonzero(inside))
    return counts


def throw(tosses: int, chunk: int, seed: int | None) -> Iterator[NDArray[np.bool_]]:
    """Throw the darts of a chunk, and yield which of them landed inside: a block at a time, in the same memory."""
    stream = np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(chunk,)))
    squared, inside = np.empty(2 * BLOCK, np.float32), np.empty(BLOCK, np.bool_)
    for thrown in range(0, tosses, BLOCK):
        darts = min(BLOCK, tosses - thrown)
        words = stream.random_raw((darts + 1) // 2)  # 64 bits: two darts, each in 16 bits across and 16 up
        across_and_up = squares(words.view(np.uint16)[: 2 * darts], squared[: 2 * darts])
        across, up = across_and_up[:darts], across_and_up[darts:]
        yield np.less(np.add(across, up, out=across), RADIUS_SQUARED, out=inside[:darts])


def squares(places: Places, out: Squares) -> Squares:
    """Square the distances of the middles of cells from the axis, in cells."""
    np.add(places, _MIDDLE, out=out)
    return np.multiply(out, out, out=out)
