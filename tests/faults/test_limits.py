"""Atoms that run over their time, in child processes and in threads: what is killed, what is lost, and what goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, Failure, MemoryConductor, Settings

from .killed_atoms import asleep, busy, busy_thread, die, echo, fail, one_at_a_time, patient, square
from .slow_atoms import slow_to_load

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from atomizer._core.slots import Slots

ATOMS = (asleep, busy, busy_thread, die, echo, fail, one_at_a_time, patient, square)
KILLS = int(os.environ.get("ATOMIZER_TEST_KILLS", "25"))
"""Each costs the start of a Python: `nox -s kills` has a thousand."""
SETTINGS = Settings(processes=2, grace=5.0, cancel_grace=0.2, max_payload_bytes=1_000_000)


async def failure_of(asked: Awaitable[Any]) -> Failure:
    """Await something that must fail, and give what failed."""
    with pytest.raises(atomizer.AtomFailed) as caught:
        await asked
    return caught.value.failure


def slots_of(runtime: Atomizer) -> Slots:
    """Look inside: which slots are held is not told to users."""
    assert runtime._node is not None
    return runtime._node.slots


def is_alive(pid: int) -> bool:
    """Whether a process is there; one that is dead and not reaped counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_busy_loop_in_a_child_process_is_dead_right_after_its_limit(tmp_path: Path) -> None:
    """Its side effect never happens, and the next electron runs."""
    path, took = tmp_path / "pid", []
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        for _ in range(3):  # what else runs on this machine may delay one of them
            assert await runtime.run(square, 3) == 9
            began = time.monotonic()
            failure = await failure_of(runtime.run(busy.options(limit=0.3), str(path), 0.45))
            took.append(time.monotonic() - began)

            assert (failure.kind, failure.ending) == ("timed_out", "killed")
            assert failure.message == "it ran over its limit"
            assert not is_alive(int(path.read_text()))

        assert await runtime.run(busy, str(tmp_path / "next"), 0.5) == "whole"

    assert min(took) == pytest.approx(0.325, abs=0.025)
    assert not (tmp_path / "pid.done").exists()
    assert (tmp_path / "next.done").exists()


async def test_an_electron_that_is_cancelled_in_a_child_process_is_killed(tmp_path: Path) -> None:
    """At once, whatever it does."""
    path = tmp_path / "pid"
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        bonded = runtime.events()
        handle = await runtime.send(busy, str(path), 60.0)
        async for event in bonded:
            if event.kind == "bonded":
                break
        await handle.cancel()
        failure = await failure_of(handle.result())

        assert (failure.kind, failure.ending) == ("cancelled", "killed")
        assert await runtime.run(square, 3) == 9
    assert not (tmp_path / "pid.done").exists()


async def test_a_deadline_kills_too(tmp_path: Path) -> None:
    """It counts from when the electron was sent."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        await runtime.run(square, 3)
        failure = await failure_of(runtime.run(busy.options(timeout=0.2), str(tmp_path / "pid"), 60.0))

    assert (failure.kind, failure.message, failure.ending) == ("timed_out", "it ran over its deadline", "killed")


async def test_the_limit_counts_from_when_a_child_process_takes_it_up(tmp_path: Path) -> None:
    """However long it waits before: here for another one to be killed, and for the next process to start."""
    async with Atomizer(*ATOMS, settings=Settings(processes=1)) as runtime:
        killed = await runtime.send(busy.options(limit=0.5), str(tmp_path / "pid"), 60.0)
        waits = await runtime.send(asleep.options(limit=0.4), 0.05)

        assert await waits == "whole"
        assert (await failure_of(killed.result())).ending == "killed"


@pytest.mark.parametrize("atom", [patient, asleep])
async def test_a_soft_limit_is_raised_in_the_child_process(atom: Any) -> None:
    """In a function that counts, and in a coroutine that waits."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        assert await runtime.run(atom.options(soft_limit=0.05, limit=20.0), 60.0) == "partial"


