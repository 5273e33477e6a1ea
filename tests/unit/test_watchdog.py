"""A blocked event loop is named with its line within half a second, whoever blocks it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import atomizer
from atomizer import Atomizer, Electron, Settings
from atomizer._core.broadcast import Broadcast
from atomizer._core.watchdog import Watchdog
from atomizer.testing.clock import current_clock, on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable
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

ASKING = """
import asyncio, time
import atomizer
from atomizer import Atomizer

async def main() -> None:
    async with Atomizer(conductor="memory://shared", serve=False) as runtime, runtime.errors() as errors:
        await asyncio.sleep(0)
        block()
        event = await anext(errors)
        print(event.kind, event.coroutine, event.line)

def block() -> None:
    time.sleep(0.9)  # this line

asyncio.run(main())
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


def test_a_program_that_only_asks_is_named_too(tmp_path: Path) -> None:
    """Nothing is under way where it blocks its own loop."""
    file = tmp_path / "asking.py"
    file.write_text(ASKING)
    run = f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=20, check=True)

    line = 1 + ASKING.splitlines().index("    time.sleep(0.9)  # this line")
    assert done.stdout.split() == ["blocked", "main", str(line)]
    assert f"by main at {file}:{line}" in done.stderr


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


class Passing:
    """A flight whose identity goes away between two reads, as before its next attempt."""

    electron = Electron(id="passing", atom_id="tests.passing", payload=b"")
    link = SimpleNamespace(name="memory")

    def __init__(self, identity: object) -> None:
        self.reads = 0
        self._identity = identity

    @property
    def identity(self) -> object:
        """Each second time it is gone."""
        self.reads += 1
        return self._identity if self.reads % 2 else None


class Flying:
    """What is under way on a node."""

    def __init__(self, *flights: Passing) -> None:
        self.flying = flights


async def test_the_thread_survives_that_a_flight_changes_while_it_looks() -> None:
    """It reads what the loop may write at any moment."""
    settings = Settings(blocked_after=0.01)
    loop = asyncio.get_running_loop()
    passing = Passing(asyncio.current_task())
    broadcast = Broadcast("node", settings.clock)
    before = set(threading.enumerate())
    dog = Watchdog(loop, settings, broadcast=broadcast, flights=Flying(passing))  # type: ignore[arg-type]
    at_first = repr(dog)

    dog.watch()
    blocked_until(lambda: passing.reads > 0)
    (thread,) = set(threading.enumerate()) - before
    thread.join(0.05)
    awake = repr(dog), thread.is_alive()
    dog.close()
    thread.join(5.0)

    assert (at_first, awake) == ("<Watchdog off>", ("<Watchdog awake>", True))
    assert (repr(dog), thread.is_alive()) == ("<Watchdog closed>", False)


def blocked_until(seen: Callable[[], bool]) -> None:
    """Compute without letting the loop run, until something is so."""
    while not seen():
        pass
