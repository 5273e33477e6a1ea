"""
Rounds: every case once, and then every case again.

Each case of each round has a process of its own. What one has imported, allocated or warmed is then nothing to the
others, and how a process happens to lie in memory, which can make a few per cent, is drawn anew each time. Within it
the case and its baseline take turns (`alternation`), so the figure of a round is a ratio of two neighbours.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.cases import CASES
from tests.benchmarks.peers import NotThere
from tests.benchmarks.sampling import Effort, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ("FAILED", "ROOT", "Seen", "measure_here", "run_rounds")

ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 900.0  # seconds; the slowest case takes a tenth of it

FAILED = "failed: its process has said why"

Seen = Mapping[str, "list[Sample] | str"]
"""The rounds of each case, or why it could not be measured."""


def run_rounds(cases: Collection[str], rounds: int, effort: Effort, tell: Callable[[str], None]) -> Seen:
    """
    Measure some cases, each in a process of its own, round after round.

    Args:
        tell: Called with a line before each measurement.
    """
    seen: dict[str, list[Sample]] = {case: [] for case in cases}
    missing: dict[str, str] = {}
    for number in range(1, rounds + 1):
        for case in [case for case in seen if case not in missing]:
            tell(f"round {number} of {rounds}: {case}")
            one = _measure_apart(case, effort)
            if isinstance(one, str):
                missing[case] = one
            else:
                seen[case].append(one)
    return {**seen, **missing}


def _measure_apart(case: str, effort: Effort) -> Sample | str:
    command = [sys.executable, "-m", "tests.benchmarks", "--one", case, msgspec.json.encode(effort).decode()]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, timeout=_LONGEST, check=False)
    return FAILED if done.returncode else msgspec.json.decode(done.stdout, type=Sample | str)


def measure_here(case: str, effort: str) -> bytes:
    """Measure one case in this process, and write what was seen."""
    try:
        return msgspec.json.encode(CASES[case](msgspec.json.decode(effort, type=Effort)))
    except NotThere as why:
        return msgspec.json.encode(str(why))


def _environment() -> dict[str, str]:
    """Keep what was set for atomizer or Python elsewhere out of the figures."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATOMIZER_", "PYTHON"))}
    return {**kept, "PYTHONPATH": str(ROOT)}
