"""Bugs that a conductor may have, one class each, and the check that is to find it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace

from atomizer.conductor import Connection, Delivery, Frame, Lane, Route, Settlement, Spread
from atomizer.errors import ConductorBroken, ConductorClosed, ConductorUnavailable, NobodyThere
from tests.contract.wrapped import Passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from atomizer.memory import MemoryConductor


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
        never: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        return await never


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


class MarksEverything(Passing):
    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        delivery.redelivered = True
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


class TakesBeyondItsCredit(Passing):
    def send_and_take(self, frame: Frame) -> Delivery | None:
        return Delivery(frame.to, frame.body, frame.content_type, frame.id)


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


class IsNotReadyOnEntry(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.is_ready = False
        asyncio.get_running_loop().call_soon(setattr, self, "is_ready", True)

    async def listen(self, route: Route, credit: int) -> None:
        if not self.is_ready:
            raise ConductorUnavailable("not yet")
        await self.inner.listen(route, credit)


class FailsAsALibraryDoes(Passing):
    unreachable = ConnectionRefusedError("nobody is there")


class ConnectsAFewTimes(Passing):
    times: ClassVar[list[None]] = []

    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.times.append(None)
        if len(self.times) > 4:
            raise ConductorUnavailable("that was often enough")

    @classmethod
    def tidy(cls) -> None:
        cls.times.clear()


class SwallowsFaults(Passing):
    swallows = (ZeroDivisionError,)


class WorksAfterItWasLeft(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        with suppress(ConductorClosed):
            await self.inner.listen(route, credit)


class DropsWhatIsUnsettledWhenLeft(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.held: list[Delivery] = []

    async def receive(self, lane: Lane) -> Delivery:
        self.held.append(await self.inner.receive(lane))
        return self.held[-1]

    async def leave(self) -> None:
        for delivery in self.held:
            with suppress(ValueError, ConductorBroken):
                await self.inner.settle(delivery, Settlement.ACK)


class PadsEmptyBodies(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, body=frame.body or b"\0"))


class TakesBodiesForText(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, body=frame.body.replace(b"\r", b"\n")))


class ForgetsWhoWaits(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, reply_to=""))


class StaysOnTheRoute(Passing):
    async def unlisten(self, route: Route) -> None:
        """Do nothing."""


class NeverSettles(Passing):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Do nothing."""


class NumbersLanesTogether(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.numbers: dict[Lane, list[Delivery]] = {lane: [] for lane in Lane}
        self.by_number: dict[int, Delivery] = {}

    async def receive(self, lane: Lane) -> Delivery:
        delivery = await self.inner.receive(lane)
        self.by_number[len(self.numbers[lane])] = delivery
        self.numbers[lane].append(delivery)
        return delivery

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        number = next(n for n, each in enumerate(self.numbers[delivery.route.lane]) if each is delivery)
        await self.inner.settle(self.by_number[number], settlement)


class SendsOneAtATime(Passing):
    is_sending = False

    async def send(self, frame: Frame) -> None:
        if self.is_sending:
            return
        self.is_sending = True
        await asyncio.sleep(0)
        await self.inner.send(frame)
        self.is_sending = False


class DropsDeadLetters(Passing):
    async def send(self, frame: Frame) -> None:
        if frame.to.lane is not Lane.DEAD:
            await self.inner.send(frame)


class WantsListenersForEvents(Passing):
    async def send(self, frame: Frame) -> None:
        if frame.to.lane is Lane.EVENT:
            raise NobodyThere(frame.to.name)
        await self.inner.send(frame)


class ClosesItsRoutesAtACut(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.routes: list[Route] = []

    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit)
        self.routes.append(route)

    async def cut(self, hub: MemoryConductor) -> None:
        with suppress(ConductorBroken):
            for route in self.routes:
                await self.inner.unlisten(route)
        hub.cut(self.inner)


class SendsPartOfWhatIsTooLarge(Passing):
    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, body=frame.body[: 8 * 1024 * 1024]))


