"""What a runtime does when its connection breaks, refuses, hangs, or is left: one fault at a time, on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import atomizer
from atomizer import Atomizer, Ending, FailureKind, Lane, MemoryConductor, Route, Settings, events
from atomizer.errors import ConductorBroken, ConductorUnavailable
from atomizer.testing.clock import all_blocked, current_clock, on_virtual_time
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from atomizer import Connection, Event, EventStream
    from atomizer.testing.ledger import Sent

    Limited = Callable[[float], AbstractAsyncContextManager[object]]

SLACK = 0.001


@atomizer.atom(id="tests.double")
async def double(number: int) -> int:
    """Double a number, a second later."""
    await asyncio.sleep(1.0)
    return 2 * number


@atomizer.atom(id="tests.wait")
async def wait() -> None:
    """Wait until told to stop."""
    await asyncio.sleep(1_000_000)


WORK = Route(Lane.WORK, double.atom_id)


def quick(**given: Any) -> Settings:
    """Make settings for virtual time."""
    return Settings(clock=current_clock(), random=Random(1), **given)


def faulty(plan: Plan, hub: MemoryConductor | None = None) -> RecordingConductor:
    """Make a way to a hub that goes wrong as planned, and is recorded."""
    return RecordingConductor(FaultyConductor(hub or MemoryConductor(), plan))


def always(step: Step, kind: FaultKind, *, since: int = 1) -> Plan:
    """Make a plan in which one step goes wrong every time."""
    return Plan(lambda at, nth: kind if at is step and nth >= since else None, limit=1_000_000)


def now() -> float:
    """Tell the time."""
    return current_clock().monotonic()


def tries(wire: RecordingConductor, route: Route) -> list[Sent]:
    """List what was sent on a route, or tried to be."""
    return [row for row in wire.ledger.sent if row.route == route]


async def heard(stream: EventStream, kind: type[Event]) -> Event:
    """Wait for the next event of a kind."""
    async for event in stream:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the stream has ended without {kind.__name__}")


async def depth(hub: MemoryConductor, route: Route) -> int:
    """Count what waits on a route of a hub."""
    async with hub.connect() as connection:
        return connection.depth(route)


# Sending


@on_virtual_time
async def test_an_electron_is_sent_again_over_broken_connections() -> None:
    """Its asker hears nothing of it."""
    plan = Plan.at(*((Step.SEND_WORK, nth, FaultKind.BREAK_BEFORE) for nth in (1, 2, 3)))
    wire = faulty(plan)

    async with Atomizer(double, conductor=wire, settings=quick()) as runtime:
        assert await runtime.run(double, 4) == 8

    sent = tries(wire, WORK)
    assert len(sent) == 4
    assert {row.id for row in sent} == {sent[0].id}
    assert len({row.connection for row in sent}) == 4
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_a_reply_is_sent_again_until_it_is_confirmed() -> None:
    """The electron is acknowledged after that, and is not run again."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.BREAK_BEFORE), (Step.SEND_REPLY, 2, FaultKind.DROP))
    hub = MemoryConductor()
    wire = faulty(plan, hub)

    async with (
        Atomizer(double, conductor=wire, settings=quick(name="node")),
        Atomizer(conductor=hub, settings=quick(name="asker"), serve=False) as asker,
    ):
        assert await asker.run(double, 4) == 8

    replies = tries(wire, Route(Lane.REPLY, "asker"))
    assert [row.outcome for row in replies[:3]] == ["unknown", "unknown", "done"]
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_sending_ends_at_the_deadline_of_its_electron() -> None:
    """I9: nobody is kept longer than he said."""
    wire = faulty(always(Step.SEND_WORK, FaultKind.BREAK_BEFORE))

    async with Atomizer(double, conductor=wire, settings=quick()) as runtime:
        began = now()
        with pytest.raises((ConductorBroken, ConductorUnavailable)):
            await runtime.run(double.options(timeout=2.0), 4)
        took = now() - began
        outstanding = runtime.statistics().outstanding

    assert took <= 2.0 + SLACK
    assert len(tries(wire, WORK)) > 2
    assert outstanding == 0


