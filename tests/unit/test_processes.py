"""The pool of child processes."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from atomizer import FailureKind, NotRunning
from atomizer._core.children.processes import ProcessDied
from atomizer._core.children.reaping import tell_end_by_thread
from atomizer.electron import JSON, RAW

from . import child_atoms
from .children import Bell, ask, call, descriptors, hanging, name_of, pool, processes_of_ours

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_a_function_is_called_with_typed_arguments() -> None:
    """A function atom or a plain function, JSON, or bytes as they are."""
    async with pool() as processes:
        process = await processes.take()
        answers = [
            await process.call(name_of(child_atoms.multiply), b'{"number":21}', JSON),
            await process.call(name_of(child_atoms.multiply), b'{"number":3,"times":5}', JSON),
            await process.call(name_of(child_atoms.reverse), b"abc", RAW),
            await process.call(name_of(child_atoms.reverse), b"", RAW),
        ]
        process.give_back()

    assert answers == [(b"42", JSON, None), (b"15", JSON, None), (b"cba", RAW, None), (b"", RAW, None)]


async def test_coroutines_run_on_one_loop_of_the_child() -> None:
    """It is kept between calls."""
    async with pool() as processes:
        loops = {await ask(processes, child_atoms.which_loop) for _ in range(3)}

    assert len(loops) == 1


async def test_a_failure_says_where_the_atom_was() -> None:
    """As in the runtime's own process: type, message, and the atom's own frames."""
    async with pool() as processes:
        process = await processes.take()
        answer = await call(process, child_atoms.fail, "seven")
        process.give_back()

    assert answer.failure is not None
    assert (answer.failure.kind, answer.failure.type) == ("failed", "builtins.ValueError")
    assert answer.failure.message == "seven"
    assert "raise ValueError(text)" in answer.failure.trace
    assert "_core" not in answer.failure.trace


async def test_a_process_outlives_whatever_its_atom_raises() -> None:
    """`sys.exit` in an atom is an answer, and the next call finds the same process."""
    async with pool() as processes:
        before = await ask(processes, child_atoms.pid)
        process = await processes.take()
        answers = [await call(process, child_atoms.fail_oddly, how) for how in ("exit", "interrupt", "odd", "cancel")]
        answers.append(await call(process, child_atoms.task_exits))
        process.give_back()
        after = await ask(processes, child_atoms.pid)

    assert [f"{answer.failure.type}: {answer.failure.message}" for answer in answers if answer.failure] == [
        "builtins.SystemExit: 3",
        "builtins.KeyboardInterrupt: ",
        "tests.unit.child_atoms.Odd: even",
        "asyncio.exceptions.CancelledError: it raised CancelledError itself, or cancelled itself: nobody else did",
        "builtins.SystemExit: 5",
    ]
    assert before == after


async def test_a_payload_that_does_not_fit_is_refused_and_nothing_is_called(tmp_path: Path) -> None:
    """The message says where it does not fit."""
    mark = tmp_path / "mark"
    async with pool() as processes:
        process = await processes.take()
        answer = await process.call(name_of(child_atoms.touch), f'["{mark}"]'.encode(), JSON)
        process.give_back()

    assert answer.failure is not None
    assert answer.failure.kind == FailureKind.PAYLOAD_REFUSED
    assert "Expected `str`" in answer.failure.message
    assert not mark.exists()


async def test_a_result_that_cannot_be_sent_is_refused() -> None:
    """It is an answer like any other."""
    async with pool(max_payload_bytes=1_000) as processes:
        process = await processes.take()
        unwritable, too_large = await call(process, child_atoms.function), await call(process, child_atoms.big, 2_000)
        process.give_back()

    assert unwritable.failure is not None
    assert unwritable.failure.kind == FailureKind.RESULT_REFUSED
    assert "function cannot be written as JSON" in unwritable.failure.message
    assert too_large.failure is not None
    assert too_large.failure.kind == FailureKind.RESULT_REFUSED
    assert "2,000 bytes, and 1,000 are allowed" in too_large.failure.message


async def test_what_cannot_be_loaded_is_answered() -> None:
    """The failure names the function and the reason, each time anew."""
    reasons = {
        "tests.nowhere:f": "No module named 'tests.nowhere'",
        "tests.unit.child_atoms:nothing": "module 'tests.unit.child_atoms' has no attribute 'nothing'",
        "tests.unit.child_atoms:variable": "it is of type ContextVar, and no function",
        "tests.unit.child_atoms:with_bond": "it asks for a Bond, and there is none there: remove that parameter",
    }
    async with pool() as processes:
        process = await processes.take()
        answers = [await process.call(reference, b"1", JSON) for reference in (*reasons, *reasons)]
        process.give_back()

    assert [answer.failure.message for answer in answers if answer.failure] == [
        f"{reference} cannot be loaded in a child process: {reason}" for reference, reason in reasons.items()
    ] * 2


async def test_eight_mebibytes_travel_both_ways_while_the_loop_goes_on() -> None:
    """Neither end waits for the other with the loop in its hands."""
    data = os.urandom(8 * 1024 * 1024)
    turns = count()
    async with pool() as processes:
        process = await processes.take()
        task = asyncio.create_task(call(process, child_atoms.reverse, data))
        while not task.done():
            await asyncio.sleep(0)
            next(turns)
        answer = await task
        process.give_back()

    assert answer.body == data[::-1]
    assert next(turns) > 20


async def test_a_cancelled_call_kills_its_process_and_the_pool_recovers(tmp_path: Path) -> None:
    """It is gone when the call is over, and nothing of it happens afterwards."""
    bell, mark = Bell(tmp_path), tmp_path / "mark"
    async with pool() as processes:
        before = await ask(processes, child_atoms.pid)
        process = await processes.take()
        async with hanging(process, bell, mark) as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        gone = not Path(f"/proc/{before}").exists()
        process.give_back()
        process.give_back()
        after = await ask(processes, child_atoms.pid)
        counts = processes.killed, processes.started, processes.busy, processes.idle

    assert gone
    assert before != after
    assert counts == (1, 2, 0, 1)
    assert not mark.exists()


async def test_a_killed_atom_takes_the_programs_it_started_with_it(tmp_path: Path) -> None:
    """What an atom starts is in the group of its process."""
    bell = Bell(tmp_path)
    async with pool() as processes:
        process = await processes.take()
        task = asyncio.create_task(call(process, child_atoms.hang_with_child, bell.path))
        rung = await bell.rung()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        silence = await bell.rung()
        process.give_back()
    bell.close()

    assert (rung, silence) == (b".", b"")


@pytest.mark.parametrize(
    ("function", "result"), [(child_atoms.run_long, "saved after 0.02 s"), (child_atoms.wait_long, "saved")]
)
async def test_a_soft_limit_can_be_caught(function: Callable[..., Any], result: str) -> None:
    """The atom saves what it has, and its answer counts."""
    async with pool() as processes:
        process = await processes.take()
        answer = await call(process, function, soft_limit=0.02)
        process.give_back()

    assert answer.failure is None
    assert msgspec.json.decode(answer.body) == result


@pytest.mark.parametrize(
    "function", [child_atoms.run_too_long, child_atoms.wait_too_long, child_atoms.run_too_long_on_the_loop]
)
async def test_a_soft_limit_that_is_not_caught_is_an_overrun(function: Callable[..., Any]) -> None:
    """The trace says where the atom was."""
    async with pool() as processes:
        process = await processes.take()
        answer = await call(process, function, soft_limit=0.02)
        process.give_back()

    assert answer.failure is not None
    assert answer.failure.kind == FailureKind.TIMED_OUT
    assert answer.failure.message == "it ran over its soft limit of 0.02 s"
    assert f"in {function.__name__}" in answer.failure.trace
    assert "_core" not in answer.failure.trace


async def test_a_process_that_was_told_of_its_soft_limit_is_replaced_by_one_started_meanwhile(tmp_path: Path) -> None:
    """It may have been told in the middle of anything, with a lock in its hands."""
    bell = Bell(tmp_path)
    async with pool() as processes:
        before = await ask(processes, child_atoms.pid)
        process = await processes.take()
        saving = asyncio.create_task(call(process, child_atoms.save_until, bell.path, soft_limit=0.02))
        assert await bell.rung()
        while not processes.idle:
            await asyncio.sleep(0.001)
        bell.close()
        answer = await saving
        process.give_back()
        after, started = await ask(processes, child_atoms.pid), processes.started

    assert answer.body == b'"saved"'
    assert before != after
    assert started == 2


async def test_a_soft_limit_never_hits_the_next_call() -> None:
    """However near to the end of a call it comes."""
    async with pool() as processes:
        process = await processes.take()
        ran_over = [await call(process, child_atoms.last, 0.001, soft_limit=0.001 + n * 2e-7) for n in range(150)]
        after = [await call(process, child_atoms.last, 0.0005) for _ in range(20)]
        limited = await call(process, child_atoms.last, 0.0005, soft_limit=20.0)
        process.give_back()

    assert {answer.failure.kind for answer in ran_over if answer.failure} <= {FailureKind.TIMED_OUT}
    assert not any(answer.failure for answer in (*after, limited))


async def test_turns_come_in_order_and_a_cancelled_one_is_passed_over() -> None:
    """At most so many processes are out at once, and one that is given back goes to who has waited longest."""
    order: list[int] = []

    async def come(number: int) -> None:
        process = await processes.take()
        order.append(number)
        assert processes.busy <= 2
        await call(process, child_atoms.pid)
        process.give_back()

    async with pool(2) as processes:
        held = [await processes.take() for _ in range(2)]
        tasks = [asyncio.create_task(come(number)) for number in range(6)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        for process in held:
            process.give_back()
        await asyncio.wait(tasks)
        left = processes.busy, processes.idle, processes.started

    assert order == [0, 2, 3, 4, 5]
    assert left == (0, 2, 2)


async def test_a_turn_that_is_cancelled_as_it_comes_goes_to_the_next() -> None:
    """No process is lost between two."""
    async with pool() as processes:
        process = await processes.take()
        first, second = (asyncio.create_task(processes.take()) for _ in range(2))
        await asyncio.sleep(0)
        process.give_back()
        first.cancel()
        taken = await second
        taken.give_back()
        left = processes.busy, processes.idle

    assert first.cancelled()
    assert left == (0, 1)


async def test_a_process_is_replaced_after_so_many_calls_before_it_is_needed() -> None:
    """The next is started while the last call of the one before is under way."""
    async with pool(calls_each=2) as processes:
        first = await ask(processes, child_atoms.pid)
        process = await processes.take()
        started_ahead = processes.started
        last = msgspec.json.decode((await call(process, child_atoms.pid)).body)
        process.give_back()
        next_one = await ask(processes, child_atoms.pid)

    assert started_ahead == 2
    assert first == last != next_one


async def test_no_more_run_at_once_while_some_are_replaced() -> None:
    """One that was started ahead waits until the one before it is given back."""
    async with pool(2, calls_each=1) as processes:

        async def ask_and_look() -> tuple[Any, int]:
            process = await processes.take()
            busy = processes.busy
            answer = await call(process, child_atoms.pid)
            process.give_back()
            return answer.body, busy

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask_and_look()) for _ in range(6)]
    pids, busy = zip(*(task.result() for task in tasks), strict=True)

    assert len(set(pids)) == 6
    assert max(busy) == 2


async def test_a_process_that_holds_too_much_memory_is_replaced() -> None:
    """What it used and let go of does not count."""
    most = 120 * 1024 * 1024
    async with pool(memory_each=most) as processes:
        frugal = [await ask(processes, child_atoms.use, 150) for _ in range(2)]
        greedy = await ask(processes, child_atoms.hold, 150)
        after = await ask(processes, child_atoms.pid)

    assert frugal[0] == frugal[1] == greedy
    assert after != greedy


@pytest.mark.parametrize(
    ("function", "payload", "message"),
    [
        (child_atoms.end, 7, "ended itself with exit code 7"),
        (child_atoms.break_python, msgspec.UNSET, "ended with exit code 1: the standard error says why"),
        (child_atoms.end_by, signal.SIGKILL, "by SIGKILL: not by us, so perhaps by the kernel because memory ran out"),
        (child_atoms.end_by, signal.SIGRTMIN + 1, f"was ended by signal {signal.SIGRTMIN + 1}"),
        (child_atoms.close_everything, msgspec.UNSET, "the atom closed a descriptor that it had not opened"),
        (child_atoms.write_everywhere, msgspec.UNSET, "the atom wrote to a descriptor that it had not opened"),
        (child_atoms.crash, msgspec.UNSET, "was ended by SIGSEGV: a crash in a library written in C"),
    ],
)
async def test_a_process_that_dies_says_how_and_the_next_call_has_another(
    function: Callable[..., Any], payload: object, message: str
) -> None:
    """It becomes the failure of the electron it ran."""
    async with pool() as processes:
        process = await processes.take()
        with pytest.raises(ProcessDied, match=re.escape(message)) as caught:
            await call(process, function, payload)
        with pytest.raises(ProcessDied):
            await call(process, child_atoms.pid)
        process.give_back()
        alive = await ask(processes, child_atoms.multiply, {"number": 1})

    assert caught.value.failure.kind == FailureKind.FAILED
    assert alive == 2


async def test_a_crash_is_answered_with_the_place_it_happened() -> None:
    """Python writes where the atom was, and nothing of it goes to the standard error."""
    async with pool() as processes:
        process = await processes.take()
        with pytest.raises(ProcessDied) as caught:
            await call(process, child_atoms.crash)
        process.give_back()

    trace = caught.value.failure.trace
    assert trace.startswith("Fatal Python error: Segmentation fault")
    assert "in crash" in trace
    assert "_core" not in trace


async def test_a_call_finds_its_process_as_the_modules_left_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Its folder, context, environment, file mask, streams and signals; and what was printed is out."""
    async with pool() as processes:
        process = await processes.take()
        first, second = [await call(process, child_atoms.litter) for _ in range(2)]
        printed = capfd.readouterr()
        limited = await call(process, child_atoms.run_too_long, soft_limit=0.01)
        process.give_back()

    assert first == second
    assert f"as it was, {Path.cwd()}" in first.body.decode()
    assert printed == ("printedprinted", "")
    assert limited.failure is not None


