"""Attempts under adverse circumstances: cancelled, stopped, crashed, too large, and with nowhere to lie."""

from __future__ import annotations

import asyncio

import pytest

import atomizer
from atomizer import Atomizer, Bond, Electron, Failure, MemoryConductor, Properties, Requeue, Retry, Settings
from atomizer.retry import in_force
from atomizer.testing.clock import VirtualClock, all_blocked, run
from atomizer.trials import FailureMode

from .peer import peer_on

NO_PAUSE = Retry(attempts=300, backoff=0.0)


def cut(hub: MemoryConductor, node: Atomizer) -> None:
    """Let a node's connections die."""
    for link in node._node.links.values():  # type: ignore[union-attr]
        hub.cut(link.connection)


def test_an_electron_cancelled_while_it_runs_over_its_limit_is_not_tried_again() -> None:
    """I14: whatever it is told at the moment."""
    begun: list[float] = []

    @atomizer.atom(id="attempts.cleans_up")
    async def cleans_up() -> None:
        begun.append(asyncio.get_running_loop().time())
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)

    async def main(clock: VirtualClock) -> Properties:
        async with Atomizer(cleans_up, settings=Settings(clock=clock)) as runtime:
            handle = await runtime.send(cleans_up.options(limit=2.0, retry=Retry(attempts=5, backoff=0.1)))
            await asyncio.sleep(2.5)
            await handle.cancel()
            return await handle.properties()

    outcome = run(main)

    assert outcome.failure is not None
    assert begun == [0.0]


def test_nodes_that_die_use_up_the_attempts_of_a_failure_mode() -> None:
    """I8: a crash is an attempt too."""
    begun: list[int] = []

    @atomizer.atom(id="attempts.dies")
    async def dies(bond: Bond) -> None:
        begun.append(bond.attempt)
        await asyncio.sleep(1e6)

    async def main(clock: VirtualClock) -> Properties:
        hub = MemoryConductor()
        settings = Settings(clock=clock, grace=0.0, cancel_grace=0.1)
        async with Atomizer(conductor=hub, serve=False, settings=Settings(clock=clock)) as asker:
            handle = None
            while handle is None or not handle.done:
                async with Atomizer(dies, conductor=hub, settings=settings) as node:
                    handle = handle or await asker.send(dies.options(retry=Retry(attempts=2)))
                    await asyncio.sleep(1)
                    cut(hub, node)
            return await handle.properties()

    outcome = run(main)

    assert outcome.failure is not None
    assert outcome.failure.kind == "poison"
    assert begun == [1, 2]


def test_what_would_be_tried_again_while_the_node_stops_is_left_to_others() -> None:
    """I13: a pause holds up no stop, and what failed before is known to who goes on."""
    begun: list[tuple[str, int]] = []

    @atomizer.atom(id="attempts.slow")
    async def slow(bond: Bond, node: str = "") -> str:
        begun.append((node, bond.attempt))
        await asyncio.sleep(1)
        if bond.attempt < 3:
            raise ConnectionError("away")
        return f"attempt {bond.attempt}"

    async def main(clock: VirtualClock) -> tuple[float, str]:
        hub = MemoryConductor()
        async with Atomizer(conductor=hub, serve=False, settings=Settings(clock=clock)) as asker:
            async with Atomizer(slow, conductor=hub, settings=Settings(clock=clock)):
                handle = await asker.send(slow.options(retry=Retry(attempts=3, backoff=5.0, jitter=0.0)))
                await asyncio.sleep(0.5)
            stopped = clock.monotonic()
            async with Atomizer(slow, conductor=hub, settings=Settings(clock=clock)):
                return stopped, await handle

    stopped, result = run(main)

    assert (stopped, result) == (pytest.approx(1.0), "attempt 3")
    assert [attempt for _, attempt in begun] == [1, 2, 3]


