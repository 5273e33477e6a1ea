"""What comes again: it is joined while it runs here, and answered as before when it is done."""

from __future__ import annotations

import asyncio

import pytest

import atomizer
from atomizer import Atomizer, Bond, Electron, Failure, MemoryConductor, Properties, Retry, Settings, events
from atomizer._core.answered import Answered
from atomizer.testing.clock import VirtualClock, all_blocked, run
from atomizer.trials import Trials
from tests.faults.peer import peer_on

begun: list[str] = []


@atomizer.atom(id="again.slow")
async def slow(bond: Bond) -> int:
    """Take ten seconds."""
    begun.append(bond.electron.id)
    await asyncio.sleep(10)
    return len(begun)


@atomizer.atom(id="again.counted")
async def counted(bond: Bond) -> int:
    """Say how often it was begun."""
    begun.append(bond.electron.id)
    return len(begun)


@atomizer.atom(id="again.flaky", options=atomizer.Options(retry=Retry(attempts=3, backoff=4.0, jitter=0.0)))
async def flaky(bond: Bond) -> int:
    """Fail twice."""
    begun.append(bond.electron.id)
    if bond.attempt < 3:
        raise ConnectionError("away")
    return bond.attempt


ATOMS = (slow, counted, flaky)


@pytest.fixture(autouse=True)
def forget() -> None:
    """Count from nothing."""
    begun.clear()


def test_an_electron_that_comes_again_while_it_runs_is_joined() -> None:
    """I3: both senders are answered by one run."""

    async def main(clock: VirtualClock) -> tuple[int, int, list[str]]:
        hub = MemoryConductor()
        async with (
            Atomizer(*ATOMS, conductor=hub, settings=Settings(clock=clock)) as node,
            Atomizer(conductor=hub, settings=Settings(clock=clock), serve=False) as other,
        ):
            told = node.events()
            first = await node.send(slow.options(id="order-17"))
            await asyncio.sleep(5)
            second = await other.send(slow.options(id="order-17"))
            results = await first, await second
            assert clock.monotonic() == pytest.approx(10.0)
            told.end()
            return *results, [event.kind async for event in told if event.kind in ("bonded", "joined")]

    assert run(main) == (1, 1, ["bonded", "joined"])
    assert begun == ["order-17"]


def test_a_delivery_that_joined_is_settled_with_the_one_that_runs() -> None:
    """I5: neither is acknowledged before the answer is confirmed, and nothing is left in the end."""

    async def main(clock: VirtualClock) -> tuple[Properties, int]:
        hub = MemoryConductor()
        async with peer_on(hub) as peer, Atomizer(*ATOMS, conductor=hub, settings=Settings(clock=clock)) as node:
            await peer.send(Electron(id="e", atom_id="again.slow"))
            await asyncio.sleep(5)
            for link in node._node.links.values():  # type: ignore[union-attr]
                hub.cut(link.connection)
            outcome = await peer.outcome()
            await all_blocked()
            assert node.statistics().running == 0
            return outcome, peer.waiting("again.slow")

    outcome, left = run(main)

    assert (outcome.value(), left) == (1, 0)
    assert begun == ["e"]


def test_a_delivery_that_joined_is_given_back_with_the_one_that_runs() -> None:
    """I6: a stop acknowledges neither."""

    async def main(clock: VirtualClock) -> int:
        hub, settings = MemoryConductor(), Settings(clock=clock, grace=1.0)
        async with peer_on(hub) as peer:
            async with Atomizer(*ATOMS, conductor=hub, settings=settings) as node:
                await peer.send(Electron(id="e", atom_id="again.slow"))
                await asyncio.sleep(1)
                for link in node._node.links.values():  # type: ignore[union-attr]
                    hub.cut(link.connection)
                await asyncio.sleep(1)
            return peer.waiting("again.slow")

    assert run(main) == 1


def test_an_id_that_is_done_is_answered_again_without_running() -> None:
    """The same id is the same request."""

    async def main(clock: VirtualClock) -> tuple[int, int, int]:
        async with Atomizer(*ATOMS, settings=Settings(clock=clock, remember_seconds=60.0)) as runtime:
            first = await runtime.run(counted.options(id="order-17"))
            second = await runtime.run(counted.options(id="order-17"))
            await asyncio.sleep(61)
            return first, second, await runtime.run(counted.options(id="order-17"))

    assert run(main) == (1, 1, 2)


def test_an_electron_that_waits_for_its_next_attempt_is_joined_too() -> None:
    """It is under way all the time."""

    async def main(clock: VirtualClock) -> tuple[int, int]:
        async with Atomizer(*ATOMS, settings=Settings(clock=clock)) as runtime:
            hub = next(iter(runtime._node.links.values())).conductor  # type: ignore[union-attr]
            first = await runtime.send(flaky.options(id="order-17"))
            await asyncio.sleep(1)
            async with Atomizer(conductor=hub, serve=False, settings=Settings(clock=clock)) as other:
                return await other.run(flaky.options(id="order-17")), await first

    assert run(main) == (3, 3)
    assert len(begun) == 3


