"""The ledger: it writes down what happened, and accuses whoever broke the discipline, and nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atomizer import Electron, MemoryConductor
from atomizer.codec import MESSAGEPACK
from atomizer.conductor import Delivery, Frame, Lane, Route, Settlement
from atomizer.errors import ConductorBroken, NobodyThere, TooLarge
from atomizer.testing.bench import Bench
from atomizer.testing.clock import all_blocked, on_virtual_time
from atomizer.testing.conductor_checks import conductor_checks
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import Ledger, Outcome, RecordingConductor

if TYPE_CHECKING:
    from atomizer.conductor import Connection
    from atomizer.testing.bench import Check

WORK = Route(Lane.WORK, "add")
REPLIES = Route(Lane.REPLY, "asker")
CONTROL = Route(Lane.CONTROL, "node")
ACK, REQUEUE, REJECT = Settlement.ACK, Settlement.REQUEUE, Settlement.REJECT


def work(electron_id: str = "e1", *, reply_to: str = "asker") -> Frame:
    return Frame(WORK, b"body", "text/plain", electron_id, reply_to=reply_to)


def reply(electron_id: str = "e1") -> Frame:
    return Frame(REPLIES, b"answer", "text/plain", electron_id)


async def receive_one(connection: Connection, *, reply_to: str = "asker") -> Delivery:
    await connection.listen(WORK, 1)
    await connection.send(work(reply_to=reply_to))
    return await connection.receive(Lane.WORK)


def attempt_of(id: str, attempt: int) -> Frame:
    """The frame of an electron that somebody waits for."""
    electron = Electron(id=id, atom_id="add", sender="asker", attempt=attempt)
    return Frame(WORK, MESSAGEPACK.encode_electron(electron), MESSAGEPACK.content_type, id, reply_to="asker")


# What is written


@on_virtual_time
async def test_ledger_has_a_row_for_everything_that_a_correct_program_does() -> None:
    """Frames, deliveries and settlements, with their ids, connections and moments; and no violation."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as asker, conductor.connect() as node:
        await asker.listen(REPLIES, 1)
        await node.listen(WORK, 1)
        await asker.send(work())
        delivery = await node.receive(Lane.WORK)
        await asyncio.sleep(2)
        await node.send(reply())
        await node.settle(delivery, ACK)
        answer = await asker.receive(Lane.REPLY)
        await asker.settle(answer, ACK)

    ledger = conductor.ledger
    assert [(row.connection, row.route, row.id, row.at, row.ended_at, row.outcome) for row in ledger.sent] == [
        (1, WORK, "e1", 0.0, 0.0, Outcome.DONE),
        (2, REPLIES, "e1", 2.0, 2.0, Outcome.DONE),
    ]
    assert [(row.connection, row.id, row.count, row.redelivered) for row in ledger.received] == [
        (2, "e1", 0, False),
        (1, "e1", 0, False),
    ]
    assert [(row.connection, row.id, row.settlement, row.outcome) for row in ledger.settled] == [
        (2, "e1", ACK, Outcome.DONE),
        (1, "e1", ACK, Outcome.DONE),
    ]
    assert ledger.violations() == []


@on_virtual_time
async def test_ledger_has_the_same_rows_for_the_synchronous_twins() -> None:
    """What is done at once is written down as what may wait; what is declined is not."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        assert not connection.send_nowait(work())  # nobody listens yet
        assert connection.receive_nowait(Lane.WORK) is None
        await connection.listen(WORK, 1)
        await connection.listen(REPLIES, 1)
        assert connection.send_nowait(work())
        delivery = connection.receive_nowait(Lane.WORK)
        assert delivery is not None
        assert connection.send_nowait(reply())
        assert connection.settle_nowait(delivery, ACK)
        answer = connection.receive_nowait(Lane.REPLY)
        assert answer is not None
        assert connection.settle_nowait(answer, ACK)

    ledger = conductor.ledger
    assert [(row.route, row.outcome) for row in ledger.sent] == [(WORK, Outcome.DONE), (REPLIES, Outcome.DONE)]
    assert [row.route for row in ledger.received] == [WORK, REPLIES]
    assert [(row.route, row.outcome) for row in ledger.settled] == [(WORK, Outcome.DONE), (REPLIES, Outcome.DONE)]
    assert ledger.violations() == []


@on_virtual_time
async def test_ledger_has_both_rows_for_what_is_sent_and_taken_at_once() -> None:
    """A frame and a delivery, which is to be settled as any other; what is declined is not written down."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        assert connection.send_and_take(work()) is None  # nobody waits for it
        waiting = asyncio.get_running_loop().create_task(connection.receive(Lane.WORK))
        await all_blocked()
        assert connection.send_and_take(work(reply_to="")) is not None
        waiting.cancel()
        await all_blocked()

    ledger = conductor.ledger
    assert [(row.id, row.outcome) for row in ledger.sent] == [("e1", Outcome.DONE)]
    assert [row.id for row in ledger.received] == ["e1"]
    assert ledger.violations() == [
        "'e1' of 'work:add' was left unsettled when its connection was closed (connection 1)"
    ]


