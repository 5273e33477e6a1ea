"""An atom's code runs under an identity of its own: what it leaves behind reaches nobody else."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from atomizer._core.identity import Identity, Phase

Atom = Callable[[], Coroutine[Any, Any, Any]]


def make() -> Identity:
    """An identity on this task."""
    host = asyncio.current_task()
    assert host is not None
    return Identity(host, asyncio.get_running_loop(), contextvars.copy_context(), "test", lambda value: value)


async def fly(atom: Atom, identity: Identity | None = None) -> tuple[Any, Identity]:
    """Take an atom from its begin to its end on this task, as a worker does."""
    identity = identity or make()
    if identity.begin(atom, ()):
        await identity.drive()
    return identity.value, identity


async def good() -> str:
    """An innocent atom that suspends a few times."""
    for _ in range(3):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.sleep(0.001)
    return "good"


async def leaves_a_scope() -> None:
    """Enters a cancel scope and never leaves it."""
    anyio.CancelScope(deadline=anyio.current_time() + 0.0005).__enter__()
    await asyncio.sleep(0)


async def leaves_a_timeout() -> None:
    """Enters a timeout and never leaves it."""
    await asyncio.timeout(0.0005).__aenter__()


async def leaves_a_call() -> None:
    """Has its own task cancelled later."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(0.0005, task.cancel)


async def numbers() -> AsyncIterator[int]:
    """A generator that holds a timeout over its yields."""
    async with asyncio.timeout(0.0005):
        for number in range(10):
            yield number


async def leaves_a_generator() -> None:
    """Reads half a generator."""
    async for _ in numbers():
        break


@pytest.mark.parametrize("leak", [leaves_a_scope, leaves_a_timeout, leaves_a_call, leaves_a_generator])
async def test_what_an_atom_leaves_behind_does_not_reach_the_next(leak: Atom) -> None:
    """I7: a cancellation that comes after its atom's end finds nobody."""
    host = asyncio.current_task()
    assert host is not None

    await fly(leak)
    values = [(await fly(good))[0] for _ in range(10)]

    assert values == ["good"] * 10
    assert host.cancelling() == 0


async def test_context_variables_of_an_atom_stay_with_it() -> None:
    """I7: own context."""
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def sets() -> int:
        variable.set(7)
        await asyncio.sleep(0)
        return variable.get()

    value, _ = await fly(sets)

    assert (value, variable.get()) == (7, 0)


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
async def test_whatever_an_atom_raises_is_its_answer(error: BaseException) -> None:
    """Nothing that an atom raises ends the worker."""

    async def raises() -> None:
        await asyncio.sleep(0)
        raise error

    _, identity = await fly(raises)

    assert identity.error is error


async def test_a_stop_iteration_becomes_a_runtime_error() -> None:
    """As Python has it for any coroutine."""

    async def raises() -> None:
        raise StopIteration(7)

    _, identity = await fly(raises)

    assert isinstance(identity.error, RuntimeError)


async def test_an_identity_is_cancelled_like_a_task() -> None:
    """A cancellation is thrown in at the next step."""

    async def hangs() -> None:
        await asyncio.get_running_loop().create_future()

    identity = make()
    asyncio.get_running_loop().call_soon(identity.cancel)

    await fly(hangs, identity)

    assert isinstance(identity.error, asyncio.CancelledError)
    assert identity.cancelled()
    assert not identity.cancel()


async def test_structured_concurrency_works_under_an_identity() -> None:
    """Task groups of both kinds, timeouts and scopes see a task like any other."""

    async def fails() -> None:
        raise ValueError("child")

    async def atom() -> list[str]:
        seen = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails(), name="child")
                await asyncio.sleep(10)
        except* ValueError:
            seen.append("asyncio group")
        try:
            async with anyio.create_task_group() as anyio_group:
                anyio_group.start_soon(fails)
                await anyio.sleep(10)
        except* ValueError:
            seen.append("anyio group")
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(10)
        except TimeoutError:
            seen.append("asyncio timeout")
        with anyio.move_on_after(0.001):
            await anyio.sleep(10)
        seen.append("anyio scope")
        with anyio.CancelScope() as scope:
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
                seen.append("shielded")
            await anyio.sleep(10)
        try:
            await asyncio.wait_for(asyncio.sleep(10), 0.001)  # what an atom may do
        except TimeoutError:
            seen.append("wait_for")
        seen.append(await anyio.to_thread.run_sync(lambda: "thread"))
        task = asyncio.current_task()
        assert task is not None
        seen.append(str(task.cancelling()))
        return seen

    value, identity = await fly(atom)

    assert identity.error is None
    assert value == [
        "asyncio group", "anyio group", "asyncio timeout", "anyio scope", "shielded", "wait_for", "thread", "0",
    ]  # fmt: skip