@pytest.mark.parametrize("timer", [signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF])
async def test_a_timer_of_one_call_does_not_hit_the_next(timer: int) -> None:
    """It is off when the atom has ended, and the process is the same."""
    async with pool() as processes:
        process = await processes.take()
        await call(process, child_atoms.set_timer, {"timer": timer, "seconds": 0.05})
        after = await call(process, child_atoms.last, 0.1)
        process.give_back()

    assert after.body == b"0.1"


@pytest.mark.parametrize(
    "function", [child_atoms.leave_thread, child_atoms.close_output, child_atoms.leave_stubborn_task]
)
async def test_a_process_that_cannot_be_put_in_order_is_replaced(function: Callable[..., Any]) -> None:
    """It was left a thread, a stream that is closed, or a task that will not end."""
    async with pool() as processes:
        spoilt = await ask(processes, function)
        after = await ask(processes, child_atoms.pid)

    assert spoilt != after


@pytest.mark.parametrize("function", [child_atoms.use_thread, child_atoms.use_threads_of_the_loop])
async def test_a_process_whose_threads_have_ended_is_used_again(function: Callable[..., Any]) -> None:
    """Those that `asyncio.to_thread` keeps end with the call."""
    async with pool() as processes:
        pids = {await ask(processes, function) for _ in range(3)}

    assert len(pids) == 1


