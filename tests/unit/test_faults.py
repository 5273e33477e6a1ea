"""Faults on purpose: each does what it says, and together they leave a correct program whole."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from math import inf
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from msgspec import structs

from atomizer import Atomizer, MemoryConductor, Settings, atom
from atomizer.conductor import Connection, Delivery, Frame, Lane, Route, Settlement
from atomizer.errors import ConductorBroken, ConductorError, ConductorUnavailable, NobodyThere
from atomizer.testing.bench import Bench, Check
from atomizer.testing.clock import VirtualClock, all_blocked, current_clock, on_virtual_time, run
from atomizer.testing.conductor_checks import conductor_checks
from atomizer.testing.faults import APPLICABLE, FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import Ledger, RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from atomizer.conductor import Conductor

WORK = Route(Lane.WORK, "add")
REPLIES = Route(Lane.REPLY, "asker")
CONTROL = Route(Lane.CONTROL, "node")
ACK, REQUEUE = Settlement.ACK, Settlement.REQUEUE
DELAY, SILENCE = 0.05, 10.0

EVERY_PAIR = [(step, kind) for step in Step for kind in sorted(APPLICABLE[step])]


def work(electron_id: str = "e1") -> Frame:
    return Frame(WORK, b"body", "text/plain", electron_id, reply_to="asker")


def reply(electron_id: str = "e1") -> Frame:
    return Frame(REPLIES, b"answer", "text/plain", electron_id)


def control(electron_id: str = "e1") -> Frame:
    return Frame(CONTROL, b"cancel", "text/plain", electron_id)


def faulty(*faults: tuple[Step, int, FaultKind]) -> FaultyConductor:
    return FaultyConductor(MemoryConductor(), Plan.at(*faults))


# A small program that does everything right: it must survive whatever a plan says.


class Asker:
    """Sends electrons until each is confirmed once, and waits for their answers."""

    def __init__(self, electron_ids: list[str]) -> None:
        self.unsent = list(electron_ids)
        self.missing = set(electron_ids)
        self.done = asyncio.Event()

    async def live(self, connection: Connection) -> None:
        await within_a_second(connection.listen(REPLIES, 4))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.send_all(connection))
            group.create_task(self.receive_all(connection))

    async def send_all(self, connection: Connection) -> None:
        while self.unsent:
            try:
                await send(connection, work(self.unsent[0]))
            except NobodyThere:  # the node is not up yet
                await asyncio.sleep(0.1)
                continue
            await send(connection, control(self.unsent.pop(0)))

    async def receive_all(self, connection: Connection) -> None:
        while True:
            delivery = connection.receive_nowait(Lane.REPLY) or await connection.receive(Lane.REPLY)
            self.missing.discard(delivery.id)
            await settle(connection, delivery, ACK)
            if not self.missing:
                self.done.set()


class Node:
    """Answers electrons, two at a time, and acknowledges each when its answer is confirmed."""

    async def live(self, connection: Connection) -> None:
        await within_a_second(connection.listen(CONTROL, 1))
        await within_a_second(connection.listen(WORK, 2))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hear(connection))
            for _ in range(2):
                group.create_task(self.serve(connection))

    async def hear(self, connection: Connection) -> None:
        while True:
            await connection.receive(Lane.CONTROL)

    async def serve(self, connection: Connection) -> None:
        while True:
            delivery = connection.receive_nowait(Lane.WORK) or await connection.receive(Lane.WORK)
            settlement = REQUEUE
            try:
                await send(connection, reply(delivery.id))
                settlement = ACK
            finally:
                await settle(connection, delivery, settlement)


async def send(connection: Connection, frame: Frame) -> None:
    if not connection.send_nowait(frame):
        await within_a_second(connection.send(frame))


async def settle(connection: Connection, delivery: Delivery, settlement: Settlement) -> None:
    if not connection.settle_nowait(delivery, settlement):
        await within_a_second(connection.settle(delivery, settlement))


async def within_a_second(call: Awaitable[None]) -> None:
    """No answer within a second is as good as a broken connection."""
    try:
        with anyio.fail_after(1.0):  # asyncio's own, in 3.11.2, loses its TimeoutError under another cancellation
            await call
    except TimeoutError:
        raise ConductorBroken("no confirm") from None


async def keep_connected(conductor: Conductor, live: Callable[[Connection], Awaitable[None]]) -> None:
    """Open a connection again and again, as long as it breaks."""
    while True:
        try:
            with anyio.fail_after(2.0) as opening:
                async with conductor.connect() as connection:
                    opening.deadline = inf
                    await live(connection)
        except* (ConductorError, TimeoutError):
            pass
        await asyncio.sleep(0.1)


async def ask(conductor: Conductor, electrons: int = 10) -> Asker:
    """Let a node and an asker meet over a conductor, until every electron is answered, and leave cleanly."""
    asker = Asker([f"e{number}" for number in range(electrons)])
    async with asyncio.timeout(3600), anyio.create_task_group() as group:
        group.start_soon(keep_connected, conductor, Node().live)
        group.start_soon(keep_connected, conductor, asker.live)
        await asker.done.wait()
        await asyncio.sleep(1.0)
        group.cancel_scope.cancel()
    return asker


@pytest.mark.parametrize(("step", "kind"), EVERY_PAIR)
def test_a_correct_program_loses_nothing_over_any_single_fault(step: Step, kind: FaultKind) -> None:
    """Every fault at every step where it may be: all is answered, and the discipline was kept."""
    plan = Plan.at((step, 1, kind))
    conductor = RecordingConductor(FaultyConductor(MemoryConductor(), plan))

    asker = run(lambda _: ask(conductor))

    assert asker.missing == set()
    assert plan.hits == {(step, kind): 1}
    assert conductor.ledger.violations() == []


@pytest.mark.parametrize("seed", range(40))
def test_a_correct_program_loses_nothing_over_many_faults(seed: int) -> None:
    """Seen from outside and from inside, whatever the seed."""
    plan = Plan.from_seed(seed, rate=0.3, limit=25)
    inside, outside = Ledger(), Ledger()
    conductor = RecordingConductor(FaultyConductor(RecordingConductor(MemoryConductor(), inside), plan), outside)

    asker = run(lambda _: ask(conductor, electrons=20))

    assert asker.missing == set()
    assert inside.violations() == []
    assert outside.violations() == []
    assert len(plan.injected) > 5


def test_a_seed_gives_one_history() -> None:
    """The same seed injects the same faults, at the same moments, into the same electrons; another one does not."""

    def injected(seed: int) -> list[tuple[object, ...]]:
        plan = Plan.from_seed(seed, rate=0.2)
        run(lambda _: ask(FaultyConductor(MemoryConductor(), plan)))
        return list(plan.injected)

    first, again, other = injected(7), injected(7), injected(8)

    assert first == again
    assert first != other


def test_a_history_can_be_told_again() -> None:
    """What a seed injected, `Plan.at` injects again."""
    drawn = Plan.from_seed(7, rate=0.2)
    run(lambda _: ask(FaultyConductor(MemoryConductor(), drawn)))
    told = Plan.at(*drawn.injected)

    run(lambda _: ask(FaultyConductor(MemoryConductor(), told)))

    assert told.injected == drawn.injected


# Connecting and closing


@on_virtual_time
async def test_connect_is_delayed() -> None:
    """It takes as long as the plan's delay."""
    conductor = faulty((Step.CONNECT, 1, FaultKind.DELAY))

    async with conductor.connect():
        now = current_clock().monotonic()

    assert now == DELAY


