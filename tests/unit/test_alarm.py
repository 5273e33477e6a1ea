"""One timer for all deadlines."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from atomizer._core.alarm import Alarm
from atomizer.testing.clock import VirtualClock, run


def test_an_alarm_calls_at_each_moment_in_order() -> None:
    """Whatever the order in which they were entered."""
    moments = random.Random(1).sample(range(1, 1000), 100)

    async def main(clock: VirtualClock) -> list[tuple[int, float]]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        called: list[tuple[int, float]] = []
        for moment in moments:
            alarm.at(float(moment), partial(lambda at: called.append((at, clock.monotonic())), moment))
        await asyncio.sleep(1001)
        return called

    called = run(main)

    assert [moment for moment, _ in called] == sorted(moments)
    assert all(moment == pytest.approx(at) for moment, at in called)


def test_a_cancelled_moment_is_not_called() -> None:
    """Nearly all deadlines are cancelled before they come."""

    async def main(clock: VirtualClock) -> list[str]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        called: list[str] = []
        first = alarm.at(1.0, lambda: called.append("first"))
        alarm.at(2.0, lambda: called.append("second"))
        first.cancel()
        first.cancel()
        await asyncio.sleep(3)
        return called

    assert run(main) == ["second"]


def test_cancelled_moments_are_forgotten() -> None:
    """I10: a long deadline on each of many electrons does not pile up."""

    async def main(clock: VirtualClock) -> int:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        kept = alarm.at(7200.0, lambda: None)
        for _ in range(10_000):
            alarm.at(3600.0, lambda: None).cancel()
        size = len(alarm._heap)
        kept.cancel()
        alarm.close()
        return size

    assert run(main) < 200


def test_a_call_may_enter_another_moment() -> None:
    """An atom that does not stop in time is looked at again later."""

    async def main(clock: VirtualClock) -> list[float]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        called: list[float] = []
        alarm.at(1.0, lambda: alarm.at(1.5, lambda: called.append(clock.monotonic())) and None)
        await asyncio.sleep(2)
        return called

    assert run(main) == [1.5]
