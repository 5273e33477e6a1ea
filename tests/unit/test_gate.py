"""A gate lets in so many, in the order in which they came."""

from __future__ import annotations

import asyncio

import pytest

from atomizer._core.gate import Gate


async def turn() -> None:
    """Let everything that is ready run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def queue(gate: Gate[str], count: int) -> list[asyncio.Task[None]]:
    """Have so many wait at a gate, one behind the other: `0`, `1` and so on."""
    waiters = []
    for number in range(count):
        waiters.append(asyncio.create_task(gate.enter(str(number))))
        await turn()
    return waiters


async def test_a_gate_lets_in_as_many_as_it_may() -> None:
    """The others wait, in order."""
    gate: Gate[str] = Gate(2)
    waiters = await queue(gate, 4)
    at_first = [waiter.done() for waiter in waiters]

    gate.leave("0")
    await turn()

    assert at_first == [True, True, False, False]
    assert [waiter.done() for waiter in waiters] == [True, True, True, False]
    gate.leave("1")
    await waiters[3]
    assert list(gate.inside) == ["2", "3"]


async def test_nobody_goes_in_past_those_who_wait() -> None:
    """Not even who would not have to wait: first come, first in."""
    gate: Gate[str] = Gate(1)
    gate.enter_nowait("first")
    [waiter] = await queue(gate, 1)

    gate.leave("first")

    assert not gate.enter_nowait("second")
    await waiter
    assert len(gate.inside) == 1


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_one_that_is_cancelled_leaves_the_queue(which: int) -> None:
    """The others move up."""
    gate: Gate[str] = Gate(1)
    gate.enter_nowait("first")
    waiters = await queue(gate, 3)

    waiters[which].cancel()
    gate.leave("first")  # in the very turn: it must not let in who is gone
    await turn()
    others = [waiter for waiter in waiters if waiter is not waiters[which]]
    left = [name for name in "012" if name != str(which)]

    assert [waiter.done() for waiter in others] == [True, False]
    gate.leave(left[0])
    await others[1]
    gate.leave(left[1])
    assert gate.is_idle


async def test_one_that_is_cancelled_as_it_is_let_in_makes_room_for_the_next() -> None:
    """No place is lost."""
    gate: Gate[str] = Gate(1)
    gate.enter_nowait("first")
    first, second = await queue(gate, 2)

    gate.leave("first")
    first.cancel()
    await turn()

    assert first.cancelled()
    assert second.done()
    assert len(gate.inside) == 1


async def test_a_wider_gate_lets_in_more_and_a_narrower_one_sends_nobody_out() -> None:
    """An atom may be registered anew while it runs."""
    gate: Gate[str] = Gate(1)
    waiters = await queue(gate, 4)

    gate.set_most(3)
    await turn()
    while_wide = [waiter.done() for waiter in waiters]
    gate.set_most(1)
    gate.leave("0")
    gate.leave("1")
    await turn()

    assert while_wide == [True, True, True, False]
    assert not waiters[3].done()
    gate.leave("2")
    await waiters[3]


async def test_one_that_is_turned_away_waits_no_longer() -> None:
    """It is told why, and the others move up."""
    gate: Gate[str] = Gate(1)
    gate.enter_nowait("first")
    waiters = await queue(gate, 2)

    gate.turn_away("0", LookupError("not here"))
    await turn()

    assert isinstance(waiters[0].exception(), LookupError)
    assert list(gate.waiting) == ["1"]
    gate.leave("first")
    await waiters[1]
    assert list(gate.inside) == ["1"]


async def test_one_that_is_turned_away_and_cancelled_at_once_takes_no_place() -> None:
    """And nobody complains of an exception that was never read."""
    gate: Gate[str] = Gate(1)
    gate.enter_nowait("first")
    waiters = await queue(gate, 1)

    gate.turn_away("0", LookupError("not here"))
    waiters[0].cancel()
    await turn()

    assert list(gate.inside) == ["first"]
    assert waiters[0].cancelled()