@on_virtual_time
async def test_connect_hangs_until_it_is_cancelled() -> None:
    """Nothing is opened meanwhile, and the next attempt succeeds."""
    conductor = faulty((Step.CONNECT, 1, FaultKind.HANG))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await conductor.connect().__aenter__()
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)

    assert current_clock().monotonic() == 60.0


@on_virtual_time
async def test_connect_finds_nobody_when_it_breaks_before() -> None:
    """The other side cannot be reached this time; that is not for good."""
    conductor = faulty((Step.CONNECT, 1, FaultKind.BREAK_BEFORE))

    with pytest.raises(ConductorUnavailable, match="break_before at connect, on purpose") as caught:
        await conductor.connect().__aenter__()

    assert not caught.value.permanent


@on_virtual_time
async def test_connect_gives_a_dead_connection_when_it_breaks_after() -> None:
    """It was ready, and then it was not."""
    conductor = faulty((Step.CONNECT, 1, FaultKind.BREAK_AFTER))

    async with conductor.connect() as connection:
        with pytest.raises(ConductorBroken):
            await connection.listen(WORK, 1)


@on_virtual_time
async def test_close_is_delayed() -> None:
    """Leaving takes as long as the plan's delay."""
    async with faulty((Step.CLOSE, 1, FaultKind.DELAY)).connect():
        pass

    assert current_clock().monotonic() == DELAY


