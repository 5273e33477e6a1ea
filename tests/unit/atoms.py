"""Atoms that the tests ask."""

from __future__ import annotations

import asyncio
import threading

import atomizer
from atomizer import Bond, Electron

called: list[object] = []
"""What `note` was called with."""


@atomizer.atom(id="tests.add")
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@atomizer.atom(id="tests.note")
async def note(a: int, b: int) -> int:
    """Remember that it was called."""
    called.append((a, b))
    return a + b


@atomizer.atom(id="tests.double")
async def double(number: int) -> int:
    """Double a number, after a turn of the loop."""
    await asyncio.sleep(0)
    return 2 * number


@atomizer.atom(id="tests.fail")
async def fail(text: str) -> None:
    """Raise."""
    raise ValueError(text)


@atomizer.atom(id="tests.hang")
async def hang() -> None:
    """Never end, but stop when told."""
    await asyncio.get_running_loop().create_future()


@atomizer.atom(id="tests.stubborn")
async def stubborn() -> None:
    """Never end, not even when told."""
    while True:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            continue


@atomizer.atom(id="tests.sum_to")
async def sum_to(bond: Bond, depth: int) -> int:
    """Count down by electrons of its own kind."""
    return depth + (await bond.run(sum_to, depth - 1) if depth > 1 else 0)


@atomizer.atom(id="tests.spawn")
async def spawn(bond: Bond, children: int) -> int:
    """Gather the results of many children."""
    return sum([value async for value in bond.map(double, range(children))])


@atomizer.atom(id="tests.in_thread")
def in_thread(number: int) -> str:
    """Say which thread it runs in."""
    return f"{number} {threading.current_thread().daemon}"


@atomizer.atom(id="tests.spawn_in_thread")
def spawn_in_thread(bond: Bond, children: int) -> int:
    """Gather children from a thread."""
    return sum(bond.blocking.map(double, range(children))) + bond.blocking.run(double, 1)


class Count(atomizer.Atom, id="tests.Count"):
    """Counts how often this very object was asked."""

    def __init__(self, start: int) -> None:
        self.count = start

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Count one more."""
        self.count += 1
        return self.count


class Echo(atomizer.Atom, id="tests.Echo"):
    """Gives its payload back as it came."""

    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        """Give it back."""
        return electron.payload
