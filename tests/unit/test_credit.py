"""Credit is decided from slots and what is lent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atomizer._core.credit import allot, bounded, widened

SLOTS = st.integers(1, 1_000)
LENT = st.integers(0, 20_000)


@given(SLOTS, LENT, st.integers(0, 100_000))
def test_credit_is_always_enough_for_slots_and_waiting_atoms(slots: int, lent: int, granted: int) -> None:
    """A node full of spawners still takes their children."""
    assert allot(slots, lent, granted) > slots + lent - 1


@given(SLOTS, LENT, st.integers(0, 100_000))
def test_credit_settles_after_one_decision(slots: int, lent: int, granted: int) -> None:
    """Deciding again with nothing changed changes nothing."""
    credit = allot(slots, lent, granted)

    assert allot(slots, lent, credit) == credit


def test_credit_stays_when_one_slot_is_lent_again_and_again() -> None:
    """A spawner with one child at a time does not tell the transport a number for each."""
    granted = allot(64, 1, 64)

    decisions = {allot(64, lent, granted) for lent in (0, 1, 0, 1, 0)}

    assert decisions == {granted}


def test_credit_comes_down_after_a_flood() -> None:
    """What ten thousand waiting atoms needed is not kept for ever."""
    flooded = allot(64, 10_000, 64)

    assert allot(64, 0, flooded) == 64


@given(SLOTS, st.lists(st.none() | st.integers(1, 100), min_size=1))
def test_a_route_has_no_more_credit_than_its_atoms_can_use(credit: int, bounds: list[int | None]) -> None:
    """What would only wait here is left to other nodes; one atom without a bound needs all of it."""
    numbers = [bound for bound in bounds if bound is not None]

    decided = bounded(credit, bounds)

    assert decided == (min(credit, sum(numbers)) if len(numbers) == len(bounds) else credit)


def test_a_singleton_has_a_credit_of_one() -> None:
    """Whatever the slots."""
    assert bounded(64, [1]) == 1


def test_a_route_may_need_more_than_its_atoms_can_use() -> None:
    """What it needs is a least, and takes nothing away."""
    assert [bounded(64, bounds, 8) for bounds in ([1, 1], [None, 1], [10])] == [8, 64, 10]


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_wider_route_lets_in_more_than_is_held_up_to_the_most(held: int, most: int) -> None:
    """And at most twice as many, so that few are taken which others could run."""
    wider = widened(held, most)

    assert wider == most or held < wider <= max(1, 2 * held)
    assert wider <= most