@on_virtual_time
async def test_close_that_breaks_before_is_no_clean_end() -> None:
    """The route stays, as after a crash: a clean end would have taken it away."""
    conductor = faulty((Step.CLOSE, 1, FaultKind.BREAK_BEFORE))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)

    async with conductor.connect() as asker:
        await asker.send(work())
    async with conductor.connect() as node:
        await node.listen(WORK, 1)
        delivery = await node.receive(Lane.WORK)

    assert delivery.id == "e1"


# Listening


@pytest.mark.parametrize("kind", [FaultKind.BREAK_BEFORE, FaultKind.BREAK_AFTER])
@on_virtual_time
async def test_listen_breaks_before_or_after_it_is_heard(kind: FaultKind) -> None:
    """Only when it was heard is there a route, for a cut keeps it."""
    conductor = faulty((Step.LISTEN, 1, kind))
    async with conductor.connect() as connection:
        with pytest.raises(ConductorBroken, match=f"{kind} at listen, on purpose"):
            await connection.listen(WORK, 1)

    async with conductor.connect() as asker:
        is_heard = asker.send_nowait(work())

    assert is_heard == (kind is FaultKind.BREAK_AFTER)


@on_virtual_time
async def test_listen_hangs_until_the_silence_is_noticed() -> None:
    """The connection is found dead after a while, so that nobody waits for ever."""
    async with faulty((Step.LISTEN, 1, FaultKind.HANG)).connect() as connection:
        with pytest.raises(ConductorBroken):
            await connection.listen(WORK, 1)

    assert current_clock().monotonic() == SILENCE


@on_virtual_time
async def test_unlisten_is_a_step_like_listen() -> None:
    """It is counted with it, and delayed like it."""
    async with faulty((Step.LISTEN, 2, FaultKind.DELAY)).connect() as connection:
        await connection.listen(WORK, 1)
        await connection.unlisten(WORK)

    assert current_clock().monotonic() == DELAY


# Sending


@on_virtual_time
async def test_send_is_delayed() -> None:
    """The frame arrives later, and so does the confirm."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.DELAY)).connect() as connection:
        await connection.listen(WORK, 1)

        await connection.send(work())

        assert connection.receive_nowait(Lane.WORK) is not None
    assert current_clock().monotonic() == DELAY


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.BREAK_BEFORE])
@on_virtual_time
async def test_send_that_never_arrives_breaks_the_connection(kind: FaultKind) -> None:
    """The sender hears of it, and the other side of nothing."""
    conductor = faulty((Step.SEND_WORK, 1, kind))
    async with conductor.connect() as node:
        await node.listen(WORK, 1)
        async with conductor.connect() as asker:
            with pytest.raises(ConductorBroken, match=f"{kind} at send_work, on purpose"):
                await asker.send(work())

        assert node.receive_nowait(Lane.WORK) is None


@on_virtual_time
async def test_send_that_breaks_after_has_arrived() -> None:
    """The sender cannot know; the other side has it."""
    conductor = faulty((Step.SEND_REPLY, 1, FaultKind.BREAK_AFTER))
    async with conductor.connect() as asker:
        await asker.listen(REPLIES, 1)
        async with conductor.connect() as node:
            with pytest.raises(ConductorBroken):
                await node.send(reply())

        assert asker.receive_nowait(Lane.REPLY) is not None


@on_virtual_time
async def test_send_of_control_is_dropped_in_silence() -> None:
    """What may be lost is lost without a sound, and the connection lives."""
    async with faulty((Step.SEND_CONTROL, 1, FaultKind.DROP)).connect() as connection:
        await connection.listen(CONTROL, 1)

        await connection.send(control("lost"))
        await connection.send(control("kept"))

        assert (await connection.receive(Lane.CONTROL)).id == "kept"


@on_virtual_time
async def test_send_arrives_twice_when_duplicated() -> None:
    """Two deliveries of the same, each to be settled."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.DUPLICATE)).connect() as connection:
        await connection.listen(WORK, 2)

        await connection.send(work())

        deliveries = [await connection.receive(Lane.WORK) for _ in range(2)]
        for delivery in deliveries:
            await connection.settle(delivery, ACK)
    assert [delivery.id for delivery in deliveries] == ["e1", "e1"]


