"""
What one electron may cost in things that can be counted, so that the hot path cannot grow unseen.

A rate on a shared machine proves nothing, and a count is the same everywhere: what `nox -s bench` has measured stays
true as long as these hold. Who adds something to the path raises a limit here, and says why; who takes something away
lowers it.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.benchmarks.counting import WAYS, counts, event_numbers_used
from tests.benchmarks.engines import echo
from tests.benchmarks.queued import bytes_per_queued_electron

LIMITS = {
    "tasks": (0.01, 0.02, 0.0, 0.0),
    "futures": (0.02, 0.1, 0.08, 2.0),
    "callbacks": (0.04, 1.14, 0.09, 3.05),
    "timers": (0.0, 0.02, 0.0, 0.0),
    "clock readings": (5.0, 5.0, 7.0, 5.0),
    "calls": (45.0, 71.0, 64.0, 136.0),
    "blocks retained": (0.5, 0.5, 0.5, 0.5),
}
"""
For each electron, at most, in the order of `WAYS`: from the call that sends it until its result has been read.
`python -m tests.benchmarks --counts` shows what it is now.
"""

MOST_QUEUED_BYTES = 740
"""For each electron that waits in a queue, with 100 bytes of payload: its handle, its frame, its deadline."""

EXACT = frozenset(LIMITS) - {"blocks retained"}
"""What is retained depends on how full each table happens to be: a leak would be 1 at least."""

CASES = [(way, what, limit) for what, limits in LIMITS.items() for way, limit in zip(WAYS, limits, strict=True)]


@cache
def counted(way: str) -> dict[str, float]:
    """Count once for all the tests that ask."""
    return counts(way)


@pytest.mark.parametrize(("way", "what", "limit"), CASES)
def test_electron_costs_no_more_than_it_may(way: str, what: str, limit: float) -> None:
    """Nothing is added to the way of every electron without somebody saying so here."""
    assert counted(way).get(what, 0.0) <= limit


@pytest.mark.parametrize(("way", "what", "limit"), [case for case in CASES if case[1] in EXACT])
def test_limit_is_close_to_what_an_electron_costs(way: str, what: str, limit: float) -> None:
    """A limit that is left far behind guards nothing: who has made the path shorter lowers it."""
    assert limit <= 1.05 * counted(way).get(what, 0.0) + 0.05


async def test_no_event_is_built_when_nobody_listens() -> None:
    """Every event has a number: the first one that is read has the first, however much has happened before."""
    assert await event_numbers_used(echo) == 0


async def test_queued_electron_takes_few_bytes() -> None:
    """What waits is what there may be most of."""
    taken = await bytes_per_queued_electron(2_000)

    assert 0.9 * MOST_QUEUED_BYTES <= taken <= MOST_QUEUED_BYTES


MOST_CALLS_FOR_A_READER = 6.7
"""For each electron, when somebody listens to everything: six events in four calls, and two readings of the clock."""


@pytest.mark.parametrize("way", WAYS)
def test_reader_that_never_reads_costs_few_calls(way: str) -> None:
    """With a reader an electron goes the same way, and tells its events besides: they are not built."""
    more = counts(way, listened="events")["calls"] - counted(way)["calls"]

    assert 0.85 * MOST_CALLS_FOR_A_READER <= more <= MOST_CALLS_FOR_A_READER


@pytest.mark.parametrize("way", WAYS)
def test_reader_of_errors_costs_no_call(way: str) -> None:
    """What goes well is not told to who wants to know what went wrong."""
    assert counts(way, listened="errors")["calls"] == pytest.approx(counted(way)["calls"], abs=0.1)
