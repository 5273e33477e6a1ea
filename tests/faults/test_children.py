"""Child processes: killed by the hundred, killed by others, and left alone when their parent is killed."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from atomizer._core.children.processes import ProcessDied
from tests.unit import child_atoms
from tests.unit.children import ask, call, descriptors, name_of, pool, processes_of_ours

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = int(os.environ.get("ATOMIZER_TEST_KILLS", "100"))
"""Each costs the start of a Python: `nox -s kills` has a thousand."""

PARENT = """
import asyncio, sys
from contextvars import copy_context
from atomizer._core.children.processes import Processes
from atomizer._core.tasks import Tasks

async def main() -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop, copy_context(), print)
    processes = Processes(
        loop, "tests", most=1, calls_each=0, memory_each=0, max_payload_bytes=1_000, tasks=tasks
    )
    process = await processes.take()
    tasks.start(process.call(sys.argv[1], b"", "application/json"), "call")
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "function",
    [child_atoms.wait_for_nothing, child_atoms.wait_without_the_kernel, child_atoms.wait_with_the_interpreter],
)
def test_a_child_process_dies_with_a_parent_that_is_killed(function: Callable[[], None]) -> None:
    """By either means alone: without the kernel's signal, and while C code keeps the interpreter from all threads."""
    command = [sys.executable, "-c", PARENT, name_of(function)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        dead, _, _ = select.select([descriptor], [], [], 1.0)
    os.close(descriptor)

    assert dead


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread sees to it, which the GIL may hold up")
@pytest.mark.parametrize(
    "function", [child_atoms.start_program_and_wait, child_atoms.start_program_and_keep_the_interpreter]
)
def test_the_programs_of_an_atom_die_with_a_parent_that_is_killed(function: Callable[[], None]) -> None:
    """The kernel ends the whole group, whatever the atom does."""
    command = [sys.executable, "-c", PARENT, name_of(function)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        descriptors = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
        parent.kill()
        parent.wait()
        dead = [select.select([descriptor], [], [], 1.0)[0] for descriptor in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)

    assert all(dead)


@pytest.mark.timeout(120 + KILLS)
async def test_many_kills_leave_nothing() -> None:
    """No zombie, no descriptor; and each time the next call has another process."""
    await warm_up()
    before = descriptors()
    answers: list[object] = []
    async with pool(2) as processes:

        async def kill_and_ask(times: int) -> None:
            for _ in range(times):
                process = await processes.take()
                task = asyncio.create_task(call(process, child_atoms.run_too_long))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait((task,))
                process.give_back()
                answers.append(await ask(processes, child_atoms.multiply, {"number": 1}))

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(kill_and_ask(KILLS // 2))
        killed, held = processes.killed, descriptors()

    assert killed == KILLS
    assert answers == [2] * KILLS
    assert held <= before + 6 * 3
    assert descriptors() == before
    assert not processes_of_ours()


async def warm_up() -> None:
    """Have the loop and the imports open what they keep."""
    async with pool() as processes:
        await ask(processes, child_atoms.pid)


async def test_every_call_is_answered_while_others_kill_child_processes() -> None:
    """With a result, or with the death of its process."""
    results: list[object] = []
    died: list[ProcessDied] = []
    async with pool(2) as processes:

        async def ask_on() -> None:
            for _ in range(50):
                process = await processes.take()
                try:
                    results.append((await call(process, child_atoms.last, 0.002)).body)
                except ProcessDied as error:
                    died.append(error)
                finally:
                    process.give_back()

        async def kill_some() -> None:
            for _ in range(10):
                pid = await ask(processes, child_atoms.pid)
                os.kill(pid, signal.SIGKILL)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(ask_on())
            group.create_task(kill_some())

    assert len(results) + len(died) == 150
    assert set(results) == {b"0.002"}
    assert len(died) <= 10
    assert not processes_of_ours()


async def test_cancels_while_child_processes_start_leave_nothing() -> None:
    """Whatever step the start is at."""
    await warm_up()
    before = descriptors()
    for step in range(20):
        async with pool(2) as processes:
            turns = [asyncio.create_task(processes.take()) for _ in range(2)]
            until = time.monotonic() + step * 0.01
            while time.monotonic() < until:
                await asyncio.sleep(0.001)
            for turn in turns:
                turn.cancel()
            await asyncio.wait(turns)
            for turn in turns:
                if not turn.cancelled():
                    turn.result().give_back()

    assert descriptors() == before
    assert not processes_of_ours()


async def test_a_kill_is_over_within_fifty_milliseconds_of_its_limit() -> None:
    """All of nine but one: the machine may have other things to do."""
    taken: list[float] = []
    async with pool() as processes:
        for _ in range(9):
            process = await processes.take()
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await call(process, child_atoms.run_too_long)
            taken.append(time.monotonic() - began)
            process.give_back()

    assert sorted(taken)[-2] < 0.15
