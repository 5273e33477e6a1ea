"""The ways that an electron may take through a node, the long one and the straight one, and what both need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answered import Answered
from .answering import Answers
from .attempts import Attempts
from .flights import Flights
from .outcome import Outcomes
from .reception import Reception
from .remember import Remembered
from .straight_line import StraightLine

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..registry import Registry
    from ..settings import Settings
    from .alarm import Alarm
    from .broadcast import Broadcast
    from .report import Report
    from .surrounding import Bonds
    from .tasks import Tasks
    from .threads import Threads
    from .turns import Turns

__all__ = ("make_ways",)


def make_ways(  # noqa: PLR0913  # what an electron meets, by name
    node: str,
    *,
    settings: Settings,
    loop: asyncio.AbstractEventLoop,
    registry: Registry,
    broadcast: Broadcast,
    report: Report,
    alarm: Alarm,
    tasks: Tasks,
    threads: Threads,
    turns: Turns,
    bonds: Bonds,
    on_landed: Callable[[], None],
) -> tuple[Flights, StraightLine]:
    """Make the ways of one node."""
    clock, most, seconds = settings.clock, settings.remember, settings.remember_seconds
    cancelled = Remembered(clock, most=most, seconds=seconds)
    answered = Answered(clock, most=most, seconds=seconds, most_bytes=settings.remember_bytes)
    outcomes = Outcomes(node, settings)
    answers = Answers(settings, outcomes, report, answered)
    attempts = Attempts(node, settings=settings, report=report)
    flights = Flights(
        loop=loop,
        settings=settings,
        broadcast=broadcast,
        report=report,
        outcomes=outcomes,
        answers=answers,
        alarm=alarm,
        tasks=tasks,
        threads=threads,
        turns=turns,
        attempts=attempts,
        cancelled=cancelled,
        find=registry.find,
        bonds=bonds,
        on_landed=on_landed,
    )
    reception = Reception(
        settings=settings,
        registry=registry,
        broadcast=broadcast,
        report=report,
        cancelled=cancelled,
        answered=answered,
        attempts=attempts,
        departures=flights,
    )
    line = StraightLine(
        node,
        settings=settings,
        loop=loop,
        reception=reception,
        flights=flights,
        answers=answers,
        answered=answered,
        alarm=alarm,
        broadcast=broadcast,
        cancelled=cancelled,
    )
    return flights, line
