"""
Faults on purpose: a conductor that fails at chosen steps, in the ways that the contract of conductors leaves open.

A runtime that is correct loses nothing over it, whatever the plan says. So a test runs a program over many seeds and
looks at what came of it:

.. code-block:: python

    plan = Plan.from_seed(seed, rate=0.1)
    async with Atomizer(add, conductor=FaultyConductor(MemoryConductor(), plan)) as runtime:
        assert await runtime.run(add, 1, 2) == 3

`plan.injected` says what was done to it, and `Plan.at(*plan.injected)` does it again.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import anyio

from ..conductor import Conductor, Connection, Frame, Lane, Settlement
from ..errors import ConductorBroken, ConductorError, ConductorUnavailable, NotTaken
from .plan import APPLICABLE, FaultKind, Injected, Plan, Step
from .record import NoticingDeath, cut_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ..codec import Codec
    from ..conductor import Capability, Delivery, Durability, Route

__all__ = ("APPLICABLE", "FaultKind", "FaultyConductor", "Injected", "Plan", "Step")


class FaultyConductor(Conductor):
    """
    A conductor that works as another does, but for the faults of a plan.

    The synchronous twins (`send_nowait`, …) decline where a fault is due, so that the call that may wait meets it.

    Args:
        inner: The conductor that does the work.
        plan: What goes wrong. Several conductors may share one.
        cut: How to let a connection of `inner` die; if not given, by its method `cut`, as `MemoryConductor` has one.
        sink: Whether `reply_sink` is passed on. What a sink was handed is settled, so nothing can go wrong with it:
            replies then meet the plan only when they are sent. Without it they are received, and meet it there as well.

    Raises:
        TypeError: There is no way to cut a connection of `inner`.

    Attributes:
        inner: The conductor that does the work.
        plan: What goes wrong.
    """

    def __init__(
        self,
        inner: Conductor,
        plan: Plan,
        *,
        cut: Callable[[Connection], None] | None = None,
        sink: bool = False,
    ) -> None:
        self.inner = inner
        self.plan = plan
        self.name: str = inner.name
        self.codec: Codec = inner.codec
        self.capabilities: frozenset[Capability] = inner.capabilities
        self.durability: Durability = inner.durability
        self.max_body_bytes: int = inner.max_body_bytes
        self._cut_one: Callable[[Connection], None] = cut_of(inner) if cut is None else cut
        self._cut_all = cut_of(inner) if cut is None else None
        self._sink = sink
        self._live: dict[FaultyConnection, None] = {}  # in order: a set would make no two runs alike

    def __repr__(self) -> str:
        return f"<FaultyConductor of {self.inner!r}: {self.plan!r}>"

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """
        Open a connection of the inner conductor that meets the plan.

        Raises:
            ConductorUnavailable: As the inner conductor, or as planned.
        """
        kind = self.plan.take(Step.CONNECT)
        await self._before_connecting(kind)
        async with self.inner.connect() as inner:
            connection = FaultyConnection(inner, self.plan, self._cut_one, sink=self._sink)
            self._live[connection] = None
            if kind is FaultKind.BREAK_AFTER:
                connection.die(Step.CONNECT, kind)
            try:
                yield connection
            finally:
                del self._live[connection]
                await connection.close()

    def cut(self, connection: Connection | None = None) -> None:
        """Let a connection of this conductor die, or all of them at once."""
        dying = [live for live in self._live if connection is None or live is connection]
        if connection is None and self._cut_all is not None:
            self._cut_all(None)
        for live in dying:
            live.cut()

    async def _before_connecting(self, kind: FaultKind | None) -> None:
        if kind is FaultKind.DELAY:
            await anyio.sleep(self.plan.delay)
        elif kind is FaultKind.HANG:
            await anyio.sleep_forever()
        elif kind is FaultKind.BREAK_BEFORE:
            raise ConductorUnavailable(f"{self.name!r} cannot be reached: {_on_purpose(Step.CONNECT, kind)}")


class FaultyConnection(Connection):
    """A connection that meets a plan. Each method does what the inner connection's does, if nothing is planned."""

    def __init__(self, inner: Connection, plan: Plan, cut: Callable[[Connection], None], *, sink: bool) -> None:
        self.inner = inner
        self._plan = plan
        self._cut = cut
        self._sink = sink
        self._died = asyncio.Event()
        self._doom: asyncio.TimerHandle | None = None
        self._is_left = False
        self._overtaken: dict[Lane, asyncio.Event] = {}  # what waits to be overtaken
        self._noticing_death = NoticingDeath(self._note_death)
        self._lost: dict[int, Delivery] = {}  # settled in vain, by identity

    def __repr__(self) -> str:
        state = "dead" if self._died.is_set() else "live" if self._doom is None else "doomed"
        return f"<FaultyConnection {state}, of {self.inner!r}>"

    async def listen(self, route: Route, credit: int) -> None:
        """Listen, as planned."""
        await self._perform(Step.LISTEN, self._take(Step.LISTEN), lambda: self.inner.listen(route, credit))

    async def unlisten(self, route: Route) -> None:
        """Leave a route, as planned."""
        await self._perform(Step.LISTEN, self._take(Step.LISTEN), lambda: self.inner.unlisten(route))

    async def receive(self, lane: Lane) -> Delivery:
        """Receive, as planned."""
        while True:
            self._refuse_if_dead()
            with self._noticing_death:
                delivery = await self.inner.receive(lane)
            kind = self._plan.take(Step.RECEIVE, delivery.id) if lane.settled else None
            if kind is FaultKind.DROP:
                self._die_in(self._plan.delay, Step.RECEIVE, kind)
                continue
            return await self._hand_over(delivery, kind)

    def receive_nowait(self, lane: Lane) -> Delivery | None:
        """Receive if that needs no waiting, and nothing is planned."""
        self._refuse_if_dead()
        if lane.settled and self._plan.upcoming(Step.RECEIVE) is not None:
            return None
        with self._noticing_death:
            delivery = self.inner.receive_nowait(lane)
        if delivery is not None and lane.settled:
            self._plan.take(Step.RECEIVE, delivery.id)
        return delivery

    async def send(self, frame: Frame) -> None:
        """Send, as planned."""
        lane = frame.to.lane
        step = _SENDING[lane]
        kind = self._take(step, frame.id)
        if kind is FaultKind.DROP:
            if lane.settled:
                raise self.die(step, kind)
            return
        if kind is FaultKind.REORDER:
            await self._pause(self._overtaken.setdefault(lane, asyncio.Event()))
        await self._perform(step, kind, lambda: self.inner.send(frame))
        self._overtake(lane)
        if kind is FaultKind.DUPLICATE:
            with suppress(NotTaken), self._noticing_death:  # the first was taken, and that is what the sender is told
                await self.inner.send(frame)

    def send_nowait(self, frame: Frame) -> bool:
        """Send if that needs no waiting, and nothing is planned."""
        step = _SENDING[frame.to.lane]
        if self._died.is_set() or self._plan.upcoming(step) is not None:
            return False
        is_sent = self.inner.send_nowait(frame)
        if is_sent:
            self._plan.take(step, frame.id)
            self._overtake(frame.to.lane)
        return is_sent

    def send_and_take(self, frame: Frame) -> Delivery | None:
        """Send and receive at once what the inner connection takes so, if nothing is planned for either step."""
        plan, lane = self._plan, frame.to.lane
        if self._died.is_set() or plan.upcoming(_SENDING[lane]) is not None or plan.upcoming(Step.RECEIVE) is not None:
            return None
        delivery = self.inner.send_and_take(frame)
        if delivery is not None:
            plan.take(_SENDING[lane], frame.id)
            plan.take(Step.RECEIVE, delivery.id)
            self._overtake(lane)
        return delivery

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Settle, as planned."""
        self._refuse_if_lost(delivery)
        kind = self._take(Step.SETTLE, delivery.id) if delivery.route.lane.settled else None
        if kind is FaultKind.DROP:
            self._lose(delivery, kind)
            return
        try:
            await self._perform(Step.SETTLE, kind, lambda: self.inner.settle(delivery, settlement))
        except asyncio.CancelledError:
            if kind is FaultKind.DELAY:  # it was not sent yet, and may not be asked for again
                self._lose(delivery, kind)
            raise

    def settle_nowait(self, delivery: Delivery, settlement: Settlement) -> bool:
        """Settle if that needs no waiting, and nothing is planned."""
        self._refuse_if_dead()
        self._refuse_if_lost(delivery)
        if self._plan.upcoming(Step.SETTLE) is not None:
            return False
        with self._noticing_death:
            is_settled = self.inner.settle_nowait(delivery, settlement)
        if is_settled:
            self._plan.take(Step.SETTLE, delivery.id)
        return is_settled

    def reply_sink(self, route: Route, take: Callable[[Delivery], None]) -> bool:
        """Pass the sink on, if that was asked for."""
        if not self._sink:
            return False
        self._refuse_if_dead()
        with self._noticing_death:
            return self.inner.reply_sink(route, take)

    def depth(self, route: Route) -> int | None:
        """Return how many frames wait on a route."""
        return self.inner.depth(route)

    def offered(self, route: Route) -> int | None:
        """Return how many frames could come of a route now."""
        return self.inner.offered(route)

    async def close(self) -> None:
        """Be left, as planned. What was to die a little later dies now."""
        kind = None if self._died.is_set() else self._plan.take(Step.CLOSE)
        try:
            if kind is FaultKind.DELAY:
                with suppress(ConductorBroken):
                    await self._pause(self._died)
        finally:
            if self._doom is not None or kind is FaultKind.BREAK_BEFORE:
                self.cut()
            self._is_left = True

    def die(self, step: Step, kind: FaultKind) -> ConductorBroken:
        """Let the connection die, and return what to raise."""
        self.cut()
        return ConductorBroken(f"the connection died: {_on_purpose(step, kind)}")

    def cut(self) -> None:
        """Let the connection die."""
        self._note_death()
        self._cut(self.inner)

    async def _perform(self, step: Step, kind: FaultKind | None, effect: Callable[[], Awaitable[None]]) -> None:
        """Do something, with what may happen at nearly every step."""
        if kind is FaultKind.DELAY:
            await self._pause(self._died)
        elif kind is FaultKind.BREAK_BEFORE:
            raise self.die(step, kind)
        with self._noticing_death:
            await effect()
        if kind is FaultKind.BREAK_AFTER:
            raise self.die(step, kind)
        if kind is FaultKind.HANG:
            await self._hang(step)

    async def _hand_over(self, delivery: Delivery, kind: FaultKind | None) -> Delivery:
        """Return a delivery as planned; whatever ends this otherwise, the delivery is not lost."""
        if kind is FaultKind.BREAK_BEFORE:
            raise self.die(Step.RECEIVE, kind)
        if kind is FaultKind.BREAK_AFTER:
            self.die(Step.RECEIVE, kind)
        elif kind is FaultKind.HANG:
            await self._hang(Step.RECEIVE)
        elif kind is not None:
            try:
                return await self._hold_up(delivery, kind)
            except BaseException:
                self._give_back(delivery)
                raise
        return delivery

    async def _hold_up(self, delivery: Delivery, kind: FaultKind) -> Delivery:
        """Return a delivery that has company, comes late, or comes after the next."""
        if kind is FaultKind.DUPLICATE:
            await self._send_once_more(delivery)
        elif kind is FaultKind.DELAY:
            await self._pause(self._died)
        elif (following := await self._receive_within_delay(delivery.route.lane)) is not None:
            self._give_back(delivery)
            return following
        return delivery

    async def _send_once_more(self, delivery: Delivery) -> None:
        """Send what was received to where it came from. Where there is no room, once must do."""
        again = (delivery.id, delivery.reply_to, delivery.key, delivery.priority)
        frame = Frame(delivery.route, delivery.body, delivery.content_type, *again)
        with suppress(NotTaken), anyio.move_on_after(self._plan.delay), self._noticing_death:
            await self.inner.send(frame)

    async def _receive_within_delay(self, lane: Lane) -> Delivery | None:
        with anyio.move_on_after(self._plan.delay), self._noticing_death:
            return await self.inner.receive(lane)
        return None

    def _give_back(self, delivery: Delivery) -> None:
        """Let the transport have a delivery back that nobody has seen."""
        if self._died.is_set():
            return
        with suppress(ConductorError), self._noticing_death:  # if it is over, the delivery comes again anyway
            if not self.inner.settle_nowait(delivery, Settlement.REQUEUE):
                self._die_in(self._plan.delay, Step.RECEIVE, FaultKind.DROP)

    def _lose(self, delivery: Delivery, kind: FaultKind) -> None:
        """Forget a settlement on its way: the connection dies of it, and the delivery comes again."""
        self._lost[id(delivery)] = delivery
        self._die_in(self._plan.delay, Step.SETTLE, kind)

    async def _pause(self, until: asyncio.Event) -> None:
        """
        Let time pass: `Plan.delay`, or until something happens.

        Raises:
            ConductorBroken: The connection died meanwhile.
        """
        with anyio.move_on_after(self._plan.delay):
            await until.wait()
        self._refuse_if_dead()

    async def _hang(self, step: Step) -> NoReturn:
        """Wait for the death of a connection that has fallen silent. Whoever leaves it sooner leaves a dead one too."""
        self._die_in(self._plan.silence, step, FaultKind.HANG)
        await self._died.wait()
        raise ConductorBroken(f"the connection died: {_on_purpose(step, FaultKind.HANG)}")

    def _overtake(self, lane: Lane) -> None:
        """Let the frames go that waited for one to overtake them."""
        overtaken = self._overtaken.pop(lane, None)
        if overtaken is not None:
            overtaken.set()

    def _take(self, step: Step, electron_id: str = "") -> FaultKind | None:
        self._refuse_if_dead()
        return self._plan.take(step, electron_id)

    def _die_in(self, seconds: float, step: Step, kind: FaultKind) -> None:
        if self._doom is None and not self._is_left:
            self._doom = asyncio.get_running_loop().call_later(seconds, self.die, step, kind)

    def _refuse_if_dead(self) -> None:
        if self._died.is_set():
            raise ConductorBroken("this connection died: open another with connect()")

    def _refuse_if_lost(self, delivery: Delivery) -> None:
        if id(delivery) in self._lost:
            raise ValueError(f"delivery {delivery.id!r} of {str(delivery.route)!r} was settled before")

    def _note_death(self) -> None:
        self._died.set()
        for lane in tuple(self._overtaken):
            self._overtake(lane)
        if self._doom is not None:
            self._doom.cancel()
            self._doom = None


_SENDING = {
    Lane.WORK: Step.SEND_WORK,
    Lane.REPLY: Step.SEND_REPLY,
    Lane.DEAD: Step.SEND_REPLY,
    Lane.CONTROL: Step.SEND_CONTROL,
    Lane.EVENT: Step.SEND_CONTROL,
}


def _on_purpose(step: Step, kind: FaultKind) -> str:
    return f"{kind} at {step}, on purpose"
