"""What a benchmark is told, and what one round of it has seen."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ("Effort", "Sample")


class Effort(Struct, frozen=True, kw_only=True):
    """How much is done in one round of a case."""

    electrons: int = 50_000
    quick: bool = False
    """Less of everything that has no number of its own, for a first look."""
    loop: Literal["asyncio", "uvloop"] = "asyncio"
    before: str = ""
    """The folder of another tree of atomizer."""


class Sample(Struct, frozen=True):
    """What one round of a case has seen: the same figures of its subject and of what that is held against."""

    subject: dict[str, float]
    baseline: dict[str, float] = {}
