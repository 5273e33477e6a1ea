"""What the type checkers must refuse: every line marked so, and no other. Checked by `test_typing.py`, never run."""
# ruff: noqa: TC001  # written as applications write

from __future__ import annotations

from typing import Any

import atomizer
from atomizer import Atom, Atomizer, Bond, Electron, Options, Requeue, Retry
from atomizer.bond import Asking


@atomizer.atom
async def add(a: int, b: int) -> int:
    return a + b


@atomizer.atom
async def double(number: int) -> int:
    return 2 * number


@atomizer.atom
async def nothing() -> None: ...


@atomizer.atom
def shout(text: str) -> str:
    return text.upper()


@atomizer.atom
async def spawn(bond: Bond, count: int) -> int:
    await bond.run(add, 1, "2")  # refused
    await bond.run(add, 1)  # refused
    bond.blocking.run(add, "1", 2)  # refused
    bond.blocking.map(add, [1, 2])  # refused
    bond.blocking.map(double, ["1"])  # refused
    bond.progress("half")  # refused
    return count


@atomizer.atom
async def late(count: int, bond: Bond) -> int:
    return count


@atomizer.atom
async def named(count: int, *, bond: Bond) -> int:
    return count


class Toss(Atom, id="tests.Toss"):
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        electron.decode(bytes).upper(1)  # refused
        return electron.payload


class Lazy(Atom): ...


class Wrong(Atom):
    async def process(self, electron: Electron) -> bytes:  # refused
        return electron.payload


class Mistyped(Atom, id=3):  # refused
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        return electron.payload


class Misspelt(Atom, rout="tests"):  # refused
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        return electron.payload


class Isolated(Atom, isolation="process"):  # refused
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        return electron.payload


class Bounded(Atom, concurrency="2"):  # refused
    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        return electron.payload


async def run(runtime: Atomizer, asking: Asking) -> None:
    await runtime.run(add, "1", 2)  # refused
    await runtime.run(add, 1)  # refused
    await runtime.run(add, 1, 2, 3)  # refused
    await runtime.run(add, 1, c=2)  # refused
    await runtime.run(nothing, 1)  # refused
    await runtime.run(spawn, "3")  # refused
    await runtime.run(spawn, 3, 4)  # refused
    await runtime.run(late, 1)  # refused
    await runtime.run(named, 1)  # refused
    await runtime.run(shout, 1)  # refused
    await runtime.run(add.options(limit=1.0), "1", 2)  # refused
    await runtime.dead_letters.replay(3)  # refused
    await runtime.dead_letters.list(atom=3)  # refused
    await runtime.unclaimed.replay("id")  # refused
    await runtime.run(Toss, b"", b"")  # refused
    await runtime.run(Toss, payload=b"")  # refused
    await runtime.run(Toss.options(limit=1.0), b"", b"")  # refused
    await runtime.run(Toss())  # refused
    await runtime.run("elsewhere.add", 1, 2)  # refused
    await runtime.run("elsewhere.add", 1, result=3)  # refused
    await runtime.run("elsewhere.add", 1, options={"limit": 1.0})  # refused
    await runtime.run(len, [1])  # refused
    text: str = await runtime.run(add, 1, 2)  # refused
    number: int = await runtime.run(Toss)  # refused
    other: str = await runtime.run("elsewhere.add", result=int)  # refused
    print(text, number, other)
    print((await runtime.run(double, 1)).upper())  # refused


async def send(asking: Asking) -> None:
    await asking.send(add, "1", 2)  # refused
    await asking.send(late, 1)  # refused
    await asking.send(Toss, b"", b"")  # refused
    handle = await asking.send(add, 1, 2)
    text: str = await handle  # refused
    print(text, handle.results)  # refused


async def map_(asking: Asking) -> None:
    asking.map(add, [1, 2])  # refused
    asking.map(nothing, [1])  # refused
    asking.map(double, ["1"])  # refused
    asking.map(double, 3)  # refused
    asking.map(double, [1], limit="2")  # refused
    asking.map(double, [1], limits=2)  # refused
    asking.map(Toss, 3)  # refused
    for _ in asking.map(double, [1]):  # refused
        pass
    async for number in asking.map(double, [1]):
        print(number.upper())  # refused


def in_a_script() -> None:
    atomizer.run(add, "1", 2)  # refused
    atomizer.run(late, 1)  # refused
    atomizer.run("elsewhere.add", 1, result=3)  # refused


async def called_directly(bond: Bond) -> None:
    await add("1", 2)  # refused
    await spawn(3)  # refused
    await spawn(3, bond)  # refused
    await shout("a")  # refused
    add.options(timeot=1.0)  # refused
    add.options(limit="1s")  # refused
    add.options(soft_limit="1s")  # refused
    add.options(priority=2)  # refused
    add.options(retry=3)  # refused
    add.options(retry=Retry)  # refused
    add.options(retry=Retry(3))  # refused
    add.options(retry=Retry(on=ConnectionError))  # refused
    add.options(retry=Retry(on=(3,)))  # refused
    add.options(retry=Requeue(backoff=1.0))  # refused
    Toss.options(limit="1s")  # refused
    Lazy()  # refused


@atomizer.atom(id=3)  # refused
async def mistyped() -> None: ...


@atomizer.atom(share=True)  # refused
async def sharing() -> None: ...


@atomizer.atom(isolation="thread")  # refused
async def isolated() -> None: ...


@atomizer.atom(concurrency="2")  # refused
async def bounded() -> None: ...


@atomizer.atom(singleton=1.5)  # refused
async def single() -> None: ...


@atomizer.atom(raises=KeyError)  # refused
async def raising() -> None: ...


@atomizer.atom(options={"limit": 1.0})  # refused
async def optional() -> None: ...


def register(plain: Any) -> None:
    atomizer.register(len)  # refused
    atomizer.register("tests.add")  # refused
    atomizer.register(add, shared=True)  # refused
    Atomizer(len)  # refused
    Atomizer("memory://")  # refused
    Atomizer(add, conductor=3)  # refused
    Options(limits=1.0)  # refused
