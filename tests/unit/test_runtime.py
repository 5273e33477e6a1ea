"""A runtime as an application sees it: ask, be answered, be told what went wrong."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, FailureKind, Handle, MemoryConductor, Options, Settings, events

from .atoms import (
    Count,
    Echo,
    add,
    called,
    double,
    fail,
    hang,
    in_thread,
    note,
    spawn,
    spawn_in_thread,
    stubborn,
    sum_to,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = Settings(cancel_grace=0.02, grace=1.0, settle_grace=0.2)


async def test_a_result_has_the_type_that_the_atom_declares() -> None:
    """The program of the first page."""
    async with Atomizer(add) as runtime:
        assert await runtime.run(add, 1, 2) == 3


async def test_a_payload_that_does_not_fit_is_refused_before_the_atom_is_called() -> None:
    """The receiver checks, and says where."""
    called.clear()
    async with Atomizer(note) as runtime:
        with pytest.raises(atomizer.PayloadRefused, match=r"\$\.a") as caught:
            await runtime.run("tests.note", {"a": "1", "b": 2})

    assert caught.value.failure.kind == FailureKind.PAYLOAD_REFUSED
    assert called == []


async def test_an_unknown_atom_is_answered_with_the_nearest_names() -> None:
    """A typo is told at once."""
    async with Atomizer(add, double) as runtime:
        with pytest.raises(atomizer.AtomUnknown, match=r"tests\.double"):
            await runtime.run("tests.duoble", 1)


async def test_a_failure_comes_back_as_data_and_as_an_exception() -> None:
    """Kind, type, message, trace and node."""
    async with Atomizer(fail) as runtime:
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run(fail, "seven")

    failure = caught.value.failure
    assert (failure.kind, failure.type, failure.message) == ("failed", "builtins.ValueError", "seven")
    assert failure.node == runtime.name
    assert "raise ValueError(text)" in failure.trace
    assert "_core" not in failure.trace


async def test_an_atom_over_its_limit_is_stopped_and_told_so() -> None:
    """`limit` is for one attempt's run."""
    async with Atomizer(hang, settings=QUICK) as runtime:
        with pytest.raises(atomizer.AtomTimedOut, match="limit") as caught:
            await runtime.run(hang.options(limit=0.01))

    assert caught.value.failure.ending == "stopped"


async def test_an_atom_over_its_deadline_is_stopped_and_told_so() -> None:
    """`timeout` is for the whole life."""
    async with Atomizer(hang, settings=QUICK) as runtime:
        with pytest.raises(atomizer.AtomTimedOut, match="deadline"):
            await runtime.run(hang.options(timeout=0.01))


async def test_an_atom_that_will_not_stop_is_abandoned_and_its_slot_held() -> None:
    """Counted, and health says so."""
    async with Atomizer(stubborn, add, settings=Settings(cancel_grace=0.02, slots=2, abandoned_limit=1)) as runtime:
        with pytest.raises(atomizer.AtomTimedOut) as caught:
            await runtime.run(stubborn.options(limit=0.01))
        while_abandoned = runtime.statistics(), runtime.health()
        still_works = await runtime.run(add, 1, 2)

    statistics, health = while_abandoned
    assert caught.value.failure.ending == "abandoned"
    assert statistics.abandoned == 1
    assert not health.ok
    assert "abandoned" in health.reasons[0]
    assert still_works == 3


async def test_a_recursive_atom_finishes_on_two_slots() -> None:
    """An atom that waits for electrons of its own id lends its slot."""
    async with Atomizer(sum_to, settings=Settings(slots=2)) as runtime:
        assert await runtime.run(sum_to, 12) == 78


@pytest.mark.parametrize("slots", [1, 64])
async def test_a_parent_gathers_ten_thousand_children(slots: int) -> None:
    """A spawner with more children than anything holds finishes."""
    async with Atomizer(spawn, double, settings=Settings(slots=slots)) as runtime:
        assert await runtime.run(spawn, 10_000) == 99_990_000


