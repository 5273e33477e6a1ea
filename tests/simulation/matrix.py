"""The fault matrix: how often each fault happened at each step, in many worlds together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accidents import PAIRS

if TYPE_CHECKING:
    from collections import Counter

    from atomizer.testing.faults import FaultKind, Step

__all__ = ("table",)


def table(hits: Counter[tuple[Step, FaultKind]]) -> list[str]:
    """Draw it; a blank is no pair."""
    steps, kinds = list(dict.fromkeys(step for step, _ in PAIRS)), sorted({kind for _, kind in PAIRS})
    head = " " * 14 + "".join(f"{kind:>14}" for kind in kinds)
    rows = [
        f"{step:14}" + "".join(f"{hits[step, kind] if (step, kind) in PAIRS else '':>14}" for kind in kinds)
        for step in steps
    ]
    return [head, *rows]
