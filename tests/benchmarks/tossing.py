"""π in chunks: the example as it is, and a pool of processes with the same kernel."""

from __future__ import annotations

import multiprocessing
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import atomizer
from tests.benchmarks.apart import PROCESSES
from tests.benchmarks.peers import NotThere, peer
from tests.benchmarks.sampling import Sample

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

    from tests.benchmarks.sampling import Effort

__all__ = ("measure_tossing",)

_TOSSES = 2_000_000_000
_FEW = 500_000_000
_TURNS = 3
_SEED = 1
_WARM = 50_000_000


async def measure_tossing(effort: Effort) -> Sample:
    """
    Throw the same darts twice, each chunk in one of two processes: as children of a runtime, and as a pool's.

    Both have their processes running before anything is timed; then they take turns, and the median turn counts.

    Raises:
        NotThere: numpy is missing.
        RuntimeError: They do not agree on how many landed inside.
    """
    atoms, darts = peer("examples.montecarlo_pi.atoms"), _darts()
    order = atoms.Order(_FEW if effort.quick else _TOSSES, seed=_SEED)
    settings = atomizer.Settings.from_env(processes=PROCESSES)
    turns: list[tuple[float, float]] = []
    with multiprocessing.Pool(PROCESSES) as pool:
        async with atomizer.Atomizer(atoms.MonteCarlo, atoms.toss, settings=settings) as runtime:
            await runtime.run(atoms.MonteCarlo, atoms.Order(_WARM, _SEED))
            _toss(pool, darts.count_inside, atoms.Order(_WARM, _SEED))
            for _ in range(_TURNS):
                begun = perf_counter()
                by_pool = _toss(pool, darts.count_inside, order)
                between = perf_counter()
                estimate = await runtime.run(atoms.MonteCarlo, order)
                turns.append((between - begun, perf_counter() - between))
                _check(by_pool, estimate.inside)
    of_pool, of_runtime = zip(*turns, strict=True)
    return Sample(subject={"seconds": median(of_runtime)}, baseline={"seconds": median(of_pool)})


def _darts() -> Any:
    try:
        return peer("examples.montecarlo_pi.darts")
    except NotThere as error:
        raise NotThere("not there yet: π in chunks") from error


def _toss(pool: Pool, count_inside: Any, order: Any) -> int:
    chunks = [(order.size(number), number, order.seed) for number in range(order.chunks)]
    return sum(pool.starmap(count_inside, chunks, chunksize=1))


def _check(by_pool: int, by_runtime: int) -> None:
    if by_pool != by_runtime:
        raise RuntimeError(f"the pool counts {by_pool:,} inside, and the runtime {by_runtime:,}")
