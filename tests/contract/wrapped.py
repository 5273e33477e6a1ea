"""Conductors in memory whose connections are wrapped, so that one thing about them can be made wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

from atomizer.conductor import Capability, Conductor, Connection, Delivery, Frame, Lane, Route, Settlement, Spread
from atomizer.errors import CapabilityMissing, ConductorUnavailable
from atomizer.memory import MemoryConductor
from atomizer.testing.conductor_checks import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

EVERYTHING = MemoryConductor.capabilities


class Passing(Connection):
    """A connection that passes every call on to one in memory. A bug overrides one of them."""

    swallows: ClassVar[tuple[type[BaseException], ...]] = ()
    unreachable: ClassVar[Exception] = ConductorUnavailable("there is nobody")

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

    async def cut(self, hub: MemoryConductor) -> None:
        """Die."""
        hub.cut(self.inner)

    @classmethod
    def tidy(cls) -> None:
        """Put away what a bug has left for all its connections."""


class Wrapped(Conductor):
    """A conductor in memory whose connections are of one kind."""

    def __init__(self, kind: type[Passing], capabilities: frozenset[Capability], capacity: int = 1_000) -> None:
        self.name = "wrapped"
        self.capabilities = capabilities
        self.hub = MemoryConductor(capacity=capacity)
        self.codec = self.hub.codec
        self.kind = kind

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection, None]:
        async with self.hub.connect() as inner:
            connection = self.kind(inner)
            try:
                with suppress(*self.kind.swallows):
                    yield connection
            finally:
                await connection.leave()


class Unreachable(Conductor):
    """A conductor that cannot connect, and says so in its own way."""

    def __init__(self, error: Exception) -> None:
        self.name = "unreachable"
        self.error = error

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection, None]:
        async with MemoryConductor().connect() as connection:
            await self._fail()
            yield connection

    async def _fail(self) -> None:
        raise self.error


class WrappedBench(Bench):
    """A bench with one kind of connection on it."""

    quiet = 0.0

    def __init__(self, kind: type[Passing], capabilities: frozenset[Capability] = EVERYTHING) -> None:
        self._conductor = Wrapped(kind, capabilities)
        self._small = Wrapped(kind, capabilities, capacity=5)
        self._unreachable = Unreachable(kind.unreachable)

    def conductor(self) -> Conductor:
        return self._conductor

    def small(self) -> Conductor:
        return self._small

    def unreachable(self) -> Conductor:
        return self._unreachable

    async def cut(self, connection: Connection) -> None:
        assert isinstance(connection, Passing)
        for conductor in (self._conductor, self._small):
            await connection.cut(conductor.hub)


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
