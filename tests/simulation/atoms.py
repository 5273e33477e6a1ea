"""The atoms of the simulation, by the kinds of electrons that are asked of them."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import atomizer
from atomizer import Bond, Ending, Lane, Options, Requeue, Retry, Route
from atomizer.testing.clock import current_clock

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractContextManager

__all__ = (
    "ATOMS",
    "BAD",
    "ENDINGS",
    "LISTENER",
    "MOST_RUNS",
    "NODE",
    "PLAIN",
    "RETRIED",
    "ROUTES",
    "SLOW",
    "SPAWNERS",
    "endless",
    "flaky",
    "homeless",
    "hopeless",
    "parent",
    "picky",
    "plain",
    "present",
    "raising",
    "root",
    "silent",
    "single",
    "slow",
    "starter",
    "stubborn",
    "surplus",
    "wanderer",
)


class Listener(Protocol):
    """Who hears what the atoms do."""

    def running(self, bond: Bond) -> AbstractContextManager[None]:
        """Hear that an atom's code begins, and how it comes to its end."""
        ...

    def all_present(self, bond: Bond) -> Awaitable[object]:
        """Wait until every slot of this node is taken by one who waits here."""
        ...

    def one_too_many(self) -> None:
        """Hear that something runs beside those."""
        ...


LISTENER: ContextVar[Listener] = ContextVar("listener")
"""The world in which an atom runs. A runtime gives its atoms the context it was entered in."""
NODE: ContextVar[str] = ContextVar("node", default="")
"""The node on which it runs, likewise."""


def running(bond: Bond) -> AbstractContextManager[None]:
    """Open the block in which an atom's code runs: its world hears of it."""
    return LISTENER.get().running(bond)


@atomizer.atom(id="world.plain")
async def plain(bond: Bond, number: int) -> int:
    """Answer at once."""
    with running(bond):
        return 3 * number + 1


@atomizer.atom(id="world.silent", route="world.plain")
async def silent(bond: Bond, number: int) -> None:
    """Have an effect, and no answer."""
    with running(bond):
        pass


@atomizer.atom(id="world.present", route="world.plain")
async def present(bond: Bond) -> None:
    """Hold a slot until all slots of the node are held so."""
    await LISTENER.get().all_present(bond)


@atomizer.atom(id="world.surplus", route="world.slow")
async def surplus(bond: Bond) -> None:
    """Be one more than there are slots for."""
    LISTENER.get().one_too_many()


@atomizer.atom(id="world.slow")
async def slow(bond: Bond, number: int) -> int:
    """Take its time."""
    with running(bond):
        await asyncio.sleep(0.1 * (number % 17))
        return number + 100


@atomizer.atom(id="world.single", singleton=True)
async def single(bond: Bond, number: int) -> int:
    """Take a little time, one at a time on each node."""
    with running(bond):
        await asyncio.sleep(0.05 * (number % 9))
        return number + 200


@atomizer.atom(id="world.parent", route="world.spawners")
async def parent(bond: Bond, number: int) -> int:
    """Have two children at once, in one of two ways."""
    with running(bond):
        if number % 2:
            value = sum([value async for value in bond.map(slow, [number, number])])
        else:
            first = await bond.send(slow, number)
            value = await bond.run(slow, number) + await first
        return value


@atomizer.atom(id="world.root", route="world.spawners")
async def root(bond: Bond, number: int) -> int:
    """Wait for one of its own kind, three deep."""
    with running(bond):
        below = await bond.run(root, number - 1) if number % 4 else 0
        return below + 1


@atomizer.atom(id="world.starter", route="world.spawners")
async def starter(bond: Bond, number: int) -> int:
    """Start something that goes on without it."""
    with running(bond):
        await bond.send(silent.options(reply=False, detached=True), number)
        return number + 300


@atomizer.atom(id="world.raising", route="world.slow")
async def raising(bond: Bond, number: int) -> int:
    """Raise."""
    with running(bond):
        raise ValueError(f"number {number}")


@atomizer.atom(id="world.endless", route="world.slow")
async def endless(bond: Bond, number: int) -> int:
    """Run over its limit, and stop when told."""
    with running(bond):
        await asyncio.sleep(1000)
        return number


@atomizer.atom(id="world.stubborn", route="world.slow")
async def stubborn(bond: Bond, number: int) -> int:
    """Run over its limit, and go on for a while when told to stop."""
    with running(bond):
        end = current_clock().monotonic() + 3.0
        while (left := end - current_clock().monotonic()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue
        return number


@atomizer.atom(id="world.flaky", route="world.plain", options=Options(retry=Retry(attempts=4, backoff=0.05)))
async def flaky(bond: Bond, number: int) -> int:
    """Fail up to twice, and then succeed."""
    with running(bond):
        if bond.attempt <= number % 3:
            raise ConnectionError(f"attempt {bond.attempt}")
        return number + 400


@atomizer.atom(
    id="world.picky", route="world.plain", options=Options(retry=Retry(attempts=4, backoff=0.1, on=(OSError,)))
)
async def picky(bond: Bond, number: int) -> int:
    """Fail in a way that is worth another attempt, and then in one that is not."""
    with running(bond):
        if bond.attempt == 1:
            await asyncio.sleep(0.05)
            raise ConnectionError("attempt 1")
        raise ValueError(f"number {number}")


@atomizer.atom(id="world.hopeless", route="world.plain", options=Options(retry=Retry(attempts=3, backoff=0.05)))
async def hopeless(bond: Bond, number: int) -> int:
    """Fail each time."""
    with running(bond):
        raise ValueError(f"number {number}")


@atomizer.atom(id="world.wanderer", route="world.plain", options=Options(retry=Requeue(attempts=4, delay=0.05)))
async def wanderer(bond: Bond, number: int) -> int:
    """Fail up to twice, each time on another node if there is one, and then succeed."""
    with running(bond):
        await asyncio.sleep(0.02)
        if bond.attempt <= number % 3:
            raise ConnectionError(f"attempt {bond.attempt}")
        return number + 500


@atomizer.atom(id="world.homeless", route="world.plain", options=Options(retry=Requeue(attempts=3)))
async def homeless(bond: Bond, number: int) -> int:
    """Fail everywhere."""
    with running(bond):
        raise ValueError(f"number {number}")


PLAIN = (plain, silent)
SLOW = (slow, single)
SPAWNERS = (parent, root, starter)
RETRIED = (flaky, picky, hopeless, wanderer, homeless)
BAD = (raising, endless, stubborn)
ATOMS = (*PLAIN, present, surplus, *SLOW, *SPAWNERS, *RETRIED, *BAD)
ROUTES = tuple(Route(Lane.WORK, name) for name in dict.fromkeys(atom.route for atom in ATOMS))
MOST_RUNS = {flaky.atom_id: 3, picky.atom_id: 2, hopeless.atom_id: 3}
"""How often one delivery may run, where that is more than once."""
ENDINGS = {endless: Ending.STOPPED, stubborn: Ending.ABANDONED}
"""How those come to their end that run over their limit."""
