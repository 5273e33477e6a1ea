"""What a reader of events that never reads takes in memory, however long it does not."""

from __future__ import annotations

import resource
import sys

from tests.benchmarks.engines import atomizer_engine
from tests.benchmarks.sampling import Effort, Sample

__all__ = ("measure_unread",)

_FEW = 10_000


async def measure_unread(effort: Effort) -> Sample:
    """Measure the most that this process has taken, in bytes, after many electrons and after few."""
    many = 100_000 if effort.quick else 1_000_000
    async with atomizer_engine(listened=True)() as engine:
        await engine.many(_FEW)
        before = _most_bytes()
        await engine.many(many - _FEW)
    return Sample(subject={"bytes": _most_bytes()}, baseline={"bytes": before})


def _most_bytes() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
