"""The report: what was seen, against what was asked, as a table in Markdown."""

from __future__ import annotations

import os
import platform
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.rounds import Seen
    from tests.benchmarks.rows import Row
    from tests.benchmarks.sampling import Effort, Sample

__all__ = ("Line", "lines", "machine", "table")


class Line(Struct, frozen=True, kw_only=True):
    """
    One row with its figures.

    Attributes:
        verdict: What is reached; or why it could not be measured.
        rounds: The figure of each round; empty if it could not be measured.
        missed: Whether no round has reached the floor. One that was reached now and then may be the machine's fault.
    """

    name: str
    title: str
    floor: str
    goal: str
    verdict: str
    figure: str = "–"
    span: str = "–"
    rounds: tuple[float, ...] = ()
    missed: bool = False


def lines(rows: Iterable[Row], seen: Seen) -> list[Line]:
    """Work out each row from the rounds of its case."""
    return [_line(row, samples) for row in rows if (samples := seen.get(row.case)) is not None]


def _line(row: Row, samples: list[Sample] | str) -> Line:
    floor, goal = _written(row, row.floor), _written(row, row.goal)
    if isinstance(samples, str):
        return Line(name=row.name, title=row.title, floor=floor, goal=goal, verdict=samples)
    figures = [row.figure(sample) for sample in samples]
    middle = median(figures)
    return Line(
        name=row.name,
        title=row.title,
        floor=floor,
        goal=goal,
        figure=_written(row, middle),
        span=f"{_written(row, min(figures))} to {_written(row, max(figures))}",
        verdict=_verdict(row, middle),
        rounds=tuple(figures),
        missed=not any(row.reaches(figure, row.floor) for figure in figures),
    )


def _written(row: Row, figure: float | None) -> str:
    return "–" if figure is None else row.shown.format(figure)


def _verdict(row: Row, figure: float) -> str:
    if row.floor is None:
        return "–"
    if row.reaches(figure, row.goal):
        return "goal met"
    return "floor met" if row.reaches(figure, row.floor) else "short"


def table(report: Iterable[Line]) -> str:
    """Write the table."""
    head = "| figure | floor | goal | median | range | |\n|---|---|---|---|---|---|"
    rows = (
        f"| {line.title} | {line.floor} | {line.goal} | **{line.figure}** | {line.span} | {line.verdict} |"
        for line in report
    )
    return "\n".join([head, *rows])


def machine(rounds: int, effort: Effort) -> str:
    """Say in a line what it was measured on, and how much of it."""
    size = " (a quick look, with less of everything)" if effort.quick else ""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"{platform.python_implementation()} {platform.python_version()}, loop of {effort.loop}; "
        f"median and range of {rounds} rounds, {effort.electrons:,} electrons of 100 bytes each{size}."
    )
