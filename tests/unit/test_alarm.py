"""One timer for all deadlines."""

from __future__ import annotations

import asyncio
import random
from math import inf

import pytest

from atomizer._core.alarm import Alarm
from atomizer.testing.clock import VirtualClock, run


class Thing:
    """Something whose time may be up."""

    def __init__(self, due: float) -> None:
        self.due = due


def test_a_thing_is_told_when_its_time_is_up_in_order() -> None:
    """Whatever the order in which they came."""
    moments = [float(moment) for moment in random.Random(1).sample(range(1, 1000), 100)]

    async def main(clock: VirtualClock) -> list[tuple[float, float]]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        things = {moment: Thing(moment) for moment in moments}
        told: list[tuple[float, float]] = []

        def tell(thing: Thing) -> None:
            told.append((thing.due, clock.monotonic()))
            del things[thing.due]

        alarm.watch(things.values(), tell)
        for moment in moments:
            alarm.wake_by(moment)
        await asyncio.sleep(1001)
        return told

    told = run(main)

    assert [due for due, _ in told] == sorted(moments)
    assert all(due == pytest.approx(at, abs=0.001) for due, at in told)


def test_a_thing_that_is_over_is_not_told() -> None:
    """Nearly everything is over long before its time is up."""

    async def main(clock: VirtualClock) -> list[float]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        things = {1.0: Thing(1.0), 2.0: Thing(2.0)}
        told: list[float] = []

        def tell(thing: Thing) -> None:
            told.append(thing.due)
            thing.due = inf

        alarm.watch(things.values(), tell)
        alarm.wake_by(1.0)
        del things[1.0]
        await asyncio.sleep(3)
        return told

    assert run(main) == [2.0]


def test_a_thing_whose_time_is_moved_on_is_told_again() -> None:
    """An atom that does not stop in time is looked at again later."""

    async def main(clock: VirtualClock) -> list[float]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        told: list[float] = []

        def tell(thing: Thing) -> None:
            told.append(clock.monotonic())
            thing.due = 1.5 if thing.due == 1.0 else inf

        alarm.watch([Thing(1.0)], tell)
        alarm.wake_by(1.0)
        await asyncio.sleep(2)
        return told

    assert run(main) == pytest.approx([1.0, 1.5])


def test_an_earlier_moment_is_heard_while_a_later_one_is_armed() -> None:
    """The timer goes by the earliest."""

    async def main(clock: VirtualClock) -> list[float]:
        alarm = Alarm(asyncio.get_running_loop(), clock)
        things = {3600.0: Thing(3600.0)}
        told: list[float] = []

        def tell(thing: Thing) -> None:
            told.append(clock.monotonic())
            thing.due = inf

        alarm.watch(things.values(), tell)
        alarm.wake_by(3600.0)
        things[1.0] = Thing(1.0)
        alarm.wake_by(1.0)
        await asyncio.sleep(2)
        return told

    assert run(main) == pytest.approx([1.0])


def test_ten_thousand_deadlines_arm_one_timer() -> None:
    """I10, and none of them costs a timer of the loop."""

    async def main(clock: VirtualClock) -> int:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop, clock)
        alarm.watch([Thing(3600.0 + number) for number in range(10_000)], lambda thing: None)
        before = len(loop._scheduled)  # type: ignore[attr-defined]
        for number in range(10_000):
            alarm.wake_by(3600.0 + number)
        armed = len(loop._scheduled) - before  # type: ignore[attr-defined]
        alarm.close()
        return armed

    assert run(main) == 1
