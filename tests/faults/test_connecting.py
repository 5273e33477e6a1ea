"""What a runtime does when a connection cannot be had, or breaks: one fault at a time, on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import atomizer
from atomizer import Atomizer, Ending, FailureKind, Lane, MemoryConductor, events
from atomizer.errors import ConductorUnavailable
from atomizer.testing.clock import all_blocked, on_virtual_time
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import RecordingConductor

from .wires import SLACK, always, double, faulty, heard, now, quick, wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Connection
    from atomizer.memory_connection import MemoryConnection


@on_virtual_time
async def test_a_lost_connection_is_tried_again_with_pauses_that_double_up_to_a_bound() -> None:
    """With chance in them, so that a fleet does not come back all at once."""
    plan = always(Step.CONNECT, FaultKind.BREAK_BEFORE, since=2)
    wire = faulty(plan)
    settings = quick(backoff_first=0.1, backoff_most=3.0)

    async with Atomizer(conductor=wire, settings=settings, serve=False):
        cut_at = now()
        wire.cut()
        await asyncio.sleep(60.0)

    moments = [cut_at, *(fault.at for fault in plan.injected)]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    most = [min(3.0, 0.1 * 2**attempt) for attempt in range(len(pauses))]
    assert len(pauses) > 15
    assert all(bound / 2 <= pause <= bound + SLACK for pause, bound in zip(pauses, most, strict=True))
    assert len({round(pause, 6) for pause in pauses[6:]}) > 5


class Flapping(MemoryConductor):
    """A conductor whose connections break a millisecond after they came about, for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.connected_at: list[float] = []
        self.flaps = False

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[MemoryConnection]:
        """Connect, and break."""
        self.connected_at.append(now())
        async with super().connect() as connection:
            if self.flaps:
                asyncio.get_running_loop().call_later(0.001, self.cut, connection)
            yield connection


@on_virtual_time
async def test_pauses_double_also_between_connections_that_break_at_once() -> None:
    """A connection that did not last is no reason to begin anew; one that lasted is."""
    wire = Flapping()

    async with Atomizer(conductor=wire, settings=quick(backoff_first=0.1, backoff_most=3.0), serve=False):
        wire.flaps = True
        wire.cut()
        await asyncio.sleep(60.0)
        wire.flaps = False
        while_it_flapped = len(wire.connected_at)
        await asyncio.sleep(60.0)
        wire.cut()
        await asyncio.sleep(0.2)

    assert 15 < while_it_flapped < 45
    assert wire.connected_at[-1] == pytest.approx(now(), abs=0.2)


@on_virtual_time
async def test_a_runtime_is_entered_when_connecting_succeeds_within_its_patience() -> None:
    """The first tries may fail."""
    plan = Plan.at(*((Step.CONNECT, nth, FaultKind.BREAK_BEFORE) for nth in (1, 2, 3)))

    async with Atomizer(double, conductor=faulty(plan), settings=quick(connect_patience=5.0)) as runtime:
        assert now() > 0
        assert await runtime.run(double, 1) == 2


@on_virtual_time
async def test_a_try_to_connect_that_hangs_does_not_use_up_all_patience() -> None:
    """A connection that never comes is given up for another."""
    plan = Plan.at((Step.CONNECT, 1, FaultKind.HANG))

    async with Atomizer(double, conductor=faulty(plan), settings=quick()) as runtime:
        assert now() < 30.0
        assert await runtime.run(double, 1) == 2


@on_virtual_time
async def test_starting_fails_when_patience_is_over_and_leaves_nothing_open() -> None:
    """The clock itself tells what is left over."""
    plan = always(Step.CONNECT, FaultKind.BREAK_BEFORE)

    with pytest.raises(ConductorUnavailable, match="cannot be reached"):
        async with Atomizer(double, conductor=faulty(plan), settings=quick(connect_patience=5.0)):
            pass

    assert now() == pytest.approx(5.0, abs=5.0)