async def test_children_are_bounded_by_suspended() -> None:
    """I10: beyond `suspended` a child's send raises."""
    async with Atomizer(sum_to, settings=Settings(slots=2, suspended=3)) as runtime:
        with pytest.raises(atomizer.AtomFailed, match="Settings.suspended"):
            await runtime.run(sum_to, 12)


async def test_a_plain_function_runs_in_a_daemonic_thread() -> None:
    """A thread that hangs must not hold the exit."""
    async with Atomizer(in_thread) as runtime:
        assert await runtime.run(in_thread, 7) == "7 True"


async def test_a_thread_asks_for_children() -> None:
    """`bond.blocking` waits without a coroutine."""
    async with Atomizer(spawn_in_thread, double, settings=Settings(slots=2)) as runtime:
        assert await runtime.run(spawn_in_thread, 10) == 92


async def test_a_registered_instance_is_copied_and_a_shared_one_is_not() -> None:
    """The state modes, and `copy_state` on the wire."""
    async with Atomizer(Count(5), Echo) as runtime:
        copies = [await runtime.run("tests.Count") for _ in range(2)]
        await runtime.register(Count(5), id="tests.Shared", share=True)
        shared = [await runtime.run("tests.Shared") for _ in range(2)]
        with pytest.raises(atomizer.AtomFailed) as caught:
            await runtime.run("tests.Count", options=Options(copy_state=False))

    assert copies == [6, 6]
    assert shared == [6, 7]
    assert caught.value.failure.kind == FailureKind.STATE_REFUSED


async def test_bytes_travel_as_they_are() -> None:
    """A payload of bytes is not encoded, nor a result of bytes."""
    body = bytes(range(256)) * 100
    async with Atomizer(Echo) as runtime:
        assert await runtime.run(Echo, body) == body


async def test_the_three_ways_to_register() -> None:
    """At construction, on a live runtime, in the default registry."""
    atomizer.register(double)
    try:
        async with Atomizer(add) as runtime:
            await runtime.register(note)
            assert await runtime.run(add, 1, 1) + await runtime.run(note, 1, 1) + await runtime.run(double, 2) == 8
    finally:
        atomizer.unregister(double)


async def test_a_duplicate_is_refused_unless_it_replaces() -> None:
    """Two atoms of one id are a mistake until somebody says otherwise."""

    @atomizer.atom(id="tests.add")
    async def subtract(a: int, b: int) -> int:
        return a - b

    async with Atomizer(add) as runtime:
        with pytest.raises(atomizer.RegistrationRefused, match="replace=True"):
            await runtime.register(subtract)
        await runtime.register(subtract, replace=True)
        assert await runtime.run("tests.add", {"a": 5, "b": 3}) == 2


async def test_an_unregistered_atom_is_unknown() -> None:
    """`unregister` leaves the route to others."""
    async with Atomizer(add, double) as runtime:
        await runtime.unregister(add)
        with pytest.raises(atomizer.AtomUnknown):
            await runtime.run(add, 1, 2)
        assert await runtime.run(double, 4) == 8


async def test_cancelling_a_waiter_cancels_nothing() -> None:
    """Any number of waiters, each on its own."""
    async with Atomizer(double, hang) as runtime:
        handle = await runtime.send(hang)
        waiter = asyncio.create_task(handle.result())
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait((waiter,))
        outstanding = not handle.done
        await handle.cancel()
        properties = await handle.properties()

    assert outstanding
    assert properties.failure is not None
    assert (properties.failure.kind, properties.failure.ending) == ("cancelled", "stopped")


async def test_cancelling_run_cancels_the_electron() -> None:
    """Whoever gives up on `run` gives up on the electron."""
    async with Atomizer(hang) as runtime, runtime.events() as stream:
        asking = asyncio.create_task(runtime.run(hang))
        async for event in stream:
            if isinstance(event, events.ElectronBonded):
                break
        asking.cancel()
        async for event in stream:
            if isinstance(event, events.ElectronCancelled):
                break

    assert asking.cancelled()
    assert event.electron_id