async def test_a_soft_limit_that_is_let_through_in_the_child_process_is_over_time(tmp_path: Path) -> None:
    """In the words in which it is said of every atom; and the next electron has a process that is as it should be."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        limited = busy.options(soft_limit=0.05, limit=20.0)
        failure = await failure_of(runtime.run(limited, str(tmp_path / "pid"), 60.0))
        pid = int((tmp_path / "pid").read_text())
        await failure_of(runtime.run(limited, str(tmp_path / "pid"), 60.0))

        assert int((tmp_path / "pid").read_text()) != pid

    assert (failure.kind, failure.ending) == ("timed_out", "stopped")
    assert failure.message == "it ran over its soft limit of 0.05 s"
    assert failure.type == "atomizer.errors.SoftLimitReached"


async def test_the_limit_counts_from_when_the_atom_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that takes: no electron pays for it with its life."""
    monkeypatch.setenv("ATOMIZER_TEST_LOAD_SECONDS", "0.3")
    async with Atomizer(slow_to_load, settings=Settings(processes=1)) as runtime:
        assert await runtime.run(slow_to_load.options(limit=0.2), 1) == 1
        failure = await failure_of(runtime.run(slow_to_load.options(limit=0.2), -1))

    assert (failure.message, failure.ending) == ("it ran over its limit", "killed")


async def test_a_load_that_does_not_end_is_over_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next electron of another atom is not held up."""
    monkeypatch.setenv("ATOMIZER_TEST_LOAD_SECONDS", "60")
    async with Atomizer(slow_to_load, square, settings=Settings(processes=1)) as runtime:
        failure = await failure_of(runtime.run(slow_to_load.options(timeout=0.5, limit=30.0), 1))
        assert await runtime.run(square, 3) == 9

    assert (failure.kind, failure.message, failure.ending) == ("timed_out", "it ran over its deadline", "killed")


@pytest.mark.parametrize(
    ("how", "said"), [("signal", "SIGSEGV"), ("os._exit", "exit code 3"), ("sys.exit", "SystemExit")]
)
async def test_a_child_process_that_ends_by_itself_is_the_electrons_failure(how: str, said: str) -> None:
    """It says how; the next electron has another one."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        failure = await failure_of(runtime.run(die, how))

        assert failure.kind == "failed"
        assert said in failure.type + failure.message
        assert failure.ending == ""
        assert await runtime.run(square, 4) == 16


async def test_what_an_atom_raises_in_a_child_process_comes_back_as_from_any_other() -> None:
    """With its type, its message and a trace that can be read."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        failure = await failure_of(runtime.run(fail, "ValueError"))
        with pytest.raises(KeyError) as caught:
            await runtime.run(fail, "KeyError")

    assert (failure.kind, failure.type, failure.message) == ("failed", "builtins.ValueError", "of my own")
    assert "in fail" in failure.trace
    assert "_core" not in failure.trace
    assert isinstance(caught.value.__cause__, atomizer.AtomFailed)


@pytest.mark.parametrize(
    ("ask", "kind"),
    [(("tests.killed.square", "three"), "payload_refused"), ((fail, "result"), "result_refused"),
     ((fail, "large"), "result_refused")],
)  # fmt: skip
async def test_a_payload_or_a_result_that_does_not_fit_is_refused(ask: tuple[Any, ...], kind: str) -> None:
    """As it is without a child process."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        assert (await failure_of(runtime.run(*ask))).kind == kind


@pytest.mark.parametrize("size", [0, 100, 900_000])
async def test_bytes_go_through_a_child_process_as_they_are(size: int) -> None:
    """Both ways."""
    payload = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        assert await runtime.run(echo, payload) == payload


