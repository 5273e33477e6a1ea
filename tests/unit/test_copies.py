"""Copies: an electron that goes on elsewhere is lost by nothing that happens to the one it goes on for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, Bond, Electron, MemoryConductor, Options, Requeue, Settings, Settlement
from atomizer.testing.clock import VirtualClock, run
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import RecordingConductor
from atomizer.trials import FailureMode, Trials
from tests.faults.peer import peer_on

if TYPE_CHECKING:
    from collections.abc import Callable

LATER = FailureMode(kind="requeue", attempts=3, pause=1.5)
begun: list[tuple[int, bool, float | None]] = []


@atomizer.atom(id="copies.moving", options=Options(retry=Requeue(attempts=3)))
async def moving(bond: Bond, seconds: float = 0.0) -> int:
    """Fail twice."""
    trials = bond.electron.trials
    begun.append((bond.attempt, trials is not None and trials.again, bond.electron.budget))
    await asyncio.sleep(seconds)
    if bond.attempt < 3:
        raise ConnectionError("away")
    return bond.attempt


@pytest.fixture(autouse=True)
def forget() -> None:
    """Begin with nothing."""
    begun.clear()


def on(hub: MemoryConductor, fate: Callable[[Step, int], FaultKind | None], **settings: Any) -> Atomizer:
    """A node on a hub whose wire has a fate."""
    wire = FaultyConductor(hub, Plan(fate, limit=1_000, delay=1.0))
    return Atomizer(moving, conductor=wire, settings=Settings(**settings))


def test_a_copy_that_comes_before_the_one_it_goes_on_for_is_settled_is_run() -> None:
    """I1: it is not acknowledged with that, though it has its id and is known to come again."""

    async def main(clock: VirtualClock) -> tuple[int, float]:
        hub = MemoryConductor()
        late = on(hub, lambda step, _: FaultKind.DELAY if step is Step.SETTLE else None, clock=clock)
        async with peer_on(hub) as peer, late:
            await peer.send(Electron(id="e", atom_id="copies.moving", trials=Trials(again=True)))
            outcome = await peer.outcome()
            return outcome.value(), clock.monotonic()

    result, at = run(main)

    assert result == 3
    assert at < 1.0
    assert [attempt for attempt, *_ in begun] == [1, 2, 3]


def test_a_copy_that_is_further_on_than_the_one_it_joined_is_not_acknowledged_with_that() -> None:
    """I1: what goes on in that one's place is behind it, and may be taken for what it has been already."""

    async def main(clock: VirtualClock) -> tuple[int, list[Settlement]]:
        hub = MemoryConductor()
        wire = RecordingConductor(hub)
        node = Atomizer(moving, conductor=wire, settings=Settings(clock=clock))
        further = Trials(again=True, passed_on=True)
        async with peer_on(hub) as peer, node:
            await peer.send(Electron(id="e", atom_id="copies.moving", payload=b"5.0", attempt=2))
            await asyncio.sleep(1)
            await peer.send(Electron(id="e", atom_id="copies.moving", payload=b"5.0", attempt=3, trials=further))
            outcome = await peer.outcome()
        return outcome.value(), [row.settlement for row in wire.ledger.settled if row.id == "e"]

    result, settled = run(main)

    assert result == 3
    assert settled[:2] == [Settlement.ACK, Settlement.REQUEUE]


def test_a_copy_that_comes_while_an_older_one_is_recalled_is_run() -> None:
    """I1: what was done before it is no answer to it."""

    async def main(clock: VirtualClock) -> int:
        hub = MemoryConductor()
        late = on(hub, lambda step, nth: FaultKind.DELAY if (step, nth) == (Step.SETTLE, 2) else None, clock=clock)
        async with peer_on(hub) as peer, late:
            old = Electron(id="e", atom_id="copies.moving", attempt=1, trials=Trials(again=True, mode=LATER))
            await peer.send(old)
            await asyncio.sleep(1)
            await peer.send(old)
            await asyncio.sleep(8.5)
            return int((await peer.outcome()).value())

    assert run(main) == 3


def test_nodes_full_of_copies_for_a_route_that_is_full_go_on() -> None:
    """I10: who waits for room on a route has no slot: what is taken from it meanwhile makes that room."""

    async def main(clock: VirtualClock) -> tuple[list[int], float]:
        hub = MemoryConductor(capacity=1)
        node = Atomizer(moving, conductor=hub, settings=Settings(clock=clock, slots=1))
        async with node, Atomizer(conductor=hub, settings=Settings(clock=clock), serve=False) as asker:
            results = [value async for value in asker.map(moving, [0.1] * 10)]
            return results, clock.monotonic()

    results, at = run(main)

    assert results == [3] * 10
    assert at < 5.0


def test_a_copy_that_is_sent_again_says_so_and_has_the_time_that_is_left() -> None:
    """I3 and I9: the first one may be there already, and its time went on."""

    async def main(clock: VirtualClock) -> int:
        hub = MemoryConductor()
        node = on(
            hub,
            lambda step, nth: FaultKind.BREAK_BEFORE if (step, nth) == (Step.SEND_WORK, 1) else None,
            clock=clock,
            backoff_first=2.0,
            backoff_most=2.0,
        )
        mode = FailureMode(kind="requeue", attempts=3)
        async with peer_on(hub) as peer, node:
            await peer.send(
                Electron(id="e", atom_id="copies.moving", payload=b"1.0", budget=60.0, trials=Trials(mode=mode))
            )
            return int((await peer.outcome()).value())

    assert run(main) == 3
    (_, first, budget), (_, second, less), _ = begun
    assert (first, second, budget) == (False, True, 60.0)
    assert less is not None
    assert less < 59.0


def test_a_node_that_asked_for_what_goes_on_as_a_copy_is_answered_too() -> None:
    """I1: the copy is for the node whose electron was taken first; what joined that is given back."""

    async def main(clock: VirtualClock) -> list[int]:
        hub = MemoryConductor()
        settings = Settings(clock=clock)
        async with (
            Atomizer(moving, conductor=hub, settings=settings),
            Atomizer(conductor=hub, settings=settings, serve=False) as first,
            Atomizer(conductor=hub, settings=settings, serve=False) as second,
        ):
            one = await first.send(moving.options(id="e", timeout=60.0), 2.0)
            await asyncio.sleep(1)
            other = await second.send(moving.options(id="e", timeout=60.0), 2.0)
            return [await one, await other]

    assert run(main) == [3, 3]


def test_a_node_that_asks_for_what_went_on_as_a_copy_is_answered_too() -> None:
    """I1: that a copy was sent in its place is no answer to anybody else."""

    async def main(clock: VirtualClock) -> list[int]:
        hub = MemoryConductor()
        settings = Settings(clock=clock)
        later = moving.options(id="e", timeout=60.0, retry=Requeue(attempts=3, delay=10.0))
        async with (
            Atomizer(moving, conductor=hub, settings=settings),
            Atomizer(conductor=hub, settings=settings, serve=False) as first,
            Atomizer(conductor=hub, settings=settings, serve=False) as second,
        ):
            one = await first.send(later)
            await asyncio.sleep(1)
            other = await second.send(later)
            return [await one, await other]

    assert run(main) == [3, 3]
