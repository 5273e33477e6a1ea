"""How a runtime is doing: figures, and whether they are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from ._core.node import Node
    from .settings import Settings

__all__ = ("Health", "Statistics", "health_of", "statistics_of")


class Statistics(Struct, frozen=True, kw_only=True):
    """Figures of one runtime at one moment."""

    node: str
    """Its name."""
    state: str
    """Where it is in its life: new, starting, running, stopping, stopped."""
    slots: int
    """How many electrons may run at once."""
    free: int
    """How many slots nobody holds; below zero while cancelled atoms end beyond the total."""
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
    """How many electrons have ended here with a failure; those that were cancelled are among them."""
    queued: int
    """How many electrons wait on the routes of this node, as far as its conductors say."""
    stalled: float
    """For how many seconds work has stood still, as far as anybody has looked: it exists, and nothing is done."""
    stalls: tuple[str, ...]
    """What stands still, for people; empty if nothing does."""
    paused: tuple[str, ...]
    """The ids of the atoms and the names of the conductors of which nothing is taken, because somebody said so."""
    atoms: tuple[str, ...]
    """The ids of the atoms registered here."""
    conductors: dict[str, str]
    """Each conductor's state: connecting, ready, lost, failed, closed."""
    conductor_errors: dict[str, str]
    """What ended the last connection of each conductor that is lost or failed, or kept it from coming about."""
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


def statistics_of(node: Node | None, settings: Settings) -> Statistics:
    """Read the figures of a node; of one that was never entered they are all nothing."""
    if node is None:
        return replace(_NOTHING, slots=settings.slots, free=settings.slots)
    flights, slots, links = node.flights, node.slots, node.links.items()
    under_way, waiting, stall = len(flights.under_way), node.turns.waiting, node.liveness.look()
    return replace(
        _NOTHING,
        slots=settings.slots,
        free=slots.free,
        running=max(0, under_way - slots.lent - waiting),
        waiting=waiting,
        suspended=slots.lent,
        processes=node.turns.child_processes,
        abandoned=flights.abandoned,
        outstanding=len(node.correlation),
        completed=flights.completed,
        failed=node.report.failed,
        queued=stall.queued,
        stalled=stall.seconds,
        stalls=stall.reasons,
        paused=node.pausing.paused,
        conductors={name: link.state.value for name, link in links},
        conductor_errors={name: str(link.error) for name, link in links if link.state in _AWAY and link.error},
    )


def health_of(statistics: Statistics, settings: Settings) -> Health:
    """
    Judge the figures of a runtime.

    Args:
        statistics: The figures.
        settings: Of them `abandoned_limit`, `stalled_after`.
    """
    reasons: list[str] = []
    if statistics.abandoned >= min(settings.abandoned_limit, statistics.slots):
        reasons.append(
            f"abandoned atoms hold {statistics.abandoned} of {statistics.slots} slots: restart this node, and see in "
            "the errors which atoms do not end when they are cancelled"
        )
    if statistics.state == "running":
        reasons += _conductors_away(statistics)
        if statistics.stalls and 0 < settings.stalled_after <= statistics.stalled:
            seconds = f"{statistics.stalled:.0f}" if statistics.stalled >= 10.0 else f"{statistics.stalled:.2g}"
            reasons += [f"{stall}: nothing has moved for {seconds} s" for stall in statistics.stalls]
    if statistics.state == "new":
        reasons.append("the runtime was not entered: it takes nothing before `async with`")
    if statistics.state in ("stopping", "stopped"):
        reasons.append(f"the runtime is {statistics.state}")
    return Health(ok=not reasons, reasons=tuple(reasons))


def _conductors_away(statistics: Statistics) -> list[str]:
    """Say which conductors are not there, and why."""
    reasons: list[str] = []
    for name, state in statistics.conductors.items():
        if state not in ("ready", "connecting"):
            why = f": {error}" if (error := statistics.conductor_errors.get(name)) else ""
            for_good = " for good, and is not tried again" if state == "failed" else ""
            reasons.append(f"conductor {name!r} is {state}{for_good}{why}")
    return reasons


_AWAY = ("lost", "failed")

_NOTHING = Statistics(
    node="",
    state="",
    slots=0,
    free=0,
    running=0,
    waiting=0,
    suspended=0,
    processes=0,
    abandoned=0,
    outstanding=0,
    completed=0,
    failed=0,
    queued=0,
    stalled=0.0,
    stalls=(),
    paused=(),
    atoms=(),
    conductors={},
    conductor_errors={},
    events_dropped=0,
)