@on_virtual_time
async def test_send_is_overtaken_by_the_next_when_reordered() -> None:
    """The second frame of the lane goes first, and the first right after it."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.REORDER)).connect() as connection:
        await connection.listen(WORK, 2)
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.send(work("first")))
            await all_blocked()
            await connection.send(work("second"))

        ids = [(await connection.receive(Lane.WORK)).id for _ in range(2)]
    assert ids == ["second", "first"]
    assert current_clock().monotonic() == 0.0


@on_virtual_time
async def test_send_goes_out_after_a_moment_when_nothing_overtakes_it() -> None:
    """A frame to be reordered does not wait for ever."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.REORDER)).connect() as connection:
        await connection.listen(WORK, 1)

        await connection.send(work())

        assert connection.receive_nowait(Lane.WORK) is not None
    assert current_clock().monotonic() == DELAY


@on_virtual_time
async def test_send_hangs_though_the_frame_has_arrived() -> None:
    """A lost confirm: whoever gives up and sends again makes a second one."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.HANG)).connect() as connection:
        await connection.listen(WORK, 2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await connection.send(work())

        await connection.send(work())

        assert [(await connection.receive(Lane.WORK)).id for _ in range(2)] == ["e1", "e1"]


@on_virtual_time
async def test_send_that_hangs_ends_when_the_connection_is_cut() -> None:
    """Cutting it by the conductor's own `cut` wakes what hangs."""
    conductor = faulty((Step.SEND_WORK, 1, FaultKind.HANG))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(outcome(connection.send(work())))
            await all_blocked()
            conductor.cut(connection)

    assert sending.result() is ConductorBroken
    assert current_clock().monotonic() == 0.0


@on_virtual_time
async def test_send_that_hangs_ends_when_another_call_meets_the_death() -> None:
    """A death that comes from the inner side is noticed by whatever call meets it first."""
    inner = MemoryConductor()
    conductor = FaultyConductor(inner, Plan.at((Step.SEND_WORK, 1, FaultKind.HANG)))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.listen(CONTROL, 1)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(outcome(connection.send(work())))
            group.create_task(outcome(connection.receive(Lane.CONTROL)))
            await all_blocked()
            inner.cut()

    assert sending.result() is ConductorBroken
    assert current_clock().monotonic() == 0.0


@on_virtual_time
async def test_send_to_nobody_is_refused_as_ever() -> None:
    """The inner conductor's refusals come through."""
    async with faulty((Step.SEND_WORK, 2, FaultKind.DUPLICATE)).connect() as connection:
        with pytest.raises(NobodyThere):
            await connection.send(work())
        with pytest.raises(NobodyThere):
            await connection.send(work())


# Receiving


@on_virtual_time
async def test_receive_is_delayed() -> None:
    """The delivery is handed over later."""
    async with faulty((Step.RECEIVE, 1, FaultKind.DELAY)).connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())

        delivery = await connection.receive(Lane.WORK)

    assert (delivery.id, current_clock().monotonic()) == ("e1", DELAY)


@on_virtual_time
async def test_receive_that_is_cancelled_in_a_delay_leaves_the_delivery_to_another() -> None:
    """It was taken off the wire and nobody has seen it: it goes back, and comes again on the same connection."""
    async with faulty((Step.RECEIVE, 1, FaultKind.DELAY)).connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DELAY / 2):
                await connection.receive(Lane.WORK)

        delivery = await connection.receive(Lane.WORK)

    assert (delivery.id, delivery.count) == ("e1", 0)


@on_virtual_time
async def test_receive_that_is_cancelled_after_the_end_is_just_cancelled() -> None:
    """When its connection was left meanwhile, there is nothing to give back, and no other error."""
    conductor = faulty((Step.RECEIVE, 1, FaultKind.DELAY))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())
        receiving = asyncio.get_running_loop().create_task(connection.receive(Lane.WORK))
        await all_blocked()
    receiving.cancel()
    await all_blocked()

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        again = connection.receive_nowait(Lane.WORK)

    assert receiving.cancelled()
    assert again is not None


@on_virtual_time
async def test_receive_holds_back_what_is_dropped_until_the_connection_dies() -> None:
    """The receiver sees only the death, a little later; the delivery comes again, marked."""
    conductor = faulty((Step.RECEIVE, 1, FaultKind.DROP))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())
        with pytest.raises(ConductorBroken):
            await connection.receive(Lane.WORK)
    died_at = current_clock().monotonic()

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        delivery = await connection.receive(Lane.WORK)

    assert died_at == DELAY
    assert (delivery.id, delivery.redelivered) == ("e1", True)