class BreaksWhenASendIsCancelled(Passing):
    is_broken = False

    async def send(self, frame: Frame) -> None:
        if self.is_broken:
            raise ConductorBroken("a send was cancelled")
        self.is_broken = True
        await asyncio.sleep(0)
        await self.inner.send(frame)
        self.is_broken = False


class NeverFreesAName(Passing):
    names: ClassVar[set[str]] = set()

    async def listen(self, route: Route, credit: int) -> None:
        if route.lane is Lane.REPLY:
            if route.name in self.names:
                raise ConductorUnavailable("taken for ever", permanent=True)
            self.names.add(route.name)
        await self.inner.listen(route, credit)

    @classmethod
    def tidy(cls) -> None:
        cls.names.clear()


class TellsOneForAll(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(replace(route, spread=Spread.ONE), credit)

    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, to=replace(frame.to, spread=Spread.ONE)))


class TellsAllForOne(Passing):
    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(_to_all(route), credit)

    async def send(self, frame: Frame) -> None:
        await self.inner.send(replace(frame, to=_to_all(frame.to)))


def _to_all(route: Route) -> Route:
    return Route(Lane.CONTROL, spread=Spread.ALL) if route.lane is Lane.CONTROL else route


class WantsCreditForEvents(Passing):
    def __init__(self, inner: Connection) -> None:
        super().__init__(inner)
        self.credit = 0

    async def listen(self, route: Route, credit: int) -> None:
        await self.inner.listen(route, credit)
        self.credit = credit

    async def receive(self, lane: Lane) -> Delivery:
        if not lane.settled and self.credit <= 0:
            await asyncio.Event().wait()
        self.credit -= 1
        return await self.inner.receive(lane)


class MixesLanes(Passing):
    async def send(self, frame: Frame) -> None:
        lane = Lane.CONTROL if frame.to.lane is Lane.EVENT else frame.to.lane
        await self.inner.send(replace(frame, to=replace(frame.to, lane=lane)))


class WaitsForRoomAfterDeath(Passing):
    async def send(self, frame: Frame) -> None:
        try:
            await self.inner.send(frame)
        except ConductorBroken:
            await asyncio.Event().wait()


class DiesWithTheOthers(Passing):
    async def cut(self, hub: MemoryConductor) -> None:
        hub.cut()


class ComplainsWhenLeftAfterACut(Passing):
    async def leave(self) -> None:
        self.inner.receive_nowait(Lane.WORK)


