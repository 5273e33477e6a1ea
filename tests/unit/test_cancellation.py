"""The two guards: clean-up that cancellation does not reach, and cancellation that nobody asked for."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from atomizer.cancellation import cleanup, foreign_cancellation_as_broken
from atomizer.errors import ConductorBroken
from atomizer.testing.clock import current_clock, on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Generator


async def test_cleanup_goes_on_in_a_cancelled_scope() -> None:
    """Awaits inside are not cancelled again, and the scope around ends as it would have."""
    steps: list[int] = []

    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await anyio.sleep_forever()
        finally:
            with cleanup(5) as cleaning:
                for step in range(3):
                    await anyio.sleep(0)
                    steps.append(step)

    assert steps == [0, 1, 2]
    assert not cleaning.cancelled_caught


@on_virtual_time
async def test_cleanup_ends_after_its_seconds() -> None:
    """What does not come to an end is given up, and the scope says so."""
    with cleanup(3) as cleaning:
        await asyncio.Event().wait()

    assert cleaning.cancelled_caught
    assert current_clock().monotonic() == 3


async def test_foreign_cancellation_is_broken() -> None:
    """A CancelledError that nobody asked for is ConductorBroken, with the error inside."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel("the library closed")

    with pytest.raises(ConductorBroken, match="'amqp'") as broken, foreign_cancellation_as_broken("amqp"):
        await future

    assert isinstance(broken.value.__cause__, asyncio.CancelledError)


async def test_foreign_cancellation_is_broken_in_a_callback() -> None:
    """Outside any task nobody can have asked."""
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def callback() -> None:
        try:
            with foreign_cancellation_as_broken():
                raise asyncio.CancelledError
        except BaseException as error:
            raised.set_result(error)

    asyncio.get_running_loop().call_soon(callback)

    assert isinstance(await raised, ConductorBroken)


async def test_cancellation_of_the_task_passes() -> None:
    """A task that is cancelled stays cancelled."""
    task = asyncio.create_task(guarded_wait())
    await asyncio.sleep(0)
    task.cancel()

    await asyncio.wait((task,))

    assert task.cancelled()


async def test_cancellation_by_a_scope_passes() -> None:
    """A scope of anyio that is cancelled ends what it surrounds, without an error."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await guarded_wait()

    assert scope.cancelled_caught


@on_virtual_time
async def test_cancellation_by_a_timeout_passes() -> None:
    """A timeout of asyncio is a timeout."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await guarded_wait()


@pytest.mark.parametrize(("requests", "raised"), [(1, asyncio.CancelledError), (0, ConductorBroken)])
async def test_cancellation_of_an_atom_is_told_by_what_it_runs_as(requests: int, raised: type[BaseException]) -> None:
    """Atoms run as something that is no task, but counts the requests to cancel it like one."""
    with running_as(Stand(requests)), pytest.raises(raised), foreign_cancellation_as_broken():
        raise asyncio.CancelledError


async def test_other_errors_pass() -> None:
    """What is no cancellation comes out as it is."""
    with pytest.raises(ZeroDivisionError), foreign_cancellation_as_broken():
        raise ZeroDivisionError


async def guarded_wait() -> None:
    """Wait for ever, under the guard."""
    with foreign_cancellation_as_broken():
        await asyncio.Event().wait()


class Stand:
    """What stands in for a task."""

    def __init__(self, requests: int) -> None:
        self.requests = requests

    def cancelling(self) -> int:
        """Count the requests to cancel it."""
        return self.requests


@contextmanager
def running_as(stand: Any) -> Generator[None, None, None]:
    """Let it be the current task meanwhile."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    _leave_task(loop, task)
    _enter_task(loop, stand)
    try:
        yield
    finally:
        _leave_task(loop, stand)
        _enter_task(loop, task)
