"""Circles: who can never go on, because each waits for somebody who waits as well. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ("circle", "standing_still")

N = TypeVar("N")


def standing_still(start: N, waits_for: Callable[[N], Iterable[N]]) -> tuple[N, ...]:
    """
    Find out whether somebody can never go on.

    Args:
        start: Who.
        waits_for: Gives those of whom one at least must go on before somebody does; nobody if they go on by themselves.

    Returns:
        Everybody on whom it depends, the first one included, if none of them can ever go on; else nobody.
    """
    found, pending = {start: None}, [start]
    while pending:
        others = tuple(waits_for(pending.pop()))
        if not others:
            return ()
        new = [other for other in dict.fromkeys(others) if other not in found]
        found.update(dict.fromkeys(new))
        pending.extend(new)
    return tuple(found)


def circle(start: N, waits_for: Callable[[N], Iterable[N]]) -> tuple[N, ...]:
    """
    Find a shortest circle from somebody back to them.

    Args:
        start: Who.
        waits_for: As in `standing_still`.

    Returns:
        Them first, then each one that the one before waits for; the last one waits for the first. Nobody if there is
        no way back.
    """
    came_from, pending = dict.fromkeys(waits_for(start), start), list(dict.fromkeys(waits_for(start)))
    for each in pending:
        if each == start:
            return _way_to(came_from[start], start, came_from)
        for other in waits_for(each):
            if other not in came_from:
                came_from[other] = each
                pending.append(other)
    return ()


def _way_to(end: N, start: N, came_from: dict[N, N]) -> tuple[N, ...]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))
