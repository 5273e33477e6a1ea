"""The in-memory conductor against a model of its promises, under any course of calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from atomizer.conductor import Delivery, Frame, Lane, Route, Settlement
from atomizer.memory import MemoryConductor, MemoryConnection

CAPACITY = 4
ROUTES = (Route(Lane.WORK, "one"), Route(Lane.WORK, "two"))

routes = st.sampled_from(ROUTES)
numbers = st.integers(0, 99)


@dataclass
class Node:
    """A connection, what it may take, what it has, and the receives that wait on it."""

    stack: AsyncExitStack
    connection: MemoryConnection
    credit: dict[Route, int] = field(default_factory=dict)
    held: list[Delivery] = field(default_factory=list)
    receiving: list[asyncio.Task[Delivery]] = field(default_factory=list)

    def has_credit(self, route: Route) -> bool:
        """Say whether it may take one more."""
        return sum(delivery.route == route for delivery in self.held) < self.credit.get(route, 0)


@dataclass
class Sent:
    """A frame that was taken: where it went, and how often it came back."""

    route: Route
    key: str
    cuts: int = 0
    returns: int = 0
    is_held: bool = False


class Hub(RuleBasedStateMachine):
    """Calls in any order, and what must be true after each."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.conductor = MemoryConductor(capacity=CAPACITY)
        self.nodes: list[Node] = []
        self.sent: dict[str, Sent] = {}
        self.open: set[Route] = set()
        self.sends = 0

    def teardown(self) -> None:
        """See that a last listener gets all that was taken and not settled."""
        try:
            while self.nodes:
                self.leave(0)
            self.connect()
            for route in ROUTES:
                self.listen(0, route, 99)
            while (delivery := self.nodes[0].connection.receive_nowait(Lane.WORK)) is not None:
                self.take(self.nodes[0], delivery)
                self.settle(0, 0, Settlement.ACK)
            assert not self.sent
        finally:
            self.run(self.close())
            self.loop.close()

    async def close(self) -> None:
        """Leave every connection that is left."""
        for node in self.nodes:
            await node.stack.aclose()
            await asyncio.wait([*node.receiving, asyncio.ensure_future(asyncio.sleep(0))])

    def run(self, coroutine: Any) -> Any:
        """Run a call to its end, and let everything that follows from it happen."""
        result = self.loop.run_until_complete(coroutine)
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))
        for node in self.nodes:
            for task in [task for task in node.receiving if task.done()]:
                node.receiving.remove(task)
                if not task.cancelled() and task.exception() is None:
                    self.take(node, task.result())
        return result

    def take(self, node: Node, delivery: Delivery) -> None:
        """Check a delivery, and note who has it."""
        sent = self.sent[delivery.id]
        assert not sent.is_held, "a copy"
        assert node.has_credit(delivery.route), "over the credit"
        assert (delivery.route, delivery.count, delivery.redelivered) == (sent.route, sent.cuts, sent.returns > 0)
        if sent.key:
            line = [id for id, each in self.sent.items() if (each.route, each.key) == (sent.route, sent.key)]
            assert line[0] == delivery.id, "a key out of order"
        sent.is_held = True
        node.held.append(delivery)

    def give_back(self, node: Node, *, died: bool) -> None:
        """Note that what a node held comes again."""
        for delivery in node.held:
            sent = self.sent[delivery.id]
            sent.is_held = False
            sent.cuts += died
            sent.returns += 1

    @rule()
    @precondition(lambda self: len(self.nodes) < 3)
    def connect(self) -> None:
        """Open a connection."""
        stack = AsyncExitStack()
        connection = self.run(stack.enter_async_context(self.conductor.connect()))
        self.nodes.append(Node(stack, connection))

    @rule(which=numbers)
    @precondition(lambda self: self.nodes)
    def leave(self, which: int) -> None:
        """Leave a connection cleanly."""
        node = self.nodes.pop(which % len(self.nodes))
        self.give_back(node, died=False)
        self.forget_routes(node)
        self.run(node.stack.aclose())
        self.run(ended(node))

    @rule(which=numbers)
    @precondition(lambda self: self.nodes)
    def cut(self, which: int) -> None:
        """Cut a connection."""
        node = self.nodes.pop(which % len(self.nodes))
        self.give_back(node, died=True)
        self.conductor.cut(node.connection)
        self.run(node.stack.aclose())
        self.run(ended(node))

    def forget_routes(self, node: Node) -> None:
        """Close the routes that only this node listened on."""
        others = {route for other in self.nodes if other is not node for route in other.credit}
        self.open -= set(node.credit) - others

    @rule(which=numbers, route=routes, credit=st.integers(0, 3))
    @precondition(lambda self: self.nodes)
    def listen(self, which: int, route: Route, credit: int) -> None:
        """Listen, or change the credit."""
        node = self.nodes[which % len(self.nodes)]
        node.credit[route] = credit
        self.open.add(route)
        self.run(node.connection.listen(route, credit))

    @rule(which=numbers, route=routes)
    @precondition(lambda self: self.nodes)
    def unlisten(self, which: int, route: Route) -> None:
        """Leave a route."""
        node = self.nodes[which % len(self.nodes)]
        credit = node.credit.pop(route, None)
        if credit is not None and all(route not in other.credit for other in self.nodes):
            self.open.discard(route)
        self.run(node.connection.unlisten(route))

    @rule(which=numbers, route=routes, key=st.sampled_from(("", "", "a", "b")), priority=st.integers(-1, 1))
    @precondition(lambda self: self.nodes)
    def send(self, which: int, route: Route, key: str, priority: int) -> None:
        """Send a frame, which is taken if its route is there and has room."""
        node = self.nodes[which % len(self.nodes)]
        has_room = node.connection.depth(route) < CAPACITY
        self.sends += 1
        sent = Sent(route, key)
        self.sent[f"e-{self.sends}"] = sent
        taken = node.connection.send_nowait(
            Frame(route, b"", "application/json", f"e-{self.sends}", key=key, priority=priority)
        )
        assert taken == (route in self.open and has_room)
        if not taken:
            del self.sent[f"e-{self.sends}"]
        self.run(asyncio.sleep(0))

    @rule(which=numbers)
    @precondition(lambda self: self.nodes)
    def receive_nowait(self, which: int) -> None:
        """Receive without waiting."""
        node = self.nodes[which % len(self.nodes)]
        delivery = node.connection.receive_nowait(Lane.WORK)
        if delivery is not None:
            self.take(node, delivery)

    @rule(which=numbers)
    @precondition(lambda self: self.nodes)
    def receive(self, which: int) -> None:
        """Begin a receive."""
        node = self.nodes[which % len(self.nodes)]
        node.receiving.append(self.loop.create_task(node.connection.receive(Lane.WORK)))
        self.run(asyncio.sleep(0))

    @rule(which=numbers, route=routes, key=st.sampled_from(("", "a")))
    @precondition(lambda self: any(node.receiving for node in self.nodes))
    def send_and_cancel(self, which: int, route: Route, key: str) -> None:
        """Send, and cancel a receive that may have been given the frame, before it knows."""
        receiving = [task for node in self.nodes for task in node.receiving]
        has_room = self.nodes[0].connection.depth(route) < CAPACITY
        self.sends += 1
        id = f"e-{self.sends}"
        self.sent[id] = Sent(route, key)
        taken = self.nodes[0].connection.send_nowait(Frame(route, b"", "application/json", id, key=key))
        assert taken == (route in self.open and has_room)
        if not taken:
            del self.sent[id]
        receiving[which % len(receiving)].cancel()
        self.run(asyncio.sleep(0))

    @rule(which=numbers, one=numbers, settlement=st.sampled_from(Settlement))
    @precondition(lambda self: any(node.held for node in self.nodes))
    def settle(self, which: int, one: int, settlement: Settlement) -> None:
        """Settle something that is held."""
        holders = [node for node in self.nodes if node.held]
        node = holders[which % len(holders)]
        delivery = node.held.pop(one % len(node.held))
        if settlement is Settlement.REQUEUE:
            sent = self.sent[delivery.id]
            sent.is_held = False
            sent.returns += 1
        else:
            del self.sent[delivery.id]
        self.run(node.connection.settle(delivery, settlement))

    @invariant()
    def depth_is_what_waits(self) -> None:
        """Everything that was taken waits, is held, or was settled."""
        waiting = Counter(sent.route for sent in self.sent.values() if not sent.is_held)
        for node in self.nodes[:1]:
            assert {route: node.connection.depth(route) for route in ROUTES} == {r: waiting[r] for r in ROUTES}

    @invariant()
    def nobody_waits_for_what_is_there(self) -> None:
        """No receive waits while a frame without a key could come to it."""
        free = {sent.route for sent in self.sent.values() if not sent.is_held and not sent.key}
        for node in self.nodes:
            assert not (node.receiving and any(node.has_credit(route) for route in free & set(node.credit)))


async def ended(node: Node) -> None:
    """See the receives end that waited on a connection that is over."""
    if node.receiving:
        await asyncio.wait(node.receiving)
        assert all(task.exception() is not None for task in node.receiving if not task.cancelled())


def test_memory_conductor_keeps_its_promises_under_any_course() -> None:
    """Nothing is lost, nothing comes twice, credit and keys are kept, and nobody waits for what is there."""
    run_state_machine_as_test(Hub, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
