"""Who can never go on, told from who waits for whom."""

from __future__ import annotations

import pytest

from atomizer._core.circle import circle, standing_still

CASES = {
    "one who waits for nobody": ("a", {}, "", ""),
    "one who waits for itself": ("a", {"a": "a"}, "a", "a"),
    "two for each other": ("a", {"a": "b", "b": "a"}, "ab", "ab"),
    "three in a ring": ("b", {"a": "b", "b": "c", "c": "a"}, "bca", "bca"),
    "a chain to one who goes on": ("a", {"a": "b", "b": "c"}, "", ""),
    "one of two others goes on": ("a", {"a": "bc", "b": "a"}, "", "ab"),
    "both others wait for it": ("a", {"a": "bc", "b": "a", "c": "a"}, "abc", "ab"),
    "one who goes on is far away": ("a", {"a": "b", "b": "ac", "c": "d"}, "", "ab"),
    "a circle that it is not part of": ("a", {"a": "b", "b": "c", "c": "b"}, "abc", ""),
    "the shorter of two circles": ("a", {"a": "bc", "b": "d", "c": "a", "d": "a"}, "abcd", "ac"),
}
"""From: who is asked about, who waits for whom; everybody who can never go on, and the circle back to the first."""


@pytest.mark.parametrize(("start", "edges", "still", "round_trip"), CASES.values(), ids=CASES)
def test_who_stands_still_and_in_which_circle(start: str, edges: dict[str, str], still: str, round_trip: str) -> None:
    """One goes on as soon as anybody that it waits for does."""

    def waits_for(who: str) -> str:
        return edges.get(who, "")

    assert sorted(standing_still(start, waits_for)) == sorted(still)
    assert circle(start, waits_for) == tuple(round_trip)


def test_whoever_goes_on_is_asked_about_once() -> None:
    """A ring of a thousand takes a thousand questions."""
    asked: list[int] = []

    def waits_for(who: int) -> list[int]:
        asked.append(who)
        return [(who + 1) % 1000]

    assert len(standing_still(0, waits_for)) == 1000
    assert len(asked) == 1000