@on_virtual_time
async def test_receive_comes_once_more_when_duplicated() -> None:
    """The same body comes as two deliveries, and each can be settled."""
    async with faulty((Step.RECEIVE, 1, FaultKind.DUPLICATE)).connect() as connection:
        await connection.listen(WORK, 2)
        await connection.send(work())

        deliveries = [await connection.receive(Lane.WORK) for _ in range(2)]
        for delivery in deliveries:
            await connection.settle(delivery, ACK)

    first, second = deliveries
    assert first is not second
    assert (first.id, first.body, first.reply_to) == (second.id, second.body, second.reply_to)


@on_virtual_time
async def test_what_comes_once_more_has_its_key_and_its_priority() -> None:
    """So it comes when the first is settled, and to the same node."""
    async with faulty((Step.RECEIVE, 1, FaultKind.DUPLICATE)).connect() as connection:
        await connection.listen(WORK, 2)
        await connection.send(structs.replace(work(), key="k", priority=1))

        found: list[tuple[str, int]] = []
        for _ in range(2):
            delivery = await connection.receive(Lane.WORK)
            found.append((delivery.key, delivery.priority))
            await connection.settle(delivery, ACK)

    assert found == [("k", 1)] * 2


@on_virtual_time
async def test_receive_comes_once_when_there_is_no_room_for_a_second() -> None:
    """A duplicate never makes the receiver wait for itself."""
    conductor = FaultyConductor(MemoryConductor(capacity=1), Plan.at((Step.RECEIVE, 1, FaultKind.DUPLICATE)))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work("first"))
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.send(work("second")))  # waits for room, and takes it as soon as there is some
            await all_blocked()
            first = await connection.receive(Lane.WORK)
        await connection.settle(first, ACK)
        second = await connection.receive(Lane.WORK)
        await connection.settle(second, ACK)

        assert (first.id, second.id) == ("first", "second")
        assert connection.receive_nowait(Lane.WORK) is None


@on_virtual_time
async def test_receive_is_overtaken_by_the_next_when_reordered() -> None:
    """The second delivery is handed over first, the first after it; both can be settled."""
    async with faulty((Step.RECEIVE, 1, FaultKind.REORDER)).connect() as connection:
        await connection.listen(WORK, 2)
        await connection.send(work("first"))
        await connection.send(work("second"))

        deliveries = [await connection.receive(Lane.WORK) for _ in range(2)]
        for delivery in deliveries:
            await connection.settle(delivery, ACK)

    assert [delivery.id for delivery in deliveries] == ["second", "first"]


@on_virtual_time
async def test_receive_goes_on_after_a_moment_when_nothing_overtakes() -> None:
    """With credit for one alone there is nothing to reorder."""
    async with faulty((Step.RECEIVE, 1, FaultKind.REORDER)).connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work("first"))
        await connection.send(work("second"))

        delivery = await connection.receive(Lane.WORK)

    assert (delivery.id, current_clock().monotonic()) == ("first", DELAY)


@on_virtual_time
async def test_receive_hangs_until_the_silence_is_noticed() -> None:
    """The delivery stays unsettled until the connection is found dead, and then comes again."""
    conductor = faulty((Step.RECEIVE, 1, FaultKind.HANG))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())
        with pytest.raises(ConductorBroken):
            await connection.receive(Lane.WORK)
    died_at = current_clock().monotonic()

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        delivery = await connection.receive(Lane.WORK)

    assert died_at == SILENCE
    assert delivery.redelivered


@pytest.mark.parametrize("kind", [FaultKind.BREAK_BEFORE, FaultKind.BREAK_AFTER])
@on_virtual_time
async def test_receive_breaks_before_or_after_it_is_handed_over(kind: FaultKind) -> None:
    """Either way it cannot be settled any more, and comes again."""
    conductor = faulty((Step.RECEIVE, 1, kind))
    seen: list[str] = []
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(work())
        with pytest.raises(ConductorBroken):
            delivery = await connection.receive(Lane.WORK)
            seen.append(delivery.id)
            await connection.settle(delivery, ACK)

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        again = await connection.receive(Lane.WORK)

    assert seen == ([] if kind is FaultKind.BREAK_BEFORE else ["e1"])
    assert (again.id, again.redelivered) == ("e1", True)


@on_virtual_time
async def test_receive_of_control_is_no_step() -> None:
    """What may be lost is lost on the way out, not here."""
    conductor = faulty((Step.RECEIVE, 1, FaultKind.DROP))
    async with conductor.connect() as connection:
        await connection.listen(CONTROL, 1)
        await connection.send(control("first"))
        await connection.send(control("second"))

        received = [await connection.receive(Lane.CONTROL), connection.receive_nowait(Lane.CONTROL)]

    assert [delivery and delivery.id for delivery in received] == ["first", "second"]
    assert conductor.plan.seen[Step.RECEIVE] == 0


