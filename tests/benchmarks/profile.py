"""Where the time goes: a profile of one engine."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from typing import TYPE_CHECKING

from tests.benchmarks.cases import SUBJECTS
from tests.benchmarks.engines import OUTSTANDING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.benchmarks.engines import Open
    from tests.benchmarks.sampling import Effort

__all__ = ("profile",)

_SHOWN = 40


def profile(cases: Collection[str], effort: Effort) -> None:
    """
    Print the profile of each case that has one: calls an electron, and which functions take the time themselves.

    A profile makes calls dearer than what is done in them: look at the order and the counts, and measure.
    """
    for case in cases:
        if case in SUBJECTS:
            print(f"{case}: {effort.electrons:,} electrons")
            stats = pstats.Stats(asyncio.run(_profiled(SUBJECTS[case], effort.electrons)))
            stats.sort_stats("tottime").print_stats(_SHOWN)


async def _profiled(opened: Open, electrons: int) -> cProfile.Profile:
    taken = cProfile.Profile()
    async with opened() as engine:
        await engine.many(2 * OUTSTANDING)
        with taken:
            await engine.many(electrons)
    return taken
