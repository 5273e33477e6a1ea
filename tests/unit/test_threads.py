"""Threads for plain functions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

import atomizer
from atomizer import Atomizer, Bond
from atomizer._core.threads import Threads, run_in_thread


async def test_a_thread_is_used_again() -> None:
    """The pool grows only when all are busy."""
    threads = Threads(asyncio.get_running_loop(), "t")

    names = {await run_in_thread(threads, lambda: threading.current_thread().name) for _ in range(20)}
    threads.close()

    assert names == {"t-1"}


async def test_calls_at_once_have_a_thread_each() -> None:
    """One slow call keeps no other waiting."""
    threads = Threads(asyncio.get_running_loop(), "t")
    meeting = threading.Barrier(3)

    await asyncio.gather(*(run_in_thread(threads, lambda: meeting.wait(5)) for _ in range(3)))
    threads.close()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
async def test_what_a_function_raises_comes_back(error: BaseException) -> None:
    """`sys.exit` in a thread ends neither the thread nor the program."""
    threads = Threads(asyncio.get_running_loop(), "t")

    def raises() -> None:
        raise error

    with pytest.raises(type(error)):
        await run_in_thread(threads, raises)
    assert await run_in_thread(threads, lambda: 7) == 7
    threads.close()


async def test_a_cancelled_call_goes_on_until_the_function_ends() -> None:
    """A thread cannot be stopped from outside: its slot must stay held."""
    threads = Threads(asyncio.get_running_loop(), "t")
    go_on = threading.Event()
    call = asyncio.create_task(run_in_thread(threads, lambda: go_on.wait(5)))
    await asyncio.sleep(0)

    call.cancel()
    await asyncio.sleep(0)
    running = not call.done()
    go_on.set()

    assert running
    assert await call
    threads.close()


def test_a_hanging_thread_does_not_hold_the_exit() -> None:
    """I13: the program ends within its grace all the same."""
    program = """
import threading, anyio, atomizer

@atomizer.atom(id="tests.hangs")
def hangs() -> None:
    threading.Event().wait()

async def main() -> None:
    async with atomizer.Atomizer(hangs, settings=atomizer.Settings(cancel_grace=0.05, grace=0.05)) as runtime:
        try:
            await runtime.run(hangs.options(limit=0.05))
        except atomizer.AtomTimedOut as error:
            print(error.failure.ending)

anyio.run(main)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "abandoned\n", "")


@atomizer.atom(id="tests.threads.attentive")
def attentive(bond: Bond, end: str) -> str:
    """Look at the bond now and then, and end when it says so."""
    bond.progress(0)
    while not bond.cancelled:
        threading.Event().wait(0.001)
    if end == "raises":
        raise RuntimeError("stopped on demand")
    return "what there was"


@pytest.mark.parametrize("told", ["cancel", "limit"])
async def test_an_atom_in_a_thread_hears_of_its_end_by_its_bond(told: str) -> None:
    """It looks now and then, and so it is stopped and not abandoned."""
    async with Atomizer(attentive) as runtime:
        handle = await runtime.send(attentive.options(limit=0.02 if told == "limit" else 20.0), "raises")
        if told == "cancel":
            async for event in handle.events():
                if event.kind == "progressed":
                    await handle.cancel()
        failure = (await handle.properties()).failure

    assert failure is not None
    assert (failure.kind, failure.ending) == ("cancelled" if told == "cancel" else "timed_out", "stopped")
    assert "stopped on demand" in failure.message


async def test_a_result_that_an_atom_in_a_thread_gives_on_demand_counts() -> None:
    """It was cancelled too late, or has come to its end in time."""
    async with Atomizer(attentive) as runtime:
        assert await runtime.run(attentive.options(limit=0.02), "returns") == "what there was"


@atomizer.atom(id="tests.threads.forgetful")
def forgetful(bond: Bond, verb: str) -> None:
    """Ask as a coroutine does, and forget that this is none."""
    getattr(bond, verb)(attentive, ["returns"])


@pytest.mark.parametrize(("verb", "instead"), [("run", "run"), ("send", "run"), ("map", "map")])
async def test_an_atom_in_a_thread_that_asks_as_a_coroutine_is_told_how_to(verb: str, instead: str) -> None:
    """What it got would be a coroutine that nobody awaits."""
    async with Atomizer(forgetful) as runtime:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run(forgetful, verb)

    assert caught.value.failure.message == (
        f"bond.{verb} is for coroutines; in a thread say bond.blocking.{instead}(…)"
    )
