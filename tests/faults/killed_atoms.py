"""Atoms that are killed: in a module of their own, because child processes load it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import atomizer


@atomizer.atom(id="tests.killed.square", isolation="process")
def square(number: int) -> int:
    """Multiply a number by itself."""
    return number * number


@atomizer.atom(id="tests.killed.busy", isolation="process")
def busy(path: str, seconds: float) -> str:
    """Write down who this is, count for a while, and then do something that can be seen."""
    return spin(path, seconds)


@atomizer.atom(id="tests.killed.busy_thread")
def busy_thread(path: str, seconds: float) -> str:
    """The same in a thread."""
    return spin(path, seconds)


def spin(path: str, seconds: float) -> str:
    """Look at nothing but the clock."""
    until = time.monotonic() + seconds
    Path(path).write_text(str(os.getpid()))
    while time.monotonic() < until:
        pass
    Path(f"{path}.done").touch()
    return "whole"


@atomizer.atom(id="tests.killed.one_at_a_time", isolation="process", singleton=True)
def one_at_a_time(path: str) -> str:
    """Fail if another one is at it."""
    place = Path(path)
    place.touch(exist_ok=False)
    spin(f"{path}.pid", 0.02)
    place.unlink()
    return "alone"


@atomizer.atom(id="tests.killed.patient", isolation="process")
def patient(seconds: float) -> str:
    """Give what there is when the soft limit is reached."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            pass
    except atomizer.SoftLimitReached:
        return "partial"
    return "whole"


@atomizer.atom(id="tests.killed.asleep", isolation="process")
async def asleep(seconds: float) -> str:
    """Wait in a coroutine."""
    try:
        await asyncio.sleep(seconds)
    except atomizer.SoftLimitReached:
        return "partial"
    return "whole"


@atomizer.atom(id="tests.killed.die", isolation="process")
def die(how: str) -> None:
    """End the process it runs in."""
    if how == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "os._exit":
        os._exit(3)
    sys.exit(3)


@atomizer.atom(id="tests.killed.fail", isolation="process", raises=(KeyError,))
def fail(kind: str) -> object:
    """Fail in one way or another."""
    if kind == "result":
        return object()
    if kind == "large":
        return b"x" * 2_000_000
    raise {"KeyError": KeyError, "ValueError": ValueError}[kind]("of my own")


@atomizer.atom(id="tests.killed.echo", isolation="process")
def echo(payload: bytes) -> bytes:
    """Give bytes back."""
    return payload