def test_no_attempt_moves_the_deadline() -> None:
    """I9: however often the clock is read, and however slowly."""
    seen: list[float] = []

    class Slow:
        """A clock that goes on by a millisecond with each look at it."""

        now = 0.0

        def monotonic(self) -> float:
            self.now += 0.001
            return self.now

        def utc_ns(self) -> int:
            return 1_900_000_000_000_000_000

    @atomizer.atom(id="attempts.fails")
    async def fails(bond: Bond) -> None:
        seen.append(bond._flight.deadline)  # type: ignore[attr-defined]
        raise ValueError

    async def main() -> None:
        async with Atomizer(fails, settings=Settings(clock=Slow())) as runtime:
            await (await runtime.send(fails.options(timeout=1_000, retry=NO_PAUSE))).properties()

    asyncio.run(main())

    assert len(seen) == 300
    assert len(set(seen)) == 1


def test_every_attempt_is_over_before_the_next_begins() -> None:
    """Whoever waits for the end of one is told."""
    over: list[int] = []

    @atomizer.atom(id="attempts.watched")
    async def watched(bond: Bond) -> int:
        attempt = bond.attempt
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: over.append(attempt))
        await asyncio.sleep(0.1)
        if attempt < 3:
            raise ValueError
        return attempt

    async def main(clock: VirtualClock) -> int:
        async with Atomizer(watched, settings=Settings(clock=clock)) as runtime:
            result = await runtime.run(watched.options(retry=Retry(attempts=3)))
            await all_blocked()
            return result

    assert run(main) == 3
    assert over == [1, 2, 3]


def test_a_copy_that_is_too_large_goes_on_without_what_went_wrong_before() -> None:
    """I8: nothing goes round for ever because of its own history."""
    begun: list[int] = []

    @atomizer.atom(id="attempts.wordy")
    async def wordy(bond: Bond, text: str) -> None:
        begun.append(bond.attempt)
        raise ValueError("é" * 1_000)

    async def main(clock: VirtualClock) -> Properties:
        hub = MemoryConductor(max_body_bytes=10_000)
        async with Atomizer(wordy, conductor=hub, settings=Settings(clock=clock)) as runtime:
            asked = wordy.options(retry=Requeue(attempts=3))
            return await (await runtime.send(asked, "x" * 9_500)).properties()

    outcome = run(main)

    assert outcome.failure is not None
    assert outcome.failure.kind == "failed"
    assert begun == [1, 2, 3]


def test_an_electron_is_not_run_again_because_its_dead_letter_has_no_room() -> None:
    """It is held, others run, and it lies there as soon as there is room."""
    begun: list[int] = []

    @atomizer.atom(id="attempts.hopeless")
    async def hopeless(number: int) -> None:
        begun.append(number)
        raise ValueError

    @atomizer.atom(id="attempts.well")
    async def well() -> str:
        return "well"

    async def main(clock: VirtualClock) -> tuple[list[int], str, int]:
        hub = MemoryConductor(capacity=2)
        settings = Settings(clock=clock, slots=1)
        async with peer_on(hub) as peer, Atomizer(hopeless, well, conductor=hub, settings=settings) as runtime:
            for number in range(3):
                await runtime.send(hopeless.options(reply=False), number)
            await asyncio.sleep(3_600)
            ran, result = list(begun), await runtime.run(well)
            await peer.letters()
            await asyncio.sleep(60)
            return ran, result, len(await peer.letters())

    assert run(main) == ([0, 1, 2], "well", 1)


def test_an_electron_of_another_atom_is_another_request_whatever_its_id() -> None:
    """I2: nobody is given what another atom said."""

    @atomizer.atom(id="attempts.pay")
    async def pay(order: str) -> str:
        return f"paid {order}"

    @atomizer.atom(id="attempts.ship")
    async def ship(order: str) -> str:
        return f"shipped {order}"

    async def main(clock: VirtualClock) -> tuple[str, str]:
        async with Atomizer(pay, ship, settings=Settings(clock=clock)) as runtime:
            return await runtime.run(pay.options(id="o-17"), "17"), await runtime.run(ship.options(id="o-17"), "17")

    assert run(main) == ("paid 17", "shipped 17")


def test_what_was_refused_may_be_asked_again() -> None:
    """Only what has run is answered as before."""

    @atomizer.atom(id="attempts.paused")
    async def paused() -> str:
        return "run"

    async def main(clock: VirtualClock) -> tuple[str, str]:
        async with Atomizer(paused, settings=Settings(clock=clock)) as runtime:
            await runtime.pause(paused)
            late = await runtime.send(paused.options(id="e", timeout=1.0))
            await asyncio.sleep(3)
            await runtime.resume(paused)
            failure = (await late.properties()).failure
            assert failure is not None
            return failure.kind, await runtime.run(paused.options(id="e"))

    assert run(main) == ("expired", "run")


