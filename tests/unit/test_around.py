"""The hook around every attempt of every atom: `Atomizer(…, around=hook)`."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, Bond, Electron, FailureKind, Settings
from atomizer._core.surrounding import bonds_within
from atomizer.testing.clock import current_clock, on_virtual_time

from .atoms import Echo, add, called, double, fail, hang, in_thread, note
from .child_atoms import fail_apart, square_apart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class Told:
    """What a hook saw, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @asynccontextmanager
    async def __call__(self, bond: Bond) -> AsyncIterator[None]:
        """Tell of an attempt, from its beginning to its end."""
        self.lines.append(f"enter {bond.electron.atom_id}")
        try:
            yield
        except BaseException as error:
            self.lines.append(f"{type(error).__name__} {error}".strip())
            raise
        self.lines.append("leave")


@atomizer.atom(id="around.whose")
async def whose() -> str:
    """Say what the hook has set."""
    await asyncio.sleep(0)
    return tenant.get()


@atomizer.atom(id="around.whose_in_thread")
def whose_in_thread() -> str:
    """Say it from a thread."""
    return tenant.get()


class Whose(atomizer.Atom, id="around.Whose"):
    """Says it as a class atom."""

    async def process(self, conductor: Bond, electron: Electron) -> str:
        """Say it."""
        return tenant.get()


@asynccontextmanager
async def as_tenant(bond: Bond) -> AsyncIterator[None]:
    """Set a context variable for the atom."""
    tenant.set(f"{tenant.get()}, then {bond.electron.atom_id}")
    yield


class Swallowing(AbstractAsyncContextManager[None, bool]):
    """A hook that says of every exception that it never was."""

    async def __aexit__(self, *exc: object) -> bool:
        """Swallow."""
        return True


def swallow(_: Bond) -> Swallowing:
    """Swallow whatever the atom raises."""
    return Swallowing()


@pytest.mark.parametrize(
    ("atom", "given", "result"),
    [
        (add, {"a": 1, "b": 2}, 3),
        (double, 4, 8),
        (in_thread, 5, "5 True"),
        (Echo, b"6", b"6"),
        (square_apart, 7, 49),
    ],
)
async def test_hook_is_entered_before_any_kind_of_atom_and_left_after_it(atom: Any, given: Any, result: Any) -> None:
    """Functions, threads, classes and child processes."""
    told = Told()
    async with Atomizer(atom, around=told) as runtime:
        returned = await runtime.run(atomizer.atom_id(atom), given)

    assert returned == result
    assert told.lines == [f"enter {atomizer.atom_id(atom)}", "leave"]


@pytest.mark.parametrize("atom", [whose, whose_in_thread, Whose])
async def test_atom_sees_what_the_hook_has_set_and_the_next_one_does_not(atom: Any) -> None:
    """The hook runs in the electron's own context, which ends with it."""
    async with Atomizer(atom, around=as_tenant) as runtime:
        seen = [await runtime.run(atom), await runtime.run(atom)]

    assert seen == [f"nobody, then {atomizer.atom_id(atom)}"] * 2
    assert tenant.get() == "nobody"


async def test_hook_sees_what_the_atom_raised() -> None:
    """And the electron is answered as it would be without."""
    told = Told()
    async with Atomizer(fail, around=told) as runtime:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run(fail, "seven")

    assert told.lines == ["enter tests.fail", "ValueError seven"]
    assert (caught.value.failure.type, caught.value.failure.message) == ("builtins.ValueError", "seven")
    assert "_core" not in caught.value.failure.trace


async def test_hook_sees_the_failure_of_a_child_process() -> None:
    """As an `AtomFailed`: the exception itself has stayed there."""
    seen: list[BaseException] = []

    @asynccontextmanager
    async def look(_: Bond) -> AsyncIterator[None]:
        try:
            yield
        except atomizer.AtomFailed as error:
            seen.append(error)
            raise

    async with Atomizer(fail_apart, around=look) as runtime:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run(fail_apart, "eight")

    assert [type(error.failure) for error in seen if isinstance(error, atomizer.AtomFailed)] == [atomizer.Failure]
    assert "ValueError: eight" in str(seen[0])
    assert (caught.value.failure.type, caught.value.failure.message) == ("builtins.ValueError", "eight")


