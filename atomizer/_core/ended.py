"""How a call ended that ran where it could not be awaited: in a thread, or in a child process."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("Ended",)


class Ended(NamedTuple):
    """How a call ended. A value of its own, because a future refuses a `StopIteration`."""

    value: object
    error: BaseException | None
