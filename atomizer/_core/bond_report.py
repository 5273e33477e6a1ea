"""The report on one flight, for whoever inspects its node. Pure."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

from ..inspection import LONGEST_NOTE, BondReport, BondState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .flight import Flight

__all__ = ("bonded", "report_on")


def bonded(flights: Iterable[Flight], electron_id: str) -> list[Flight]:
    """
    Choose what there is to report on: what was decoded, and neither is turned away nor has come once more.

    Args:
        flights: Everything under way, the oldest first.
        electron_id: The one to look for; empty means all.
    """
    asked = (flight for flight in flights if electron_id in ("", flight.delivery.id))
    return [each for each in asked if each.electron is not None and each.verdict is None and each.joins is None]


def report_on(flight: Flight, node: str, *, now: float, utc_ns: int) -> BondReport:
    """
    Report on a flight that is `bonded`.

    Args:
        flight: The flight.
        node: Where it is.
        now: What the clock's `monotonic()` says.
        utc_ns: What it says in UTC, at the same moment.
    """
    electron, progress = flight.electron, flight.progress
    assert electron is not None  # noqa: S101  # it was chosen by that
    tells = progress is not None and isfinite(progress.done) and isfinite(progress.total or 0.0)
    return BondReport(
        electron_id=electron.id,
        atom_id=electron.atom_id,
        node=node,
        conductor=flight.link.name,
        state=_state_of(flight).value,
        since_ns=flight.started_ns,
        deadline_ns=None if flight.deadline == inf else max(0, utc_ns + int((flight.deadline - now) * 1e9)),
        attempt=electron.attempt,
        parent=electron.parent,
        sender=electron.sender,
        done=progress.done if progress is not None and tells else None,
        total=progress.total if progress is not None and tells else None,
        note=_writable(progress.note[:LONGEST_NOTE]) if progress is not None else "",
    )


def _state_of(flight: Flight) -> BondState:
    if flight.abandoned:
        return BondState.ABANDONED
    if flight.pausing is not None:
        return BondState.RETRYING
    if flight.is_over:
        return BondState.ANSWERING
    if flight.waits:
        return BondState.WAITING
    return BondState.SUSPENDED if flight.lends else BondState.RUNNING


def _writable(text: str) -> str:
    """Replace what is no text in UTF-8: an atom may put anything into a line for people."""
    return text.encode(errors="replace").decode()
