"""What an electron takes while it waits in a queue."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import atomizer
from tests.benchmarks.engines import SLOTS, TEXT, TIMEOUT

__all__ = ("bytes_per_queued_electron",)

_FIRST = 1_000
"""How many fill the slots and the first rooms of every table, and are not counted."""


async def bytes_per_queued_electron(electrons: int) -> float:
    """Send electrons to atoms that are all busy, and count the bytes that each takes: handle, frame, deadline."""
    gate = asyncio.Event()

    @atomizer.atom(id="bench.held")
    async def held(text: str) -> str:
        await gate.wait()
        return text

    asked = held.options(timeout=TIMEOUT)
    hub = atomizer.MemoryConductor(capacity=2 * (electrons + _FIRST))
    async with atomizer.Atomizer(held, conductor=hub, settings=atomizer.Settings(slots=SLOTS)) as runtime:
        first = [await runtime.send(asked, TEXT) for _ in range(_FIRST)]
        handles: list[atomizer.Handle[str] | None] = [None] * electrons
        tracemalloc.start()
        before = _traced()
        for number in range(electrons):
            handles[number] = await runtime.send(asked, TEXT)
        taken = _traced() - before
        tracemalloc.stop()
        gate.set()
        for handle in (*first, *handles):
            assert handle is not None
            await handle
    return taken / electrons


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
