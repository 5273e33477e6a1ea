"""Credit: how many unsettled deliveries of a route a connection may hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("allot", "bounded", "slowed", "widened")


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
    extra = _for_lent(lent)
    wanted = slots + extra
    if wanted <= granted <= 2 * slots + 4 * extra:
        return granted
    return wanted


def slowed(slots: int, withheld: int, lent: int, granted: int) -> int:
    """
    Decide the credit of a node's routes on one of its conductors.

    Args:
        slots: How many electrons run at once.
        withheld: How many of them may not come over this conductor yet, as its slow start says.
        lent: How many slots are lent that come on top. Where nothing else may come, those of atoms that wait for
            children, or these would never come.
        granted: What `allot` has decided for all conductors.
    """
    return granted if not withheld else min(granted, slots - withheld + _for_lent(lent))


def bounded(credit: int, bounds: Iterable[int | None], least: int = 0) -> int:
    """
    Decide the credit of one route.

    What would only wait here for its turn is better left to other nodes, and must not keep other atoms waiting.

    Args:
        credit: What a route without bounds gets.
        bounds: For each atom of the route, how many of its electrons are of use here at once; None is without a bound.
        least: What it needs all the same, as `widened` decides.

    Returns:
        The credit: that of a route without bounds if one of its atoms has none.
    """
    total = 0
    for bound in bounds:
        if bound is None:
            return max(credit, least)
        total += bound
    return max(min(credit, total), least)


def widened(held: int, most: int) -> int:
    """
    Decide the credit of a route all of whose deliveries are held by atoms that wait for what may come behind them.

    As with what is lent, it is rounded up to a power of two: each of those it lets in may have to wait too.

    Args:
        held: How many deliveries are held.
        most: How many a node bears.

    Returns:
        The credit: more than is held, up to the most.
    """
    return min(1 << held.bit_length(), most)


def _for_lent(lent: int) -> int:
    """Round what is lent up to a power of two above it."""
    return 1 << lent.bit_length() if lent else 0