async def test_a_singleton_in_child_processes_runs_once_at_a_time(tmp_path: Path) -> None:
    """However many processes there are."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        results = [result async for result in runtime.map(one_at_a_time, [str(tmp_path / "place")] * 6, limit=6)]

    assert results == ["alone"] * 6


async def test_electrons_that_wait_for_a_child_process_keep_no_slot(tmp_path: Path) -> None:
    """Two slots and one process: atoms that need none go on."""
    async with Atomizer(*ATOMS, settings=Settings(processes=1, slots=2, cancel_grace=0.2)) as runtime:
        told = runtime.events()
        handles = [await runtime.send(busy, str(tmp_path / "pid"), 60.0)]
        async for event in told:
            if event.kind == "bonded":
                break
        handles += [await runtime.send(asleep, 60.0), await runtime.send(patient, 60.0)]

        assert await runtime.run(busy_thread, str(tmp_path / "thread"), 0.01) == "whole"
        assert runtime.statistics().waiting == 2
        for handle in handles:
            await handle.cancel()
        failures = [await failure_of(handle.result()) for handle in handles]

    assert {failure.kind for failure in failures} == {"cancelled"}
    assert sorted(failure.ending for failure in failures) == ["killed", "stopped", "stopped"]


async def test_what_runs_in_a_child_process_beyond_the_grace_is_killed_and_given_back(tmp_path: Path) -> None:
    """Another node runs it; what can end within the grace ends."""
    hub = MemoryConductor()
    async with Atomizer(conductor=hub, serve=False, settings=SETTINGS) as asker:
        first = Atomizer(*ATOMS, conductor=hub, settings=Settings(processes=2, grace=0.5))
        told = first.events()
        async with first:
            long = await asker.send(busy, str(tmp_path / "long"), 2.5)
            short = await asker.send(busy, str(tmp_path / "short"), 0.1)
            bonded = 0
            async for event in told:
                bonded += event.kind == "bonded"
                if bonded == 2:
                    break
        pid = int((tmp_path / "long").read_text())
        kinds = [event.kind async for event in told if event.electron_id]

        assert not is_alive(pid)
        assert not (tmp_path / "long.done").exists()
        assert await short == "whole"
        async with Atomizer(*ATOMS, conductor=hub, settings=SETTINGS):
            assert await long == "whole"

    assert sorted(kinds) == ["completed", "requeued"]


@pytest.mark.timeout(120 + KILLS)
async def test_many_kills_lose_no_electron(tmp_path: Path) -> None:
    """Each is answered once, those that are killed and those between them."""
    async with Atomizer(*ATOMS, settings=SETTINGS) as runtime:
        handles = []
        for number in range(KILLS):
            handles.append(await runtime.send(busy.options(limit=0.01), str(tmp_path / "pid"), 60.0))
            handles.append(await runtime.send(square, number))
        outcomes = [await handle.properties() for handle in handles]
        statistics = runtime.statistics()

    killed, squares = outcomes[::2], outcomes[1::2]
    assert [(outcome.failure and outcome.failure.ending) for outcome in killed] == ["killed"] * KILLS
    assert [outcome.value() for outcome in squares] == [number * number for number in range(KILLS)]
    assert (statistics.running, statistics.waiting, statistics.outstanding) == (0, 0, 0)


def test_a_busy_loop_in_a_thread_is_abandoned_and_does_not_hold_the_exit(tmp_path: Path) -> None:
    """It cannot be killed: it is reported, and the program ends within its grace."""
    program = f"""
import time, anyio, atomizer
from tests.faults.killed_atoms import busy_thread

async def main() -> None:
    settings = atomizer.Settings(cancel_grace=0.1, grace=0.3)
    async with atomizer.Atomizer(busy_thread, settings=settings) as runtime:
        errors = runtime.errors()
        try:
            await runtime.run(busy_thread.options(limit=0.3), {str(tmp_path / "pid")!r}, 30.0)
        except atomizer.AtomTimedOut as error:
            print(error.failure.ending)
        async for event in errors:
            print(event.kind)
            break
        print(runtime.statistics().abandoned)
    print(time.time())

anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    over = time.time()

    assert (done.returncode, done.stderr) == (0, "")
    ending, kind, abandoned, left = done.stdout.split()
    assert (ending, kind, abandoned) == ("abandoned", "abandoned", "1")
    assert over - float(left) < 5.0
    assert not (tmp_path / "pid.done").exists()


async def test_abandoned_threads_hold_their_slots_until_they_end_and_turn_health_red(tmp_path: Path) -> None:
    """Above the limit; when the last has ended, all is well again."""
    settings = Settings(slots=4, cancel_grace=0.02, abandoned_limit=2)
    async with Atomizer(busy_thread, square, settings=settings) as runtime:
        for number in range(2):
            was_well = runtime.health().ok
            failure = await failure_of(runtime.run(busy_thread.options(limit=0.02), str(tmp_path / f"{number}"), 1.0))
            assert (was_well, failure.ending) == (True, "abandoned")

        health, slots = runtime.health(), slots_of(runtime)
        free_meanwhile = slots.free
        assert await runtime.run(busy_thread, str(tmp_path / "next"), 1.5) == "whole"  # there are slots left
        after, abandoned = runtime.health(), runtime.statistics().abandoned

    assert not health.ok
    assert health.reasons[0].startswith("abandoned atoms hold 2 of 4 slots: ")
    assert free_meanwhile == 2  # of four
    assert (after.ok, abandoned, slots.free) == (True, 0, 4)
