"""`atomizer bench`: it measures what it says, and counts what must not happen."""

from __future__ import annotations

import json
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
from click.testing import CliRunner

import atomizer
from atomizer._cli.benchmark import measure
from atomizer._cli.complaint import FINDING
from atomizer._cli.figures import Counts, Figures, Plan, Round, Spread
from atomizer.cli import main
from atomizer.conductor import Frame, Lane
from tests.contract.wrapped import EVERYTHING, Passing, Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = Plan(electrons=300, size=64, outstanding=20, atom="noop", rounds=2, seconds=30.0, deadline=True)
SOUND = Counts(asked=800, lost=0, duplicated=0, failed=0, first_failure="")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure in memory, whatever this machine's settings are."""
    monkeypatch.delenv("ATOMIZER_URL", raising=False)


def figures(counts: Counts = SOUND, *, electrons: int = 300, plan: Plan = SMALL) -> Figures:
    """Return figures of two rounds."""
    alone = Spread(300, 0.03, {"p50": 1e-4, "p90": 2e-4, "p99": 3e-4, "max": 4e-4})
    slow = Spread(electrons, 0.02, {"p50": 1e-3, "p90": 2e-3, "p99": 3e-3, "max": 9e-3})
    fast = Spread(electrons, 0.01, {"p50": 3e-3, "p90": 2e-3, "p99": 3e-3, "max": 4e-3})
    return Figures(plan, "memory", [Round(alone, slow, 300), Round(alone, fast, 300)], counts, "asyncio")


@pytest.mark.parametrize("atom", ["noop", "suspend", "process"])
@pytest.mark.parametrize("deadline", [True, False])
def test_every_electron_runs_once_and_is_answered(atom: str, deadline: bool) -> None:
    """Over the warm-up and, in each round, those that go alone and those under load."""
    measured = measure(SMALL._replace(atom=atom, deadline=deadline), None)

    assert measured.counts == Counts(200 + 2 * (300 + 300), 0, 0, 0, "")
    assert [each.loaded.electrons for each in measured.rounds] == [300, 300]
    assert [each.alone.electrons for each in measured.rounds] == [300, 300]
    assert measured.is_sound


def test_time_limit_ends_the_asking_and_loses_nothing() -> None:
    """What was asked is still answered; what was not asked is not lost."""
    measured = measure(SMALL._replace(electrons=1_000_000, rounds=1, seconds=0.3), None)

    assert measured.counts[1:] == (0, 0, 0, "")
    assert measured.counts.asked < 1_000_000
    assert measured.for_people().startswith("0 of 1 rounds of 1,000,000 electrons, ")
    assert f"cut off by the limit of 0.3 s after {measured.rounds[0].asked:,} of the next" in measured.for_people()


class Doubling(Passing):
    """A connection that sends every electron twice."""

    async def send(self, frame: Frame) -> None:
        await super().send(frame)
        if frame.to.lane is Lane.WORK:
            await super().send(frame)


class Losing(Passing):
    """A connection that loses one electron."""

    sent: ClassVar[int] = 0

    async def send(self, frame: Frame) -> None:
        if frame.to.lane is Lane.WORK:
            Losing.sent += 1
        if frame.to.lane is not Lane.WORK or Losing.sent != 300:
            await super().send(frame)


class Refusing(Passing):
    """A connection that takes nothing."""

    async def send(self, frame: Frame) -> None:
        raise atomizer.TooLarge(100, 10)


@contextmanager
def registered(kind: type[Passing]) -> Iterator[None]:
    """Have a conductor in the default registry, where every runtime begins."""
    conductor = Wrapped(kind, EVERYTHING)
    atomizer.register(conductor)
    try:
        yield
    finally:
        atomizer.unregister(conductor)


def test_electron_that_runs_twice_is_counted() -> None:
    """Though its sender sees one outcome."""
    with registered(Doubling):
        measured = measure(SMALL._replace(rounds=1), None)

    assert measured.counts[1:] == (0, measured.counts.asked, 0, "")
    assert not measured.is_sound


@pytest.mark.parametrize("deadline", [True, False])
def test_electron_that_is_never_answered_is_lost(deadline: bool) -> None:
    """Whether its deadline says so, or the end of the waiting."""
    Losing.sent = 0
    with registered(Losing):
        measured = measure(SMALL._replace(rounds=1, seconds=0.2, deadline=deadline), None, patience=0.1)

    assert (measured.counts.lost, measured.counts.duplicated, measured.counts.failed) == (1, 0, 0)
    assert not measured.is_sound


def test_electron_that_cannot_be_sent_has_failed() -> None:
    """And the first reason is told."""
    with registered(Refusing):
        measured = measure(SMALL._replace(electrons=10, rounds=1), None)

    assert measured.counts.failed == measured.counts.asked
    assert measured.for_people().startswith("1 of 1 rounds of 10 electrons, ")
    assert "cut off" not in measured.for_people()
    assert "100 bytes are over the limit of 10" in measured.for_people()


def test_percentiles_are_latencies_that_were_measured() -> None:
    """In seconds; of nothing there are none."""
    spread = Spread.of(array("Q", [n * 1_000_000 for n in range(100, 0, -1)]), 2.0)

    assert spread.electrons == 100
    assert spread.latencies == {"p50": 0.051, "p90": 0.091, "p99": 0.1, "max": 0.1}
    assert Spread.of(array("Q"), 1.0).latencies == {}


def test_summary_is_medians_and_the_longest_of_all() -> None:
    """Over the rounds."""
    summary = json.loads(figures().as_json())

    assert summary["throughput"] == (300 / 0.02 + 300 / 0.01) / 2
    assert summary["loaded"] == {"p50": 0.002, "p90": 0.002, "p99": 0.003, "max": 0.009}
    assert summary["counts"]["lost"] == 0
    assert summary["plan"]["electrons"] == 300


@pytest.mark.parametrize(
    ("found", "is_sound"),
    [
        (figures(), True),
        (figures(SOUND._replace(lost=1)), False),
        (figures(SOUND._replace(duplicated=1)), False),
        (figures(SOUND._replace(failed=1)), False),
        (figures(electrons=0), False),
    ],
)
def test_figures_are_sound_if_each_electron_ran_once_and_was_answered(found: Figures, is_sound: bool) -> None:
    """And if anything was measured at all."""
    assert found.is_sound is is_sound


def test_command_prints_a_table_or_json() -> None:
    """For people, with what was on; for machines, with every round."""
    options = ["bench", "--electrons", "100", "--rounds", "1", "--outstanding", "10", "--no-deadline"]

    table = CliRunner().invoke(main, options)
    read = json.loads(CliRunner().invoke(main, [*options, "--json"]).stdout)

    assert table.exit_code == 0, table.output
    assert "asked 400, lost 0, duplicated 0, failed 0" in table.stdout
    assert "no deadline" in table.stdout
    assert read["rounds"][0]["loaded"]["electrons"] == 100
    assert "no deadline" in read["on"]


def test_command_whose_electrons_fail_ends_with_1() -> None:
    """The table is shown all the same."""
    with registered(Refusing):
        ended = CliRunner().invoke(main, ["bench", "--electrons", "10", "--rounds", "1"])

    assert ended.exit_code == FINDING
    assert "failed 220" in ended.stdout