@on_virtual_time
async def test_ledger_says_how_a_send_failed() -> None:
    """Refused for want of a listener, refused for another reason, unknown."""
    conductor = RecordingConductor(MemoryConductor(max_body_bytes=10))
    async with conductor.connect() as connection:
        with pytest.raises(NobodyThere):
            await connection.send(work())
        with pytest.raises(TooLarge):
            await connection.send(Frame(WORK, b"eleven byte", "text/plain", "e2"))
        conductor.cut(connection)
        with pytest.raises(ConductorBroken):
            await connection.send(work("e3"))

    assert [(row.id, row.outcome) for row in conductor.ledger.sent] == [
        ("e1", Outcome.NOBODY_THERE),
        ("e2", Outcome.REFUSED),
        ("e3", Outcome.UNKNOWN),
    ]
    assert conductor.ledger.sent[0].error == "NobodyThere: nobody listens on 'add'"


@on_virtual_time
async def test_ledger_shows_a_call_that_has_not_ended() -> None:
    """It is pending while it waits, and unknown when it was cancelled."""
    conductor = RecordingConductor(MemoryConductor(capacity=1))
    async with conductor.connect() as connection:
        await connection.listen(WORK, 0)
        await connection.send(work("e1"))
        sending = asyncio.get_running_loop().create_task(connection.send(work("e2")))
        await all_blocked()
        row = conductor.ledger.sent[1]
        before = (row.outcome, row.ended_at)
        await asyncio.sleep(3)
        sending.cancel()
        await all_blocked()

    assert before == (Outcome.PENDING, None)
    assert (row.outcome, row.ended_at) == (Outcome.UNKNOWN, 3.0)


@on_virtual_time
async def test_ledger_has_rows_for_what_a_sink_takes() -> None:
    """What is handed over is received and settled in one, and handed on."""
    conductor = RecordingConductor(MemoryConductor())
    taken: list[str] = []
    async with conductor.connect() as connection:
        is_taken = connection.reply_sink(REPLIES, lambda delivery: taken.append(delivery.id))
        await connection.send(reply())

    assert is_taken
    assert taken == ["e1"]
    assert [(row.route, row.id) for row in conductor.ledger.received] == [(REPLIES, "e1")]
    assert [(row.id, row.settlement, row.outcome) for row in conductor.ledger.settled] == [("e1", ACK, Outcome.DONE)]
    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_ledger_may_be_shared() -> None:
    """Two conductors write into one: connections are numbered through."""
    ledger, hub = Ledger(), MemoryConductor()
    first, second = RecordingConductor(hub, ledger), RecordingConductor(hub, ledger)
    async with first.connect() as node, second.connect() as asker:
        await node.listen(WORK, 1)
        await asker.send(work(reply_to=""))
        await node.settle(await node.receive(Lane.WORK), ACK)

    assert [row.connection for row in ledger.sent] == [2]
    assert [row.connection for row in ledger.received] == [1]
    assert ledger.violations() == []


@on_virtual_time
async def test_ledger_numbers_each_life_of_a_transport() -> None:
    """What comes again comes on another connection, and its row says so."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await receive_one(connection)
        conductor.cut()
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.settle(await connection.receive(Lane.WORK), REQUEUE)

    assert [(row.connection, row.count, row.redelivered) for row in conductor.ledger.received] == [
        (1, 0, False),
        (2, 1, True),
    ]
    assert conductor.ledger.violations() == []


# What is accused


@on_virtual_time
async def test_violation_when_acknowledged_before_the_answer() -> None:
    """The one mistake that loses work."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.listen(REPLIES, 1)
        delivery = await receive_one(connection)
        await connection.settle(delivery, ACK)
        await connection.send(reply())
        await connection.settle(await connection.receive(Lane.REPLY), ACK)

    assert conductor.ledger.violations() == [
        "'e1' of 'work:add' was acknowledged before its answer was confirmed (connection 1)"
    ]


