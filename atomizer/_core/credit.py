"""Credit: how many unsettled deliveries of a route a connection may hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("allot", "bounded")


def allot(slots: int, lent: int, granted: int) -> int:
    """
    Decide the credit of a node's routes.

    Enough for every slot and for every atom that waits with an unsettled electron, so a node full of spawners still
    takes their children. What is lent is rounded up to a power of two, and comes down only when most of it is unused:
    telling a transport a new number costs a round trip, and `lent` moves with every child.

    Args:
        slots: How many electrons run at once.
        lent: How many atoms wait for children.
        granted: What was decided last time.

    Returns:
        The credit. The same as `granted` means: leave it.
    """
    extra = 1 << lent.bit_length() if lent else 0
    wanted = slots + extra
    if wanted <= granted <= 2 * slots + 4 * extra:
        return granted
    return wanted


def bounded(credit: int, bounds: Iterable[int | None]) -> int:
    """
    Decide the credit of one route.

    What would only wait here for its turn is better left to other nodes, and must not keep other atoms waiting.

    Args:
        credit: What a route without bounds gets.
        bounds: For each atom of the route, how many of its electrons are of use here at once; None is without a bound.

    Returns:
        The credit: that of a route without bounds if one of its atoms has none.
    """
    total = 0
    for bound in bounds:
        if bound is None:
            return credit
        total += bound
    return min(credit, total)
