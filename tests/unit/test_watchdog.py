"""A blocked event loop is named with its line within half a second; a watchdog with nothing to watch sleeps."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import atomizer
from atomizer import Atomizer, Settings
from atomizer._core.broadcast import Broadcast
from atomizer._core.watchdog import Watchdog
from atomizer.testing.clock import current_clock, on_virtual_time

if TYPE_CHECKING:
    from pathlib import Path


@atomizer.atom(id="tests.echo")
async def echo(number: int) -> int:
    """Return a number."""
    return number


PROGRAM = """
import asyncio, sys, time
import atomizer
from atomizer import Atomizer

def helper() -> None:
    time.sleep(0.9)  # this line

@atomizer.atom(id="tests.slow")
async def slow(suspends: bool) -> None:
    if suspends:
        await asyncio.sleep(0)
    helper()

async def main(conductor) -> None:
    async with Atomizer(slow, conductor=conductor) as runtime, runtime.errors() as errors:
        await runtime.run(slow, False)
        first = await anext(errors)
        await runtime.run(slow, True)
        for event in (first, await anext(errors)):
            print(event.kind, event.atom_id, event.electron_id, event.coroutine, event.line, event.seconds)

asyncio.run(main("memory://shared" if sys.argv[1:] else None))
"""


def blocked(tmp_path: Path, *args: str) -> tuple[list[list[str]], list[str], str]:
    """Run a program whose atom blocks the loop twice; return its events, what it wrote as errors, and its file."""
    file = tmp_path / "blocking.py"
    file.write_text(PROGRAM)
    run = f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')"  # with this tree first on its path
    command = [sys.executable, "-c", run, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return [line.split() for line in done.stdout.splitlines()], done.stderr.splitlines(), str(file)


def test_a_blocked_loop_is_named_with_its_line_within_half_a_second(tmp_path: Path) -> None:
    """On standard error while it is blocked, once for each line of code; as an event when it is back."""
    told, written, file = blocked(tmp_path)

    line = 1 + PROGRAM.splitlines().index("    time.sleep(0.9)  # this line")
    assert [each[:2] for each in told] == [["blocked", "tests.slow"]] * 2
    assert told[0][2] != told[1][2]
    assert [each[3:5] for each in told] == [["slow", str(line)]] * 2
    assert all(0.5 < float(each[5]) < 2.0 for each in told)
    assert len(written) == 1
    assert f"by slow at {file}:{line}" in written[0]
    seconds = re.search(r"blocked for (\d\.\d+) s", written[0])
    assert seconds is not None
    assert 0.2 <= float(seconds[1]) < 0.5


def test_a_loop_blocked_over_a_shared_conductor_is_named_too(tmp_path: Path) -> None:
    """There a worker runs it from its first step on."""
    told, written, _ = blocked(tmp_path, "shared")

    assert [each[:2] for each in told] == [["blocked", "tests.slow"]] * 2
    assert len(written) == 1


async def test_a_runtime_that_is_asked_nothing_has_no_watchdog_thread() -> None:
    """It costs nothing until something comes."""
    before = set(threading.enumerate())

    async with Atomizer(echo):
        started = set(threading.enumerate()) - before

    assert not [thread for thread in started if "watchdog" in thread.name]


async def test_the_watchdog_thread_ends_with_its_runtime() -> None:
    """Nobody waits for it, and it does not stay."""
    before = set(threading.enumerate())

    async with Atomizer(echo) as runtime:
        await runtime.run(echo, 1)
        threads = [each for each in set(threading.enumerate()) - before if each.name == "atomizer watchdog"]

    for thread in threads:
        thread.join(5.0)
    assert [(thread.daemon, thread.is_alive()) for thread in threads] == [(True, False)]


async def test_no_thread_watches_where_the_setting_is_zero() -> None:
    """It is switched off."""
    before = set(threading.enumerate())

    async with Atomizer(echo, settings=Settings(blocked_after=0.0)) as runtime:
        await runtime.run(echo, 1)
        started = set(threading.enumerate()) - before

    assert not [thread for thread in started if "watchdog" in thread.name]


@on_virtual_time
async def test_no_thread_watches_on_a_clock_that_is_not_the_systems() -> None:
    """Virtual time stands still as long as it likes."""
    before = set(threading.enumerate())

    async with Atomizer(echo, settings=Settings(clock=current_clock())) as runtime:
        await runtime.run(echo, 1)
        started = set(threading.enumerate()) - before

    assert not [thread for thread in started if "watchdog" in thread.name]


class NothingFlies:
    """What is under way on a node where nothing is."""

    flying: tuple[object, ...] = ()


async def test_a_watchdog_sleeps_when_nothing_is_under_way_and_is_woken() -> None:
    """Asleep it does not even ask the loop."""
    settings = Settings(blocked_after=0.01)
    loop = asyncio.get_running_loop()
    broadcast = Broadcast("node", settings.clock)
    dog = Watchdog(loop, settings, broadcast=broadcast, flights=NothingFlies())  # type: ignore[arg-type]
    at_first = repr(dog), dog.sleeps

    for _ in range(2):
        dog.wake()
        is_awake = not dog.sleeps
        while not dog.sleeps:
            await asyncio.sleep(0.001)
        assert is_awake
    asleep = repr(dog)
    dog.close()
    closed = repr(dog), dog.sleeps

    assert at_first == ("<Watchdog asleep>", True)
    assert asleep == "<Watchdog asleep>"
    assert closed == ("<Watchdog closed>", False)