# Settling


@on_virtual_time
async def test_settle_is_delayed() -> None:
    """It returns later."""
    async with faulty((Step.SETTLE, 1, FaultKind.DELAY)).connect() as connection:
        delivery = await receive_one(connection)

        await connection.settle(delivery, ACK)

    assert current_clock().monotonic() == DELAY


@on_virtual_time
async def test_settle_that_is_dropped_lets_the_delivery_come_again() -> None:
    """It returns as if all was well, a second one is refused, and a little later the connection dies."""
    conductor = faulty((Step.SETTLE, 1, FaultKind.DROP))
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        await connection.settle(delivery, ACK)
        with pytest.raises(ValueError, match="settled before"):
            await connection.settle(delivery, ACK)
        with pytest.raises(ValueError, match="settled before"):
            connection.settle_nowait(delivery, ACK)
        with pytest.raises(ConductorBroken):
            await connection.receive(Lane.WORK)

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        again = await connection.receive(Lane.WORK)

    assert (again.id, again.redelivered) == ("e1", True)


@on_virtual_time
async def test_settle_that_is_dropped_is_lost_though_the_connection_is_closed_at_once() -> None:
    """A clean end does not save a settlement that never arrived."""
    conductor = faulty((Step.SETTLE, 1, FaultKind.DROP))
    async with conductor.connect() as connection:
        await connection.settle(await receive_one(connection), ACK)

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        again = await connection.receive(Lane.WORK)

    assert again.redelivered


@on_virtual_time
async def test_settle_that_is_cancelled_in_a_delay_was_not_sent() -> None:
    """It cannot be asked for again, so the connection dies of it, and the delivery comes again."""
    conductor = faulty((Step.SETTLE, 1, FaultKind.DELAY))
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DELAY / 2):
                await connection.settle(delivery, ACK)
        with pytest.raises(ConductorBroken):
            await connection.receive(Lane.WORK)

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        assert (await connection.receive(Lane.WORK)).redelivered


@pytest.mark.parametrize("kind", [FaultKind.BREAK_BEFORE, FaultKind.BREAK_AFTER, FaultKind.HANG])
@on_virtual_time
async def test_settle_breaks_before_or_after_it_arrives(kind: FaultKind) -> None:
    """The caller hears of a death either way; only what had not arrived comes again."""
    conductor = faulty((Step.SETTLE, 1, kind))
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        with pytest.raises(ConductorBroken):
            await connection.settle(delivery, ACK)

    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        again = connection.receive_nowait(Lane.WORK)

    assert (again is not None) == (kind is FaultKind.BREAK_BEFORE)


@on_virtual_time
async def test_settle_of_control_is_refused_as_ever() -> None:
    """A lane that is not settled is no step of a plan, and the refusal comes through."""
    conductor = faulty((Step.SETTLE, 1, FaultKind.DROP))
    async with conductor.connect() as connection:
        await connection.listen(CONTROL, 1)
        await connection.send(control())
        delivery = await connection.receive(Lane.CONTROL)

        with pytest.raises(ValueError, match="not settled"):
            await connection.settle(delivery, ACK)

    assert conductor.plan.seen[Step.SETTLE] == 0


# The synchronous twins, and the sink


@on_virtual_time
async def test_twins_do_it_at_once_when_nothing_is_planned() -> None:
    """They count as the steps they are."""
    conductor = faulty()
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)

        is_sent = connection.send_nowait(work())
        delivery = connection.receive_nowait(Lane.WORK)
        assert delivery is not None
        is_settled = connection.settle_nowait(delivery, ACK)

    assert is_sent
    assert is_settled
    assert conductor.plan.seen == {step: 1 for step in Step if step not in (Step.SEND_REPLY, Step.SEND_CONTROL)}


@on_virtual_time
async def test_twins_decline_where_a_fault_is_due() -> None:
    """The call that may wait meets it; until then nothing has happened, however often they are asked."""
    conductor = faulty(*((step, 1, FaultKind.DELAY) for step in (Step.SEND_WORK, Step.RECEIVE, Step.SETTLE)))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)

        assert [connection.send_nowait(work()) for _ in range(2)] == [False, False]
        await connection.send(work())
        assert [connection.receive_nowait(Lane.WORK) for _ in range(2)] == [None, None]
        delivery = await connection.receive(Lane.WORK)
        assert [connection.settle_nowait(delivery, ACK) for _ in range(2)] == [False, False]
        await connection.settle(delivery, ACK)

    assert conductor.plan.hits.total() == 3
    assert current_clock().monotonic() == pytest.approx(3 * DELAY)


