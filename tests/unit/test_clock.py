"""The virtual clock: time jumps, and only when nothing else can happen."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from atomizer.settings import Settings
from atomizer.testing.clock import (
    START_UTC,
    Deadlock,
    LeftOver,
    VirtualClock,
    VirtualLoop,
    all_blocked,
    current_clock,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable

AN_HOUR = 3600.0


def test_run_returns_what_the_program_returns() -> None:
    """The program gets a clock at 0, and its result comes back."""

    async def main(clock: VirtualClock) -> tuple[str, float]:
        return "done", clock.monotonic()

    result = run(main)

    assert result == ("done", 0.0)


def test_run_raises_what_the_program_raises() -> None:
    """An error of the program is the error of the run, whatever it leaves behind."""

    async def main(_: VirtualClock) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            raise LookupError("of the program")

    with pytest.raises(ExceptionGroup) as caught:
        run(main)

    assert [str(error) for error in caught.value.exceptions] == ["of the program"]


def test_run_lets_an_hour_pass_in_a_moment() -> None:
    """A sleep of an hour takes an hour of the clock, and next to no real time."""

    async def main(clock: VirtualClock) -> float:
        await asyncio.sleep(AN_HOUR)
        return clock.monotonic()

    started = time.monotonic()
    passed = run(main)

    assert passed == AN_HOUR
    assert time.monotonic() - started < 5.0


def test_run_lets_timers_come_in_the_order_of_their_moments() -> None:
    """Each timer sees its own moment, exactly."""
    moments = (7.3, 0.1, 86_400.0 * 400, 0.1 + 1e-9, 3600.0)
    seen: list[float] = []

    async def sleeper(clock: VirtualClock, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(clock.monotonic())

    async def main(clock: VirtualClock) -> None:
        async with asyncio.TaskGroup() as group:
            for moment in moments:
                group.create_task(sleeper(clock, moment))

    run(main)

    assert seen == sorted(moments)


def test_run_calls_at_the_moment_asked_for() -> None:
    """`call_at` is called when the clock reads that moment, not before."""
    seen: list[float] = []

    async def main(clock: VirtualClock) -> None:
        called = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_at(12.5, called.set)
        loop.call_at(12.5, lambda: seen.append(clock.monotonic()))
        await called.wait()
        await all_blocked()

    run(main)

    assert seen == [12.5]


def test_run_comes_to_an_end_when_a_timer_is_set_anew_for_what_is_left() -> None:
    """A timer that finds the clock a rounding error short of its goal, and asks for the rest, gets there."""
    goal = 1e7 + 1 / 3

    async def main(clock: VirtualClock) -> int:
        loop, reached, calls = asyncio.get_running_loop(), asyncio.Event(), 0

        def ring() -> None:
            nonlocal calls
            calls += 1
            if clock.monotonic() < goal:
                loop.call_later(goal - clock.monotonic(), ring)
            else:
                reached.set()

        await asyncio.sleep(0.1)
        ring()
        await reached.wait()
        return calls

    assert run(main) <= 3


def test_run_ends_a_timeout_of_asyncio() -> None:
    """`asyncio.timeout` comes at its deadline."""

    async def main(clock: VirtualClock) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(AN_HOUR):
                await asyncio.Event().wait()
        return clock.monotonic()

    assert run(main) == AN_HOUR


def test_run_ends_a_scope_of_anyio() -> None:
    """Deadlines of anyio come at their moment too, also around a task group."""

    async def main(clock: VirtualClock) -> float:
        with anyio.move_on_after(AN_HOUR):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep_forever)
        return clock.monotonic()

    assert run(main) == AN_HOUR


def test_clock_tells_utc_from_its_start() -> None:
    """UTC starts where it is told to and goes with the clock."""
    start = datetime(2031, 5, 17, 12, tzinfo=UTC)

    async def main(clock: VirtualClock) -> tuple[int, int]:
        before = clock.utc_ns()
        await asyncio.sleep(1.5)
        return before, clock.utc_ns()

    before, after = run(main, start_utc=start)

    assert before == int(start.timestamp()) * 10**9
    assert after - before == 1_500_000_000


def test_clock_is_the_clock_of_settings() -> None:
    """A runtime takes it as `Settings(clock=…)`."""

    async def main(clock: VirtualClock) -> tuple[float, int]:
        settings = Settings(clock=clock)
        await asyncio.sleep(2)
        return settings.clock.monotonic(), settings.clock.utc_ns()

    assert run(main) == (2.0, int(START_UTC.timestamp() + 2) * 10**9)


def test_clock_is_refused_without_a_time_zone() -> None:
    """A start that could be any moment is an error that says so."""
    with pytest.raises(ValueError, match="no time zone"):
        VirtualLoop(start_utc=datetime(2031, 5, 17))  # noqa: DTZ001


def test_current_clock_is_the_one_of_the_program() -> None:
    """Deep inside a program its clock can be had."""

    async def main(clock: VirtualClock) -> bool:
        return current_clock() is clock

    assert run(main)


def test_current_clock_is_refused_on_another_loop() -> None:
    """On an ordinary loop the error says what runs and where to look."""

    async def main() -> None:
        current_clock()

    with pytest.raises(RuntimeError, match="not on a VirtualLoop"):
        asyncio.run(main())


def test_run_is_refused_inside_a_loop() -> None:
    """A program cannot be started from a program."""

    async def main(_: VirtualClock) -> None:
        run(main)

    with pytest.raises(RuntimeError, match="from a plain function"):
        run(main)


def test_run_raises_deadlock_when_nothing_could_ever_happen() -> None:
    """The error names every task that waits, and the line where."""

    async def forgotten_by_all() -> None:
        await asyncio.Event().wait()

    async def main(_: VirtualClock) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forgotten_by_all(), name="the forgotten one")

    with pytest.raises(Deadlock) as caught:
        run(main)

    line = forgotten_by_all.__code__.co_firstlineno + 1
    (forgotten,) = (task for task in caught.value.tasks if task.startswith("the forgotten one"))
    assert f"test_clock.py:{line} in forgotten_by_all > locks.py:" in forgotten
    assert len(caught.value.tasks) == 2
    assert forgotten in str(caught.value)


def test_run_raises_deadlock_when_the_only_timer_is_at_infinity() -> None:
    """A moment that never comes is no moment."""

    async def main(_: VirtualClock) -> None:
        await asyncio.sleep(float("inf"))

    with pytest.raises(Deadlock):
        run(main)


def test_run_raises_left_over_when_a_task_still_waits() -> None:
    """A task that the program forgot to end is an error that names it, and it is cancelled."""
    ended: list[str] = []

    async def forgotten() -> None:
        try:
            await asyncio.sleep(AN_HOUR)
        finally:
            ended.append("cancelled")

    async def main(_: VirtualClock) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(forgotten(), name="the forgotten one")

    with pytest.raises(LeftOver, match=r"the forgotten one waits at test_clock\.py") as caught:
        run(main)

    assert len(caught.value.tasks) == 1
    assert ended == ["cancelled"]


def test_run_cancels_in_silence_what_may_be_left_over() -> None:
    """With `allow_left_over=True` what still waits is cancelled, and the result comes back."""
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(AN_HOUR)
        finally:
            ended.append("cancelled")

    async def main(_: VirtualClock) -> str:
        task = asyncio.get_running_loop().create_task(background())
        await all_blocked()
        return f"done: {task.done()}"

    result = run(main, allow_left_over=True)

    assert result == "done: False"
    assert ended == ["cancelled"]


def test_run_leaves_no_loop_open() -> None:
    """The loop is closed after a deadlock too."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def main(_: VirtualClock) -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main)
    gc.collect()

    assert [loop.is_closed() for loop in loops] == [True]


