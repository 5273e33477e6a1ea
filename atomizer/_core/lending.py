"""Lending: a flight waits without its slot, so that others can run meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .flight import Flight

__all__ = ("lending", "lending_if_there_is_room")

T = TypeVar("T")


async def lending(flight: Flight, wait: Callable[[], Awaitable[T]]) -> T:
    """
    Wait for something while a flight's slot is lent.

    Args:
        flight: Whose slot.
        wait: Starts the waiting.

    Cancellation: the slot is taken back, beyond the total if need be.
    """
    hold = flight.holding()
    hold.lend()
    try:
        value = await wait()
    except BaseException:
        hold.retake()
        raise
    await hold.reclaim()
    return value


async def lending_if_there_is_room(flight: Flight, wait: Callable[[], Awaitable[T]]) -> T:
    """Wait as `lending` does, if one more flight may wait so; the slot of an abandoned atom stays with that."""
    if flight.abandoned or not flight.slots.has_room:
        return await wait()
    return await lending(flight, wait)