def test_an_electron_that_is_cancelled_between_two_attempts_is_answered_at_once() -> None:
    """I14: its pause is no time in which nobody hears."""

    async def main(clock: VirtualClock) -> tuple[str, float, list[str]]:
        async with Atomizer(*ATOMS, settings=Settings(clock=clock)) as runtime:
            told = runtime.events()
            handle = await runtime.send(flaky)
            await asyncio.sleep(1)
            await handle.cancel()
            properties = await handle.properties()
            assert properties.failure is not None
            at = clock.monotonic()
        return properties.failure.kind, at, [event.kind async for event in told if isinstance(event, events.Event)]

    kind, at, kinds = run(main)

    assert (kind, at) == ("cancelled", pytest.approx(1.0))
    assert "dead" not in kinds
    assert len(begun) == 1


def test_no_attempt_begins_after_the_deadline() -> None:
    """I9: what would come too late is not waited for."""

    async def main(clock: VirtualClock) -> tuple[float, int]:
        async with Atomizer(*ATOMS, settings=Settings(clock=clock)) as runtime:
            with pytest.raises(atomizer.AtomFailed) as caught:
                await runtime.run(flaky.options(timeout=6.0))
            return clock.monotonic(), caught.value.failure.attempts

    assert run(main) == (pytest.approx(4.0), 2)


def test_a_pause_lends_its_slot() -> None:
    """Others run meanwhile."""

    async def main(clock: VirtualClock) -> tuple[float, float]:
        async with Atomizer(*ATOMS, settings=Settings(clock=clock, slots=1)) as runtime:
            waiting = await runtime.send(flaky)
            await asyncio.sleep(1)
            await runtime.run(counted)
            done = clock.monotonic()
            await waiting
            return done, clock.monotonic()

    assert run(main) == (pytest.approx(1.0), pytest.approx(12.0))


def electron(id: str = "e", attempt: int = 1, **trials: object) -> Electron:
    """An electron that carries trials if any are given."""
    return Electron(id=id, atom_id="a", attempt=attempt, trials=Trials(**trials) if trials else None)  # type: ignore[arg-type]


def answered(clock: Clock | None = None, most: int = 10, most_bytes: int = 1_000) -> Answered:
    """An empty memory."""
    return Answered(clock or Clock(), most=most, seconds=60.0, most_bytes=most_bytes)


class Clock:
    """A clock that stands where it is put."""

    now_ns = 0

    def monotonic(self) -> float:
        return 0.0

    def utc_ns(self) -> int:
        return self.now_ns


OUTCOME = Properties(electron_id="e", result=b"1")


@pytest.mark.parametrize(
    ("done", "comes", "is_known"),
    [
        (electron(), electron(), True),
        (electron(), electron("f"), False),
        (electron(), electron(again=True), True),
        (electron(), electron(replayed=1), False),
        (electron(replayed=1), electron(replayed=1), True),
        (electron(replayed=2), electron(replayed=1), True),
        (electron(attempt=2, again=True), electron(), True),
    ],
)
def test_what_was_answered_is_found_by_id_and_stage(done: Electron, comes: Electron, is_known: bool) -> None:
    """What was replayed since is another request."""
    memory = answered()
    memory.add(done, OUTCOME)

    assert (memory.find(comes) is not None) == is_known


@pytest.mark.parametrize(
    ("copy", "comes", "is_known"),
    [
        (electron(attempt=2, again=True), electron(attempt=1), True),
        (electron(attempt=2, again=True), electron(attempt=2), False),
        (electron(passed_on=True), electron(again=True), True),
        (electron(passed_on=True), electron(passed_on=True), False),
    ],
)
def test_a_copy_takes_the_place_of_what_came_before_it(copy: Electron, comes: Electron, is_known: bool) -> None:
    """What is left of the old one is acknowledged, and the copy itself is run."""
    memory = answered()
    memory.add_copy(electron(), copy)

    assert (memory.find(comes) is not None) == is_known


def test_what_was_answered_long_ago_is_forgotten() -> None:
    """As the setting says."""
    clock = Clock()
    memory = answered(clock)
    memory.add(electron(), Properties(electron_id="e", ended_ns=0))
    clock.now_ns = 61_000_000_000

    assert memory.find(electron()) is None


def test_memory_is_bounded_in_number_and_bytes() -> None:
    """I10: the oldest go, and what is larger than its share is never kept."""
    memory = answered(most=10, most_bytes=1_000)
    for number in range(1_000):
        memory.add(electron(f"e{number}"), OUTCOME)
    memory.add(electron("large"), Properties(electron_id="large", result=b"x" * 101))

    assert len(memory) <= 10
    assert memory.find(electron("e999")) is not None
    assert memory.find(electron("e0")) is None
    assert memory.find(electron("large")) is None


def test_a_failure_is_answered_again_as_it_was() -> None:
    """Not only results."""
    failed = Properties(electron_id="e", failure=Failure(kind="failed", message="no"))
    memory = answered()
    memory.add(electron(), failed)

    done = memory.find(electron())

    assert done is not None
    assert done.outcome == failed