async def test_children_are_cancelled_with_their_parent() -> None:
    """A tree is cancelled from its root."""

    @atomizer.atom(id="tests.waits")
    async def waits(bond: atomizer.Bond) -> None:
        await bond.run(hang)

    async with Atomizer(waits, hang) as runtime, runtime.events() as stream:
        handle = await runtime.send(waits)
        bonded: set[str] = set()
        async for event in stream:
            if isinstance(event, events.ElectronBonded):
                bonded.add(event.atom_id)
            if len(bonded) == 2:
                break
        await handle.cancel()
        cancelled = set()
        async for event in stream:
            if isinstance(event, events.ElectronCancelled):
                cancelled.add(event.atom_id)
            if len(cancelled) == 2:
                break

    assert cancelled == {"tests.waits", "tests.hang"}


async def test_leaving_a_runtime_after_an_error_gives_back_what_runs() -> None:
    """I6: nothing that is unanswered is acknowledged."""
    hub = MemoryConductor()
    handles: list[Handle[None]] = []
    with pytest.raises(RuntimeError, match="application"):
        async with Atomizer(hang, conductor=hub, settings=QUICK) as runtime:
            handles.append(await runtime.send(hang))
            await asyncio.sleep(0)
            raise RuntimeError("application")

    with pytest.raises(atomizer.NotRunning):
        await handles[0]
    async with hub.connect() as connection:
        assert connection.depth(atomizer.Route(atomizer.Lane.WORK, "tests.hang")) == 1


async def test_leaving_a_runtime_lets_what_runs_finish() -> None:
    """Within the grace."""
    finished = []

    @atomizer.atom(id="tests.slow")
    async def slow() -> None:
        await asyncio.sleep(0.01)
        finished.append(True)

    async with Atomizer(slow) as runtime:
        await runtime.send(slow)
        await asyncio.sleep(0)

    assert finished == [True]


async def test_a_stopped_runtime_says_so() -> None:
    """Asking after the end is the caller's mistake."""
    runtime = Atomizer(add)
    with pytest.raises(atomizer.NotRunning, match="async with"):
        await runtime.run(add, 1, 2)
    async with runtime:
        pass

    with pytest.raises(atomizer.NotRunning, match="stopped"):
        await runtime.run(add, 1, 2)


async def test_one_runtime_asks_another_over_a_shared_hub() -> None:
    """`serve=False` only asks."""
    hub = MemoryConductor()
    async with Atomizer(add, conductor=hub), Atomizer(conductor=hub, serve=False) as asker:
        assert await asker.run(add, 20, 22) == 42


async def test_a_second_node_of_one_name_is_refused() -> None:
    """Replies must reach the asker and nobody else."""
    hub = MemoryConductor()
    settings = Settings(name="twin", connect_patience=0.5)
    async with Atomizer(conductor=hub, settings=settings):
        with pytest.raises(atomizer.ConductorUnavailable, match="twin"):
            async with Atomizer(conductor=hub, settings=settings):
                pass


async def test_an_electron_is_answered_over_a_cut_connection() -> None:
    """I1: what was under way comes again, and its sender is answered once."""
    hub = MemoryConductor()
    async with Atomizer(double, conductor=hub, settings=Settings(backoff_first=0.001)) as runtime:
        handles = [await runtime.send(double, number) for number in range(100)]
        hub.cut()
        results = [await handle for handle in handles]

    assert results == [2 * number for number in range(100)]


async def test_map_gives_results_as_they_come_and_in_order() -> None:
    """Completion order by default, the items' order on request."""
    async with Atomizer(double) as runtime:
        as_they_come = [value async for value in runtime.map(double, range(50), limit=7)]
        in_order = [value async for value in runtime.map(double, range(50), limit=7, ordered=True)]

    assert sorted(as_they_come) == in_order == [2 * number for number in range(50)]


async def test_map_takes_an_async_iterable_without_keeping_results_back() -> None:
    """A slow source holds up nobody who has a result."""
    never = asyncio.get_running_loop().create_future()

    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        await never

    async with Atomizer(double) as runtime, runtime.map(double, source()) as results:
        values = [await anext(results), await anext(results)]

    assert sorted(values) == [2, 4]


