"""The gate: lets at most so many electrons of one atom run on a node, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ("Gate",)


class Gate:
    """
    The gate of one atom.

    Attributes:
        inside: How many it has let in that have not left.
    """

    def __init__(self, most: int) -> None:
        self.inside = 0
        self._most = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Gate with {self.inside} of {self._most} inside, {len(self._waiting)} waiting>"

    @property
    def is_idle(self) -> bool:
        """Whether nobody is inside or waits."""
        return not self.inside and not self._waiting

    def set_most(self, most: int) -> None:
        """Let in so many from now on: an atom may be registered anew. Who is inside already stays."""
        self._most = most
        self._let_in()

    def enter_nowait(self) -> bool:
        """Go in if that needs no waiting."""
        if self.inside >= self._most or self._waiting:
            return False
        self.inside += 1
        return True

    async def enter(self) -> None:
        """Go in, behind all that wait already. Cancellation: one that is not inside, and waits no longer."""
        if self.enter_nowait():
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.leave()
            elif mine in self._waiting:
                self._waiting.remove(mine)
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self.inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.inside < self._most:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.inside += 1
                waiter.set_result(None)
