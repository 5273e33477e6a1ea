"""Admission decides by table."""

from __future__ import annotations

from math import inf

import pytest

from atomizer import Electron, FailureKind
from atomizer._core.admission import admit, time_left

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def electron(*, deadline_ns: int | None = None, budget: float | None = None) -> Electron:
    """An electron whose life ends as given."""
    return Electron(id="e", atom_id="a.B", deadline_ns=deadline_ns, budget=budget)


@pytest.mark.parametrize(
    ("deadline_ns", "budget", "known", "cancelled", "refused"),
    [
        (None, None, True, False, None),
        (NOW + SECOND, 1.0, True, False, None),
        (NOW - SECOND, None, True, False, FailureKind.EXPIRED),
        (NOW + SECOND, 0.0, True, False, FailureKind.EXPIRED),
        (NOW, None, True, False, FailureKind.EXPIRED),
        (None, None, False, False, FailureKind.UNKNOWN_ATOM),
        (NOW - SECOND, None, False, False, FailureKind.EXPIRED),
        (None, None, True, True, FailureKind.CANCELLED),
        (NOW - SECOND, None, False, True, FailureKind.CANCELLED),
    ],
)
def test_admission_refuses_what_must_not_start(
    deadline_ns: int | None, budget: float | None, known: bool, cancelled: bool, refused: FailureKind | None
) -> None:
    """I9: nothing starts after its deadline, and what was cancelled or is unknown is answered."""
    asked = electron(deadline_ns=deadline_ns, budget=budget)

    refusal = admit(asked, known=known, cancelled=cancelled, left=time_left(asked, NOW))

    assert (None if refusal is None else refusal.kind) == refused


@pytest.mark.parametrize(
    ("deadline_ns", "budget", "left"),
    [
        (None, None, inf),
        (None, 3.0, 3.0),
        (NOW + 2 * SECOND, None, 2.0),
        (NOW + 2 * SECOND, 3.0, 2.0),
        (NOW + 5 * SECOND, 3.0, 3.0),
        (NOW - SECOND, 3.0, -1.0),
    ],
)
def test_time_left_is_the_smaller_of_budget_and_deadline(
    deadline_ns: int | None, budget: float | None, left: float
) -> None:
    """Two clocks may differ: the smaller number counts."""
    assert time_left(electron(deadline_ns=deadline_ns, budget=budget), NOW) == left
