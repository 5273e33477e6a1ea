"""What the type checkers must accept, and what they must make of it. Checked by `test_typing.py`, never run."""
# ruff: noqa: TC001  # written as applications write

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, assert_type

import anyio
from msgspec import Struct

import atomizer
from atomizer import (
    Atom,
    Atomizer,
    Bond,
    Conductor,
    DeadLetter,
    DeadLetters,
    Electron,
    Fail,
    FunctionAtom,
    Handle,
    MemoryConductor,
    Options,
    Properties,
    Registry,
    Requeue,
    Results,
    Retry,
    Unclaimed,
)
from atomizer.atom import ClassCall, Definition
from atomizer.bond import Asking, Blocking
from atomizer.registry import Registration

# The first program anybody writes


@atomizer.atom
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


async def main() -> None:
    async with atomizer.Atomizer(add) as runtime:
        assert_type(runtime, Atomizer)
        assert_type(await runtime.run(add, 1, 2), int)
        print(await runtime.run(add, 1, 2))


anyio.run(main)


# Atoms of every form


class Point(Struct):
    """A type of the application's."""

    x: int
    y: int


class MyError(Exception):
    """An error of the application's."""


@atomizer.atom
async def nothing() -> None:
    """Take nothing."""


@atomizer.atom
async def move(point: Point, by: int = 1, *, note: str = "") -> Point:
    """Have defaults, and a keyword-only parameter."""
    return Point(point.x + by, point.y)


@atomizer.atom
def shout(text: str) -> str:
    """Run in a thread."""
    return text.upper()


@atomizer.atom
async def echo(value: object) -> object:
    """Take anything."""
    return value


@atomizer.atom
async def whatever(value: Any) -> Any:
    """Take and give anything."""
    return value


@atomizer.atom
async def spawn(bond: Bond, count: int) -> list[int]:
    """Ask others."""
    assert_type(await bond.run(add, 1, 2), int)
    assert_type(await bond.send(add, 1, 2), Handle[int])
    assert_type(bond.map(double, [1, 2], limit=2, ordered=True), Results[int])
    return [result async for result in bond.map(double, range(count))]


@atomizer.atom
def spawn_in_thread(bond: Bond, count: int) -> int:
    """Ask others from a thread."""
    assert_type(bond.blocking.run(add, 1, 2), int)
    assert_type(bond.blocking.run(Toss, b""), bytes)
    assert_type(bond.blocking.run("elsewhere.add", {"a": 1}, result=int), int)
    assert_type(bond.blocking.run("elsewhere.add", options=Options(limit=1.0)), Any)
    assert_type(bond.blocking.map(double, [1, 2]), Iterator[int])
    assert_type(bond.blocking.map(Toss, [b"", 2], limit=2), Iterator[bytes])
    assert_type(bond.blocking.map("elsewhere.double", [1], result=float), Iterator[float])
    return sum(bond.blocking.map(double, range(count)))


@atomizer.atom
async def only_bond(bond: Bond) -> float:
    """Look around."""
    bond.progress(1, 2, "half")
    return bond.time_left()


@atomizer.atom(id="tests.double", route="tests.numbers", raises=(MyError,), options=Options(limit=1.0))
async def double(number: int) -> int:
    """Say more about itself."""
    return 2 * number


@atomizer.atom(id="tests.halve")(options=Options(key="a"))
def halve(number: int, digits: int = 2) -> float:
    """Say it in steps; one required parameter."""
    return round(number / 2, digits)


@atomizer.atom(isolation="process", concurrency=2)
def crunch(numbers: list[float], *, power: int = 2) -> float:
    """Run in a child process."""
    return sum(number**power for number in numbers)


@atomizer.atom(isolation=None, concurrency=None, singleton=True)
async def alone(bond: Bond, count: int) -> int:
    """Run once at a time."""
    try:
        return count
    except atomizer.SoftLimitReached:
        return 0


