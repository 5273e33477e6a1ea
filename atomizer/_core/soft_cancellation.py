"""The soft limit as a coroutine meets it, in the runtime's own process and in a child process."""

from __future__ import annotations

import asyncio

from ..errors import SoftLimitReached

__all__ = ("SoftCancellation",)


class SoftCancellation(SoftLimitReached, asyncio.CancelledError):
    """
    The soft limit in a coroutine.

    Thrown as another exception into a task group that waits for its tasks, it would leave them behind; a cancellation
    ends them first. It bears the name under which authors catch it.
    """

    __module__ = SoftLimitReached.__module__
    __qualname__ = SoftLimitReached.__qualname__
