"""Faults on purpose: each does what it says, and together they leave a correct program whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from atomizer import MemoryConductor
from atomizer.conductor import Connection, Delivery, Frame, Lane, Route, Settlement
from atomizer.errors import ConductorBroken, ConductorError, ConductorUnavailable, NobodyThere
from atomizer.testing.clock import VirtualClock, all_blocked, current_clock, on_virtual_time, run
from atomizer.testing.faults import APPLICABLE, FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import Ledger, RecordingConductor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        async with asyncio.timeout(1.0):
            await call
    except TimeoutError:
        raise ConductorBroken("no confirm") from None


async def keep_connected(conductor: Conductor, live: Callable[[Connection], Awaitable[None]]) -> None:
    """Open a connection again and again, as long as it breaks."""
    while True:
        try:
            async with asyncio.timeout(2.0) as opening, conductor.connect() as connection:
                opening.reschedule(None)
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
