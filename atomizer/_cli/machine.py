"""What this machine and this Python give a node: processors, an event loop, and clocks."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path
from typing import NamedTuple

__all__ = ("ClockReading", "clock_jump", "is_clock_synchronised", "loops", "python", "read_clocks")

_TIMESYNC = Path("/run/systemd/timesync/synchronized")


class ClockReading(NamedTuple):
    """Both clocks at one moment, in nanoseconds."""

    utc_ns: int
    monotonic_ns: int


def python() -> str:
    """Return which Python runs this."""
    return f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"


def loops() -> str:
    """Return which event loops can be had."""
    from importlib.util import find_spec  # noqa: PLC0415  # of the doctor alone

    return "asyncio, uvloop" if find_spec("uvloop") else "asyncio"


def read_clocks() -> ClockReading:
    """Read both clocks of this machine."""
    return ClockReading(time.time_ns(), time.monotonic_ns())


def clock_jump(before: ClockReading, after: ClockReading) -> float:
    """Return by how many seconds UTC went forward (or, below zero, back) against the clock that is never set."""
    return ((after.utc_ns - before.utc_ns) - (after.monotonic_ns - before.monotonic_ns)) / 1e9


def is_clock_synchronised(mark: Path = _TIMESYNC) -> bool | None:
    """Return whether something keeps the clock right, or None where that cannot be told cheaply."""
    return True if mark.exists() else None
