"""The checks of the contract find what they are for: each bug below is found by the check of its promise."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from msgspec.structs import replace

from atomizer.conductor import Capability, Conductor, Connection, Delivery, Frame, Lane, Route, Settlement, Spread
from atomizer.errors import CapabilityMissing, ConductorBroken, ConductorUnavailable, NobodyThere
from atomizer.memory import MemoryConductor
from atomizer.testing.conductor_checks import Bench, Check, CheckFailed, conductor_checks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

CHECKS = {check.name: check for check in conductor_checks()}


class Passing(Connection):
    """A connection that passes every call on to one in memory. A bug overrides one of them."""

    def __init__(self, inner: Connection) -> None:
        self.inner = inner

    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit)

    async def unlisten(self, route: Route) -> None:
        await self.inner.unlisten(route)

    async def receive(self, lane: Lane) -> Delivery:
        return await self.inner.receive(lane)

    async def send(self, frame: Frame) -> None:
        await self.inner.send(frame)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await self.inner.settle(delivery, settlement)

    async def leave(self) -> None:
        """Do what leaving takes."""

    @classmethod
    def tidy(cls) -> None:
        """Put away what a bug has left for all its connections."""


class Wrapped(Conductor):
    """A conductor in memory whose connections are wrapped."""

    def __init__(self, kind: type[Passing], inner: MemoryConductor, capabilities: frozenset[Capability]) -> None:
        self.name = "wrapped"
        self.capabilities = capabilities
        self.codec = inner.codec
        self.inner = inner
        self.kind = kind

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection, None]:
        async with self.inner.connect() as inner:
            connection = self.kind(inner)
            try:
                yield connection
            finally:
                await connection.leave()


class WrappedBench(Bench):
    """A bench with one kind of connection on it."""

    quiet = 0.0
    patience = 0.1

    def __init__(self, kind: type[Passing], capabilities: frozenset[Capability] = MemoryConductor.capabilities) -> None:
        self._conductor = Wrapped(kind, MemoryConductor(), capabilities)
        self._small = Wrapped(kind, MemoryConductor(capacity=5), capabilities)

    def conductor(self) -> Wrapped:
        return self._conductor

    def small(self) -> Wrapped:
        return self._small

    async def cut(self, connection: Connection) -> None:
        assert isinstance(connection, Passing)
        self._conductor.inner.cut(connection.inner)
        self._small.inner.cut(connection.inner)


class LosesWhatIsRequeued(Passing):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await self.inner.settle(delivery, Settlement.REJECT if settlement is Settlement.REQUEUE else settlement)


class GivesBackWhatIsRejected(Passing):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await self.inner.settle(delivery, Settlement.REQUEUE if settlement is Settlement.REJECT else settlement)


class ExceedsCredit(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit + 1)


class IgnoresCreditOfZero(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit or 1)


class KeepsTheFirstCredit(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.first: dict[Route, int] = {}

    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, self.first.setdefault(route, credit))


class SettlesTwice(Passing):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        with suppress(ValueError):
            await self.inner.settle(delivery, settlement)


class SettlesTheOlderToo(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.received: list[Delivery] = []

    async def receive(self, lane: Lane) -> Delivery:
        self.received.append(await self.inner.receive(lane))
        return self.received[-1]

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        while delivery in self.received:
            await self.inner.settle(self.received.pop(0), settlement)


class DeliversCopies(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.copy: Delivery | None = None

    async def receive(self, lane: Lane) -> Delivery:
        copy, self.copy = self.copy, None
        if copy is None:
            copy = self.copy = await self.inner.receive(lane)
        return copy

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        with suppress(ValueError):
            await self.inner.settle(delivery, settlement)


class LosesWhatACancelledReceiveHad(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        await asyncio.sleep(0)
        return delivery


class SwallowsTheCut(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        with suppress(ConductorBroken):
            return await self.inner.receive(lane)
        return await asyncio.get_running_loop().create_future()


class SettlesAfterDeath(Passing):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        with suppress(ConductorBroken):
            await self.inner.settle(delivery, settlement)


class CancelsOnACut(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        try:
            return await self.inner.receive(lane)
        except ConductorBroken:
            raise asyncio.CancelledError from None


class RepliesToEveryone(Passing):
    replies: ClassVar[list[Route]] = []

    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit)
        if route.lane is Lane.REPLY:
            self.replies.append(route)

    async def send(self, frame: Frame) -> None:
        await self.inner.send(frame)
        for route in self.replies:
            if frame.to.lane is Lane.REPLY and frame.to != route:
                with suppress(NobodyThere):
                    await self.inner.send(replace(frame, to=route))

    @classmethod
    def tidy(cls) -> None:
        cls.replies.clear()


class LetsASecondNodeIn(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        with suppress(ConductorUnavailable):
            await self.inner.listen(route, credit)


class ForgetsTheMark(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        delivery.redelivered = False
        return delivery


class CountsWhatIsRequeued(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        delivery.count = (delivery.count or 0) + delivery.redelivered
        return delivery


class NeverCounts(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        delivery.count = 0
        return delivery


class TakesForNobody(Passing):
    async def send(self, frame: Frame) -> None:
        with suppress(NobodyThere):
            await self.inner.send(frame)


class ConfirmsTooEarly(Passing):
    async def send(self, frame: Frame) -> None:
        asyncio.get_running_loop().call_later(0.01, self.inner.send_nowait, frame)


class DropsWhenFull(Passing):
    async def send(self, frame: Frame) -> None:
        self.inner.send_nowait(frame)


class CutsLongBodies(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, body=frame.body[: 2**16]))


class SendsWhatItDeclines(Passing):
    def send_nowait(self, frame: Frame) -> bool:
        self.inner.send_nowait(frame)
        return False


class ForgetsTheDelay(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, delay=0.0))


class ForgetsThePriority(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, priority=0))


class ForgetsTheKey(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, key=""))


class KeepsAllForLatest(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        spread = Spread.ALL if route.spread is Spread.LATEST else route.spread
        await self.inner.listen(replace(route, spread=spread), credit)

    async def send(self, frame: Frame) -> None:
        spread = Spread.ALL if frame.to.spread is Spread.LATEST else frame.to.spread
        await self.inner.send(replace(frame, to=replace(frame.to, spread=spread)))


class ForgetsTheNode(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(replace(route, node=""), credit)

    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, to=replace(frame.to, node="")))


class LosesTheSink(Passing):
    def reply_sink(self, route: Route, take: Callable[[Delivery], None]) -> bool:
        return self.inner.reply_sink(route, lambda delivery: None)


class LeavesATask(Passing):
    left: ClassVar[set[asyncio.Task[Any]]] = set()

    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.left.add(asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="left"))

    @classmethod
    def tidy(cls) -> None:
        for task in cls.left:
            task.cancel()
        cls.left.clear()


class LeavesADescriptor(Passing):
    left: ClassVar[list[int]] = []

    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.left.append(os.dup(0))

    @classmethod
    def tidy(cls) -> None:
        while cls.left:
            os.close(cls.left.pop())


class HangsWhenLeft(Passing):
    async def leave(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("bug", "found_by"),
    [
        (LosesWhatIsRequeued, "requeue_returns_it"),
        (GivesBackWhatIsRejected, "reject_does_not_return"),
        (ExceedsCredit, "credit_is_never_exceeded"),
        (ExceedsCredit, "credit_is_for_each_route"),
        (IgnoresCreditOfZero, "a_credit_of_zero_takes_nothing"),
        (KeepsTheFirstCredit, "credit_lowered_to_zero_stops_taking"),
        (KeepsTheFirstCredit, "credit_that_is_raised_resumes"),
        (KeepsTheFirstCredit, "credit_below_what_is_held_waits_for_it"),
        (SettlesTwice, "settling_twice_is_refused"),
        (SettlesTwice, "settling_what_is_not_settled_is_refused"),
        (SettlesTheOlderToo, "settling_settles_that_one_alone"),
        (DeliversCopies, "receivers_share_and_none_sees_a_copy"),
        (DeliversCopies, "connections_share_and_none_sees_a_copy"),
        (LosesWhatACancelledReceiveHad, "a_cancelled_receive_loses_nothing"),
        (LosesWhatACancelledReceiveHad, "a_cancelled_receive_wakes_another"),
        (SwallowsTheCut, "a_cut_is_heard_by_receivers"),
        (SwallowsTheCut, "later_calls_raise_broken"),
        (SettlesAfterDeath, "settling_after_death_is_broken"),
        (CancelsOnACut, "no_cancellation_that_nobody_asked_for"),
        (CancelsOnACut, "a_cut_is_heard_by_receivers"),
        (RepliesToEveryone, "a_reply_reaches_the_asker_and_nobody_else"),
        (LetsASecondNodeIn, "a_second_node_of_a_name_is_refused"),
        (LosesTheSink, "a_reply_sink_gets_what_receive_would_have_got"),
        (LosesTheSink, "a_reply_sink_listens"),
        (ForgetsTheMark, "what_is_unsettled_at_a_cut_comes_again"),
        (ForgetsTheMark, "what_is_unsettled_at_a_clean_end_comes_again"),
        (ForgetsTheMark, "requeue_returns_it"),
        (CountsWhatIsRequeued, "requeue_does_not_count"),
        (NeverCounts, "a_cut_counts"),
        (TakesForNobody, "send_to_nobody_is_nobody_there"),
        (TakesForNobody, "reply_to_nobody_is_nobody_there"),
        (TakesForNobody, "a_clean_end_closes_the_route"),
        (ConfirmsTooEarly, "send_is_confirmed"),
        (DropsWhenFull, "a_full_route_makes_senders_wait_or_refuses"),
        (CutsLongBodies, "a_mebibyte_arrives_unchanged"),
        (SendsWhatItDeclines, "the_nowait_twins_agree"),
        (ForgetsTheDelay, "a_delay_is_kept"),
        (ForgetsThePriority, "priority_goes_before"),
        (ForgetsTheKey, "a_key_goes_to_one_listener_in_order"),
        (ForgetsTheKey, "a_key_goes_one_at_a_time"),
        (KeepsAllForLatest, "latest_gives_the_newest_to_each"),
        (ForgetsTheNode, "a_frame_for_one_node_reaches_that_one"),
        (LeavesATask, "nothing_is_left"),
        (LeavesATask, "cancel_during_connect_leaves_nothing_open"),
        (LeavesADescriptor, "nothing_is_left"),
        (HangsWhenLeft, "closing_a_busy_connection_is_bounded"),
    ],
)
async def test_bug_is_found_by_the_check_of_its_promise(bug: type[Passing], found_by: str) -> None:
    """A conductor with one bug fails the check that is named for the promise it breaks."""
    try:
        with pytest.raises(CheckFailed) as failure:
            await CHECKS[found_by].run(WrappedBench(bug))
    finally:
        bug.tidy()

    assert str(failure.value).startswith(CHECKS[found_by].promise)


@pytest.mark.parametrize("capability", sorted(set(Capability) - {Capability.COUNT}, key=str))
async def test_capability_that_is_missing_and_not_refused_is_found(capability: Capability) -> None:
    """A conductor that takes what it says it cannot do fails the check of that refusal."""
    bench = WrappedBench(Passing, MemoryConductor.capabilities - {capability})

    with pytest.raises(CheckFailed):
        await CHECKS[f"{capability.value}_is_refused_where_missing"].run(bench)


class Modest(Passing):
    """A connection with no capability, no synchronous twin and no sink, as a first transport would be."""

    async def listen(self, route: Route, credit: int) -> None:
        _refuse(route)
        await self.inner.listen(route, credit)

    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        delivery.count = None
        return delivery

    async def send(self, frame: Frame) -> None:
        _refuse(frame.to)
        asked = {Capability.KEY: frame.key, Capability.PRIORITY: frame.priority, Capability.DELAY: frame.delay}
        for capability, value in asked.items():
            if value:
                raise CapabilityMissing("modest", capability.value)
        await self.inner.send(frame)


def _refuse(route: Route) -> None:
    if route.node or route.spread is Spread.LATEST:
        raise CapabilityMissing("modest", (Capability.NODE if route.node else Capability.LATEST).value)


@pytest.mark.parametrize("kind", [Passing, Modest])
@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
async def test_conductor_without_bugs_passes(check: Check, kind: type[Passing]) -> None:
    """The wrapping itself breaks no promise, and neither does a conductor that can do little and says so."""
    capabilities = MemoryConductor.capabilities if kind is Passing else frozenset[Capability]()
    bench = WrappedBench(kind, capabilities)
    bench.patience = 5.0

    await check.run(bench)