def test_clock_stands_still_while_the_loop_waits_for_a_thread_of_its_own() -> None:
    """`asyncio.to_thread` takes no virtual time, and no timer comes before it is done."""

    async def main(clock: VirtualClock) -> float:
        released = threading.Event()
        threading.Timer(0.02, released.set).start()
        async with asyncio.timeout(0.001):
            await asyncio.to_thread(released.wait)
        return clock.monotonic()

    assert run(main) == 0.0


def test_clock_stands_still_for_an_executor_of_ones_own() -> None:
    """`run_in_executor` holds the clock whatever the executor is."""

    async def main(clock: VirtualClock) -> tuple[int, float]:
        with ThreadPoolExecutor(1) as executor:
            result = await asyncio.get_running_loop().run_in_executor(executor, divmod, 17, 5)
        return result[1], clock.monotonic()

    assert run(main) == (2, 0.0)


def test_clock_moves_on_when_a_call_in_a_thread_is_over() -> None:
    """A thread that has failed holds nothing any more."""

    async def main(clock: VirtualClock) -> float:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        await asyncio.sleep(AN_HOUR)
        return clock.monotonic()

    assert run(main) == AN_HOUR


def test_holding_stops_the_clock_for_threads_the_loop_does_not_know() -> None:
    """Threads of anyio are waited for inside `holding()`."""

    async def main(clock: VirtualClock) -> float:
        released = threading.Event()
        threading.Timer(0.02, released.set).start()
        with anyio.fail_after(0.001), clock.holding():
            await anyio.to_thread.run_sync(released.wait)
        return clock.monotonic()

    assert run(main) == 0.0


