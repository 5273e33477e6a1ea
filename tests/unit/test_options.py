"""Options lie over each other."""

from __future__ import annotations

import math

import pytest

from atomizer import Options
from atomizer.options import NOTHING_SAID


def test_what_is_said_here_counts_more() -> None:
    """The call over the atom over the runtime."""
    merged = Options(timeout=1.0, key="mine").over(Options(timeout=9.0, node="n1"))

    assert merged == Options(timeout=1.0, key="mine", node="n1")


@pytest.mark.parametrize(
    ("mine", "theirs", "counts"), [(5.0, 1.0, 1.0), (1.0, 5.0, 1.0), (None, 2.0, 2.0), (2.0, None, 2.0)]
)
def test_the_smaller_limit_counts(mine: float | None, theirs: float | None, counts: float) -> None:
    """Whoever asks cannot give an atom more time than its author."""
    assert Options(limit=mine).over(Options(limit=theirs)).limit == counts
    assert Options(soft_limit=mine).over(Options(soft_limit=theirs)).soft_limit == counts


def test_nothing_said_changes_nothing() -> None:
    """The shared object that most atoms have."""
    options = Options(limit=1.0)

    assert NOTHING_SAID.over(options) is options
    assert options.over(NOTHING_SAID) is options


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
@pytest.mark.parametrize("name", ["timeout", "limit", "soft_limit", "delay"])
def test_seconds_out_of_range_are_refused(name: str, seconds: float) -> None:
    """With the field's name."""
    with pytest.raises(ValueError, match=name):
        Options(**{name: seconds})  # type: ignore[arg-type]


def test_a_priority_out_of_range_is_refused() -> None:
    """There are three."""
    with pytest.raises(ValueError, match="priority"):
        Options(priority=2)  # type: ignore[arg-type]