async def test_a_forsaken_atom_is_not_stepped_again() -> None:
    """A worker that is ended leaves a coroutine that swallows cancellations."""
    steps = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                steps.append("swallowed")

    identities = []

    async def worker() -> None:
        identities.append(make())
        await fly(stubborn, identities[0])

    task = asyncio.create_task(worker())
    await asyncio.sleep(0)
    identities[0].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    identities[0].forsaken = True
    task.cancel()
    await asyncio.wait((task,))

    assert task.cancelled()
    assert steps == ["swallowed"]


async def test_a_done_callback_is_called_when_the_atom_is_over() -> None:
    """Libraries tie their clean-up to the current task."""
    called = []

    async def atom() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda ended: called.append(ended.done()))

    _, identity = await fly(atom)
    identity.end()
    await asyncio.sleep(0)

    assert called == [True]


async def test_an_atom_that_does_not_suspend_is_over_after_its_first_step() -> None:
    """Nearly every electron needs no more; its result is encoded in the same step, in the same context."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")

    async def sets() -> int:
        variable.set("inside")
        return 7

    host = asyncio.current_task()
    assert host is not None
    loop = asyncio.get_running_loop()
    identity = Identity(host, loop, contextvars.copy_context(), "test", lambda value: (value, variable.get()))

    goes_on = identity.begin(sets, ())

    assert not goes_on
    assert identity.done()
    assert identity.value == (7, "inside")
    assert asyncio.current_task() is host


@pytest.mark.parametrize("phase", list(Phase))
async def test_an_identity_knows_which_code_of_its_author_raised(phase: Phase) -> None:
    """What makes the arguments, the atom itself, or what encodes its result."""

    def raises_in(this: Phase) -> None:
        if this is phase:
            raise ValueError(this.value)

    async def atom() -> None:
        raises_in(Phase.RUNNING)

    def bond() -> Coroutine[Any, Any, None]:
        raises_in(Phase.BONDING)
        return atom()

    host = asyncio.current_task()
    assert host is not None
    context = contextvars.copy_context()
    identity = Identity(host, asyncio.get_running_loop(), context, "test", finish=lambda _: raises_in(Phase.ENDING))

    goes_on = identity.begin(bond, ())

    assert not goes_on
    assert str(identity.error) == phase.value
    assert identity.phase is phase


# Being told of the soft limit


class Told(Exception):
    """What an atom is told."""


async def tell(
    atom: Atom, when: Callable[[Identity], object], *, also: Callable[[Identity], object] | None = None
) -> Identity:
    """Drive an atom, and interrupt it while it waits for the first time."""
    loop, identity = asyncio.get_running_loop(), make()
    loop.call_soon(when, identity)
    if also is not None:
        loop.call_soon(also, identity)
    if identity.begin(atom, ()):
        await identity.drive()
    return identity


def interrupt(identity: Identity) -> None:
    """Tell it."""
    identity.interrupt(Told())


@pytest.mark.parametrize("seconds", [0, 5])
async def test_an_atom_is_told_where_it_waits_and_may_go_on(seconds: float) -> None:
    """Whether it waits for something, or only lets the loop turn."""

    async def waits() -> str:
        try:
            await asyncio.sleep(seconds)
        except Told:
            await asyncio.sleep(0)
            return "told"
        return "not told"

    assert (await tell(waits, interrupt)).value == "told"


async def test_an_atom_whose_wait_is_over_in_that_very_turn_is_told_all_the_same() -> None:
    """What it waited for is lost to it, as with a cancellation."""
    arrived = asyncio.get_running_loop().create_future()

    async def waits() -> str:
        try:
            return str(await arrived)
        except Told:
            return "told"

    def arrive(identity: Identity) -> None:
        arrived.set_result("arrived")
        interrupt(identity)

    assert (await tell(waits, arrive)).value == "told"


async def test_an_atom_that_is_cancelled_too_is_not_told() -> None:
    """In whichever order: to be cancelled is more."""

    async def waits() -> str:
        try:
            await asyncio.sleep(5)
        except Told:
            return "told"
        return "not told"

    def cancel(identity: Identity) -> None:
        identity.cancel()

    for first, second in ((interrupt, cancel), (cancel, interrupt)):
        assert isinstance((await tell(waits, first, also=second)).error, asyncio.CancelledError)


async def test_what_an_atom_is_told_too_late_reaches_nobody() -> None:
    """Neither it nor the next on this task."""
    over = await tell(good, lambda identity: None)

    over.interrupt(Told())

    assert (await tell(good, lambda identity: None)).value == "good"
    assert over.value == "good"


async def test_an_identity_that_has_ended_knows_nothing_any_more() -> None:
    """What it raised has a traceback, which knows it: together they would wait for the collector."""

    async def raises() -> None:
        raise asyncio.CancelledError

    _, identity = await fly(raises)

    identity.end()

    assert identity.cancelled()
    assert identity.error is None