@on_virtual_time
async def test_twins_of_a_dead_connection_do_nothing() -> None:
    """Sending declines, the others raise."""
    conductor = faulty((Step.LISTEN, 2, FaultKind.BREAK_AFTER))
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        with pytest.raises(ConductorBroken):
            await connection.listen(CONTROL, 1)

        assert not connection.send_nowait(work())
        with pytest.raises(ConductorBroken):
            connection.receive_nowait(Lane.WORK)
        with pytest.raises(ConductorBroken):
            connection.settle_nowait(delivery, ACK)


@asynccontextmanager
async def awaited(connection: Connection) -> AsyncGenerator[None]:
    """Have a call wait for work, so that what is sent may be taken in its place."""
    waiting = asyncio.get_running_loop().create_task(connection.receive(Lane.WORK))
    await all_blocked()
    yield
    waiting.cancel()
    await all_blocked()


@on_virtual_time
async def test_send_and_take_is_two_steps_when_nothing_is_planned() -> None:
    """What the inner connection takes at once is sent and received; what it declines is neither."""
    conductor = faulty()
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        assert connection.send_and_take(work()) is None  # nobody waits for it

        async with awaited(connection):
            delivery = connection.send_and_take(work())
            assert delivery is not None
            await connection.settle(delivery, ACK)

    assert delivery.id == "e1"
    assert conductor.plan.seen == {step: 1 for step in Step if step not in (Step.SEND_REPLY, Step.SEND_CONTROL)}


@pytest.mark.parametrize("step", [Step.SEND_WORK, Step.RECEIVE])
@on_virtual_time
async def test_send_and_take_declines_where_a_fault_is_due(step: Step) -> None:
    """Whichever of its two steps is to go wrong, nothing has happened; the calls that may wait meet it."""
    conductor = faulty((step, 1, FaultKind.DELAY))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 2)
        async with awaited(connection):
            assert connection.send_and_take(work()) is None
        assert conductor.plan.seen == {Step.CONNECT: 1, Step.LISTEN: 1}

        await connection.send(work())
        first = await connection.receive(Lane.WORK)
        async with awaited(connection):
            second = connection.send_and_take(work("e2"))

    assert (first.id, second and second.id) == ("e1", "e2")
    assert conductor.plan.hits == {(step, FaultKind.DELAY): 1}


@on_virtual_time
async def test_send_and_take_overtakes_what_is_reordered() -> None:
    """What is taken at once has gone out too: a frame that waited for the next one follows it."""
    async with faulty((Step.SEND_WORK, 1, FaultKind.REORDER)).connect() as connection:
        await connection.listen(WORK, 2)
        async with asyncio.TaskGroup() as group, awaited(connection):
            group.create_task(connection.send(work("first")))
            await all_blocked()
            taken = connection.send_and_take(work("second"))
            await all_blocked()

    assert taken is not None
    assert taken.id == "second"
    assert current_clock().monotonic() == 0.0


@on_virtual_time
async def test_send_and_take_of_a_dead_connection_does_nothing() -> None:
    """As all that need not wait."""
    conductor = faulty()
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        conductor.cut(connection)

        assert connection.send_and_take(work()) is None


@atom(id="faults.double")
async def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("step", [Step.SEND_WORK, Step.RECEIVE, Step.SEND_REPLY, Step.SETTLE])
def test_electron_that_is_flown_at_once_meets_the_plan(step: Step) -> None:
    """Its steps are steps like others, and nothing is lost at any."""
    plan = Plan.at((step, 1, FaultKind.DROP))
    conductor = RecordingConductor(FaultyConductor(MemoryConductor(), plan, sink=True))

    async def main(clock: VirtualClock) -> list[int]:
        settings = Settings(clock=clock, random=Random(1))
        async with Atomizer(double, conductor=conductor, settings=settings) as runtime:
            await asyncio.sleep(1)  # now a worker waits
            return [await runtime.run(double, number) for number in range(3)]

    assert run(main) == [0, 2, 4]
    assert plan.hits == {(step, FaultKind.DROP): 1}
    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_sink_is_declined_so_that_replies_meet_the_plan() -> None:
    """Replies are listened for and received instead."""
    async with faulty().connect() as connection:
        assert not connection.reply_sink(REPLIES, lambda _: None)