async def test_a_stubborn_task_delays_no_answer() -> None:
    """Not its own call's, and not the next one's."""
    async with pool() as processes:
        process = await processes.take()
        async with asyncio.timeout(0.5):
            await call(process, child_atoms.leave_stubborn_task)
            await call(process, child_atoms.which_loop)
        process.give_back()


async def test_a_task_that_is_left_cleans_up_before_its_process_ends(tmp_path: Path) -> None:
    """Once everything is answered, it has a second."""
    mark = tmp_path / "mark"
    async with pool() as processes:
        await ask(processes, child_atoms.leave_task_that_cleans_up, str(mark))

    assert mark.exists()


async def test_an_answer_cannot_be_written_by_an_atom() -> None:
    """Each has a number, which the atom is not told."""
    async with pool() as processes:
        process = await processes.take()
        with pytest.raises(ProcessDied, match="wrote to a descriptor that it had not opened"):
            await call(process, child_atoms.forge)
        process.give_back()


async def test_a_soft_limit_ends_the_tasks_of_a_group_before_the_atom_goes_on() -> None:
    """As it does in the runtime's own process."""
    async with pool() as processes:
        process = await processes.take()
        waiting, running = [
            await call(process, child_atoms.in_group, is_busy, soft_limit=0.02) for is_busy in (False, True)
        ]
        process.give_back()

    assert msgspec.json.decode(waiting.body) == ["child", "caught"]
    assert msgspec.json.decode(running.body) == ["child", "caught"]


