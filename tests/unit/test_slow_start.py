"""Slow start decides how many slots a connection may use from what it has brought."""

from __future__ import annotations

import pytest

from atomizer import Delivery, Lane, Route
from atomizer._core.credit import slowed
from atomizer._core.slow_start import Past, SlowStart, past_of

ROUTE = Route(Lane.WORK, "atom")


def delivery(count: int | None = 0, *, redelivered: bool = False) -> Delivery:
    """Make a delivery with a past."""
    return Delivery(ROUTE, b"", "", count=count, redelivered=redelivered)


@pytest.mark.parametrize(
    ("count", "redelivered", "past"),
    [
        (0, False, Past.CLEAN),
        (0, True, Past.CLEAN),  # it was given back, and the transport knows that nothing died of it
        (None, False, Past.CLEAN),
        (None, True, Past.UNKNOWN),
        (1, True, Past.SUSPECT),
        (7, True, Past.SUSPECT),
    ],
)
def test_a_past_is_told_from_the_marks_of_a_delivery(count: int | None, redelivered: bool, past: Past) -> None:
    """Who was out when a connection ended is suspect."""
    assert past_of(count, redelivered) is past


def test_a_connection_begins_with_one_and_doubles_with_each_clean_delivery() -> None:
    """Up to the slots, and not beyond."""
    slow, ceilings = SlowStart(20), [1]
    for _ in range(6):
        slow.received(delivery())
        ceilings.append(slow.ceiling)

    assert ceilings == [1, 2, 4, 8, 16, 20, 20]
    assert (slow.is_over, slow.withheld) == (True, 0)


def test_one_slot_is_in_use_from_the_start() -> None:
    """There is nothing to withhold."""
    assert (SlowStart(1).is_over, SlowStart(1).withheld) == (True, 0)


def test_a_suspect_holds_everything_until_it_is_settled() -> None:
    """Then it begins again, and what was settled well counts."""
    slow, suspect = SlowStart(4), delivery(1, redelivered=True)
    for _ in range(2):
        slow.received(delivery())

    slow.received(suspect)
    held = slow.is_over, slow.withheld, slow.ceiling
    slow.received(delivery())
    still = slow.ceiling
    made_a_difference = slow.settled(suspect)

    assert held == (False, 4, 1)
    assert still == 1
    assert made_a_difference
    assert (slow.is_holding, slow.ceiling, slow.withheld) == (False, 2, 2)


def test_two_suspects_hold_until_both_are_settled() -> None:
    """They may come together, from two routes."""
    slow, one, two = SlowStart(4), delivery(1), delivery(2)
    slow.received(one)
    slow.received(two)

    slow.settled(one)
    between = slow.is_holding
    slow.settled(two)

    assert (between, slow.is_holding) == (True, False)


def test_what_may_have_been_out_counts_once_it_is_settled() -> None:
    """A transport that cannot count is trusted with what went well."""
    slow, unknown = SlowStart(4), delivery(None, redelivered=True)

    slow.received(unknown)
    after_receipt = slow.ceiling
    slow.settled(unknown)

    assert (after_receipt, slow.ceiling) == (1, 2)


def test_a_delivery_is_settled_once() -> None:
    """Also if its worker says so after the wire did; and what is clean makes no difference then."""
    slow, unknown, clean = SlowStart(16), delivery(None, redelivered=True), delivery()
    for each in (unknown, clean):
        slow.received(each)

    said = [slow.settled(each) for each in (unknown, unknown, clean)]

    assert said == [True, False, False]
    assert slow.ceiling == 4


def test_nothing_is_kept_of_what_comes_when_all_slots_are_in_use() -> None:
    """Most of a node's life."""
    slow = SlowStart(1)
    for _ in range(3):
        slow.received(delivery(None, redelivered=True))
        slow.received(delivery())

    assert not slow.settled(delivery(None, redelivered=True))
    assert repr(slow) == "<SlowStart 1 of 1>"


@pytest.mark.parametrize(
    ("withheld", "lent", "granted", "credit"),
    [
        (0, 0, 64, 64),
        (0, 3, 68, 68),
        (63, 0, 64, 1),
        (63, 0, 128, 1),  # what a flood of spawners has left granted does not undo the slow start
        (63, 3, 68, 5),
        (64, 0, 64, 0),
        (64, 1, 66, 2),  # an atom that waits for a child, held alone: the child comes
    ],
)
def test_credit_is_slowed_but_for_what_is_lent(withheld: int, lent: int, granted: int, credit: int) -> None:
    """Always more than the atoms that wait for children hold."""
    assert slowed(64, withheld, lent, granted) == credit
