"""The plan of faults: what it says happens, and what it refuses to say."""

from __future__ import annotations

import asyncio

import pytest

from atomizer.testing.clock import on_virtual_time
from atomizer.testing.faults import FaultKind, Plan, Step


@on_virtual_time
async def test_plan_says_for_each_of_a_step_what_happens() -> None:
    """Only the one that was named goes wrong, and it is written down."""
    plan = Plan.at((Step.SEND_WORK, 2, FaultKind.DROP))
    await asyncio.sleep(1.5)

    kinds = [plan.take(Step.SEND_WORK, f"e{number}") for number in range(1, 4)]

    assert kinds == [None, FaultKind.DROP, None]
    assert plan.injected == [(Step.SEND_WORK, FaultKind.DROP, 1.5, "e2", 2)]
    assert plan.hits == {(Step.SEND_WORK, FaultKind.DROP): 1}
    assert plan.seen == {Step.SEND_WORK: 3}


@on_virtual_time
async def test_plan_tells_what_is_upcoming_without_its_happening() -> None:
    """A look ahead counts nothing, and what it says is what happens."""
    plan = Plan.from_seed(3, rate=0.5, steps=[Step.SETTLE])

    pairs = [(plan.upcoming(Step.SETTLE), plan.upcoming(Step.SETTLE), plan.take(Step.SETTLE)) for _ in range(10)]

    assert all(first is second is taken for first, second, taken in pairs)
    assert plan.seen == {Step.SETTLE: 10}


@on_virtual_time
async def test_plan_injects_no_more_than_its_limit() -> None:
    """After the last fault everything goes well."""
    plan = Plan.from_seed(1, rate=1.0, limit=3)

    kinds = [plan.take(Step.SEND_WORK) for _ in range(5)]

    assert [kind is None for kind in kinds] == [False, False, False, True, True]


@on_virtual_time
async def test_plan_draws_for_each_step_by_itself() -> None:
    """How often other steps come changes nothing for one step."""
    alone, crowded = (Plan.from_seed(5, rate=0.5, limit=100) for _ in range(2))

    kinds_alone = [alone.take(Step.SETTLE) for _ in range(20)]
    kinds_crowded = [(crowded.take(Step.LISTEN), crowded.take(Step.SETTLE))[1] for _ in range(20)]

    assert kinds_alone == kinds_crowded


@on_virtual_time
async def test_plan_draws_only_what_was_asked_for_and_goes() -> None:
    """Steps and faults can be narrowed; a fault that does not go with a step is never drawn."""
    plan = Plan.from_seed(
        2, rate=1.0, limit=100, steps=[Step.SETTLE, Step.LISTEN], faults=[FaultKind.DROP, FaultKind.DUPLICATE]
    )

    kinds = {step: {plan.take(step) for _ in range(20)} for step in Step}

    assert kinds.pop(Step.SETTLE) == {FaultKind.DROP}
    assert set().union(*kinds.values()) == {None}


def test_plan_refuses_a_fault_that_does_not_go_with_its_step() -> None:
    """The error names those that do."""
    with pytest.raises(ValueError, match="duplicate does not go with settle: choose one of break_after, break_before"):
        Plan.at((Step.SETTLE, 1, FaultKind.DUPLICATE))


def test_plan_refuses_a_count_below_one() -> None:
    """The first is number 1."""
    with pytest.raises(ValueError, match="counted from 1"):
        Plan.at((Step.SETTLE, 0, FaultKind.DROP))


def test_plan_refuses_a_rate_that_is_no_probability() -> None:
    """From 0 to 1."""
    with pytest.raises(ValueError, match="from 0 to 1"):
        Plan.from_seed(1, rate=1.5)


def test_plan_refuses_to_inject_nothing_at_all() -> None:
    """If none of the faults goes with any of the steps, a test would prove nothing."""
    with pytest.raises(ValueError, match="none of these faults"):
        Plan.from_seed(1, steps=[Step.CLOSE], faults=[FaultKind.DUPLICATE])
