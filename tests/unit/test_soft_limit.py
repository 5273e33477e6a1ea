"""The soft limit: an atom is told in time, and may end early with a result."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import atomizer
from atomizer import Atomizer, Bond, Settings, SoftLimitReached
from atomizer.testing.clock import VirtualClock, run

if TYPE_CHECKING:
    from atomizer.options import OptionFields

ended: list[str] = []
"""What the children of a task group had to say at their end."""


@atomizer.atom(id="tests.soft.partial")
async def partial() -> str:
    """Give what there is."""
    try:
        await asyncio.sleep(100)
    except SoftLimitReached:
        return "partial"
    return "whole"


@atomizer.atom(id="tests.soft.deaf")
async def deaf() -> None:
    """Go on after it was told."""
    try:
        await asyncio.sleep(100)
    except SoftLimitReached:
        await asyncio.sleep(100)


@atomizer.atom(id="tests.soft.through")
async def through(inside: str) -> None:
    """Let it through."""
    if inside == "asyncio.TaskGroup":
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.sleep(100)
    elif inside == "anyio":
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)
    else:
        await child()


async def child() -> None:
    """Be one of several."""
    try:
        await asyncio.sleep(100)
    finally:
        ended.append("child")


@atomizer.atom(id="tests.soft.groups")
async def groups(kind: str) -> str:
    """Catch it around a task group, whose children are over by then."""
    ended.clear()
    try:
        if kind == "anyio":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
    except SoftLimitReached:
        return ", ".join([*ended, "caught"])
    return "whole"


@atomizer.atom(id="tests.soft.raises")
async def raises() -> None:
    """Raise it without having been told."""
    raise SoftLimitReached(1.0)


@atomizer.atom(id="tests.soft.in_thread")
def in_thread(bond: Bond) -> str:
    """Look at the bond now and then."""
    while not bond.cancelled:
        threading.Event().wait(0.001)
    return "partial"


@atomizer.atom(id="tests.soft.spawner")
async def spawner(bond: Bond) -> str:
    """Wait for a child; its own soft limit comes first."""
    try:
        await bond.run(partial)
    except SoftLimitReached:
        return "early"
    return "whole"


def ask(atom: Any, *args: Any, **options: Any) -> tuple[Any, float]:
    """Ask on a clock that jumps; return the outcome, and the seconds it took."""

    async def main(clock: VirtualClock) -> tuple[Any, float]:
        settings = Settings(clock=clock, cancel_grace=1.0)
        async with Atomizer(*dict.fromkeys((atom.plain, partial)), settings=settings) as runtime:
            began = clock.monotonic()
            properties = await (await runtime.send(atom.options(**options), *args)).properties()
            took = clock.monotonic() - began
            assert await runtime.run(partial.options(limit=200.0)) == "whole"  # the next electron is not hit
            return properties, took

    return run(main)


def test_an_atom_that_catches_it_gives_its_result() -> None:
    """At the soft limit, not at the limit."""
    properties, took = ask(partial, soft_limit=2.0, limit=5.0)

    assert (properties.value(), took) == ("partial", pytest.approx(2.0))


def test_a_soft_limit_without_a_limit_is_told_all_the_same() -> None:
    """It is of use alone too."""
    properties, took = ask(partial, soft_limit=2.0)

    assert (properties.value(), took) == ("partial", pytest.approx(2.0))


@pytest.mark.parametrize("inside", ["", "asyncio.TaskGroup", "anyio"])
def test_an_atom_that_lets_it_through_has_run_over_its_time(inside: str) -> None:
    """Also out of a task group, which may wrap it."""
    properties, took = ask(through, inside, soft_limit=2.0, limit=5.0)

    failure = properties.failure
    assert (failure.kind, failure.ending) == ("timed_out", "stopped")
    assert failure.message == "it ran over its soft limit of 2 s"
    assert failure.type == "atomizer.errors.SoftLimitReached"
    assert "in through" in failure.trace
    assert "atomizer.errors.SoftLimitReached" in failure.trace
    assert took == pytest.approx(2.0)


def test_an_atom_that_goes_on_meets_its_limit() -> None:
    """First the soft one, then the hard one."""
    properties, took = ask(deaf, soft_limit=2.0, limit=5.0)

    assert (properties.failure.kind, properties.failure.message) == ("timed_out", "it ran over its limit")
    assert took == pytest.approx(5.0)


@pytest.mark.parametrize("limits", [{"limit": 2.0}, {"timeout": 2.0}])
def test_a_soft_limit_beyond_the_limit_is_never_told(limits: OptionFields) -> None:
    """Nor one beyond the deadline."""
    properties, took = ask(partial.options(**limits), soft_limit=3.0)

    assert properties.failure.kind == "timed_out"
    assert "soft" not in properties.failure.message
    assert took == pytest.approx(2.0)


@pytest.mark.parametrize("kind", ["asyncio", "anyio"])
def test_a_task_group_ends_its_tasks_before_the_atom_goes_on(kind: str) -> None:
    """Thrown as any other exception, it would leave them behind."""
    properties, _ = ask(groups, kind, soft_limit=2.0, limit=5.0)

    assert properties.value() == "child, caught"


def test_an_atom_that_waits_for_a_child_is_told_too() -> None:
    """Where it waits."""
    properties, took = ask(spawner, soft_limit=2.0, limit=5.0)

    assert (properties.value(), took) == ("early", pytest.approx(2.0))


def test_an_atom_that_raises_it_by_itself_has_failed() -> None:
    """Nobody told it."""
    properties, _ = ask(raises)

    assert (properties.failure.kind, properties.failure.type) == ("failed", "atomizer.errors.SoftLimitReached")


async def test_an_atom_in_a_thread_is_told_by_its_bond() -> None:
    """And may still give its result."""
    async with Atomizer(in_thread) as runtime:
        assert await runtime.run(in_thread.options(soft_limit=0.01, limit=20.0)) == "partial"