@on_virtual_time
async def test_a_permanent_refusal_at_the_start_is_raised_at_once() -> None:
    """Trying again would be in vain."""
    hub = MemoryConductor()

    async with Atomizer(conductor=hub, settings=quick(name="twin")):
        with pytest.raises(ConductorUnavailable, match="twin") as caught:
            async with Atomizer(conductor=hub, settings=quick(name="twin")):
                pass

    assert caught.value.permanent
    assert now() == 0.0


@on_virtual_time
async def test_what_happens_to_a_connection_is_told() -> None:
    """Lost with its reason, and connected again."""
    wire = faulty(Plan.at((Step.CONNECT, 2, FaultKind.BREAK_BEFORE)))

    async with Atomizer(conductor=wire, settings=quick(), serve=False) as runtime, runtime.events() as stream:
        wire.cut()
        lost = await heard(stream, events.ConductorLost)
        refused = await heard(stream, events.ConductorLost)
        await heard(stream, events.ConductorConnected)
        states = runtime.statistics().conductors

    assert lost.is_error
    assert "cut" in lost.inner
    assert "cannot be reached" in refused.inner
    assert states == {"memory": "ready"}


@on_virtual_time
async def test_health_is_red_while_a_conductor_is_away() -> None:
    """I15: a node that cannot be asked is not well."""
    wire = faulty(always(Step.CONNECT, FaultKind.BREAK_BEFORE, since=2))

    async with Atomizer(conductor=wire, settings=quick()) as runtime:
        before = runtime.health()
        wire.cut()
        await asyncio.sleep(1.0)
        after = runtime.health()

    assert before.ok
    assert not after.ok
    assert "memory" in after.reasons[0]


@on_virtual_time
async def test_one_of_two_conductors_fails_alone() -> None:
    """What comes by the other is not touched."""
    broken = RecordingConductor(
        FaultyConductor(MemoryConductor("broken"), always(Step.CONNECT, FaultKind.BREAK_BEFORE, since=2))
    )
    sound = MemoryConductor("sound")

    async with Atomizer(double, broken, sound, settings=quick(send_patience=1.0)) as runtime:
        broken.cut()
        await asyncio.sleep(1.0)
        result = await runtime.run(double.options(conductor="sound"), 4)
        with pytest.raises(ConductorUnavailable):
            await runtime.run(double.options(conductor="broken"), 4)

    assert result == 8


