"""Electrons that are computed in other processes, and the pool of processes that they are held against."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import atomizer
from tests.benchmarks.engines import SLOTS, TIMEOUT, Asked
from tests.benchmarks.peers import NotThere

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.benchmarks.engines import Engine

__all__ = ("PROCESSES", "apart_engine", "pool_engine")

PROCESSES = 2
"""How many compute at once, here and there."""


def answer(text: str) -> str:
    """Give back what it got."""
    return text


declare: Any = atomizer.atom

try:

    @declare(id="bench.answer_apart", isolation="process")
    def answer_apart(text: str) -> str:
        """Give back what it got, from a child process."""
        return text

except TypeError:
    answer_apart = None


@asynccontextmanager
async def apart_engine() -> AsyncGenerator[Engine, None]:
    """
    Make a runtime whose atom runs in killable child processes.

    Raises:
        NotThere: Atoms have no processes of their own.
    """
    if answer_apart is None:
        raise NotThere('not there yet: @atom(isolation="process")')
    settings = atomizer.Settings.from_env(slots=SLOTS, processes=PROCESSES)
    async with atomizer.Atomizer(answer_apart, settings=settings) as runtime:
        asked = answer_apart.options(timeout=TIMEOUT)
        yield Asked(partial(runtime.send, asked), partial(runtime.run, asked))


@asynccontextmanager
async def pool_engine() -> AsyncGenerator[Engine, None]:
    """Make a process pool of the standard library, asked through the loop."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:

        async def ask(text: str) -> asyncio.Future[str]:
            return loop.run_in_executor(pool, answer, text)

        yield Asked(ask)
