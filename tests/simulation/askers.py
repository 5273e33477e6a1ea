"""The askers of a world: what they ask, what they are answered, and one that leaves before it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any

from atomizer import Lane, Route, events
from atomizer.errors import AtomFailed, AtomUnknown, ConductorError

from .asks import BUSY, Ask, breach
from .atoms import parent, plain, present, silent, slow, starter, surplus
from .places import EXPIRY, Hurry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from atomizer import Atomizer, EventStream, Handle

    from .world import World

__all__ = ("Asker", "ask_and_leave")

ANSWER = 0.001
"""Seconds beside a grace in which an answer is here."""


class Asker:
    """A runtime that asks, and takes no electrons."""

    runtime: Atomizer

    def __init__(self, world: World, name: str, asks: list[Ask]) -> None:
        self.name = name
        self.asks = asks
        self.wire = world.wire()
        self._world = world
        self._told: EventStream | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Open the runtime."""
        async with self._world.runtime(self.name, self.wire, serve=False) as self.runtime:
            self._told = self.runtime.events(buffer=100_000) if self._world.is_watched else None
            yield

    async def ask(self, ask: Ask) -> None:
        """Ask, and look at what comes of it."""
        world = self._world
        await asyncio.sleep(ask.at)
        began = world.clock.monotonic()
        if ask.id is not None and ask.timeout is not None:
            world.deadlines[ask.id] = began + ask.timeout
        outcome = await (self._run(ask) if ask.by_run else self._send(ask))
        took = world.clock.monotonic() - began
        if ask.timeout is not None and took > ask.timeout + world.grace + ANSWER:
            world.accuse(f"I9: {ask} was answered after {took:g} s")
        if reason := breach(ask, outcome, world.doubts):
            world.accuse(f"{reason}: {ask} ended in {outcome!r}")
        if isinstance(outcome, AtomFailed) and ask.timeout is None and not world.doubts.is_impatient:
            world.note_failure(ask, outcome)
        if ask.atom is starter and not isinstance(outcome, BaseException):
            world.owed.add(ask.number)

    async def call_the_roll(self, node: str) -> None:
        """
        I10: ask as many electrons of a node as it has slots, and a little later one more on another route.

        Those run all at once, or they would wait for ever, and the last does not run with them: no slot was leaked, nor
        was credit.
        """
        numbers = range(self._world.slots)
        roll = [present.options(node=node, id=f"present {number} {node}", timeout=20) for number in numbers]
        async with asyncio.TaskGroup() as group:
            for target in (*roll, surplus.options(node=node, id=f"surplus {node}", timeout=20, delay=0.05)):
                group.create_task(self._be_present(target, node), name=f"roll of {node}")

    async def check_end(self) -> None:
        """I4: look whether anything was answered twice, to whoever listened to the events."""
        if self._told is not None:
            told = [e.electron_id async for e in self._told if isinstance(e, events.PropertiesReceived)]
            for id, times in Counter(told).items():
                if times > 1:
                    self._world.accuse(f"I4: {id} was answered {times} times")

    async def _be_present(self, target: Any, node: str) -> None:
        outcome = await self._result(self.runtime.run(target))
        if outcome is not None:
            self._world.accuse(f"I10: node {node} does not run as many as it has slots: {outcome!r}")

    async def _send(self, ask: Ask) -> object:
        try:
            handle = await self.runtime.send(ask.target, ask.number)
        except (AtomFailed, ConductorError) as error:
            return error
        if ask.atom is silent:
            self._world.owed.add(ask.number)
            return None
        if ask.cancel_after is not None:
            await asyncio.sleep(ask.cancel_after)
            await handle.cancel()
        return await self._result(handle)

    async def _run(self, ask: Ask) -> object:
        running = asyncio.create_task(self._result(self.runtime.run(ask.target, ask.number)), name=f"run {ask}")
        await asyncio.wait((running,), timeout=ask.cancel_after)
        running.cancel()
        await asyncio.wait((running,))
        return asyncio.CancelledError() if running.cancelled() else running.result()

    async def _result(self, asked: Awaitable[object]) -> object:
        try:
            return await asked
        except (AtomFailed, ConductorError) as error:
            return error


async def ask_and_leave(world: World) -> None:
    """Ask, and leave before the answer may have come: nothing may wait for ever, here or on the nodes."""
    chance = Random(f"leaver {world.seed}")
    await asyncio.sleep(chance.uniform(0, BUSY))
    handles: list[Handle[Any]] = []
    try:
        async with world.runtime("leaver", world.wire(), serve=False) as leaver:
            for atom in chance.sample((plain, slow, parent), 2):
                with suppress(AtomUnknown):
                    handles.append(await leaver.send(atom.options(limit=0.5), 7))
            await asyncio.sleep(chance.uniform(0, 1))
            if chance.random() < 0.5:
                raise Hurry
    except Hurry:
        pass
    for handle in handles:
        if not handle.done:
            world.accuse(f"I1: {handle!r} was left waiting")
    await asyncio.sleep(EXPIRY)
    await world.expire(Route(Lane.REPLY, "leaver"))