async def test_the_programs_that_an_atom_has_started_end_with_its_process(tmp_path: Path) -> None:
    """Also when it ends in peace."""
    bell = Bell(tmp_path)
    async with pool() as processes:
        await ask(processes, child_atoms.start_program, bell.path)
        rung = await bell.rung()
    silence = await bell.rung()
    bell.close()

    assert (rung, silence) == (b".", b"")


async def test_a_load_that_does_not_end_is_killed_when_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was not loaded is not loaded ahead by the next process."""
    (tmp_path / "never_loaded.py").write_text("import threading\nthreading.Event().wait(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    async with pool() as processes:
        process = await processes.take()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await process.load("never_loaded:f")
        process.give_back()
        after = await ask(processes, child_atoms.multiply, {"number": 2})

    assert after == 4


async def test_a_coroutine_finds_nothing_of_the_one_before(tmp_path: Path) -> None:
    """Tasks that nobody waited for are cancelled, and what is left of them reaches nobody."""
    async with pool() as processes:
        was = [await ask(processes, child_atoms.litter_on_the_loop, str(tmp_path / "mark")) for _ in range(3)]

    assert was == ["as it was, 1 task"] * 3


async def test_a_forked_copy_does_not_answer() -> None:
    """A copy of the process that returns from the atom ends there."""
    async with pool() as processes:
        answers = [await ask(processes, child_atoms.fork_and_return) for _ in range(2)]

    assert answers == [1, 1]


async def test_signals_to_stop_are_left_to_the_parent() -> None:
    """A terminal and a service manager send them to all; the programs that an atom starts obey them as ever."""
    async with pool() as processes:
        pid = await ask(processes, child_atoms.pid)
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        after = await ask(processes, child_atoms.pid)
        started = await ask(processes, child_atoms.dispositions)

    assert after == pid
    assert os.getpgid(0) != pid
    assert started == "True True\n"


async def test_an_idle_process_that_is_killed_from_outside_is_no_loss() -> None:
    """It is reaped, and the next call has another."""
    async with pool() as processes:
        pid = await ask(processes, child_atoms.pid)
        descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        await ended.wait()
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        while processes.idle:
            await asyncio.sleep(0)
        after = await ask(processes, child_atoms.pid)

    assert after != pid


async def test_closing_lets_idle_processes_end_in_peace_and_kills_the_others(tmp_path: Path) -> None:
    """What they registered with `atexit` is done, and a call that is under way is told."""
    bell, mark, peace = Bell(tmp_path), tmp_path / "mark", tmp_path / "peace"
    async with pool(2) as processes:
        idle, busy = [await processes.take() for _ in range(2)]
        pids = [msgspec.json.decode((await call(process, child_atoms.pid)).body) for process in (idle, busy)]
        await call(idle, child_atoms.mark_at_exit, str(peace))
        idle.give_back()
        async with hanging(busy, bell, mark) as task:
            await processes.close(5)
            with pytest.raises(ProcessDied, match="was killed: the runtime stops"):
                await task
        busy.give_back()

    assert peace.exists()
    assert not mark.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert (processes.idle, processes.busy, processes.killed) == (0, 0, 0)


async def test_nobody_waits_for_a_turn_in_a_pool_that_is_closed() -> None:
    """Whoever waits is told, and whoever comes later."""
    async with pool() as processes:
        process = await processes.take()
        waiting = asyncio.create_task(processes.take())
        await asyncio.sleep(0)
        await processes.close(5)
        with pytest.raises(NotRunning):
            await waiting
        with pytest.raises(NotRunning):
            await processes.take()
        process.give_back()


async def test_closing_kills_an_idle_process_that_does_not_end() -> None:
    """Time is up after so many seconds."""
    async with pool() as processes:
        pid = await ask(processes, child_atoms.pid)
        os.kill(pid, signal.SIGSTOP)
        await processes.close(0.05)

    assert not Path(f"/proc/{pid}").exists()


async def test_a_process_that_is_starting_when_the_pool_closes_leaves_nothing() -> None:
    """No child half started, no descriptor."""
    gc.collect()
    before = descriptors()
    for _ in range(5):
        async with pool(2) as processes:
            turn = asyncio.create_task(processes.take())
            await asyncio.sleep(0)
            turn.cancel()
    gc.collect()

    assert turn.cancelled()
    assert descriptors() == before
    assert not processes_of_ours()


async def test_a_process_that_cannot_start_is_answered_and_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One try for each who waits."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    async with pool(2) as processes:
        taken = [asyncio.create_task(processes.take()) for _ in range(3)]
        for turn in taken:
            process = await turn
            with pytest.raises(ProcessDied, match="ended with exit code 1 while it started"):
                await call(process, child_atoms.pid)
            process.give_back()
        started = processes.started
        monkeypatch.delenv("PYTHONHOME")
        recovered = await ask(processes, child_atoms.multiply, {"number": 2})

    assert started == 3
    assert recovered == 4
    assert "No module named 'encodings'" in capfd.readouterr().err


@pytest.mark.parametrize("room", range(9))
async def test_a_system_without_descriptors_is_answered(room: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Wherever a start runs out of them it leaves none, and the pool goes on when there are some again."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with pool() as warm:
        await warm.take()
    before = descriptors()
    async with pool() as processes:
        held = [os.dup(0) for _ in range(descriptors())]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 1 + room, limits[1]))
        try:
            process = await processes.take()
            if room == 0:
                with pytest.raises(ProcessDied, match="could not be started: .*Too many open files"):
                    await call(process, child_atoms.pid)
            process.give_back()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for descriptor in held:
                os.close(descriptor)
        recovered = await ask(processes, child_atoms.multiply, {"number": 2})

    assert recovered == 4
    assert descriptors() == before


async def test_a_new_process_has_loaded_what_was_called_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No electron waits for imports but the first."""
    mark = tmp_path / "loaded"
    (tmp_path / "leaves_a_mark.py").write_text(f"open({str(mark)!r}, 'w').close()\ndef f() -> None: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    async with pool() as processes:
        process = await processes.take()
        first = await process.call("leaves_a_mark:f", b"", JSON)
        mark.unlink()
        with pytest.raises(ProcessDied):
            await call(process, child_atoms.end, 0)
        process.give_back()
        process = await processes.take()
        loaded = mark.exists()
        process.give_back()

    assert first.failure is None
    assert loaded


async def test_where_the_system_has_no_descriptors_for_processes_a_thread_waits() -> None:
    """The end is told on the loop, and the process is reaped."""
    told = asyncio.Event()
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(4)"])

    tell_end_by_thread(asyncio.get_running_loop(), process, told.set)
    await told.wait()

    assert process.returncode is None  # its number is its own
    assert process.wait() == 4
