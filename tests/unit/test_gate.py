"""A gate lets in so many, in the order in which they came."""

from __future__ import annotations

import asyncio

import pytest

from atomizer._core.gate import Gate


async def turn() -> None:
    """Let everything that is ready run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def queue(gate: Gate, count: int) -> list[asyncio.Task[None]]:
    """Have so many wait at a gate, one behind the other."""
    waiters = []
    for _ in range(count):
        waiters.append(asyncio.create_task(gate.enter()))
        await turn()
    return waiters


async def test_a_gate_lets_in_as_many_as_it_may() -> None:
    """The others wait, in order."""
    gate = Gate(2)
    waiters = await queue(gate, 4)
    at_first = [waiter.done() for waiter in waiters]

    gate.leave()
    await turn()

    assert at_first == [True, True, False, False]
    assert [waiter.done() for waiter in waiters] == [True, True, True, False]
    gate.leave()
    await waiters[3]
    assert gate.inside == 2


async def test_nobody_goes_in_past_those_who_wait() -> None:
    """Not even who would not have to wait: first come, first in."""
    gate = Gate(1)
    gate.enter_nowait()
    [waiter] = await queue(gate, 1)

    gate.leave()

    assert not gate.enter_nowait()
    await waiter
    assert gate.inside == 1


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_one_that_is_cancelled_leaves_the_queue(which: int) -> None:
    """The others move up."""
    gate = Gate(1)
    gate.enter_nowait()
    waiters = await queue(gate, 3)

    waiters[which].cancel()
    gate.leave()  # in the very turn: it must not let in who is gone
    await turn()
    others = [waiter for waiter in waiters if waiter is not waiters[which]]

    assert [waiter.done() for waiter in others] == [True, False]
    gate.leave()
    await others[1]
    gate.leave()
    assert gate.is_idle


async def test_one_that_is_cancelled_as_it_is_let_in_makes_room_for_the_next() -> None:
    """No place is lost."""
    gate = Gate(1)
    gate.enter_nowait()
    first, second = await queue(gate, 2)

    gate.leave()
    first.cancel()
    await turn()

    assert first.cancelled()
    assert second.done()
    assert gate.inside == 1


async def test_a_wider_gate_lets_in_more_and_a_narrower_one_sends_nobody_out() -> None:
    """An atom may be registered anew while it runs."""
    gate = Gate(1)
    waiters = await queue(gate, 4)

    gate.set_most(3)
    await turn()
    while_wide = [waiter.done() for waiter in waiters]
    gate.set_most(1)
    gate.leave()
    gate.leave()
    await turn()

    assert while_wide == [True, True, True, False]
    assert not waiters[3].done()
    gate.leave()
    await waiters[3]
