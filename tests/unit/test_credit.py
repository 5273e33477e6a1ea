"""Credit is decided from slots and what is lent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atomizer._core.credit import allot

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
