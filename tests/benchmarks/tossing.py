"""π in chunks: the example as it is, and a pool of processes with the same kernel."""

from __future__ import annotations

import multiprocessing
from time import perf_counter
from typing import TYPE_CHECKING, Any

import atomizer
from tests.benchmarks.apart import PROCESSES
from tests.benchmarks.peers import NotThere, peer
from tests.benchmarks.sampling import Sample

if TYPE_CHECKING:
    from tests.benchmarks.sampling import Effort

__all__ = ("measure_tossing",)

_TOSSES = 2_000_000_000
_FEW = 200_000_000
_SEED = 1


async def measure_tossing(effort: Effort) -> Sample:
    """
    Throw the same darts twice, each chunk in one of two processes: as children of a runtime, and as a pool's.

    Both have their processes running before anything is timed.

    Raises:
        NotThere: numpy is missing.
        RuntimeError: They do not agree on how many landed inside.
    """
    atoms, darts = peer("examples.montecarlo_pi.atoms"), _darts()
    order = atoms.Order(_FEW if effort.quick else _TOSSES, seed=_SEED)
    by_pool, pool_seconds = _toss_in_pool(order, darts.count_inside)
    estimate, seconds = await _toss_in_runtime(order, atoms)
    if estimate.inside != by_pool:
        raise RuntimeError(f"the pool counts {by_pool:,} inside, and the runtime {estimate.inside:,}")
    return Sample(subject={"seconds": seconds}, baseline={"seconds": pool_seconds})


def _darts() -> Any:
    try:
        return peer("examples.montecarlo_pi.darts")
    except NotThere as error:
        raise NotThere("not there yet: π in chunks") from error


def _toss_in_pool(order: Any, count_inside: Any) -> tuple[int, float]:
    chunks = [(order.size(number), number, order.seed) for number in range(order.chunks)]
    with multiprocessing.Pool(PROCESSES) as pool:
        pool.starmap(count_inside, chunks[:PROCESSES], chunksize=1)
        begun = perf_counter()
        inside = sum(pool.starmap(count_inside, chunks, chunksize=1))
        return inside, perf_counter() - begun


async def _toss_in_runtime(order: Any, atoms: Any) -> tuple[Any, float]:
    settings = atomizer.Settings.from_env(processes=PROCESSES)
    async with atomizer.Atomizer(atoms.MonteCarlo, atoms.toss, settings=settings) as runtime:
        await runtime.run(atoms.MonteCarlo, atoms.Order(order.size(0) * PROCESSES, order.seed, order.size(0)))
        begun = perf_counter()
        estimate = await runtime.run(atoms.MonteCarlo, order)
        return estimate, perf_counter() - begun