async def test_hook_that_raises_on_entering_is_the_failure_and_the_atom_is_not_called() -> None:
    """Kind `failed`, with the hook's own exception, and nothing left that was never awaited."""
    called.clear()

    @asynccontextmanager
    async def refuse(bond: Bond) -> AsyncIterator[None]:
        raise PermissionError(bond.electron.atom_id)
        yield

    async with Atomizer(note, in_thread, Echo, square_apart, around=refuse) as runtime:
        failures = [
            (await (await runtime.send(atom, given)).properties()).failure
            for atom, given in (
                ("tests.note", {"a": 1, "b": 2}),
                ("tests.in_thread", 1),
                ("tests.Echo", 1),
                ("tests.square_apart", 1),
            )
        ]

    assert [(failure and failure.kind, failure and failure.type) for failure in failures] == [
        (FailureKind.FAILED, "builtins.PermissionError")
    ] * 4
    assert called == []


async def test_hook_that_raises_before_it_is_a_context_manager_is_the_failure_too() -> None:
    """Even with what would mean something else if the runtime's own code had raised it."""

    def refuse(bond: Bond) -> AbstractAsyncContextManager[object]:
        raise atomizer.Malformed("no tenant")

    async with Atomizer(add, around=refuse) as runtime:
        failure = (await (await runtime.send(add, 1, 2)).properties()).failure

    assert failure is not None
    assert (failure.kind, failure.type) == (FailureKind.FAILED, "atomizer.errors.Malformed")


@on_virtual_time
async def test_hook_is_entered_for_every_attempt() -> None:
    """And sees how each of them ended."""
    attempts: list[int] = []

    @asynccontextmanager
    async def count(bond: Bond) -> AsyncIterator[None]:
        attempts.append(bond.attempt)
        yield
        attempts.append(-bond.attempt)

    @atomizer.atom(id="around.third_time", options=atomizer.Options(retry=atomizer.Retry(attempts=5)))
    async def third_time(bond: Bond) -> int:
        if bond.attempt < 3:
            raise ConnectionError
        return bond.attempt

    async with Atomizer(third_time, around=count, settings=Settings(clock=current_clock())) as runtime:
        assert await runtime.run(third_time) == 3

    assert attempts == [1, 2, 3, -3]


async def test_hook_that_swallows_makes_no_result_of_a_failure() -> None:
    """I2: the value of an electron is what its atom returned, or there is none."""
    async with Atomizer(fail, add, around=swallow) as runtime:
        with pytest.raises(atomizer.AtomFailed, match="nine") as caught:
            await runtime.run(fail, "nine")
        assert await runtime.run(add, 1, 2) == 3

    assert caught.value.failure.type == "builtins.ValueError"


async def test_hook_that_raises_on_leaving_is_the_failure() -> None:
    """A commit that failed is no success; and a failure may be put in other words."""

    @asynccontextmanager
    async def cannot_commit(_: Bond) -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise OSError("the disk is full")

    async with Atomizer(add, fail, around=cannot_commit) as runtime:
        for atom, given in (("tests.add", {"a": 1, "b": 2}), ("tests.fail", "ten")):
            with pytest.raises(atomizer.AtomFailed, match="the disk is full"):
                await runtime.run(atom, given)


@on_virtual_time
async def test_limit_counts_for_the_hook_too() -> None:
    """A hook that does not end is stopped as an atom is."""

    @asynccontextmanager
    async def hang_first(_: Bond) -> AsyncIterator[None]:
        await asyncio.get_running_loop().create_future()
        yield

    async with Atomizer(add, around=hang_first, settings=Settings(clock=current_clock())) as runtime:
        with pytest.raises(atomizer.AtomTimedOut) as caught:
            await runtime.run(add.options(limit=3.0), 1, 2)

    assert caught.value.failure.ending == "stopped"
    assert current_clock().monotonic() == 3.0


