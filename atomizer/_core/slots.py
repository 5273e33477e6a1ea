"""Slots: how many electrons run at once. An atom that waits for children lends its slot back meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..errors import TooManyWaiting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Hold", "Slots")


class Slots:
    """
    The slots of one node, shared by its conductors.

    A slot that comes free goes to an atom whose children are done, then to a delivery that waits, then to whoever
    `on_free` wakes: what is begun goes before what is new.

    Attributes:
        free: Slots that nobody holds. Below zero while cancelled atoms end beyond the total.
        lent: Atoms that wait for children without a slot.
        wanted: How many wait for a slot; one that was cancelled counts until its turn.
        is_watched: Somebody wants to be told when a slot is free, or that another number of them is lent.
    """

    def __init__(self, total: int, suspended: int, on_free: Callable[[], None]) -> None:
        self.free: int = total
        self.lent: int = 0
        self.wanted: int = 0
        self.is_watched: bool = True
        self._suspended = suspended
        self._on_free = on_free
        self._resuming: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Take a slot, as soon as one is free. Cancellation: it is not taken."""
        if not self.take():
            await self._queue(self._waiting)

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    def release(self) -> None:
        """Give a slot back."""
        if self.free < 0:  # somebody went beyond the total: that comes first
            self.free += 1
            return
        for waiters in (self._resuming, self._waiting):
            while waiters:
                waiter = waiters.popleft()
                self.wanted -= 1
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self.free += 1
        if self.is_watched:
            self._on_free()

    def stir(self) -> None:
        """Tell who watches that an atom waits for fewer children than before, its slot still lent."""
        if self.is_watched:
            self._on_free()

    def count_lent(self, more: int) -> None:
        """Count an atom that has lent its slot, or has it back."""
        self.lent += more
        self.is_watched = True

    @property
    def has_room(self) -> bool:
        """Whether one more atom may wait without a slot."""
        return self.lent < self._suspended

    def check_room(self) -> None:
        """
        Make sure that one more atom may wait for children.

        Raises:
            TooManyWaiting: It may not.
        """
        if not self.has_room:
            raise TooManyWaiting(self._suspended)

    async def resume(self) -> None:
        """Take a slot before anything new does. Cancellation: it is not taken."""
        if not self.take():
            await self._queue(self._resuming)

    async def _queue(self, waiters: deque[asyncio.Future[None]]) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        self.wanted += 1
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise


class Hold:
    """
    One atom's hold on the slot that was taken for it.

    The slot is lent as long as any strand of the atom waits for a child. It is taken back only when none does: a strand
    that kept the slot while another one waits could keep it from that child for ever.
    """

    __slots__ = ("_aside", "_held", "_over", "_resuming", "_slots", "_waiting")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = True
        self._aside = False
        self._over = False
        self._resuming = False
        self._waiting = 0

    @property
    def lent(self) -> bool:
        """Whether the atom waits for children without a slot."""
        return not self._held and not self._aside

    @property
    def is_waiting(self) -> bool:
        """Whether a strand of the atom waits for a child, and none for the slot."""
        return self.lent and self._waiting > 0

    def step_aside(self) -> None:
        """Wait for one's turn without a slot: nothing runs yet, so it is not lent either."""
        self._aside = True
        self._held = False
        self._slots.is_watched = True
        self._slots.release()

    async def step_in(self) -> None:
        """Take a slot again, before anything new does. Cancellation: it is not taken."""
        await self._slots.resume()
        self._aside = False
        self._held = True

    def lend(self) -> None:
        """Begin to wait for a child."""
        self._waiting += 1
        if self._held and not self._over:
            self._give()

    async def reclaim(self) -> None:
        """
        Go on after a child: wait for the slot, if nobody else of this atom waits for a child.

        Cancellation: the slot is taken all the same, beyond the total: the end of a cancelled atom must not wait.
        """
        self._waiting -= 1
        if self._over or self._held or self._waiting or self._resuming:
            self._slots.stir()
            return
        self._resuming = True
        try:
            await self._slots.resume()
        except asyncio.CancelledError:
            self._slots.free -= 1
            self._got()
            raise
        finally:
            self._resuming = False
        self._got()

    def retake(self) -> None:
        """Go on at once, because waiting for a child has failed: the slot is taken beyond the total."""
        self._waiting -= 1
        if not (self._over or self._held or self._waiting or self._resuming):
            self._slots.free -= 1
            self._got()

    def end(self) -> None:
        """The atom is over: give back what it holds."""
        if self._over:
            return
        self._over = True
        if self._held:
            self._held = False
            self._slots.release()
        elif not self._resuming and not self._aside:
            self._slots.count_lent(-1)

    def _got(self) -> None:
        self._slots.count_lent(-1)
        if self._over:
            self._slots.release()
            return
        self._held = True
        if self._waiting:
            self._give()

    def _give(self) -> None:
        self._held = False
        self._slots.count_lent(1)
        self._slots.release()
