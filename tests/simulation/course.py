"""The course of a world: what happened in it, in order, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .world import World

__all__ = ("course",)


def course(world: World) -> Iterator[str]:
    """Give the lines that tell of a world that has lived. Of the same seed they are the same, to the last digit."""
    yield repr(world)
    for asker in world.askers:
        yield from (f"{asker.name} asks at {ask}" for ask in asker.asks)
    yield from (f"there happens at {accident}" for accident in world.accidents)
    for at, electron_id, what in sorted(_rows(world), key=lambda row: row[0]):
        yield f"{at!r:20} {electron_id:24} {what}"
    yield from world.violations


def _rows(world: World) -> Iterator[tuple[float, str, str]]:
    """Give what went over a world's wires: when, whose, and what."""
    for fault in world.plan.injected:
        yield fault.at, fault.electron_id, f"FAULT {fault.kind} at {fault.step} {fault.nth}"
    for sent in world.ledger.sent:
        how = f"{sent.outcome} {_told(sent.error)}"
        yield sent.at, sent.id, f"sent {sent.route} over {sent.connection}, {how}"
    for received in world.ledger.received:
        count = f"count {received.count}, {'again' if received.redelivered else 'first'}"
        yield received.at, received.id, f"received {received.route} over {received.connection}, {count}"
    for settled in world.ledger.settled:
        how = f"{settled.outcome} {_told(settled.error)}"
        yield settled.at, settled.id, f"{settled.settlement.value} over {settled.connection}, {how}"


def _told(error: str) -> str:
    """Leave out where in memory the scope lay that cancelled a call."""
    return "CancelledError" if error.startswith("CancelledError") else error