FOUND_BY: dict[type[Passing], tuple[str, ...]] = {
    LosesWhatIsRequeued: ("requeue_returns_it",),
    GivesBackWhatIsRejected: ("reject_does_not_return",),
    ExceedsCredit: ("credit_is_never_exceeded", "credit_is_for_each_route"),
    IgnoresCreditOfZero: ("a_credit_of_zero_takes_nothing",),
    KeepsTheFirstCredit: (
        "credit_lowered_to_zero_stops_taking",
        "credit_that_is_raised_resumes",
        "credit_below_what_is_held_waits_for_it",
    ),
    SettlesTwice: ("settling_twice_is_refused", "settling_what_is_not_settled_is_refused"),
    SettlesTheOlderToo: ("settling_settles_that_one_alone",),
    DeliversCopies: ("receivers_share_and_none_sees_a_copy", "connections_share_and_none_sees_a_copy"),
    LosesWhatACancelledReceiveHad: ("a_cancelled_receive_loses_nothing", "a_cancelled_receive_wakes_another"),
    SwallowsTheCut: ("a_cut_is_heard_by_receivers", "later_calls_raise_broken"),
    SettlesAfterDeath: ("settling_after_death_is_broken",),
    CancelsOnACut: ("no_cancellation_that_nobody_asked_for", "a_cut_is_heard_by_receivers"),
    RepliesToEveryone: ("a_reply_reaches_the_asker_and_nobody_else",),
    LetsASecondNodeIn: ("a_second_node_of_a_name_is_refused",),
    LosesTheSink: ("a_reply_sink_gets_what_receive_would_have_got", "a_reply_sink_listens"),
    ForgetsTheMark: (
        "what_is_unsettled_at_a_cut_comes_again",
        "what_is_unsettled_at_a_clean_end_comes_again",
        "requeue_returns_it",
    ),
    MarksEverything: ("a_first_delivery_is_not_marked",),
    CountsWhatIsRequeued: ("requeue_does_not_count",),
    NeverCounts: ("a_cut_counts",),
    TakesForNobody: (
        "send_to_nobody_is_nobody_there",
        "reply_to_nobody_is_nobody_there",
        "a_clean_end_closes_the_route",
    ),
    ConfirmsTooEarly: ("send_is_confirmed",),
    DropsWhenFull: ("a_full_route_makes_senders_wait_or_refuses",),
    CutsLongBodies: ("a_mebibyte_arrives_unchanged",),
    SendsWhatItDeclines: ("the_nowait_twins_agree",),
    TakesBeyondItsCredit: ("what_is_sent_and_taken_is_a_delivery",),
    ForgetsTheDelay: ("a_delay_is_kept",),
    ForgetsThePriority: ("priority_goes_before",),
    ForgetsTheKey: ("a_key_goes_to_one_listener_in_order", "a_key_goes_one_at_a_time"),
    KeepsAllForLatest: ("latest_gives_the_newest_to_each",),
    ForgetsTheNode: ("a_frame_for_one_node_reaches_that_one",),
    LeavesATask: ("nothing_is_left", "cancel_during_connect_leaves_nothing_open"),
    LeavesADescriptor: ("nothing_is_left",),
    HangsWhenLeft: ("closing_a_busy_connection_is_bounded",),
    IsNotReadyOnEntry: ("ready_on_entry",),
    FailsAsALibraryDoes: ("connect_failure_is_unavailable",),
    ConnectsAFewTimes: ("a_conductor_connects_again",),
    SwallowsFaults: ("faults_of_the_block_pass_through",),
    WorksAfterItWasLeft: ("use_after_leaving_is_refused",),
    DropsWhatIsUnsettledWhenLeft: (
        "what_is_unsettled_at_a_clean_end_comes_again",
        "cancel_during_close_is_bounded",
    ),
    PadsEmptyBodies: ("empty_bodies_arrive_unchanged",),
    TakesBodiesForText: ("every_byte_value_arrives_unchanged",),
    ForgetsWhoWaits: ("the_fields_of_a_frame_arrive",),
    StaysOnTheRoute: ("leaving_a_route_hands_it_on",),
    NeverSettles: ("ack_removes",),
    NumbersLanesTogether: ("settled_lanes_are_apart",),
    SendsOneAtATime: ("many_may_send_at_once",),
    DropsDeadLetters: ("dead_letters_wait_for_somebody",),
    WantsListenersForEvents: ("control_and_events_need_nobody",),
    ClosesItsRoutesAtACut: ("a_cut_keeps_the_route",),
    SendsPartOfWhatIsTooLarge: ("a_body_that_is_too_large_is_refused",),
    BreaksWhenASendIsCancelled: ("a_cancelled_send_harms_nothing_else",),
    NeverFreesAName: ("a_name_is_free_after_a_clean_end", "replies_wait_for_a_node_that_was_cut"),
    TellsOneForAll: ("all_reaches_every_listener", "control_to_all_nodes_reaches_all"),
    TellsAllForOne: ("control_to_one_node_reaches_that_one",),
    WantsCreditForEvents: ("unsettled_lanes_need_no_credit",),
    MixesLanes: ("lanes_do_not_mix",),
    WaitsForRoomAfterDeath: ("a_cut_is_heard_by_senders",),
    DiesWithTheOthers: ("a_cut_harms_no_other_connection",),
    ComplainsWhenLeftAfterACut: ("leaving_after_a_cut_is_quiet",),
}
"""Every bug, and the checks that must find it."""
