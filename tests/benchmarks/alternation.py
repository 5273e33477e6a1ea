"""Two engines in one process, measured in turn."""

from __future__ import annotations

import gc
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, TypeAlias

from tests.benchmarks.engines import OUTSTANDING
from tests.benchmarks.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.benchmarks.engines import Engine, Open

__all__ = ("compare",)

Clock: TypeAlias = "Callable[[], float]"

_SLICE = 2 * OUTSTANDING
_CALLS = 200


async def compare(subject: Open, baseline: Open, electrons: int, clock: Clock = process_time) -> Sample:
    """
    Open two engines side by side and measure both: seconds an electron with many outstanding, and one at a time.

    Both are warmed first, and what that left behind is put out of the collector's sight. Then they take turns, a slice
    of some milliseconds each, so that whatever else the machine does meets both alike; the median slice counts.

    An engine of one process that is never idle takes as much of the processor's time as of the wall's, unless others
    want the processor too: with many outstanding the processor's counts. One at a time the wall's does.

    Args:
        clock: What tells the time with many outstanding: `perf_counter`, where other processes do a part of it.
    """
    async with baseline() as one, subject() as other:
        engines = (one, other)
        for engine in engines:
            await engine.many(2 * OUTSTANDING)
        gc.collect()
        gc.freeze()
        many = await _in_turn(engines, max(1, electrons // _SLICE), partial(_seconds_each, clock))
        single = await _in_turn(engines, max(1, electrons // (10 * _CALLS)), _seconds_alone)
    figures = [{"seconds": median(m), "alone": median(s)} for m, s in zip(many, single, strict=True)]
    return Sample(subject=figures[1], baseline=figures[0])


async def _in_turn(
    engines: tuple[Engine, Engine], slices: int, measure: Callable[[Engine], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    seen: tuple[list[float], list[float]] = ([], [])
    for number in range(slices):
        for turn in (number % 2, 1 - number % 2):  # who comes second finds the caches as the first has left them
            gc.collect()  # nobody clears up after the other
            seen[turn].append(await measure(engines[turn]))
    return seen


async def _seconds_each(clock: Clock, engine: Engine) -> float:
    begun = clock()
    await engine.many(_SLICE)
    return (clock() - begun) / _SLICE


async def _seconds_alone(engine: Engine) -> float:
    seconds = []
    for _ in range(_CALLS):
        begun = perf_counter()
        await engine.one()
        seconds.append(perf_counter() - begun)
    return median(seconds)
