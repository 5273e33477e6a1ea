"""Admission: whether an electron may be started here, now. Pure."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from ..failure import FailureKind

if TYPE_CHECKING:
    from ..electron import Electron

__all__ = ("NOT_BEGUN", "Refusal", "admit", "time_left")


NOT_BEGUN = {
    FailureKind.CANCELLED: "cancelled before it was started",
    FailureKind.EXPIRED: "its deadline passed before it was started",
}
"""What happened to an electron that was not started, for people."""


class Refusal(NamedTuple):
    """Why an electron is answered without being started."""

    kind: FailureKind
    message: str


def admit(
    electron: Electron,
    *,
    known: bool,
    cancelled: bool,
    left: float,
    count: int = 0,
    poison_limit: int = 2**63,
    attempts: int | None = None,
) -> Refusal | None:
    """
    Decide whether an electron may be started.

    Args:
        electron: What came in.
        known: Whether its atom is registered here.
        cancelled: Whether somebody cancelled it while it was on its way.
        left: The seconds it has left.
        count: How often it was delivered before, in vain.
        poison_limit: `Settings.poison_limit`.
        attempts: How often its failure mode has it tried at most; None if it has none.

    Returns:
        None to start it, or why not. A cancelled one is told so even if its time is over, an expired one even if its
        atom is unknown: the first thing that happened counts.
    """
    if cancelled:
        return Refusal(FailureKind.CANCELLED, NOT_BEGUN[FailureKind.CANCELLED])
    if left <= 0:
        return Refusal(FailureKind.EXPIRED, NOT_BEGUN[FailureKind.EXPIRED])
    if count > poison_limit:
        message = (
            f"delivered {count + 1} times, and each time its node died or lost its connection before it was done: more "
            f"than Settings.poison_limit={poison_limit} allows"
        )
        return Refusal(FailureKind.POISON, message)
    if count and attempts is not None and electron.attempt > attempts:
        message = (
            f"it was tried {electron.attempt - 1} times, as often as its failure mode allows, and {count} of its nodes "
            "died or lost their connection before it was done"
        )
        return Refusal(FailureKind.POISON, message)
    if not known:
        return Refusal(FailureKind.UNKNOWN_ATOM, f"atom {electron.atom_id!r} is not registered on this node")
    return None


def time_left(electron: Electron, utc_ns: int) -> float:
    """
    Return the seconds an electron has left: the smaller of its budget and the way to its deadline.

    Two clocks may differ, so a deadline alone could let it live too long; a budget alone does not count the time in
    queues.
    """
    budget, deadline_ns = electron.budget, electron.deadline_ns
    if deadline_ns is None:
        return inf if budget is None else budget
    by_clock = (deadline_ns - utc_ns) / 1e9
    return by_clock if budget is None or by_clock < budget else budget
