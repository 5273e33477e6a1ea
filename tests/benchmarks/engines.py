"""What is measured: an atomizer, and what it is held against, all driven in the same way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import atomizer
from tests.benchmarks.peers import peer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

__all__ = (
    "OUTSTANDING",
    "SLOTS",
    "TEXT",
    "TIMEOUT",
    "Engine",
    "Open",
    "atomizer_engine",
    "celery_engine",
    "echo",
    "echo_later",
    "queue_engine",
    "taskiq_engine",
)

TEXT = "x" * 98
"""100 bytes as JSON, which is what it travels as."""
OUTSTANDING = 1000
"""How many results are outstanding at most."""
SLOTS = 64
TIMEOUT = 600.0
"""Seconds: a deadline that is never reached, and costs all the same."""
_WORKERS = 16
_POLL = 0.0001  # seconds between two looks of taskiq, which has no other way to wait; its own default is 0.2


class Engine(Protocol):
    """Something that takes payloads and gives results."""

    async def many(self, electrons: int) -> None:
        """Go there and back so many times, with `OUTSTANDING` at once, and wait for every result."""
        ...

    async def one(self) -> None:
        """Go there and back once, with nothing else under way."""
        ...


class Open(Protocol):
    """How an engine is opened."""

    def __call__(self) -> AbstractAsyncContextManager[Engine]:
        """Start it; leaving stops it."""
        ...


@atomizer.atom(id="bench.echo")
async def echo(text: str) -> str:
    """Give back what it got, at once."""
    return text


@atomizer.atom(id="bench.echo_later")
async def echo_later(text: str) -> str:
    """Give back what it got, after one turn of the loop."""
    await asyncio.sleep(0)
    return text


class Asked:
    """
    An engine that is asked by one call, whose answer is awaited when it is wanted.

    Args:
        ask: Gives what can be awaited for the answer.
        run: Asks and waits in one call, where an engine has a way of its own to do so.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Awaitable[object]]],
        run: Callable[[str], Awaitable[object]] | None = None,
    ) -> None:
        self._ask = ask
        self._run = run or self._ask_and_wait

    async def many(self, electrons: int) -> None:
        """Ask in windows, as wide as may be outstanding."""
        ask = self._ask
        for first in range(0, electrons, OUTSTANDING):
            asked = [await ask(TEXT) for _ in range(min(OUTSTANDING, electrons - first))]
            for answer in asked:
                await answer

    async def one(self) -> None:
        """Ask, and wait for the answer."""
        await self._run(TEXT)

    async def _ask_and_wait(self, text: str) -> object:
        return await (await self._ask(text))


def atomizer_engine(atom: Any = echo, *, timeout: float | None = TIMEOUT, listened: bool = False) -> Open:
    """
    Make an embedded runtime, as anybody would.

    Args:
        atom: What is asked.
        timeout: Seconds for each electron; None gives it no deadline.
        listened: Whether there is a reader of its events, who never reads.
    """

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Engine, None]:
        asked = atom if timeout is None else atom.options(timeout=timeout)
        async with atomizer.Atomizer(atom, settings=atomizer.Settings(slots=SLOTS)) as runtime:
            stream = runtime.events() if listened else None
            yield Asked(partial(runtime.send, asked), partial(runtime.run, asked))
            del stream

    return opened


def queue_engine(*, suspends: bool = False) -> Open:
    """Make the least that takes work and gives results: a queue, a few tasks that empty it, and a future each."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Engine, None]:
        queue: asyncio.Queue[tuple[asyncio.Future[str], str]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        handler = _answer_later if suspends else _answer

        get, put, new_future = queue.get, queue.put, loop.create_future

        async def work() -> None:
            while True:
                future, text = await get()
                future.set_result(await handler(text))

        async def ask(text: str) -> asyncio.Future[str]:
            future: asyncio.Future[str] = new_future()
            await put((future, text))
            return future

        workers = [loop.create_task(work()) for _ in range(_WORKERS)]
        yield Asked(ask)
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)

    return opened


async def _answer(text: str) -> str:
    return text


async def _answer_later(text: str) -> str:
    await asyncio.sleep(0)
    return text


@asynccontextmanager
async def taskiq_engine() -> AsyncGenerator[Engine, None]:
    """Make taskiq's own in-memory broker, which answers as fast when tasks run in place as when they do not."""
    broker = peer("taskiq").InMemoryBroker(max_stored_results=100 * OUTSTANDING)
    task = broker.register_task(_answer, task_name="bench:answer")
    await broker.startup()

    async def ask(text: str) -> Awaitable[object]:
        answer: Awaitable[object] = (await task.kiq(text)).wait_result(check_interval=_POLL)
        return answer

    yield Asked(ask)
    await broker.shutdown()


class Eager:
    """Celery without a broker: each call runs where it is made, so nothing is ever outstanding."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        self._ask = ask

    async def many(self, electrons: int) -> None:
        """Ask once after the other."""
        for _ in range(electrons):
            self._ask(TEXT).get()

    async def one(self) -> None:
        """Ask once."""
        self._ask(TEXT).get()


@asynccontextmanager
async def celery_engine() -> AsyncGenerator[Engine, None]:
    """Make a Celery application that is always eager."""
    application = peer("celery").Celery("bench", set_as_current=False)
    application.conf.update(task_always_eager=True)

    def answer(text: str) -> str:
        return text

    yield Eager(application.task(answer, name="bench.answer").delay)
    application.close()
