"""Electrons that are computed in other processes, and the pool of processes that they are held against."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import atomizer
from tests.benchmarks.engines import Asked, atomizer_engine
from tests.benchmarks.peers import NotThere

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.benchmarks.engines import Engine, Open

__all__ = ("PROCESSES", "answer", "apart_engine", "pool_engine")

PROCESSES = 2
"""How many compute at once, here and there."""


def answer(text: str) -> str:
    """Give back what it got."""
    return text


def apart_engine() -> Open:
    """
    Make a runtime whose atom runs in killable child processes.

    Raises:
        NotThere: Atoms have no processes of their own.
    """
    declare: Any = atomizer.atom
    try:
        atom = declare(id="bench.apart", isolation="process")(answer)
    except TypeError as error:
        raise NotThere('not there yet: @atom(isolation="process")') from error
    return atomizer_engine(atom)


@asynccontextmanager
async def pool_engine() -> AsyncGenerator[Engine, None]:
    """Make a process pool of the standard library, asked through the loop."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:

        async def ask(text: str) -> asyncio.Future[str]:
            return loop.run_in_executor(pool, answer, text)

        yield Asked(ask)