@on_virtual_time
async def test_sending_ends_with_its_patience() -> None:
    """Where there is no deadline."""
    wire = faulty(always(Step.SEND_WORK, FaultKind.DROP))

    async with Atomizer(double, conductor=wire, settings=quick(send_patience=7.0)) as runtime:
        began = now()
        with pytest.raises((ConductorBroken, ConductorUnavailable)):
            await runtime.send(double, 4)
        took = now() - began

    assert 1.0 < took <= 7.0 + SLACK


@on_virtual_time
async def test_an_electron_that_is_sent_again_has_less_time() -> None:
    """I9: its budget is what is left, on the second road too."""
    seen: list[float] = []

    @atomizer.atom(id="tests.time_left")
    async def time_left(bond: atomizer.Bond) -> None:
        seen.append(bond.time_left())

    plan = Plan.at((Step.SEND_WORK, 1, FaultKind.HANG), silence=100.0)
    settings = quick(confirm_timeout=3.0)

    async with Atomizer(time_left, conductor=faulty(plan), settings=settings) as runtime:
        await runtime.run(time_left.options(timeout=10.0))
        await asyncio.sleep(10.0)

    assert seen[0] == pytest.approx(10.0)
    assert all(left <= 7.0 for left in seen[1:])


# Connecting


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


# Whoever is gone


