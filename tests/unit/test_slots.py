"""Slots bound what runs at once; waiting for children lends them."""

from __future__ import annotations

import asyncio

import pytest

from atomizer import TooManyWaiting
from atomizer._core.slots import Hold, Slots


async def turn() -> None:
    """Let everything that is ready run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def hold(slots: Slots) -> Hold:
    """Take a slot, as soon as one is free."""
    await slots.wait()
    return Hold(slots)


def make(total: int, suspended: int = 10) -> Slots:
    """Slots that nobody watches."""
    return Slots(total, suspended, lambda: None)


async def test_a_delivery_waits_until_a_slot_is_free() -> None:
    """No more holds than slots."""
    slots = make(1)
    first = await hold(slots)
    second = asyncio.create_task(hold(slots))
    await turn()
    waited = not second.done()

    first.end()
    await second

    assert waited
    assert slots.free == 0


async def test_a_lent_slot_goes_to_the_next_and_is_taken_back_before_new_work() -> None:
    """What is begun goes before what is new."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()
    child = await hold(slots)
    newcomer = asyncio.create_task(hold(slots))
    await turn()
    resumed = asyncio.create_task(parent.reclaim())
    await turn()

    child.end()
    await resumed

    assert not newcomer.done()
    parent.end()
    await newcomer


async def test_a_slot_stays_lent_while_any_strand_waits() -> None:
    """A strand that goes on must not take the slot that another one's child needs."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()
    parent.lend()

    await parent.reclaim()

    assert parent.lent
    assert slots.free == 1
    await parent.reclaim()
    assert not parent.lent
    assert slots.free == 0


async def test_a_strand_that_waits_while_another_resumes_gets_the_slot_lent_again() -> None:
    """Lending wins over resuming: else the child could wait for ever."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()
    child = await hold(slots)
    resumed = asyncio.create_task(parent.reclaim())
    await turn()
    parent.lend()

    child.end()
    await resumed

    assert parent.lent
    assert slots.free == 1


async def test_a_cancelled_waiter_takes_no_slot() -> None:
    """A slot handed to a waiter that is cancelled in the same turn goes on to the next."""
    slots = make(1)
    first = await hold(slots)
    second = asyncio.create_task(hold(slots))
    await turn()

    first.end()
    second.cancel()
    await asyncio.wait((second,))

    assert slots.free == 1


async def test_a_cancelled_parent_ends_without_waiting_for_a_slot() -> None:
    """The end of a cancelled atom goes beyond the total rather than wait."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()
    child = await hold(slots)
    resumed = asyncio.create_task(parent.reclaim())
    await turn()

    resumed.cancel()
    await asyncio.wait((resumed,))
    parent.end()
    child.end()

    assert (slots.free, slots.lent) == (1, 0)


async def test_waiting_atoms_are_bounded() -> None:
    """I10: beyond `suspended` a child is refused."""
    slots = make(2, suspended=1)
    parent = await hold(slots)
    slots.check_room()
    parent.lend()

    with pytest.raises(TooManyWaiting, match="Settings.suspended"):
        slots.check_room()


async def test_an_atom_that_ends_while_a_strand_waits_leaves_the_count_right() -> None:
    """A strand that an atom leaves behind holds nothing."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()

    parent.end()
    await parent.reclaim()

    assert (slots.free, slots.lent) == (1, 0)


async def test_a_slot_taken_beyond_the_total_comes_back_before_anybody_gets_one() -> None:
    """Cancelled waits must not add up to more slots than there are."""
    slots = make(1)
    parent = await hold(slots)
    parent.lend()
    child = await hold(slots)
    parent.retake()
    newcomer = asyncio.create_task(hold(slots))
    await turn()

    child.end()
    await turn()

    assert not newcomer.done()
    parent.end()
    await newcomer
    assert slots.free == 0


async def test_who_waits_for_its_turn_has_no_slot_and_lends_none() -> None:
    """Nothing of it runs yet: others do meanwhile, and the routes need no more credit for it."""
    slots = make(1)
    mine = await hold(slots)

    mine.step_aside()
    other = await hold(slots)
    aside = slots.lent, mine.lent
    stepping_in = asyncio.create_task(mine.step_in())
    newcomer = asyncio.create_task(hold(slots))
    await turn()
    other.end()
    await stepping_in

    assert aside == (0, False)
    assert not newcomer.done()
    mine.end()
    await newcomer


async def test_who_is_cancelled_before_its_turn_gives_back_no_slot() -> None:
    """It has none."""
    slots = make(1)
    mine = await hold(slots)
    mine.step_aside()
    await hold(slots)
    stepping_in = asyncio.create_task(mine.step_in())
    await turn()

    stepping_in.cancel()
    await turn()
    mine.end()

    assert stepping_in.cancelled()
    assert (slots.free, slots.lent) == (0, 0)
