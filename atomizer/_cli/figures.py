"""The figures of `atomizer bench`, and how they are shown."""

from __future__ import annotations

import json
import platform
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..processors import usable_cpus

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence

__all__ = ("Counts", "Figures", "Plan", "Round", "Spread")

_SHARES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


class Plan(NamedTuple):
    """What is to be measured."""

    electrons: int
    """For each round."""
    size: int
    """Bytes of each payload, at least 8: it begins with its number."""
    outstanding: int
    """How many electrons are under way at once."""
    atom: str
    """`noop` returns at once, `suspend` after one turn of the event loop, `process` from a child process."""
    rounds: int
    seconds: float
    """After which nothing more is asked."""
    deadline: bool
    """Whether electrons have one."""


class Spread(NamedTuple):
    """How long a number of electrons took."""

    electrons: int
    seconds: float
    """From the first question to the last answer."""
    latencies: dict[str, float]
    """Seconds from question to answer, by percentile; empty where nothing was answered."""

    @classmethod
    def of(cls, took: array[int], seconds: float) -> Self:
        """Work out percentiles of latencies in nanoseconds: each is one that was measured."""
        ordered = sorted(took)
        return cls(
            len(ordered),
            seconds,
            {name: ordered[_rank(len(ordered), share)] / 1e9 for name, share in _SHARES.items()} if ordered else {},
        )


def _rank(count: int, share: float) -> int:
    return min(count - 1, int(count * share))


class Round(NamedTuple):
    """One round."""

    alone: Spread
    """One electron at a time."""
    loaded: Spread
    """As many outstanding as was asked for."""
    asked: int
    """How many electrons were asked for under load."""

    @property
    def throughput(self) -> float:
        """Electrons answered in a second, under load."""
        return self.loaded.electrons / self.loaded.seconds


class Counts(NamedTuple):
    """What became of all electrons; the first of these numbers is all, and the others must be 0."""

    asked: int
    lost: int
    """No outcome came."""
    duplicated: int
    """Runs of an electron beyond its first."""
    failed: int
    """The outcome was a failure, or not what was asked for."""
    first_failure: str


class Figures(NamedTuple):
    """What was measured, over all rounds."""

    plan: Plan
    conductor: str
    rounds: list[Round]
    counts: Counts
    loop: str
    """The event loop's own name."""

    @property
    def is_sound(self) -> bool:
        """Whether there was time to measure, and every electron ran once and was answered."""
        return bool(self._measured) and self.counts[1:4] == (0, 0, 0)

    @property
    def _measured(self) -> list[Round]:
        return [each for each in self.rounds if each.loaded.electrons]

    def as_json(self) -> str:
        """Write everything as one JSON object; latencies in seconds."""
        return json.dumps(
            {
                "plan": self.plan._asdict(),
                "conductor": self.conductor,
                **self._summary(),
                "rounds": [
                    {"throughput": each.throughput, "alone": each.alone._asdict(), "loaded": each.loaded._asdict()}
                    for each in self._measured
                ],
                "counts": self.counts._asdict(),
                "on": self._on(),
                "machine": self._machine(),
            },
            indent=2,
        )

    def for_people(self) -> str:
        """Write a table."""
        summary, counts = self._summary(), self.counts
        lines = [
            self._heading(),
            f"throughput           {summary['throughput'] or 0:,.0f} electrons/s",
            "                     " + "".join(f"{name:>12}" for name in _SHARES),
            _row("one at a time", summary["alone"]),
            _row(f"{self.plan.outstanding:,} outstanding", summary["loaded"]),
            f"asked {counts.asked:,}, lost {counts.lost:,}, duplicated {counts.duplicated:,}, failed {counts.failed:,}",
            f"on: {', '.join(self._on())}",
            f"machine: {', '.join(self._machine().values())}",
        ]
        return "\n".join([*lines, *([f"first failure: {counts.first_failure}"] if counts.first_failure else [])])

    def _heading(self) -> str:
        plan = self.plan
        whole = sum(each.asked == plan.electrons for each in self.rounds)
        done = f"{whole} of {plan.rounds} rounds of {plan.electrons:,} electrons, {plan.size:,} bytes each"
        cut = "" if whole == plan.rounds else f"; cut off by the limit of {plan.seconds:g} s{self._left_over()}"
        return f"{done}, atom {plan.atom}, over {self.conductor}{cut}"

    def _left_over(self) -> str:
        asked = sum(each.asked for each in self.rounds if each.asked != self.plan.electrons)
        return f" after {asked:,} of the next" if asked else ""

    def _summary(self) -> dict[str, Any]:
        """Take medians over the rounds, and the longest of what took longest."""
        measured = self._measured
        return {
            "throughput": median(each.throughput for each in measured) if measured else None,
            "alone": _middle([each.alone for each in measured]),
            "loaded": _middle([each.loaded for each in measured]),
        }

    def _machine(self) -> dict[str, str]:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return {"python": python, "loop": self.loop, "cpus": f"{usable_cpus():g} CPUs"}

    def _on(self) -> list[str]:
        deadline = "a deadline" if self.plan.deadline else "no deadline"
        return ["ids", deadline, "bytes through the codec", "events without a reader", "a context for each electron"]


def _middle(spreads: Sequence[Spread]) -> dict[str, float]:
    choose: dict[str, Callable[[list[float]], float]] = {"max": max}
    found = [each.latencies for each in spreads if each.latencies]
    return {name: choose.get(name, median)([each[name] for each in found]) for name in _SHARES} if found else {}


def _row(title: str, latencies: dict[str, float]) -> str:
    return f"{title:<21}" + "".join(f"{latencies[name] * 1e6:>9,.0f} µs" for name in latencies)