@on_virtual_time
async def test_a_reply_whose_asker_is_gone_is_told_and_its_electron_acknowledged() -> None:
    """It would find nobody the next time either."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)

    async with Atomizer(double, conductor=wire, settings=quick(name="node")) as node, node.errors() as errors:
        async with Atomizer(conductor=hub, settings=quick(name="asker"), serve=False) as asker:
            handle = await asker.send(double, 4)
        unclaimed = await heard(errors, events.PropertiesUnclaimed)
        await all_blocked()
        left = await depth(hub, WORK)

    assert unclaimed.electron_id == handle.electron_id
    assert left == 0
    assert [row.settlement.value for row in wire.ledger.settled if row.route == WORK] == ["ack"]
    with pytest.raises(atomizer.NotRunning):
        await handle


@on_virtual_time
async def test_a_cancelled_electron_has_an_outcome_when_the_cancel_is_lost() -> None:
    """I14: the CONTROL lane may lose what it carries."""
    wire = faulty(always(Step.SEND_CONTROL, FaultKind.DROP))
    settings = quick(cancel_grace=1.0, confirm_timeout=2.0, grace=0.0)

    async with Atomizer(wait, conductor=wire, settings=settings) as runtime:
        handle = await runtime.send(wait)
        began = now()
        await handle.cancel()
        properties = await handle.properties()
        took = now() - began
        outstanding = runtime.statistics().outstanding

    assert properties.failure is not None
    assert properties.failure.kind == FailureKind.CANCELLED
    assert "no node has answered" in properties.failure.message
    assert took == pytest.approx(2 * 1.0 + 2.0)
    assert outstanding == 0


@on_virtual_time
async def test_a_cancel_that_comes_before_its_electron_is_remembered() -> None:
    """What is still queued, or on its way, is refused when it comes."""
    hub = MemoryConductor()

    async with Atomizer(wait, conductor=hub, settings=quick(slots=1)) as runtime:
        first, second = await runtime.send(wait), await runtime.send(wait)
        await all_blocked()
        await second.cancel()
        await all_blocked()
        await first.cancel()
        refused = await second.properties()

    assert refused.failure is not None
    assert (refused.failure.kind, refused.failure.message) == (FailureKind.CANCELLED, "cancelled before it was started")


# Settling


@on_virtual_time
async def test_a_settlement_that_is_never_answered_is_told_and_the_electron_comes_again() -> None:
    """It holds up its worker no longer than `Settings.settle_grace`, and its asker not at all."""
    plan = Plan.at((Step.SETTLE, 1, FaultKind.DROP), delay=60.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(double, conductor=wire, settings=quick(name="node")) as node, asker, node.events() as stream:
        result = await asker.run(double, 4)
        answered_at = now()
        await heard(stream, events.ConductorLost)
        again = await heard(stream, events.ElectronReceived)
        await asyncio.sleep(5.0)
        left = await depth(hub, WORK)

    assert (result, answered_at) == (8, 1.0)
    assert again.electron_id
    assert left == 0
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_a_settlement_that_hangs_is_given_up_after_its_grace() -> None:
    """I11: no wait on the wire is without an end."""
    plan = Plan.at((Step.SETTLE, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    node = Atomizer(double, conductor=faulty(plan, hub), settings=quick(name="node", slots=1, settle_grace=3.0))

    async with node, asker, node.errors() as errors:
        first = await asker.run(double, 4)
        lost = await heard(errors, events.SettlementLost)
        lost_at = now()
        second = await asker.run(double, 5)

    assert (first, second) == (8, 10)
    assert lost_at == pytest.approx(1.0 + 3.0)
    assert "settle_grace" in lost.inner


# Leaving


@asynccontextmanager
async def nothing_after(seconds: float) -> AsyncGenerator[None]:
    """Limit a program as anyio does, for an `async with`."""
    with anyio.fail_after(seconds):
        yield


@asynccontextmanager
async def left_after(seconds: float, runtime: Atomizer) -> AsyncGenerator[Atomizer]:
    """Enter a runtime, and make sure that leaving it takes no longer."""
    async with runtime:
        yield runtime
        left = now()
    assert now() - left <= seconds + SLACK


@on_virtual_time
async def test_stopping_while_a_settlement_hangs_is_bounded() -> None:
    """I13: whatever the other side does."""
    plan = Plan.at((Step.SETTLE, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    settings = quick(name="node", grace=2.0, cancel_grace=1.0, settle_grace=3.0)

    node = Atomizer(double, conductor=faulty(plan, hub), settings=settings)

    async with asker, left_after(2.0 + 1.0 + 4 * 3.0, node):
        assert await asker.run(double, 4) == 8


@on_virtual_time
async def test_stopping_while_a_reply_hangs_gives_the_electron_back() -> None:
    """I6: what is not confirmed is not acknowledged, and another node answers it."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    settings = quick(name="node", confirm_timeout=100.0, grace=2.0, cancel_grace=1.0, settle_grace=3.0)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker:
        async with left_after(2.0 + 1.0 + 4 * 3.0, Atomizer(double, conductor=wire, settings=settings)):
            handle = await asker.send(double, 4)
            await asyncio.sleep(2.0)
        left = await depth(hub, WORK)

    assert handle.done  # the reply had arrived; only its confirm had not
    assert left == 1
    assert wire.ledger.violations() == []


