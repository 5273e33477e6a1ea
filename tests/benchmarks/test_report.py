"""The benchmarks' own arithmetic: what a table says of what was seen."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.benchmarks.report import Line, lines, machine, table
from tests.benchmarks.rounds import FAILED, ROOT
from tests.benchmarks.rows import ROWS, Row
from tests.benchmarks.sampling import Effort, Sample
from tests.benchmarks.silenced import without_events

FASTER = Row("faster", "more is better", "a", lambda sample: sample.subject["x"], 2, 4, "{:.1f}", less_is_better=False)
SMALLER = Row("smaller", "less is better", "a", lambda sample: sample.subject["x"], 4, 2, "{:.1f}", less_is_better=True)


def line(row: Row, *figures: float) -> Line:
    """Make the line of a row that has seen some figures."""
    (only,) = lines([row], {"a": [Sample({"x": figure}) for figure in figures]})
    return only


@pytest.mark.parametrize(
    ("row", "figures", "verdict", "missed"),
    [
        (FASTER, (1, 5, 6), "goal met", False),
        (FASTER, (1, 2, 3), "floor met", False),
        (FASTER, (1, 1, 3), "short", False),
        (FASTER, (1, 1.5, 1.9), "short", True),
        (SMALLER, (1, 1, 9), "goal met", False),
        (SMALLER, (3, 3, 9), "floor met", False),
        (SMALLER, (3, 5, 9), "short", False),
        (SMALLER, (5, 6, 9), "short", True),
    ],
)
def test_median_decides_and_only_a_floor_that_no_round_reaches_is_missed(
    row: Row, figures: tuple[float, ...], verdict: str, missed: bool
) -> None:
    """One slow round is the machine's; all of them are ours."""
    seen = line(row, *figures)

    assert (seen.verdict, seen.missed) == (verdict, missed)


def test_line_shows_median_and_range() -> None:
    """A ratio is worth as much as its rounds agree."""
    assert table([line(FASTER, 3, 1, 2)]).splitlines()[-1] == (
        "| more is better | 2.0 | 4.0 | **2.0** | 1.0 to 3.0 | floor met |"
    )


@pytest.mark.parametrize("why", ["taskiq is not installed", FAILED])
def test_row_that_could_not_be_measured_says_why(why: str) -> None:
    """It stays in the table, and its floor does not count as missed."""
    (only,) = lines([FASTER], {"a": why})

    assert (only.verdict, only.figure, only.rounds, only.missed) == (why, "–", (), False)


def test_row_that_was_not_asked_for_is_not_shown() -> None:
    """The table has what was measured."""
    assert lines(ROWS, {}) == []


def test_machine_says_how_much_was_done() -> None:
    """A quick look cannot be taken for the real thing."""
    assert "5 rounds, 50,000 electrons" in machine(5, Effort())
    assert "a quick look" in machine(3, Effort(quick=True))


def test_command_measures_a_row_and_writes_the_table() -> None:
    """The whole way: a process for the round, two engines in turn, a table."""
    command = [sys.executable, "-m", "tests.benchmarks", "control", "--rounds", "1", "--electrons", "1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)

    assert [row.count("|") for row in done.stdout.splitlines()[:3]] == [7, 7, 7]
    assert done.stderr == "round 1 of 1: control\n"


SOURCE = """
async def go(self):
    listening = self._broadcast.listening
    if listening:
        self.count()
    if not self._broadcast.listening:
        self.rest()
    if self._broadcast.routine:
        self.quickly()
    self._report.tell(ElectronBonded, flight)
    self.tell(flight, why)
    self.listening = True
"""
SILENCED = """
async def go(self):
    listening = False
    if False:
        self.count()
    if not False:
        self.rest()
    if False:
        self.quickly()
    pass
    self.tell(flight, why)
    self.listening = True
"""


def test_silenced_source_neither_tells_nor_asks() -> None:
    """What is measured against has everything but the events."""
    assert ast.unparse(without_events(SOURCE.encode())) == SILENCED.strip()
