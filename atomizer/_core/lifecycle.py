"""The life of a runtime, as a table. Pure."""

from __future__ import annotations

from enum import StrEnum

from ..errors import AtomizerBug

__all__ = ("Happening", "State", "move")


class State(StrEnum):
    """Where a runtime is in its life."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Happening(StrEnum):
    """What moves it on."""

    ENTER = "enter"
    READY = "ready"
    FAIL = "fail"
    LEAVE = "leave"
    DRAINED = "drained"


_NEXT: dict[tuple[State, Happening], State] = {
    (State.NEW, Happening.ENTER): State.STARTING,
    (State.STARTING, Happening.READY): State.RUNNING,
    (State.STARTING, Happening.FAIL): State.STOPPING,
    (State.RUNNING, Happening.LEAVE): State.STOPPING,
    (State.STOPPING, Happening.DRAINED): State.STOPPED,
}


def move(state: State, happening: Happening) -> State:
    """
    Decide the next state.

    Raises:
        AtomizerBug: That cannot happen in that state.
    """
    try:
        return _NEXT[state, happening]
    except KeyError:
        raise AtomizerBug(f"a runtime that is {state} cannot {happening}") from None
