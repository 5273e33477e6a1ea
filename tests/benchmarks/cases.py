"""The cases: each measures something of atomizer and, in the same breath, what it is held against."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.benchmarks.alternation import compare
from tests.benchmarks.engines import (
    atomizer_engine,
    celery_engine,
    echo,
    echo_later,
    queue_engine,
    taskiq_engine,
)
from tests.benchmarks.peers import peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.engines import Open
    from tests.benchmarks.sampling import Effort, Sample

__all__ = ("CASES", "SUBJECTS")

_SLOW = 5
"""Peers that take tens of microseconds an electron are asked so many times less."""

SUBJECTS: dict[str, Open] = {
    "embedded": atomizer_engine(echo),
    "suspending": atomizer_engine(echo_later),
    "deadline": atomizer_engine(echo),
}
"""What a profile can be taken of."""


def _engines(subject: Open, baseline: Open, *, share: int = 1) -> Callable[[Effort], Sample]:
    def measure(effort: Effort) -> Sample:
        with asyncio.Runner(loop_factory=_loop_factory(effort)) as runner:
            return runner.run(compare(subject, baseline, effort.electrons // share))

    return measure


def _loop_factory(effort: Effort) -> Callable[[], asyncio.AbstractEventLoop]:
    if effort.loop == "asyncio":
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = peer("uvloop").new_event_loop
    return factory


CASES: dict[str, Callable[[Effort], Sample]] = {
    "control": _engines(queue_engine(), queue_engine()),
    "embedded": _engines(SUBJECTS["embedded"], queue_engine()),
    "suspending": _engines(SUBJECTS["suspending"], queue_engine(suspends=True)),
    "taskiq": _engines(SUBJECTS["embedded"], taskiq_engine, share=_SLOW),
    "celery": _engines(SUBJECTS["embedded"], celery_engine, share=_SLOW),
    "deadline": _engines(SUBJECTS["deadline"], atomizer_engine(echo, timeout=None)),
}
"""By name."""
