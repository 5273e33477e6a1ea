"""An atom that will not leave, and at last returns after all: it was answered already, and nothing comes of it."""

from __future__ import annotations

import asyncio

import pytest

from atomizer import Atomizer, AtomTimedOut, Options, Settings, atom
from atomizer.testing.clock import VirtualClock, run

ENDS = {"deadline": Options(timeout=1.0), "limit": Options(limit=1.0)}


@atom(id="abandoned.stubborn")
async def stubborn() -> str:
    """Swallows its cancellation, and returns five seconds later."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(5)
    return "at last"


@atom(id="abandoned.good")
async def good(number: int) -> int:
    await asyncio.sleep(0.5)
    return number


@pytest.mark.parametrize("is_read", [False, True], ids=["nobody reads", "events are read"])
@pytest.mark.parametrize("way", ["run", "send"])
@pytest.mark.parametrize("end", list(ENDS))
def test_an_abandoned_atom_that_returns_at_last_is_answered_once(end: str, way: str, is_read: bool) -> None:
    """Whichever way it went, and whoever looks on: one answer, one settlement, no fault, and the others go on."""

    async def main(clock: VirtualClock) -> tuple[list[int], int, int]:
        settings = Settings(clock=clock, cancel_grace=1.0, slots=4)
        asked = stubborn.options(timeout=ENDS[end].timeout, limit=ENDS[end].limit)
        async with Atomizer(stubborn, good, settings=settings) as runtime:
            events = runtime.events() if is_read else None
            await runtime.run(good, 0)  # now a worker waits
            with pytest.raises(AtomTimedOut):
                await (runtime.run(asked) if way == "run" else await runtime.send(asked))
            numbers = [await runtime.run(good, number) for number in range(20)]  # it returns meanwhile
            figures = runtime.statistics()
            assert events is None or events.dropped == 0
            return numbers, figures.completed, figures.abandoned

    numbers, completed, abandoned = run(main)

    assert numbers == list(range(20))
    assert completed == 21
    assert abandoned == 0