@on_virtual_time
async def test_sink_is_passed_on_when_asked_for() -> None:
    """Then replies are handed over, and meet the plan where they are sent."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.DUPLICATE), (Step.RECEIVE, 1, FaultKind.DROP))
    taken: list[str] = []
    async with FaultyConductor(MemoryConductor(), plan, sink=True).connect() as connection:
        is_taken = connection.reply_sink(REPLIES, lambda delivery: taken.append(delivery.id))

        await connection.send(reply())

    assert is_taken
    assert taken == ["e1", "e1"]


# The conductor around another


class FaultlessBench(Bench):
    """Memory, with a plan around it by which nothing goes wrong."""

    quiet = 0.0

    def __init__(self, *, sink: bool) -> None:
        self.ordinary = FaultyConductor(MemoryConductor(), Plan.at(), sink=sink)
        self.narrow = FaultyConductor(MemoryConductor(capacity=10), Plan.at(), sink=sink)

    def conductor(self) -> FaultyConductor:
        return self.ordinary

    def small(self) -> FaultyConductor:
        return self.narrow

    async def cut(self, connection: Connection) -> None:
        self.ordinary.cut(connection)
        self.narrow.cut(connection)


@pytest.mark.parametrize("sink", [False, True], ids=["received", "sink"])
@pytest.mark.parametrize("check", conductor_checks(), ids=str)
@on_virtual_time
async def test_conductor_keeps_every_promise_when_nothing_is_planned(check: Check, sink: bool) -> None:
    """Without faults it is as good a conductor as the inner one."""
    await check.run(FaultlessBench(sink=sink))


def test_conductor_has_the_face_of_the_inner_one() -> None:
    """Name, codec, capabilities, durability and size limit are those of the inner one."""
    inner = MemoryConductor("one", max_body_bytes=17)

    outer = FaultyConductor(inner, Plan.at())

    assert (outer.name, outer.max_body_bytes) == ("one", 17)
    assert (outer.codec, outer.capabilities, outer.durability) == (inner.codec, inner.capabilities, inner.durability)


@on_virtual_time
async def test_depth_is_that_of_the_inner_connection() -> None:
    """How many frames wait is no step."""
    async with faulty().connect() as connection:
        await connection.listen(WORK, 0)
        await connection.send(work())

        assert connection.depth(WORK) == 1


class Uncuttable(MemoryConductor):
    """A conductor whose connections nobody can cut."""

    cut = None  # type: ignore[assignment]


def test_conductor_without_a_way_to_cut_is_refused() -> None:
    """The error says what to give."""
    with pytest.raises(TypeError, match="give FaultyConductor a cut= of your own"):
        FaultyConductor(Uncuttable(), Plan.at())


@on_virtual_time
async def test_conductor_cuts_in_the_way_it_is_told() -> None:
    """A `cut` of one's own gets the inner connection."""
    inner, cuts = MemoryConductor(), list[Connection]()
    plan = Plan.at((Step.SEND_WORK, 1, FaultKind.DROP))
    async with FaultyConductor(inner, plan, cut=cuts.append).connect() as connection:
        with pytest.raises(ConductorBroken):
            await connection.send(work())

    assert [type(cut).__name__ for cut in cuts] == ["MemoryConnection"]


@on_virtual_time
async def test_cut_lets_all_connections_die_when_none_is_named() -> None:
    """What is unsettled anywhere comes again once, and counts one death."""
    conductor = faulty()
    async with conductor.connect() as first, conductor.connect() as second:
        delivery = await receive_one(first)
        await second.listen(WORK, 1)
        receiving = asyncio.get_running_loop().create_task(outcome(second.receive(Lane.WORK)))
        await all_blocked()

        conductor.cut()

        assert await receiving is ConductorBroken
        assert await outcome(first.settle(delivery, ACK)) is ConductorBroken

    async with conductor.connect() as third:
        await third.listen(WORK, 1)
        assert (await third.receive(Lane.WORK)).count == 1


async def receive_one(connection: Connection) -> Delivery:
    await connection.listen(WORK, 1)
    await connection.send(work())
    return await connection.receive(Lane.WORK)


async def outcome(call: Awaitable[object]) -> type[BaseException] | None:
    """Say what a call raises."""
    try:
        await call
    except Exception as error:  # whatever it is, the test looks at it
        return type(error)
    return None