@on_virtual_time
async def test_an_atom_registered_while_a_conductor_comes_back_is_asked() -> None:
    """Its route belongs to what the new connection listens on."""
    plan = Plan(lambda step, nth: FaultKind.DELAY if step is Step.LISTEN else None, limit=1_000, delay=1.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(double, conductor=wire, settings=quick(name="node")) as node, asker:
        wire.cut()
        await asyncio.sleep(3.5)  # it listens again, one route after the other
        await node.register(wait)
        await asyncio.sleep(60.0)
        async with asyncio.timeout(60.0):
            handle = await asker.send(wait)
            await asyncio.sleep(5.0)
            await handle.cancel()
            properties = await handle.properties()

    assert properties.failure is not None
    assert (properties.failure.kind, properties.failure.ending) == (FailureKind.CANCELLED, Ending.STOPPED)


@on_virtual_time
async def test_a_conductor_that_could_not_be_added_is_not_there() -> None:
    """It may be added again when it can be reached."""
    plan = Plan.at((Step.CONNECT, 1, FaultKind.BREAK_BEFORE))
    second = faulty(plan, MemoryConductor("second"))

    async with Atomizer(double, settings=quick(connect_patience=0.001)) as runtime:
        with pytest.raises(ConductorUnavailable):
            await runtime.register(second)
        without = runtime.statistics().conductors
        await runtime.register(second)
        result = await runtime.run(double.options(conductor="second"), 4)

    assert without == {"memory": "ready"}
    assert result == 8


@on_virtual_time
async def test_an_atom_that_could_not_be_opened_is_not_there() -> None:
    """It may be registered again when it can be opened."""

    class Pool(atomizer.Atom, id="tests.Pool", share=True):
        tries = 0

        async def open(self) -> None:
            Pool.tries += 1
            if Pool.tries == 1:
                raise OSError("no pool yet")

        async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> int:
            return Pool.tries

    async with Atomizer(settings=quick()) as runtime:
        with pytest.raises(OSError, match="no pool yet"):
            await runtime.register(Pool)
        without = runtime.statistics().atoms
        await runtime.register(Pool)
        result = await runtime.run(Pool)

    assert without == ()
    assert result == 2


@on_virtual_time
async def test_a_conductor_taken_away_while_its_credit_changes_is_no_fault_of_ours() -> None:
    """The change has nobody to be told to any more."""

    @atomizer.atom(id="tests.ask_by_first")
    async def ask_by_first(bond: atomizer.Bond) -> None:
        await bond.run(wait.options(conductor="first"))

    slow = Plan(lambda step, nth: FaultKind.DELAY if step is Step.LISTEN and nth > 8 else None, limit=1_000, delay=1.0)
    second = faulty(slow, MemoryConductor("second"))
    runtime = Atomizer(ask_by_first, wait, conductor=MemoryConductor("first"), settings=quick(slots=1, grace=0.0))

    async with runtime, runtime.errors() as errors:
        await runtime.register(second)
        await runtime.send(ask_by_first)  # it lends its slot, so the credit of all routes grows
        await asyncio.sleep(0.5)
        await runtime.unregister(second)
        await asyncio.sleep(5.0)

    assert [event async for event in errors if isinstance(event, events.RuntimeFaulted)] == []


# Conductors that break the contract


class Foreign(FaultyConductor):
    """A conductor that lets through an error of its own, once."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(MemoryConductor(), Plan.at())
        self.trouble = asyncio.get_running_loop().create_future()
        self._error = error
        self._has_raised = False

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Connect; the first connection raises when there is trouble."""
        async with super().connect() as connection:
            if not self._has_raised:
                self._has_raised = True
                self._make_raise(connection)
            yield connection

    def _make_raise(self, connection: Connection) -> None:
        receive = connection.receive

        async def receive_until_trouble(lane: Lane) -> atomizer.Delivery:
            if lane is not Lane.CONTROL:
                return await receive(lane)
            await self.trouble
            raise self._error

        connection.receive = receive_until_trouble  # type: ignore[method-assign]


@pytest.mark.parametrize("error", [OSError("foreign"), asyncio.CancelledError()], ids=["an error", "a cancellation"])
@on_virtual_time
async def test_a_foreign_error_in_a_conductor_does_not_leave_a_runtime_deaf(error: BaseException) -> None:
    """It connects again, and says so: a conductor may break its contract, but not in silence."""
    wire = Foreign(error)

    async with Atomizer(double, conductor=wire, settings=quick()) as runtime, runtime.events() as stream:
        wire.trouble.set_result(None)
        await heard(stream, events.ConductorLost)
        await heard(stream, events.ConductorConnected)
        assert await runtime.run(double, 4) == 8


class FailsAt(MemoryConductor):
    """A conductor that lets through an error of its own once: when it connects again, or when it is left."""

    def __init__(self, error: BaseException, *, leaving: bool) -> None:
        super().__init__()
        self._error = error
        self._leaving = leaving
        self._connected = 0

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[MemoryConnection]:
        """Connect; the second time raises, or the end of the first."""
        self._connected += 1
        which = self._connected
        if which == 2 and not self._leaving:
            raise self._error
        async with super().connect() as connection:
            yield connection
        if which == 1 and self._leaving:
            raise self._error


@pytest.mark.parametrize("leaving", [False, True], ids=["connecting", "leaving"])
@pytest.mark.parametrize("error", [OSError("foreign"), asyncio.CancelledError()], ids=["an error", "a cancellation"])
@on_virtual_time
async def test_a_foreign_error_on_connecting_or_leaving_does_not_end_a_conductor(
    error: BaseException, leaving: bool
) -> None:
    """It comes back, and the runtime goes on."""
    wire = FailsAt(error, leaving=leaving)

    async with Atomizer(double, conductor=wire, settings=quick()) as runtime:
        wire.cut()
        await asyncio.sleep(10.0)
        states = runtime.statistics().conductors
        assert await runtime.run(double, 4) == 8

    assert states == {"memory": "ready"}


@on_virtual_time
async def test_a_foreign_error_on_leaving_does_not_keep_a_runtime_from_stopping() -> None:
    """The last connection may complain too."""
    async with Atomizer(double, conductor=FailsAt(OSError("foreign"), leaving=True), settings=quick()) as runtime:
        assert await runtime.run(double, 4) == 8

    assert runtime.statistics().conductors == {"memory": "closed"}


# A conductor that refuses for good


class Revoked(FaultyConductor):
    """A conductor that refuses every connection after the first, for good."""

    def __init__(self, name: str) -> None:
        super().__init__(MemoryConductor(name), Plan.at())
        self._is_revoked = False

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Connect once; a connection that is left complains of it, as a dead one may."""
        if self._is_revoked:
            raise ConductorUnavailable("the password was changed", permanent=True)
        self._is_revoked = True
        async with super().connect() as connection:
            yield connection


@on_virtual_time
async def test_a_conductor_that_refuses_for_good_fails_alone_and_says_so() -> None:
    """An event, a reason for health, an error for who asks over it and for who waits; the other goes on."""
    revoked, sound = Revoked("revoked"), MemoryConductor("sound")

    async with (
        Atomizer(double, wait, revoked, sound, settings=quick(send_patience=30.0, grace=0.0)) as runtime,
        runtime.errors() as errors,
    ):
        waits = await runtime.send(wait.options(conductor="revoked"))
        revoked.cut()
        lost, refused = [await heard(errors, events.ConductorLost) for _ in range(2)]
        with pytest.raises(ConductorUnavailable, match="failed for good: the password was changed") as told:
            await waits
        told_at = now()
        with pytest.raises(ConductorUnavailable, match="is failed: the password was changed") as asked:
            await runtime.run(double.options(conductor="revoked"), 4)
        asked_at = now()
        await asyncio.sleep(100.0)
        result = await runtime.run(double.options(conductor="sound"), 4)
        health, figures = runtime.health(), runtime.statistics()

    assert "cut" in lost.inner
    assert refused.inner == "the password was changed"
    assert told.value.permanent
    assert asked.value.permanent
    assert told_at < 1.0
    assert asked_at == told_at
    assert result == 8
    assert health.reasons == (
        "conductor 'revoked' is failed for good, and is not tried again: the password was changed",
    )
    assert figures.conductors == {"revoked": "failed", "sound": "ready"}
    assert figures.conductor_errors == {"revoked": "the password was changed"}


@on_virtual_time
async def test_one_of_two_conductors_that_broke_comes_back_while_the_other_goes_on() -> None:
    """And is served as before."""
    plan = Plan.at(*((Step.CONNECT, nth, FaultKind.BREAK_BEFORE) for nth in range(2, 6)))
    broken, sound = faulty(plan, MemoryConductor("broken")), MemoryConductor("sound")

    async with Atomizer(double, broken, sound, settings=quick()) as runtime:
        broken.cut()
        await all_blocked()
        away = runtime.health().reasons
        meanwhile = await runtime.run(double.options(conductor="sound"), 4)
        back = await runtime.run(double.options(conductor="broken"), 5)
        after = runtime.health()

    assert (meanwhile, back) == (8, 10)
    assert [reason.split(":")[0] for reason in away] == ["conductor 'broken' is lost"]
    assert after.ok
    assert len(plan.injected) == 4
