"""Pools of child processes as the tests open them, and what tells them that an atom runs."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atomizer._core.children.processes import Answer, Processes, Taken
from atomizer._core.tasks import Tasks
from atomizer.electron import JSON, RAW

from . import child_atoms

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

faults: list[BaseException] = []


@asynccontextmanager
async def pool(
    most: int = 1, *, calls_each: int = 0, memory_each: int = 0, max_payload_bytes: int = 8 * 1024 * 1024
) -> AsyncGenerator[Processes]:
    """Open a pool, and see to it that it ends without a fault."""
    faults.clear()
    loop = asyncio.get_running_loop()
    processes = Processes(
        loop,
        "tests",
        most=most,
        calls_each=calls_each,
        memory_each=memory_each,
        max_payload_bytes=max_payload_bytes,
        tasks=Tasks(loop, copy_context(), faults.append),
    )
    try:
        yield processes
    finally:
        await processes.close(5)
    assert not faults


def name_of(function: Callable[..., Any]) -> str:
    """Refer to a function as a child process finds it."""
    return f"{function.__module__}:{function.__qualname__}"


async def call(
    process: Taken, function: Callable[..., Any], payload: object = msgspec.UNSET, *, soft_limit: float | None = None
) -> Answer:
    """Have a function called with a payload, as JSON unless it is bytes."""
    if isinstance(payload, bytes):
        return await process.call(name_of(function), payload, RAW, soft_limit)
    body = b"" if payload is msgspec.UNSET else msgspec.json.encode(payload)
    return await process.call(name_of(function), body, JSON, soft_limit)


async def ask(processes: Processes, function: Callable[..., Any], payload: object = msgspec.UNSET) -> Any:
    """Take a process, have a function called, give the process back, and return the result."""
    process = await processes.take()
    try:
        answer = await call(process, function, payload)
    finally:
        process.give_back()
    assert answer.failure is None
    return msgspec.json.decode(answer.body)


class Bell:
    """What a child process rings when it runs."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "bell")
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    async def rung(self) -> bytes:
        """Wait until it is rung. Returns nothing if all who could ring it are gone."""
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._end, lambda: readable.done() or readable.set_result(None))
        await readable
        loop.remove_reader(self._end)
        return os.read(self._end, 1)

    def close(self) -> None:
        """Take it away."""
        os.close(self._end)


@asynccontextmanager
async def hanging(process: Taken, bell: Bell, mark: Path) -> AsyncGenerator[asyncio.Task[Answer]]:
    """Have a process run what does not end by itself."""
    task = asyncio.create_task(call(process, child_atoms.hang, {"bell": bell.path, "path": str(mark)}))
    assert await bell.rung()
    try:
        yield task
    finally:
        task.cancel()
        bell.close()


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def processes_of_ours() -> list[str]:
    """List the child processes of this thread, with those that are not reaped; not what Python has for itself."""
    found = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    return [number for number in found if b"multiprocessing.resource_tracker" not in _command_of(number)]


def _command_of(number: str) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except FileNotFoundError:  # it is gone by now
        return b""
