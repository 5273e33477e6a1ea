"""The two guards that everyone near a wire needs."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anyio import CancelScope, move_on_after

from .errors import ConductorBroken

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ("cleanup", "foreign_cancellation_as_broken")


def cleanup(seconds: float) -> CancelScope:
    """
    Open a scope for cleaning up: no cancelled scope around reaches into it, and after so many seconds it ends.

    In a cancelled scope each unshielded await is cancelled again, and a shield without an end is a stop that never
    comes. A `task.cancel()` of asyncio's own goes through: whoever owns the task calls it once, before the clean-up.

    Args:
        seconds: How long the clean-up may take.

    Returns:
        The scope, for a `with`; `cancelled_caught` on it says afterwards whether time ran out.
    """
    return move_on_after(seconds, shield=True)


@contextmanager
def foreign_cancellation_as_broken(conductor: str = "") -> Generator[None, None, None]:
    """
    Turn a `CancelledError` that nobody asked for into `ConductorBroken`; let one that was asked for through.

    Libraries hand out such errors when a connection dies. Let through, one ends a task group without a sound: its
    siblings are cancelled, and there is no exception. Whether somebody asked, the current task knows: `cancelling()` on
    it counts every `Task.cancel`, also those of anyio's scopes and asyncio's timeouts.

    Args:
        conductor: Whose connection it is, for the error.

    Raises:
        ConductorBroken: The body was cancelled, but not its task.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        whose = f"of conductor {conductor!r} " if conductor else ""
        raise ConductorBroken(
            f"the connection {whose}died: a call on it was cancelled from inside, and nobody had asked for that"
        ) from error
