"""How a runtime is doing: figures, and whether they are good."""

from __future__ import annotations

from msgspec import Struct

__all__ = ("Health", "Statistics", "health_of")


class Statistics(Struct, frozen=True, kw_only=True):
    """Figures of one runtime at one moment."""

    node: str
    """Its name."""
    state: str
    """Where it is in its life: new, starting, running, stopping, stopped."""
    slots: int
    """How many electrons may run at once."""
    running: int
    """How many electrons are bonded here and hold a slot."""
    waiting: int
    """How many electrons wait here for their turn: for fewer of their kind, or for a child process."""
    suspended: int
    """How many atoms wait for children or for their next attempt, their slot lent."""
    processes: int
    """How many child processes there are."""
    abandoned: int
    """How many atoms did not end when they were told to, and still run."""
    outstanding: int
    """How many electrons this runtime has sent and not heard of."""
    completed: int
    """How many electrons have ended here with a result."""
    failed: int
    """How many electrons have ended here with a failure."""
    atoms: tuple[str, ...]
    """The ids of the atoms registered here."""
    conductors: dict[str, str]
    """Each conductor's state: connecting, ready, lost, failed, closed."""
    events_dropped: int
    """How many events slow readers have missed."""


class Health(Struct, frozen=True, kw_only=True):
    """Whether a runtime can be relied on."""

    ok: bool
    """Green or red."""
    reasons: tuple[str, ...] = ()
    """Why it is red, for people."""

    def __bool__(self) -> bool:
        return self.ok


def health_of(statistics: Statistics, abandoned_limit: int) -> Health:
    """
    Judge the figures of a runtime.

    Args:
        statistics: The figures.
        abandoned_limit: `Settings.abandoned_limit`.
    """
    reasons: list[str] = []
    if statistics.abandoned >= min(abandoned_limit, statistics.slots):
        reasons.append(
            f"abandoned atoms hold {statistics.abandoned} of {statistics.slots} slots: restart this node, and see in "
            "the errors which atoms do not end when they are cancelled"
        )
    for name, state in statistics.conductors.items():
        if state not in ("ready", "connecting") and statistics.state == "running":
            reasons.append(f"conductor {name!r} is {state}")
    if statistics.state in ("stopping", "stopped"):
        reasons.append(f"the runtime is {statistics.state}")
    return Health(ok=not reasons, reasons=tuple(reasons))