class Single(Atom, singleton=True, concurrency=1):
    """Run once at a time, as a class."""

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give a number."""
        return 1


class Toss(Atom, id="montecarlopi.Toss", route="coins", raises=(MyError,), options=Options(limit=1.0)):
    """Give bytes."""

    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        """Use its surroundings."""
        assert_type(electron.decode(Point), Point)
        assert_type(await conductor.run(add, 1, 2), int)
        return b"1"


class Count(Atom):
    """Need an argument; give a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give it."""
        return self.number


class Pool(Atom, share=True):
    """Be opened and closed."""

    async def open(self) -> None:
        """Take what is needed."""

    async def process(self, conductor: Bond, electron: Electron) -> dict[str, int]:
        """Give something."""
        return {}

    async def close(self) -> None:
        """Give it back."""


# What they are

assert_type(Toss.options(limit=1.0), ClassCall[bytes])
assert_type(Count.options(copy_state=False, key="a", detached=True, reply=True, delay=1.0), ClassCall[int])
assert_type(atomizer.atom_id(add), str)
assert_type(atomizer.atom_id(Toss), str)
assert_type(atomizer.atom_id(Count(3)), str)
assert_type(atomizer.atom_id("tests.add"), str)


async def called_directly(bond: Bond) -> None:
    """No runtime, no electron: the function."""
    assert_type(await add(1, b=2), int)
    assert_type(shout("a"), str)
    assert_type(await move(Point(1, 2), note="n"), Point)
    assert_type(await spawn(bond, 3), list[int])
    assert_type(await add.options(limit=1.0)(1, 2), int)
    assert_type(await whatever(1), Any)


# Asking


async def run(asking: Asking) -> None:
    """Wait for the result."""
    assert_type(await asking.run(add, 1, 2), int)
    assert_type(await asking.run(add, 1, b=2), int)
    assert_type(await asking.run(nothing), None)
    assert_type(await asking.run(move, Point(1, 2)), Point)
    assert_type(await asking.run(move, Point(1, 2), 3, note="n"), Point)
    assert_type(await asking.run(shout, "a"), str)
    assert_type(await asking.run(echo, [1, "a"]), object)
    assert_type(await asking.run(whatever, [1, "a"]), Any)
    assert_type(await asking.run(spawn, 3), list[int])
    assert_type(await asking.run(spawn, count=3), list[int])
    assert_type(await asking.run(spawn_in_thread, 3), int)
    assert_type(await asking.run(only_bond), float)
    assert_type(await asking.run(halve, 3, digits=1), float)
    assert_type(await asking.run(add.options(limit=1.0), 1, 2), int)
    assert_type(await asking.run(spawn.options(timeout=1.0, priority=1), 3), list[int])
    assert_type(await asking.run(add.options(retry=Retry(attempts=3, on=(ConnectionError,))), 1, 2), int)
    assert_type(await asking.run(add.options(retry=Requeue(delay=1.0, on=(MyError, "elsewhere.Sold"))), 1, 2), int)
    assert_type(await asking.run(add.options(retry=Fail()), 1, 2), int)
    assert_type(await asking.run(crunch, [1.0], power=3), float)
    assert_type(await asking.run(crunch.options(limit=1.0, soft_limit=0.5), [1.0]), float)
    assert_type(await asking.run(alone, 1), int)
    assert_type(await asking.run(Single), int)
    assert_type(await asking.run(Toss), bytes)
    assert_type(await asking.run(Toss, {"seed": 1}), bytes)
    assert_type(await asking.run(Count), int)
    assert_type(await asking.run(Pool, b""), dict[str, int])
    assert_type(await asking.run(Toss.options(limit=1.0)), bytes)
    assert_type(await asking.run(Toss.options(limit=1.0), b"1"), bytes)
    assert_type(await asking.run("elsewhere.add"), Any)
    assert_type(await asking.run("elsewhere.add", {"a": 1}), Any)
    assert_type(await asking.run("elsewhere.add", {"a": 1}, result=int), int)
    assert_type(await asking.run("elsewhere.add", result=list[Point]), list[Point])
    assert_type(await asking.run("elsewhere.add", 1, result=Point, options=Options(limit=1.0)), Point)


async def send(asking: Asking) -> None:
    """Take a handle."""
    handle = await asking.send(add, 1, 2)
    assert_type(handle, Handle[int])
    assert_type(await handle, int)
    assert_type(await handle.result(), int)
    assert_type(await handle.properties(), Properties)
    assert_type((await handle.properties()).decode(Point), Point)
    assert_type(await asking.send(nothing), Handle[None])
    assert_type(await asking.send(spawn.options(limit=1.0), 3), Handle[list[int]])
    assert_type(await asking.send(Toss, b""), Handle[bytes])
    assert_type(await asking.send(Count.options(limit=1.0)), Handle[int])
    assert_type(await asking.send("elsewhere.add", 1, result=int), Handle[int])
    assert_type(await asking.send("elsewhere.add", options=Options(reply=False)), Handle[Any])


async def map_(asking: Asking, numbers: AsyncIterator[int]) -> None:
    """Ask for each of many."""
    assert_type(asking.map(double, [1, 2]), Results[int])
    assert_type(asking.map(double, numbers, limit=3, ordered=True), Results[int])
    assert_type(asking.map(halve, range(3)), Results[float])
    assert_type(asking.map(spawn, [1, 2]), Results[list[int]])
    assert_type(asking.map(double.options(limit=1.0), [1, 2]), Results[int])
    assert_type(asking.map(Toss, [b"", {"seed": 1}]), Results[bytes])
    assert_type(asking.map(Toss.options(limit=1.0), [b""]), Results[bytes])
    assert_type(asking.map("elsewhere.double", [1, 2], result=int), Results[int])
    assert_type(asking.map("elsewhere.double", [1, 2]), Results[Any])
    async with asking.map(double, [1, 2]) as results:
        assert_type(results, Results[int])
        async for result in results:
            assert_type(result, int)
    async for properties in asking.map(double, [1, 2]).settled():
        assert_type(properties, Properties)


def blocking(ask: Blocking) -> None:
    """The same from a thread."""
    assert_type(ask.run(spawn.options(limit=1.0), 3), list[int])
    assert_type(ask.run(Count), int)


def in_a_script() -> None:
    """One atom, and nothing else."""
    assert_type(atomizer.run(add, 1, 2), int)
    assert_type(atomizer.run(spawn, 3), list[int])
    assert_type(atomizer.run(Toss.options(limit=1.0), b""), bytes)
    assert_type(atomizer.run("elsewhere.add", 1, result=int), int)
    assert_type(atomizer.run("elsewhere.add", 1), Any)


# Registering


async def register(runtime: Atomizer, definition: Definition, conductor: Conductor) -> None:
    """Atoms and conductors alike."""
    registry = Registry()
    assert_type(registry.register(add), Registration)
    assert_type(registry.register(add.options(limit=1.0)), Registration)
    assert_type(registry.register(Toss, id="tests.Coin", route="coins", replace=True), Registration)
    assert_type(registry.register(Count(3), id="tests.three", share=True), Registration)
    assert_type(registry.register(definition), Registration)
    assert_type(registry.register(MemoryConductor(), replace=True), Conductor)
    atomizer.register(Pool, replace=True)
    atomizer.register(conductor)
    atomizer.unregister(Pool)
    atomizer.unregister("tests.three")
    await runtime.register(Count(3), share=True)
    await runtime.unregister(conductor)
    Atomizer(add, Toss, Count(3), Pool, MemoryConductor(), definition, conductor="memory://", serve=False)


def keeps_the_overloads(decorate: Callable[[Callable[[int], int]], FunctionAtom[[int], int, [int], int]]) -> None:
    """A decorator is a value like any other."""
    del decorate


keeps_the_overloads(atomizer.atom)


# What was given up on


async def look_after(runtime: Atomizer) -> None:
    """Look at dead letters, and act."""
    assert_type(runtime.dead_letters, DeadLetters)
    assert_type(runtime.dead_letters.on("orders"), DeadLetters)
    letters = await runtime.dead_letters.list(reason="failed", atom=add, limit=5)
    assert_type(letters, tuple[DeadLetter, ...])
    assert_type(await runtime.dead_letters.list(atom=Toss), tuple[DeadLetter, ...])
    assert_type(await runtime.dead_letters.show("id"), DeadLetter)
    assert_type(await runtime.dead_letters.replay(letters[0], timeout=3, reply=False), Handle[Any])
    assert_type(await runtime.dead_letters.replay_all(atom="elsewhere.add"), tuple[Handle[Any], ...])
    assert_type(await runtime.dead_letters.drop("id"), int)
    assert_type(runtime.dead_letters.electron(letters[0]), Electron)
    assert_type(runtime.unclaimed.on("orders"), Unclaimed)
    assert_type(await runtime.unclaimed.take("id"), Properties)
    assert_type(runtime.unclaimed.properties(letters[0]), Properties)
    assert_type(await runtime.unclaimed.drop_all(), int)