@atomizer.atom(id="tests.goes_on")
async def goes_on(number: int) -> None:
    """Go on for a while when told to stop."""
    end = now() + 100.0
    while (left := end - now()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue


@pytest.mark.parametrize("payload", [7, "no number"], ids=["of an abandoned atom", "of a refusal"])
@on_virtual_time
async def test_stopping_at_once_while_a_reply_hangs_gives_the_electron_back(payload: object) -> None:
    """I6: also where no atom runs that could be stopped."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.HANG), silence=1_000.0)
    hub = MemoryConductor()
    wire = faulty(plan, hub)
    node = Atomizer(goes_on, conductor=wire, settings=quick(name="node", confirm_timeout=100.0, cancel_grace=1.0))
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker:
        with pytest.raises(LookupError, match="the application's own"):
            async with node:
                await asker.send("tests.goes_on", payload, options=atomizer.Options(limit=1.0))
                await asyncio.sleep(5.0)
                raise LookupError("the application's own")
        left = await depth(hub, Route(Lane.WORK, goes_on.atom_id))

    assert now() <= 5.0 + 1.0 + 1.0
    assert left == 1
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_stopping_gives_back_what_waits_for_a_slot() -> None:
    """I13: nothing new is begun when a node stops."""

    @atomizer.atom(id="tests.ask_and_go_on")
    async def ask_and_go_on(bond: atomizer.Bond) -> None:
        await bond.run(double, 1)  # its slot is lent meanwhile, and somebody waits for the next electron
        await asyncio.sleep(5.0)

    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    other = Atomizer(double, conductor=hub, settings=quick(name="other"))
    node = Atomizer(ask_and_go_on, wait, conductor=wire, settings=quick(name="node", slots=1))

    async with asker, other:
        async with node, node.events() as stream:
            await asker.send(ask_and_go_on)
            await asyncio.sleep(2.0)
            await asker.send(wait)
            await all_blocked()
        bonded = [event.atom_id async for event in stream if isinstance(event, events.ElectronBonded)]
        left = await depth(hub, Route(Lane.WORK, wait.atom_id))

    assert bonded == ["tests.ask_and_go_on"]
    assert left == 1
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_cancelling_a_program_gives_back_what_is_under_way() -> None:
    """I6: the electrons wait for another node."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async def serve() -> None:
        async with Atomizer(double, conductor=wire, settings=quick(name="node")) as node:
            await node.serve()

    async with asker:
        serving = asyncio.create_task(serve())
        await all_blocked()
        handles = [await asker.send(double, number) for number in range(3)]
        await all_blocked()
        serving.cancel()
        await asyncio.wait((serving,))
        left = await depth(hub, WORK)
        cancelled_at = now()
        async with Atomizer(double, conductor=hub, settings=quick(name="next")):
            results = [await handle for handle in handles]

    assert serving.cancelled()
    assert (cancelled_at, left) == (0.0, 3)
    assert results == [0, 2, 4]
    assert wire.ledger.violations() == []


@on_virtual_time
async def test_cancelling_a_program_while_it_stops_still_closes_everything() -> None:
    """Leaving holds a cancellation up until everything is closed, for a bounded time."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    node = Atomizer(wait, conductor=wire, settings=quick(name="node", grace=20.0, cancel_grace=1.0))

    async def serve() -> None:
        async with node:
            await node.serve()

    async with asker:
        serving = asyncio.create_task(serve())
        await all_blocked()
        await asker.send(wait)
        await all_blocked()
        node.stop()
        await asyncio.sleep(5.0)  # it lets the atom finish, which it will not
        serving.cancel()
        await asyncio.wait((serving,))
        left = await depth(hub, Route(Lane.WORK, wait.atom_id))
        state, conductors = node.statistics().state, node.statistics().conductors

    assert serving.cancelled()
    assert left == 1
    assert (state, conductors) == ("stopped", {"memory": "closed"})
    assert wire.ledger.violations() == []


@pytest.mark.parametrize("limited", [asyncio.timeout, nothing_after], ids=["asyncio", "anyio"])
@on_virtual_time
async def test_a_program_that_runs_out_of_time_while_it_stops_still_closes_everything(limited: Limited) -> None:
    """The same for a time limit around the whole: asyncio cancels once, anyio again and again."""
    hub = MemoryConductor()
    wire = RecordingConductor(hub)
    asker = Atomizer(conductor=hub, settings=quick(name="asker", grace=0.0), serve=False)
    node = Atomizer(wait, conductor=wire, settings=quick(name="node", grace=20.0, cancel_grace=1.0))

    async with asker:
        with pytest.raises(TimeoutError):
            async with limited(5.0), node:
                await asker.send(wait)
                await all_blocked()
        left = await depth(hub, Route(Lane.WORK, wait.atom_id))

    assert now() <= 5.0 + 1.0
    assert left == 1
    assert wire.ledger.violations() == []


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
