"""How many processors this process may use."""

from __future__ import annotations

import os

__all__ = ("usable_cpus",)

_QUOTA = "/sys/fs/cgroup/cpu.max"


def usable_cpus(quota: str | os.PathLike[str] = _QUOTA) -> float:
    """Return how many processors this process may use: those it may be scheduled on, or its share if that is less."""
    scheduled = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open(quota, encoding="ascii") as file:  # noqa: PTH123  # pathlib is slow to import, and only for this
            share, period = file.read().split()
        return min(float(scheduled), int(share) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # none here, or "max": no quota
        return float(scheduled)
