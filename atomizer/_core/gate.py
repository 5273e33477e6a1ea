"""The gate: lets at most so many electrons of one atom run on a node, in the order in which they came."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ("Gate",)

T = TypeVar("T")


class Gate(Generic[T]):
    """The gate of one atom. Who goes in says who that is, and says it again when leaving."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: dict[T, None] = {}
        self._waiting: dict[T, asyncio.Future[None]] = {}

    def __repr__(self) -> str:
        return f"<Gate with {len(self._inside)} of {self._most} inside, {len(self._waiting)} waiting>"

    @property
    def most(self) -> int:
        """How many it lets in."""
        return self._most

    @property
    def inside(self) -> Collection[T]:
        """Those it has let in that have not left, in that order."""
        return self._inside.keys()

    @property
    def waiting(self) -> Collection[T]:
        """Those that wait to go in, in order."""
        return self._waiting.keys()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is inside or waits."""
        return not self._inside and not self._waiting

    def set_most(self, most: int) -> None:
        """Let in so many from now on: an atom may be registered anew. Who is inside already stays."""
        self._most = most
        self._let_in()

    def enter_nowait(self, who: T) -> bool:
        """Go in if that needs no waiting."""
        if len(self._inside) >= self._most or self._waiting:
            return False
        self._inside[who] = None
        return True

    async def enter(self, who: T) -> None:
        """
        Go in, behind all that wait already.

        Raises:
            Whatever it was turned away with: it waits no longer.

        Cancellation: one that is not inside, and waits no longer.
        """
        if self.enter_nowait(who):
            return
        self._waiting[who] = mine = asyncio.get_running_loop().create_future()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self.leave(who)
            raise
        finally:
            self._waiting.pop(who, None)

    def turn_away(self, who: T, error: Exception) -> None:
        """Raise an exception where somebody waits to go in."""
        mine = self._waiting.pop(who)
        if not mine.done():
            mine.set_exception(error)

    def leave(self, who: T) -> None:
        """Make room for the next."""
        self._inside.pop(who, None)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and len(self._inside) < self._most:
            who = next(iter(self._waiting))
            mine = self._waiting.pop(who)
            if not mine.done():
                self._inside[who] = None
                mine.set_result(None)
