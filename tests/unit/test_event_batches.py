"""Batches of events: how they are divided, how they are numbered, and what their reader learns of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomizer._core.event_batches import Arrivals, batch_id, written
from atomizer._core.event_filter import EventFilter, kinds_named, names_of
from atomizer._core.interests import LONGEST, Interested, interested, union_of, wants
from atomizer.codec import MESSAGEPACK
from atomizer.control import Interest
from atomizer.events import ElectronCompleted, ElectronFailed, RuntimeStarted, UnknownEvent


def failed(size: int) -> ElectronFailed:
    """An event of about a size."""
    return ElectronFailed(error="x" * size)


def test_batch_that_fits_is_one_body() -> None:
    """As it is."""
    [(place, body)] = written(7, [failed(10)] * 3, MESSAGEPACK.encode_events, 1_000)

    assert place == 7
    assert len(MESSAGEPACK.decode_events(body)) == 3


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 10**6))
def test_batch_is_divided_until_it_fits_and_keeps_its_places(sizes: list[int], first: int) -> None:
    """In order, every event at its own place, but for those that are too large by themselves."""
    events = [failed(size) for size in sizes]

    bodies = list(written(first, events, MESSAGEPACK.encode_events, 200))
    found = {
        place + index: event for place, body in bodies for index, event in enumerate(MESSAGEPACK.decode_events(body))
    }

    assert all(len(body) <= 200 for _, body in bodies)
    assert [place for place, _ in bodies] == sorted({place for place, _ in bodies})
    fits = {first + n: each for n, each in enumerate(events) if len(MESSAGEPACK.encode_events([each])) <= 200}
    assert found == fits


def test_event_that_cannot_be_written_leaves_its_place() -> None:
    """The rest goes out all the same."""
    events = [failed(1), ElectronFailed(error="\udc80"), failed(2)]

    bodies = dict(written(1, events, MESSAGEPACK.encode_events, 1_000))

    assert {place: MESSAGEPACK.decode_events(body) for place, body in bodies.items()} == {
        1: (events[0],),
        3: (events[2],),
    }


def test_first_batch_of_a_row_has_nothing_missing_before_it() -> None:
    """Whoever begins to listen has missed nothing that it was to have."""
    assert Arrivals(8).take(batch_id("row", 100), 3) == 0


def test_what_is_missing_between_two_batches_is_counted() -> None:
    """In its own row, whatever comes of others."""
    arrivals = Arrivals(8)

    found = [
        arrivals.take(batch_id(row, first), 2) for row, first in [("a", 1), ("b", 1), ("a", 3), ("a", 9), ("b", 3)]
    ]

    assert found == [0, 0, 0, 4, 0]


def test_batch_that_was_here_before_is_none() -> None:
    """Once is enough; it does not turn the count back either."""
    arrivals = Arrivals(8)
    arrivals.take(batch_id("a", 5), 5)

    assert arrivals.take(batch_id("a", 5), 5) is None
    assert arrivals.take(batch_id("a", 1), 1) is None
    assert arrivals.take(batch_id("a", 10), 1) == 0


@pytest.mark.parametrize("id", ["", "e-1", "row:", ":5", "row:x", "row:-1", "row:" + "9" * 19, "row:٣x"])
def test_batch_without_a_place_is_taken_as_it_comes(id: str) -> None:
    """Another program may number its batches in another way, or not at all."""
    arrivals = Arrivals(8)

    assert [arrivals.take(id, 1), arrivals.take(id, 1)] == [0, 0]
    assert len(arrivals) == 0


def test_rows_are_forgotten_beyond_a_number() -> None:
    """I10: those that were silent for longest."""
    arrivals = Arrivals(2)
    for row in ("a", "b", "a", "c"):
        arrivals.take(batch_id(row, 1), 1)

    assert len(arrivals) == 2
    assert arrivals.take(batch_id("a", 1), 1) is None
    assert arrivals.take(batch_id("b", 9), 1) == 0


def test_union_of_interests_is_what_anybody_wants() -> None:
    """One who wants everything is enough for everything, and nobody for nothing."""

    def of(*kinds: str) -> Interested:
        return interested(Interest(follower="n", seconds=1.0, kinds=kinds), "hub", 0.0)

    assert union_of([]) is None
    assert union_of([of("failed"), of("completed")]) == EventFilter(
        kinds=frozenset((ElectronFailed, ElectronCompleted))
    )
    assert union_of([of("failed"), of()]) == EventFilter()
    assert union_of([of("a kind of tomorrow")]) == EventFilter(kinds=frozenset())


def test_event_is_wanted_if_it_fits_in_all_that_somebody_said() -> None:
    """Not in one thing of this one and another thing of that one."""
    both = [
        interested(Interest(follower="a", seconds=1.0, kinds=("failed",), atom_id="a.B"), "hub", 0.0),
        interested(Interest(follower="b", seconds=1.0, electron_id="e"), "hub", 0.0),
    ]

    assert wants(ElectronFailed(atom_id="a.B"), both)
    assert wants(ElectronCompleted(atom_id="c.D", electron_id="e"), both)
    assert not wants(ElectronFailed(atom_id="c.D"), both)
    assert not wants(ElectronCompleted(atom_id="a.B"), both)


def test_interest_lasts_as_long_as_it_says_but_not_for_ever() -> None:
    """Who goes on following says so again."""
    short, long = (interested(Interest(follower="n", seconds=each), "hub", 100.0) for each in (30.0, 1e10))

    assert short.due == 130.0
    assert long.due == 100.0 + LONGEST


def test_kinds_have_their_names_on_the_wire() -> None:
    """There and back; a name that nobody here knows is passed over."""
    kinds = frozenset((ElectronFailed, RuntimeStarted, UnknownEvent))

    assert names_of(kinds) == ("failed", "started", "unknown")
    assert kinds_named((*names_of(kinds), "tomorrow")) == kinds
    assert names_of(None) == ()
