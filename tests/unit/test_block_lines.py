"""A block is written at once and while it goes on; many short ones at one place are not."""

from __future__ import annotations

from atomizer._core.block_lines import BlockLines


def test_a_block_that_goes_on_is_written_again_and_again() -> None:
    """At once, after 1, 10 and 60 seconds, then each minute."""
    lines = BlockLines()

    written = [tenth / 10 for tenth in range(2, 2000) if lines.is_due("here", 0.0, tenth / 10)]

    assert written == [0.2, 1.0, 10.0, 60.0, 120.0, 180.0]


def test_a_short_block_hides_no_later_hang_at_the_same_place() -> None:
    """The hang is written at the latest after ten seconds."""
    lines = BlockLines()
    first = lines.is_due("here", 0.0, 0.3)

    written = [1.0 + age / 10 for age in range(2, 200) if lines.is_due("here", 1.0, 1.0 + age / 10)]

    assert first
    assert written == [11.0]


def test_many_short_blocks_at_one_place_are_written_every_ten_seconds() -> None:
    """And a block elsewhere is written at once."""
    lines = BlockLines()

    written = [began for began in range(1, 40) if lines.is_due("here", float(began), began + 0.5)]

    assert written == [1, 11, 21, 31]
    assert lines.is_due("there", 40.0, 40.5)


def test_of_many_places_the_oldest_are_forgotten() -> None:
    """They are written again then."""
    lines = BlockLines()
    for place in range(70):
        lines.is_due(place, place / 100, place / 100 + 0.001)

    assert lines.is_due(0, 1.0, 1.3)
    assert not lines.is_due(69, 1.5, 1.8)
