"""The rows of the table: which figure of which case, and what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.sampling import Sample

__all__ = ("ROWS", "Row")


class Row(NamedTuple):
    """
    One line of the table.

    Attributes:
        name: What it is asked for by.
        title: What it is.
        case: What must be measured for it.
        figure: Its figure in one round.
        floor: What must be reached.
        goal: What is wanted.
        shown: How its figure is written.
        less_is_better: Whether a smaller figure is the better one.
    """

    name: str
    title: str
    case: str
    figure: Callable[[Sample], float]
    floor: float | None
    goal: float | None
    shown: str
    less_is_better: bool

    def reaches(self, figure: float, wanted: float | None) -> bool:
        """Whether a figure is as good as what is wanted; where nothing is, it is."""
        return wanted is None or (figure <= wanted if self.less_is_better else figure >= wanted)


def _times_as_fast(sample: Sample) -> float:
    return sample.baseline["seconds"] / sample.subject["seconds"]


def _times_as_long_alone(sample: Sample) -> float:
    return sample.subject["alone"] / sample.baseline["alone"]


def _more(sample: Sample) -> float:
    return sample.subject["seconds"] / sample.baseline["seconds"] - 1


def _bytes(sample: Sample) -> float:
    return sample.subject["bytes"]


def _times_the_bytes(sample: Sample) -> float:
    return sample.subject["bytes"] / sample.baseline["bytes"]


def _ms(sample: Sample) -> float:
    return 1e3 * sample.subject["seconds"]


def _ms_beyond(sample: Sample) -> float:
    return 1e3 * (sample.subject["seconds"] - sample.baseline["seconds"])


def _faster(name: str, title: str, case: str, floor: float | None, goal: float | None) -> Row:
    return Row(name, title, case, _times_as_fast, floor, goal, "{:.3g}", less_is_better=False)


def _costs(name: str, title: str, case: str, floor: float, goal: float) -> Row:
    return Row(name, title, case, _more, floor, goal, "{:+.1%}", less_is_better=True)


def _alone(name: str, title: str, case: str, floor: float, goal: float) -> Row:
    return Row(name, title, case, _times_as_long_alone, floor, goal, "{:.3g}", less_is_better=True)


ROWS: tuple[Row, ...] = (
    _faster("control", "bare queue ÷ itself: what the harness makes of nothing", "control", None, None),
    _faster("queue", "embedded round trips ÷ bare queue, an atom that does not suspend", "embedded", 0.15, 0.28),
    _faster("suspending", "the same, an atom and a handler that suspend once", "suspending", 0.22, 0.42),
    _faster("taskiq", "÷ taskiq in memory", "taskiq", 4, 10),
    _faster("celery", "÷ Celery eager", "celery", 10, 25),
    _alone("alone", "one at a time, p50 ÷ bare queue's", "embedded", 3, 1.7),
    _costs("deadline", "cost of a deadline per electron", "deadline", 0.15, 0.08),
    _costs("events", "cost of events with no reader", "events", 0.03, 0.015),
    _faster("reader", "with a reader of events that never reads ÷ without one", "reader", 0.75, 0.88),
    Row(
        "unread",
        "memory after 10⁶ electrons ÷ after 10⁴, with such a reader",
        "unread",
        _times_the_bytes,
        1.1,
        1.02,
        "{:.3f}",
        less_is_better=True,
    ),
    _faster("before", "without a reader ÷ another tree of atomizer (`--before`)", "before", 0.95, 0.99),
    Row("bytes", "bytes per queued electron", "queued", _bytes, 750, 600, "{:.0f}", less_is_better=True),
    Row(
        "import",
        "`import atomizer`, beyond `import asyncio`, ms",
        "import",
        _ms_beyond,
        80,
        45,
        "{:.0f}",
        less_is_better=True,
    ),
    Row("help", "`atomizer --help`, ms", "help", _ms, 150, 100, "{:.0f}", less_is_better=True),
    _alone("process-alone", "an electron through a child process, p50 ÷ `ProcessPoolExecutor`", "process", 2, 1.2),
    _faster("process", "the same, throughput ÷ `ProcessPoolExecutor`", "process", 0.6, 1),
    _faster("pi", "π, 2·10⁹ tosses in chunks ÷ `multiprocessing.Pool(2)`", "pi", 0.8, 0.95),
)
"""In the order of the table."""