def test_holding_lets_go_when_all_holders_have_left() -> None:
    """Holders count: the clock moves when the last one has left, however it left."""

    async def main(clock: VirtualClock) -> float:
        with pytest.raises(LookupError), clock.holding(), clock.holding():
            raise LookupError
        await asyncio.sleep(AN_HOUR)
        return clock.monotonic()

    assert run(main) == AN_HOUR


def test_holding_in_vain_is_a_deadlock_after_real_wait() -> None:
    """If what the clock is held for does not come, the run ends with an error, timers or not."""

    async def main(clock: VirtualClock) -> None:
        with clock.holding():
            await asyncio.sleep(AN_HOUR)

    with pytest.raises(Deadlock):
        run(main, real_wait=0.01)


def test_run_waits_for_a_thread_before_it_gives_up() -> None:
    """With no timer left, a thread that calls in late still counts."""

    async def main(_: VirtualClock) -> str:
        loop = asyncio.get_running_loop()
        called = asyncio.Event()
        thread = threading.Timer(0.02, loop.call_soon_threadsafe, (called.set,))
        thread.start()
        await called.wait()
        return "called"

    assert run(main) == "called"


def test_deadlock_names_the_threads_that_may_be_to_blame() -> None:
    """If threads live that this loop has seen come, the error names them."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="the silent one")

    async def main(_: VirtualClock) -> None:
        thread.start()
        await asyncio.Event().wait()

    try:
        with pytest.raises(Deadlock, match="threads alive: the silent one") as caught:
            run(main, real_wait=0.01)
    finally:
        over.set()
        thread.join()

    assert caught.value.threads == ("the silent one",)


def test_all_blocked_returns_when_every_other_task_waits() -> None:
    """Whatever needs no time has happened, however many turns of the loop it took; what needs time has not."""
    seen: list[str] = []

    async def worker() -> None:
        for turn in range(100):
            await asyncio.sleep(0)
            seen.append(f"turn {turn}")
        await asyncio.sleep(0.001)
        seen.append("later")

    async def main(clock: VirtualClock) -> tuple[int, float]:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker())
            await all_blocked()
            return len(seen), clock.monotonic()

    assert run(main) == (100, 0.0)


def test_all_blocked_lets_timers_come_that_are_due() -> None:
    """A timer for this very moment counts as ready."""
    seen: list[str] = []

    async def main(_: VirtualClock) -> list[str]:
        asyncio.get_running_loop().call_later(0, seen.append, "due")
        await all_blocked()
        return list(seen)

    assert run(main) == ["due"]


def test_all_blocked_waits_for_what_holds_the_clock() -> None:
    """A call in a thread is not blocked, it is at work."""
    seen: list[str] = []

    async def call() -> None:
        await asyncio.to_thread(time.monotonic)
        seen.append("thread done")

    async def main(_: VirtualClock) -> list[str]:
        async with asyncio.TaskGroup() as group:
            group.create_task(call())
            await all_blocked()
            return list(seen)

    assert run(main) == ["thread done"]


def test_all_blocked_serves_several_at_once() -> None:
    """Two that wait for the others do not wait for each other."""

    async def main(clock: VirtualClock) -> float:
        async with asyncio.TaskGroup() as group:
            group.create_task(all_blocked())
            group.create_task(all_blocked())
        return clock.monotonic()

    assert run(main) == 0.0


def test_all_blocked_is_refused_on_another_loop() -> None:
    """An ordinary loop cannot say when it is idle."""
    with pytest.raises(RuntimeError, match="not on a VirtualLoop"):
        asyncio.run(all_blocked())


@pytest.mark.parametrize("factory", [VirtualLoop, partial(VirtualLoop, real_wait=1.0)])
def test_virtual_loop_is_a_loop_factory(factory: Callable[[], VirtualLoop]) -> None:
    """A runner takes it, runs several programs on it one after another, and closes it, threads and all."""

    async def an_hour_and_a_thread() -> float:
        await asyncio.sleep(AN_HOUR)
        return await asyncio.to_thread(current_clock().monotonic)

    with asyncio.Runner(loop_factory=factory) as runner:
        first = runner.run(an_hour_and_a_thread())
        second = runner.run(an_hour_and_a_thread())

    assert (first, second) == (AN_HOUR, 2 * AN_HOUR)
