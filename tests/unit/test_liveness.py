"""What stands still is decided from what is held, what waits, and what has an end in sight."""

from __future__ import annotations

import pytest

from atomizer._core.liveness import Queue, stalls


def queue(waiting: int, *, held: int = 0, credit: int = 4) -> Queue:
    """Make the load of one route."""
    return Queue("the route", waiting, credit, held)


@pytest.mark.parametrize(
    ("free", "ending", "queues", "says"),
    [
        (4, 0, [], None),
        (1, 0, [], None),  # three run for ever, as they may: a slot is free and nothing waits
        (1, 0, [queue(0, held=3)], None),
        (0, 0, [], "all 4 slots are held"),
        (-1, 0, [], "all 4 slots are held"),
        (0, 1, [], None),  # one of them ends by its limit at the latest
        (0, 1, [queue(9, held=4)], None),
        (4, 0, [queue(1)], "none comes"),
        (3, 1, [queue(1, held=1)], "none comes"),  # whatever runs: it could be taken beside that
        (0, 0, [queue(1)], "all 4 slots are held"),
        (3, 0, [queue(5, held=1, credit=1)], "nothing says"),
        (3, 1, [queue(5, held=1, credit=1)], None),
        (4, 0, [queue(5, credit=0)], "nothing says"),
    ],
)
def test_what_stands_still_is_said(free: int, ending: int, queues: list[Queue], says: str | None) -> None:
    """Work that could be done now and is not, or that waits for what has no end."""
    found = stalls(4, free, ending, queues)

    assert len(found) == (says is not None)
    assert says is None or says in found[0]


def test_each_route_that_stands_still_is_named() -> None:
    """With what waits there."""
    found = stalls(4, 2, 0, [Queue("here", 2, 4, 0), Queue("there", 0, 4, 0), Queue("elsewhere", 3, 4, 1)])

    assert [reason.split(",")[0] for reason in found] == ["here has 2 waiting", "elsewhere has 3 waiting"]