@pytest.mark.parametrize("around", [Told(), swallow])
@on_virtual_time
async def test_cancelled_electron_is_answered_as_cancelled_whatever_the_hook_does(around: Any) -> None:
    """I14: swallowed, a cancellation is still one."""
    async with Atomizer(hang, around=around, settings=Settings(clock=current_clock())) as runtime:
        handle = await runtime.send(hang)
        await asyncio.sleep(1)
        await handle.cancel()
        failure = (await handle.properties()).failure

    assert failure is not None
    assert (failure.kind, failure.ending) == (FailureKind.CANCELLED, "stopped")


async def test_hook_is_not_entered_for_what_never_meets_its_atom() -> None:
    """An unknown atom, a payload that does not fit."""
    told = Told()
    async with Atomizer(add, around=told) as runtime:
        for atom, given in (("tests.add", {"a": "one"}), ("tests.nobody", 1)):
            with pytest.raises(atomizer.AtomFailed):
                await runtime.run(atom, given)

    assert told.lines == []


async def test_hook_may_ask_and_its_children_are_the_electrons() -> None:
    """It has a bond like the atom's."""
    parents: list[str] = []

    @asynccontextmanager
    async def ask_first(bond: Bond) -> AsyncIterator[None]:
        if bond.electron.atom_id == "around.whose":
            tenant.set(str(await bond.run(double, 21)))
        else:
            parents.append(bond.electron.parent)
        yield

    async with Atomizer(whose, double, around=ask_first, settings=Settings(slots=1)) as runtime:
        handle = await runtime.send(whose)
        assert await handle == "42"

    assert parents == [handle.electron_id]


class Odd(BaseException):
    """What `except Exception` does not catch."""


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopAsyncIteration(),
        asyncio.CancelledError(),
        Odd(),
        ExceptionGroup("two", [ValueError(1), ValueError(2)]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("around", [Told(), swallow])
async def test_whatever_an_atom_raises_is_its_own_answer(error: BaseException, around: Any) -> None:
    """I7: a hook around it changes nothing for the others."""

    @atomizer.atom(id="around.raise_it")
    async def raise_it() -> None:
        raise error

    async with Atomizer(raise_it, add, around=around) as runtime:
        failure = (await (await runtime.send(raise_it)).properties()).failure
        still_works = await runtime.run(add, 1, 2)

    assert failure is not None
    assert failure.kind == FailureKind.FAILED
    assert failure.type.endswith(type(error).__qualname__)
    assert still_works == 3


def never() -> Any:
    """Not called: without a hook no bond is made for it."""
    raise AssertionError


def test_without_a_hook_nothing_is_put_around() -> None:
    """An electron pays only for what it uses."""

    def bonding(flight: Any, electron: Any, registration: Any) -> Any:
        return never()

    assert bonds_within(None, lambda _: never()).surround(bonding) is bonding


async def enters_nothing(_: Bond) -> None:
    """Forgets what makes a context manager of it."""


async def yields_without_decorator(_: Bond) -> AsyncIterator[None]:
    """Likewise."""
    yield


@pytest.mark.parametrize("around", [enters_nothing, yields_without_decorator, "hook", 7])
def test_hook_that_is_no_context_manager_is_refused_at_once(around: Any) -> None:
    """And not when the first electron comes."""
    with pytest.raises(TypeError, match="asynccontextmanager"):
        Atomizer(around=around)


async def test_hook_that_returns_no_context_manager_is_told_how_to() -> None:
    """It can be seen at the first call alone; a generator is the likeliest mistake."""
    hook: Any = lambda bond: None  # noqa: E731  # a named one would be no shorter
    async with Atomizer(add, around=hook) as runtime:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run(add, 1, 2)

    assert caught.value.failure.type == "builtins.TypeError"
    assert "returns an async context manager, and not <function" in caught.value.failure.message
    assert "which returned None: write @contextlib.asynccontextmanager" in caught.value.failure.message
