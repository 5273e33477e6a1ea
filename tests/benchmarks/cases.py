"""The cases: each measures something of atomizer and, in the same breath, what it is held against."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from tests.benchmarks.alternation import compare
from tests.benchmarks.apart import apart_engine, pool_engine
from tests.benchmarks.before import measure_change
from tests.benchmarks.engines import (
    atomizer_engine,
    celery_engine,
    echo,
    echo_later,
    queue_engine,
    taskiq_engine,
)
from tests.benchmarks.peers import peer
from tests.benchmarks.queued import bytes_per_queued_electron
from tests.benchmarks.sampling import Sample
from tests.benchmarks.silenced import measure_silence
from tests.benchmarks.startup import measure_help, measure_import
from tests.benchmarks.tossing import measure_tossing
from tests.benchmarks.unread import measure_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.benchmarks.engines import Open
    from tests.benchmarks.sampling import Effort

__all__ = ("CASES", "SUBJECTS")

T = TypeVar("T")

_QUEUED = 20_000
_SLOW = 5
"""Where an electron takes tens of microseconds, there are so many times less."""

SUBJECTS: dict[str, Open] = {
    "embedded": atomizer_engine(echo),
    "suspending": atomizer_engine(echo_later),
    "deadline": atomizer_engine(echo),
    "reader": atomizer_engine(echo, listened=True),
}
"""What a profile can be taken of."""


def _engines(subject: Open, baseline: Open, *, share: int = 1) -> Callable[[Effort], Sample]:
    def measure(effort: Effort) -> Sample:
        return _run(compare(subject, baseline, effort.electrons // share), effort)

    return measure


def _run(coroutine: Coroutine[Any, Any, T], effort: Effort) -> T:
    with asyncio.Runner(loop_factory=_loop_factory(effort)) as runner:
        return runner.run(coroutine)


def _loop_factory(effort: Effort) -> Callable[[], asyncio.AbstractEventLoop]:
    if effort.loop == "asyncio":
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = peer("uvloop").new_event_loop
    return factory


def _queued(effort: Effort) -> Sample:
    return Sample(subject={"bytes": _run(bytes_per_queued_electron(_QUEUED), effort)})


def _events(effort: Effort) -> Sample:
    return _run(measure_silence(effort), effort)


def _unread(effort: Effort) -> Sample:
    return _run(measure_unread(effort), effort)


def _change(effort: Effort) -> Sample:
    return _run(measure_change(effort), effort)


def _apart(effort: Effort) -> Sample:
    return _run(compare(apart_engine, pool_engine, effort.electrons // _SLOW, perf_counter), effort)


def _tossing(effort: Effort) -> Sample:
    return _run(measure_tossing(effort), effort)


CASES: dict[str, Callable[[Effort], Sample]] = {
    "control": _engines(queue_engine(), queue_engine()),
    "embedded": _engines(SUBJECTS["embedded"], queue_engine()),
    "suspending": _engines(SUBJECTS["suspending"], queue_engine(suspends=True)),
    "taskiq": _engines(SUBJECTS["embedded"], taskiq_engine, share=_SLOW),
    "celery": _engines(SUBJECTS["embedded"], celery_engine, share=_SLOW),
    "deadline": _engines(SUBJECTS["deadline"], atomizer_engine(echo, timeout=None)),
    "events": _events,
    "reader": _engines(SUBJECTS["reader"], atomizer_engine(echo)),
    "unread": _unread,
    "before": _change,
    "queued": _queued,
    "import": measure_import,
    "help": measure_help,
    "process": _apart,
    "pi": _tossing,
}
"""By name."""