@on_virtual_time
async def test_violation_when_the_answer_is_sent_but_not_confirmed() -> None:
    """An answer on its way is none."""
    plan = Plan.at((Step.SEND_REPLY, 1, FaultKind.HANG))
    conductor = RecordingConductor(FaultyConductor(MemoryConductor(), plan))
    async with conductor.connect() as connection:
        await connection.listen(REPLIES, 1)
        delivery = await receive_one(connection)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await connection.send(reply())
        await connection.settle(delivery, ACK)
        await connection.settle(await connection.receive(Lane.REPLY), ACK)

    assert len(conductor.ledger.violations()) == 1


@on_virtual_time
async def test_no_violation_when_nobody_wants_the_answer() -> None:
    """An electron without `reply_to` is acknowledged when it is done."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.settle(await receive_one(connection, reply_to=""), ACK)

    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_no_violation_when_nobody_is_there_for_the_answer_and_it_lies_among_the_dead_letters() -> None:
    """A letter that is confirmed is as good as a reply that is."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        with pytest.raises(NobodyThere):
            await connection.send(reply())
        await connection.send(Frame(Route(Lane.DEAD, "unclaimed"), b"a letter", "text/plain", delivery.id))
        await connection.settle(delivery, ACK)

    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_a_violation_when_nobody_is_there_for_the_answer_and_nothing_lies_among_the_dead_letters() -> None:
    """A refusal for certain leaves no trace of the electron."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        with pytest.raises(NobodyThere):
            await connection.send(reply())
        await connection.settle(delivery, ACK)

    assert len(conductor.ledger.violations()) == 1


@pytest.mark.parametrize(("attempt", "violations"), [(1, 1), (2, 0)])
@on_virtual_time
async def test_a_confirmed_copy_is_an_answer_if_it_goes_on_from_there(attempt: int, violations: int) -> None:
    """The next attempt takes the place of one that failed; the same one sent again is no answer."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.send(attempt_of("e1", 1))
        delivery = await connection.receive(Lane.WORK)
        await connection.send(attempt_of("e1", attempt))
        await connection.settle(delivery, ACK)

    assert len(conductor.ledger.violations()) == violations


@on_virtual_time
async def test_no_violation_when_given_back_without_an_answer() -> None:
    """What is requeued needs none."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.settle(await receive_one(connection), REQUEUE)

    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_violation_when_rejected() -> None:
    """Nothing is rejected, ever."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.settle(await receive_one(connection), REJECT)

    assert conductor.ledger.violations() == ["'e1' of 'work:add' was rejected (connection 1)"]


@pytest.mark.parametrize("nowait", [False, True])
@on_virtual_time
async def test_violation_when_settled_twice(nowait: bool) -> None:
    """That the transport refuses it does not make it right."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        delivery = await receive_one(connection, reply_to="")
        await connection.settle(delivery, ACK)
        with pytest.raises(ValueError, match="settled before"):
            if nowait:
                connection.settle_nowait(delivery, REQUEUE)
            else:
                await connection.settle(delivery, REQUEUE)

    assert conductor.ledger.violations() == ["'e1' of 'work:add' was settled twice (connection 1)"]
    assert [row.outcome for row in conductor.ledger.settled] == [Outcome.DONE, Outcome.REFUSED]


@on_virtual_time
async def test_violation_when_settled_on_another_connection() -> None:
    """Only the connection that received it may."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection, conductor.connect() as other:
        delivery = await receive_one(connection, reply_to="")
        with pytest.raises(ValueError, match="connection"):
            await other.settle(delivery, ACK)
        await connection.settle(delivery, ACK)

    assert conductor.ledger.violations() == [
        "'e1' of 'work:add' was settled by a connection that had not received it (connection 2)"
    ]


