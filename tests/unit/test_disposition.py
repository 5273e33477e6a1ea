"""Disposition decides what becomes of an electron, and describes what went wrong."""

from __future__ import annotations

import asyncio

import pytest

from atomizer import Failure, FailureKind, Properties, Settlement
from atomizer._core.disposition import GIVE_BACK, dispose, failure_of, interruption


def test_properties_are_sent_and_acknowledged_when_somebody_waits() -> None:
    """An outcome with a waiting node is a reply, and then an ACK."""
    properties = Properties(electron_id="e")

    verdict = dispose(properties, "asker")

    assert (verdict.reply, verdict.settlement) == (properties, Settlement.ACK)


def test_properties_are_not_sent_when_nobody_waits() -> None:
    """An outcome that nobody waits for is acknowledged without a reply."""
    verdict = dispose(Properties(electron_id="e"), "")

    assert (verdict.reply, verdict.settlement) == (None, Settlement.ACK)


def test_what_has_no_outcome_is_given_back() -> None:
    """I6: without an outcome nothing is acknowledged."""
    assert (GIVE_BACK.reply, GIVE_BACK.settlement) == (None, Settlement.REQUEUE)


class Hostile(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("seven"), "seven"),
        (Hostile(), "(its str() raised SystemExit)"),
        (KeyError("\ud800"), "'\\ud800'"),
        (SystemExit(2), "2"),
        (ValueError("x" * 1_000_000), "x" * 4_000),
    ],
)
def test_failure_of_describes_any_exception(error: BaseException, message: str) -> None:
    """Whatever an exception's own code does, its failure is text of a bounded size."""
    failure = failure_of(error, kind=FailureKind.FAILED)

    assert failure.message == message
    assert failure.kind == "failed"
    assert failure.type.endswith(type(error).__name__)
    assert len(failure.trace) <= 16_000


def test_an_interrupted_atom_keeps_the_failure_it_was_told_with() -> None:
    """What an atom raises when it is told to stop is a detail of that."""
    told = Failure(kind=FailureKind.TIMED_OUT, message="it ran over its limit")

    quiet = interruption(told, asyncio.CancelledError())
    loud = interruption(told, ValueError("half done"))

    assert quiet == told
    assert loud.kind == FailureKind.TIMED_OUT
    assert loud.message == "it ran over its limit; on its way out it raised half done"


@pytest.mark.parametrize(("was_dead", "is_letter"), [(False, False), (True, True)])
def test_what_was_a_dead_letter_is_one_again_if_it_fails(was_dead: bool, is_letter: bool) -> None:
    """Also when somebody hears of it: the payload would be gone."""
    failed = Properties(electron_id="e", failure=Failure(kind=FailureKind.FAILED))

    verdict = dispose(failed, "asker", was_dead=was_dead)

    assert verdict.reply is failed
    assert (verdict.letter is not None) == is_letter
