"""What a runtime does when what it sends or settles is lost: one fault at a time, on virtual time."""

from __future__ import annotations

import asyncio

import pytest

import atomizer
from atomizer import Atomizer, FailureKind, Lane, MemoryConductor, Route, events
from atomizer.errors import ConductorBroken, ConductorUnavailable
from atomizer.testing.clock import all_blocked, on_virtual_time
from atomizer.testing.faults import FaultKind, Plan, Step
from atomizer.testing.record import RecordingConductor

from .wires import SLACK, WORK, always, depth, double, faulty, heard, now, quick, tries, wait

# Electrons and replies


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


# Settlements


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