@on_virtual_time
async def test_violation_when_left_unsettled_at_a_clean_close() -> None:
    """Nobody may go and leave something half done."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await receive_one(connection)

    assert conductor.ledger.violations() == [
        "'e1' of 'work:add' was left unsettled when its connection was closed (connection 1)"
    ]


@on_virtual_time
async def test_no_violation_when_the_connection_died_under_it() -> None:
    """What a dead connection held comes again, and cannot be settled: not even trying twice is held against anybody."""
    inner = MemoryConductor()
    conductor = RecordingConductor(inner)
    async with conductor.connect() as connection:
        delivery = await receive_one(connection)
        inner.cut()
        for _ in range(2):
            with pytest.raises(ConductorBroken):
                connection.settle_nowait(delivery, REQUEUE)
            with pytest.raises(ConductorBroken):
                await connection.settle(delivery, REQUEUE)

    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_no_violation_for_what_is_never_settled() -> None:
    """CONTROL has no settlements and no credit."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.listen(CONTROL, 1)
        for number in range(3):
            await connection.send(Frame(CONTROL, b"", "text/plain", f"e{number}"))
            await connection.receive(Lane.CONTROL)

    assert conductor.ledger.violations() == []


@on_virtual_time
async def test_unlisten_ends_the_credit() -> None:
    """It counts as a credit of nothing, and the route is left on the inner connection."""
    conductor = RecordingConductor(MemoryConductor())
    async with conductor.connect() as connection:
        await connection.listen(WORK, 1)
        await connection.unlisten(WORK)
        with pytest.raises(NobodyThere):
            await connection.send(work())

        assert connection.depth(WORK) == 0


# Around another, and inside one


class RecordingBench(Bench):
    """Memory, with a ledger around it."""

    quiet = 0.0

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.ordinary = RecordingConductor(MemoryConductor(), self.ledger)
        self.narrow = RecordingConductor(MemoryConductor(capacity=10), self.ledger)

    def conductor(self) -> RecordingConductor:
        return self.ordinary

    def small(self) -> RecordingConductor:
        return self.narrow

    async def cut(self, connection: Connection) -> None:
        self.ordinary.cut(connection)
        self.narrow.cut(connection)


@pytest.mark.parametrize("check", conductor_checks(), ids=str)
@on_virtual_time
async def test_conductor_keeps_every_promise(check: Check) -> None:
    """A ledger changes nothing: it is as good a conductor as the inner one, and finds no fault with its credit."""
    bench = RecordingBench()

    await check.run(bench)

    assert not [sentence for sentence in bench.ledger.violations() if "credit" in sentence]


def test_conductor_has_the_face_of_the_inner_one() -> None:
    """Name, codec, capabilities, durability and size limit are those of the inner one."""
    inner = MemoryConductor("one", max_body_bytes=17)

    outer = RecordingConductor(inner)

    assert (outer.name, outer.max_body_bytes) == ("one", 17)
    assert (outer.codec, outer.capabilities, outer.durability) == (inner.codec, inner.capabilities, inner.durability)


@on_virtual_time
async def test_ledgers_inside_and_outside_see_their_own_side_of_a_fault() -> None:
    """Outside, the settlement went well; inside, it never came, and the connection died."""
    inside, outside = Ledger(), Ledger()
    plan = Plan.at((Step.SETTLE, 1, FaultKind.DROP))
    faulty = FaultyConductor(RecordingConductor(MemoryConductor(), inside), plan)
    async with RecordingConductor(faulty, outside).connect() as connection:
        await connection.settle(await receive_one(connection, reply_to=""), ACK)

    assert [row.outcome for row in outside.settled] == [Outcome.DONE]
    assert inside.settled == []
    assert (inside.violations(), outside.violations()) == ([], [])


@on_virtual_time
async def test_cut_goes_through_every_layer() -> None:
    """Cut outside, the innermost connection dies, and no ledger holds it against anybody."""
    inside, outside = Ledger(), Ledger()
    faulty = FaultyConductor(RecordingConductor(MemoryConductor(), inside), Plan.at())
    conductor = RecordingConductor(faulty, outside)
    async with conductor.connect() as connection, conductor.connect() as other:
        await receive_one(connection)
        conductor.cut(connection)
        with pytest.raises(ConductorBroken):
            await connection.receive(Lane.WORK)
        await other.listen(WORK, 1)
        again = await other.receive(Lane.WORK)
        await other.settle(again, REQUEUE)

    assert again.redelivered
    assert (inside.violations(), outside.violations()) == ([], [])
