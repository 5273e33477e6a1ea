"""What an electron costs in things that can be counted: the same on every machine, loaded or not."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVarTuple
from weakref import WeakSet

import atomizer
from atomizer.settings import SystemClock
from tests.benchmarks.engines import OUTSTANDING, SLOTS, TIMEOUT, Asked, echo, echo_later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from contextvars import Context
    from types import FrameType

__all__ = ("ELECTRONS", "WAYS", "CountingClock", "CountingLoop", "counts", "event_numbers_used")

Ts = TypeVarTuple("Ts")

ELECTRONS = 2 * OUTSTANDING
"""How many go there and back while they are counted."""


WAYS: dict[str, tuple[Any, bool]] = {
    "at once": (echo, False),
    "at once, suspending": (echo_later, False),
    "alone": (echo, True),
    "alone, suspending": (echo_later, True),
}
"""With `OUTSTANDING` at once, or one after the other; with an atom that suspends once, or not at all."""


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._known: WeakSet[asyncio.Task[Any]] = WeakSet()
        super().__init__()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Count a callback; and a task at its first step, whoever has made it."""
        self.asked["callbacks"] += 1
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task) and owner not in self._known:
            self._known.add(owner)
            self.asked["tasks"] += 1
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Count a timer; `call_later` comes here too."""
        self.asked["timers"] += 1
        return super().call_at(when, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Count a future."""
        self.asked["futures"] += 1
        return super().create_future()


class CountingClock(SystemClock):
    """A clock that counts how often it is read, and goes by that alone: a loaded machine must not change a count."""

    def __init__(self, read: Counter[str]) -> None:
        self._read = read
        self._now = time.monotonic()

    def monotonic(self) -> float:
        """Count a reading, which takes ten microseconds."""
        self._read["clock readings"] += 1
        self._now += 1e-5
        return self._now

    def utc_ns(self) -> int:
        """Count a reading."""
        self._read["clock readings"] += 1
        self._now += 1e-5
        return int(self._now * 1e9)


def counts(way: str, *, listened: Literal["events", "errors"] | None = None) -> dict[str, float]:
    """
    Count what an electron costs there and back in one of the `WAYS`, with everything on.

    Args:
        listened: Which stream somebody has open, without reading it.
    """
    atom, alone = WAYS[way]
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, CountingLoop)
        return runner.run(_counts(loop, atom, alone=alone, listened=listened))


async def _counts(loop: CountingLoop, atom: Any, *, alone: bool, listened: str | None) -> dict[str, float]:
    settings = atomizer.Settings(slots=SLOTS, clock=CountingClock(loop.asked))
    async with atomizer.Atomizer(atom, settings=settings) as runtime:
        stream = getattr(runtime, listened)() if listened is not None else None
        asked = atom.options(timeout=TIMEOUT)
        engine = Asked(partial(runtime.send, asked), partial(runtime.run, asked))
        go = partial(_one_by_one, engine) if alone else engine.many
        with _collector_still():
            await go(OUTSTANDING)  # warm: what the interpreter keeps for later use is kept
            loop.asked.clear()
            blocks = sys.getallocatedblocks()
            await go(ELECTRONS)
            loop.asked["blocks retained"] = sys.getallocatedblocks() - blocks
            seen = {name: number / ELECTRONS for name, number in loop.asked.items()}
            seen["calls"] = await _calls(go) / OUTSTANDING
        del stream
    return seen


async def _one_by_one(engine: Asked, electrons: int) -> None:
    for _ in range(electrons):
        await engine.one()


@contextmanager
def _collector_still() -> Generator[None]:
    """Collect, and let nothing be collected meanwhile: what is only garbage counts as retained."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _calls(go: Callable[[int], Awaitable[None]]) -> int:
    """Count the calls of functions written in Python; a coroutine that goes on counts as called again."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await go(OUTSTANDING)
    finally:
        sys.setprofile(before)
    return calls


async def event_numbers_used(atom: Any) -> int:
    """Count the events that were built while nobody listened: each has a number, and the first one read tells."""
    async with atomizer.Atomizer(atom) as runtime:
        await Asked(partial(runtime.send, atom)).many(OUTSTANDING)
        async with runtime.events() as stream:
            await runtime.run(atom, "")
            return (await anext(stream)).seq - 1
