"""The life of a runtime is a table."""

from __future__ import annotations

import pytest

from atomizer import AtomizerBug
from atomizer._core.lifecycle import Happening, State, move


def test_a_runtime_goes_from_new_to_stopped() -> None:
    """The ordinary life."""
    state = State.NEW
    for happening in (Happening.ENTER, Happening.READY, Happening.LEAVE, Happening.DRAINED):
        state = move(state, happening)

    assert state is State.STOPPED


def test_a_start_that_fails_is_closed_too() -> None:
    """A runtime that could not start stops like any other."""
    assert move(move(State.STARTING, Happening.FAIL), Happening.DRAINED) is State.STOPPED


@pytest.mark.parametrize("state", list(State))
def test_an_impossible_move_names_both(state: State) -> None:
    """An illegal move is our bug, and says which."""
    for happening in Happening:
        try:
            move(state, happening)
        except AtomizerBug as error:
            assert state in str(error)
            assert happening in str(error)


def test_a_runtime_is_entered_once() -> None:
    """Entering twice is refused."""
    with pytest.raises(AtomizerBug, match="cannot enter"):
        move(State.RUNNING, Happening.ENTER)
