"""Letting go: what a node takes nothing more of is left to others at once, and not after what is under way here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .pump import Pump
    from .tasks import Tasks

__all__ = ("let_go",)


async def let_go(pumps: Iterable[Pump], tasks: Tasks, seconds: float) -> None:
    """
    Tell conductors of which routes nothing is taken any more, and give back what has come and was not begun.

    Args:
        pumps: One for each of the conductors. One that takes long keeps no other from it.
        seconds: For how long it is waited for. What is not done then goes on by itself.
    """
    going = [tasks.start(pump.let_go(), f"atomizer lets go {pump.link.name}") for pump in pumps]
    if going:
        await asyncio.wait(going, timeout=seconds)