async def test_map_raises_the_first_failure_with_its_item_and_cancels_the_rest() -> None:
    """All or nothing, and which."""

    @atomizer.atom(id="tests.odd")
    async def odd(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        if number > 3:
            await asyncio.get_running_loop().create_future()
        return number

    async with Atomizer(odd) as runtime:
        with pytest.raises(atomizer.AtomFailed, match="three") as caught:
            [value async for value in runtime.map(odd, range(10), limit=10)]

    assert caught.value.item == 3
    assert runtime.statistics().outstanding == 0


async def test_settled_gives_failures_as_values() -> None:
    """Failures cancel nothing there."""
    async with Atomizer(fail) as runtime:
        outcomes = [properties async for properties in runtime.map(fail, ["a", "b"], ordered=True).settled()]

    assert [outcome.failure and outcome.failure.message for outcome in outcomes] == ["a", "b"]


async def test_a_declared_exception_is_raised_as_itself() -> None:
    """`raises=` re-raises a type that is known here."""

    @atomizer.atom(id="tests.declared", raises=(LookupError,))
    async def declared() -> None:
        raise LookupError("not there")

    async with Atomizer(declared) as runtime:
        with pytest.raises(LookupError, match="not there") as caught:
            await runtime.run(declared)

    assert isinstance(caught.value.__cause__, atomizer.AtomFailed)


async def test_progress_reaches_the_asker_and_the_events() -> None:
    """The newest counts."""

    @atomizer.atom(id="tests.progress")
    async def progress(bond: atomizer.Bond) -> None:
        for done in range(3):
            bond.progress(done, 2, f"step {done}")

    async with Atomizer(progress) as runtime:
        handle = await runtime.send(progress)
        told = [str(event) async for event in handle.events() if isinstance(event, events.ElectronProgressed)]
        await handle

    assert handle.progress is not None
    assert (handle.progress.done, handle.progress.note) == (2, "step 2")
    assert str(handle.progress) == "2 of 2, step 2"
    assert [line.rsplit("] ")[1] for line in told][-1] == "progress: 2 of 2, step 2"


async def test_an_electron_without_reply_gives_a_handle_that_says_so() -> None:
    """Nobody waits for what nobody wants."""
    async with Atomizer(add) as runtime:
        handle = await runtime.send(add.options(reply=False), 1, 2)
        with pytest.raises(atomizer.NoReplyAsked):
            await handle


async def test_an_electron_that_nobody_answers_times_out_at_its_sender() -> None:
    """I9: a sender waits at most deadline and grace."""
    hub = MemoryConductor()
    node = Atomizer(stubborn, conductor=hub, settings=Settings(cancel_grace=0.2, grace=0.01))
    asker = Atomizer(conductor=hub, settings=Settings(grace=0.01), serve=False)
    async with asker:
        with pytest.raises(atomizer.AtomTimedOut) as caught:
            async with node:
                await asker.run(stubborn.options(timeout=0.01))

    assert caught.value.failure.kind == FailureKind.NO_ANSWER


async def test_the_events_of_an_electron_are_numbered_without_gaps() -> None:
    """The whole life, in order."""
    runtime = Atomizer(add)
    stream = runtime.events()
    async with runtime:
        await runtime.run(add, 1, 2)

    seen = [event async for event in stream]
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    kinds = [event.kind for event in seen]
    for kind in ("connected", "started", "sent", "received", "bonded", "completed", "answered", "stopping", "stopped"):
        assert kinds.count(kind) == 1


async def test_an_event_reader_that_never_reads_changes_nothing() -> None:
    """I12."""
    async with Atomizer(double) as runtime:
        stream = runtime.events(buffer=4)
        results = [value async for value in runtime.map(double, range(200), ordered=True)]

    assert results == [2 * number for number in range(200)]
    assert stream.dropped > 0


def test_atomizer_run_is_for_scripts() -> None:
    """One call, without a loop."""
    assert atomizer.run(add, 1, 2) == 3


async def test_atomizer_run_inside_a_loop_shows_the_awaitable_form() -> None:
    """It cannot start a loop inside one."""
    with pytest.raises(RuntimeError, match=r"await runtime\.run"):
        atomizer.run(add, 1, 2)


def test_serve_stops_on_the_first_signal_and_lets_what_runs_finish() -> None:
    """I13: SIGTERM stops in order, exit 0."""
    program = """
import asyncio, os, signal, atomizer

@atomizer.atom(id="tests.slow")
async def slow() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    print("finished")

async def main() -> None:
    async with atomizer.Atomizer(slow) as runtime:
        await runtime.send(slow)
        await runtime.serve(signals=True)

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "finished\n", "")


async def test_a_large_result_comes_back_where_both_sides_allow_it() -> None:
    """`Settings.max_payload_bytes` is for both ways, and for reading as well as for sending."""
    body = b"x" * (9 * 1024 * 1024)
    settings = Settings(max_payload_bytes=10 * 1024 * 1024)
    hub = MemoryConductor(max_body_bytes=11 * 1024 * 1024)
    async with Atomizer(Echo, conductor=hub, settings=settings) as runtime:
        assert await runtime.run(Echo, body) == body
        with pytest.raises(atomizer.TooLarge, match="max_payload_bytes"):
            await runtime.run(Echo, body * 2)


async def test_leaving_settled_early_cancels_what_is_outstanding() -> None:
    """A cancelled reader leaves nothing behind."""

    async def read(runtime: Atomizer) -> None:
        async for _ in runtime.map("tests.hang", [None] * 3).settled():
            pass

    async with Atomizer(hang) as runtime, runtime.events() as stream:
        reading = asyncio.create_task(read(runtime))
        async for event in stream:
            if isinstance(event, events.ElectronBonded):
                break
        reading.cancel()
        cancelled = set()
        async for event in stream:
            if isinstance(event, events.ElectronCancelled):
                cancelled.add(event.electron_id)
            if len(cancelled) == 3:
                break

    assert runtime.statistics().outstanding == 0


async def test_an_atom_may_follow_the_events_of_its_child_on_one_slot() -> None:
    """Waiting for an event lends the slot as waiting for a result does."""

    @atomizer.atom(id="tests.follows")
    async def follows(bond: atomizer.Bond) -> list[str]:
        child = await bond.send(double, 4)
        return [event.kind async for event in child.events()]

    async with Atomizer(follows, double, settings=Settings(slots=1)) as runtime:
        kinds = await runtime.run(follows)

    assert kinds[-1] == "answered"


async def test_a_worker_that_somebody_else_cancels_gives_its_electron_back_and_is_replaced() -> None:
    """I6: a cancellation that was not meant for the atom is no answer to its asker."""
    ran: list[int] = []

    @atomizer.atom(id="tests.twice")
    async def twice() -> int:
        ran.append(1)
        if len(ran) == 1:
            me: Any = asyncio.current_task()
            me.host.cancel()  # the worker, as a loop does that cancels all its tasks
            await asyncio.get_running_loop().create_future()
        return len(ran)

    async with Atomizer(twice, settings=Settings(slots=1)) as runtime:
        handle = await runtime.send(twice)
        assert await handle == 2
        assert await runtime.run(twice) == 3


async def test_a_stop_that_is_cancelled_still_closes_everything() -> None:
    """I13: whoever cancels the leaving only makes it hurry."""
    closed: list[bool] = []

    class Pool(atomizer.Atom, id="tests.Pool", share=True):
        async def close(self) -> None:
            closed.append(True)

        async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> None:
            return None

    hub = MemoryConductor()

    runtime = Atomizer(hang, Pool, conductor=hub, settings=QUICK)
    stream = runtime.events()

    async def program() -> None:
        async with runtime:
            await runtime.send(hang)
            await asyncio.sleep(0)

    leaving = asyncio.create_task(program())
    async for event in stream:
        if isinstance(event, events.RuntimeStopping):
            break
    leaving.cancel()
    await asyncio.wait((leaving,))

    assert leaving.cancelled()
    assert closed == [True]
    async with hub.connect() as connection:
        assert connection.depth(atomizer.Route(atomizer.Lane.WORK, "tests.hang")) == 1
