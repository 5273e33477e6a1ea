"""Where a conductor is. Pure."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("LinkState",)


class LinkState(StrEnum):
    """What a conductor is doing, over all its connections."""

    CONNECTING = "connecting"
    READY = "ready"
    LOST = "lost"
    FAILED = "failed"
    CLOSED = "closed"