def test_who_joins_is_answered_though_the_first_wanted_no_answer() -> None:
    """I1, I4: each asker that waits hears of it, once."""

    @atomizer.atom(id="attempts.shared")
    async def shared() -> str:
        await asyncio.sleep(5)
        return "done"

    async def main(clock: VirtualClock) -> list[str]:
        hub, settings = MemoryConductor(), Settings(clock=clock)
        async with (
            Atomizer(shared, conductor=hub, settings=settings),
            Atomizer(conductor=hub, serve=False, settings=settings) as first,
            Atomizer(conductor=hub, serve=False, settings=settings) as second,
            Atomizer(conductor=hub, serve=False, settings=settings) as third,
        ):
            await first.send(shared.options(id="k", reply=False))
            await asyncio.sleep(1)
            handles = [await each.send(shared.options(id="k")) for each in (second, third)]
            return [await handle for handle in handles]

    assert run(main) == ["done", "done"]


def test_a_mode_that_came_over_the_wire_has_no_more_attempts_than_one_may_ask_for() -> None:
    """Whoever sent it."""
    hostile = FailureMode(kind="retry", attempts=2**31)

    assert [in_force(hostile, own) for own in (None, Retry(attempts=3))] == [
        FailureMode(kind="retry", attempts=1_000),
        FailureMode(kind="retry", attempts=3),
    ]


def test_a_malformed_electron_with_endless_ids_is_a_letter_that_can_be_read() -> None:
    """The row of what cannot be decoded holds for it too."""

    async def main(clock: VirtualClock) -> list[tuple[str, bytes]]:
        hub = MemoryConductor()
        async with peer_on(hub) as peer, Atomizer(NOTHING, conductor=hub, settings=Settings(clock=clock)):
            await peer.send_bytes(b"nonsense", "attempts.nothing", "i" * 1_000, reply_to="")
            await all_blocked()
            return [(letter.electron_id, letter.body) for letter in await peer.letters()]

    assert run(main) == [("i" * 256, b"nonsense")]


@atomizer.atom(id="attempts.nothing")
async def NOTHING() -> None:  # noqa: N802  # only its route counts
    """Do nothing."""


@pytest.mark.parametrize("gone", ["replayed", "answered"])
def test_a_replay_that_is_refused_is_a_dead_letter_again(gone: str) -> None:
    """I1: it expired, or an old cancel met it: its payload is not lost."""

    @atomizer.atom(id="attempts.fails_once")
    async def fails_once() -> None:
        raise ValueError

    async def main(clock: VirtualClock) -> list[str]:
        hub, settings = MemoryConductor(), Settings(clock=clock)
        async with Atomizer(fails_once, conductor=hub, settings=settings) as runtime:
            handle = await runtime.send(fails_once.options(reply=False))
            await all_blocked()
            if gone == "replayed":
                await runtime.pause(fails_once)
                await runtime.dead_letters.replay(handle.electron_id, timeout=5.0, reply=False)
                await asyncio.sleep(10)
                await runtime.resume(fails_once)
            else:
                await handle.cancel()
                await all_blocked()
                await runtime.dead_letters.replay(handle.electron_id, reply=False)
            await asyncio.sleep(1)
            return [letter.reason for letter in await runtime.dead_letters.list()]

    assert run(main) == ["expired" if gone == "replayed" else "cancelled"]


def test_a_remembered_failure_is_kept_without_its_traceback_if_that_is_large() -> None:
    """I10: what is remembered has a bounded room."""
    from atomizer._core.answered import Answered  # noqa: PLC0415  # the one test here that looks inside

    memory = Answered(atomizer.SystemClock(), most=10, seconds=60.0, most_bytes=1_000)
    now = atomizer.SystemClock().utc_ns()
    failure = Failure(kind="failed", message="no", trace="x" * 10_000)
    electron = Electron(id="e", atom_id="a")
    memory.add(electron, Properties(electron_id="e", failure=failure, ended_ns=now))

    done = memory.find(electron)

    assert done is not None
    assert done.outcome is not None
    assert done.outcome.failure == Failure(kind="failed", message="no")
