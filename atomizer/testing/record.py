"""
A conductor that keeps a ledger: every frame sent, every delivery received, every settlement, in order.

Wrapped around the conductor that a runtime uses, it shows afterwards whether the runtime kept the discipline by which
nothing is lost. `Ledger.violations()` is the verdict of a test:

.. code-block:: python

    conductor = RecordingConductor(MemoryConductor())
    async with Atomizer(add, conductor=conductor) as runtime:
        await runtime.run(add, 1, 2)
    assert conductor.ledger.violations() == []

Together with a `FaultyConductor`, put the recording one **outside**: `RecordingConductor(FaultyConductor(…))` sees what
the runtime sees, so whatever it reports is the runtime's doing. Inside, it sees what reached the transport, and the
discipline must hold there as well. Several conductors may share one ledger.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from ..conductor import Conductor, Connection
from ..errors import ConductorBroken
from .ledger import Ledger, Outcome, Received, Sent, Settled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from ..codec import Codec
    from ..conductor import Capability, Delivery, Durability, Frame, Lane, Route, Settlement
    from .ledger import Page

__all__ = ("Ledger", "Outcome", "Received", "RecordingConductor", "Sent", "Settled")


class RecordingConductor(Conductor):
    """
    A conductor that works as another does, and writes down what goes over it.

    Args:
        inner: The conductor that does the work.
        ledger: Where to write; a new ledger if not given.

    Attributes:
        inner: The conductor that does the work.
        ledger: What was written.
    """

    def __init__(self, inner: Conductor, ledger: Ledger | None = None) -> None:
        self.inner = inner
        self.ledger: Ledger = Ledger() if ledger is None else ledger
        self.name: str = inner.name
        self.codec: Codec = inner.codec
        self.capabilities: frozenset[Capability] = inner.capabilities
        self.durability: Durability = inner.durability
        self.max_body_bytes: int = inner.max_body_bytes
        self._live: dict[RecordingConnection, None] = {}  # in order: a set would make no two runs alike

    def __repr__(self) -> str:
        return f"<RecordingConductor of {self.inner!r}: {self.ledger!r}>"

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Open a connection of the inner conductor, and a page of the ledger for it."""
        async with self.inner.connect() as inner:
            connection = RecordingConnection(inner, self.ledger.open_page())
            self._live[connection] = None
            try:
                yield connection
            finally:
                del self._live[connection]
                connection.page.close()

    def cut(self, connection: Connection | None = None) -> None:
        """
        Cut a connection of this conductor, or all of them, as the inner conductor's `cut` does.

        Raises:
            TypeError: The inner conductor has no `cut`.
        """
        cut = cut_of(self.inner)
        cut(connection.inner if isinstance(connection, RecordingConnection) else connection)
        for live in self._live:
            if connection is None or live is connection:
                live.page.is_broken = True


def cut_of(conductor: Conductor) -> Callable[[Connection | None], None]:
    """
    Return the `cut` of a conductor: what lets one of its connections die, or all of them.

    Raises:
        TypeError: It has none.
    """
    cut: Callable[[Connection | None], None] | None = getattr(conductor, "cut", None)
    if cut is None:
        raise TypeError(f"conductor {conductor.name!r} cannot be cut: give FaultyConductor a cut= of your own")
    return cut


class RecordingConnection(Connection):
    """A connection that writes down what goes over it. Each method does what the inner connection's does."""

    def __init__(self, inner: Connection, page: Page) -> None:
        self.inner = inner
        self.page = page
        self._noticing_death = NoticingDeath(page.note_death)

    def __repr__(self) -> str:
        return f"<RecordingConnection {self.page.number} of {self.inner!r}>"

    async def listen(self, route: Route, credit: int) -> None:
        """Listen, and write down the credit."""
        self.page.listening(route, credit)
        with self._noticing_death:
            await self.inner.listen(route, credit)
        self.page.listened(route, credit)

    async def unlisten(self, route: Route) -> None:
        """Leave a route, which ends its credit."""
        self.page.listening(route, 0)
        with self._noticing_death:
            await self.inner.unlisten(route)
        self.page.listened(route, 0)

    async def receive(self, lane: Lane) -> Delivery:
        """Receive, and write down what came."""
        with self._noticing_death:
            delivery = await self.inner.receive(lane)
        self.page.receive(delivery)
        return delivery

    def receive_nowait(self, lane: Lane) -> Delivery | None:
        """Receive if that needs no waiting, and write down what came."""
        with self._noticing_death:
            delivery = self.inner.receive_nowait(lane)
        if delivery is not None:
            self.page.receive(delivery)
        return delivery

    async def send(self, frame: Frame) -> None:
        """Send, and write down how it ended."""
        with self._writing(self.page.send(frame)):
            await self.inner.send(frame)

    def send_nowait(self, frame: Frame) -> bool:
        """Send if that needs no waiting, and write it down."""
        with self._noticing_death:
            is_sent = self.inner.send_nowait(frame)
        if is_sent:
            self.page.end(self.page.send(frame))
        return is_sent

    def send_and_take(self, frame: Frame) -> Delivery | None:
        """Send and receive at once, if the inner connection does, and write both down."""
        delivery = self.inner.send_and_take(frame)
        if delivery is not None:
            self.page.end(self.page.send(frame))
            self.page.receive(delivery)
        return delivery

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Settle, and write down how it ended."""
        with self._writing(self.page.settle(delivery, settlement)):
            await self.inner.settle(delivery, settlement)

    def settle_nowait(self, delivery: Delivery, settlement: Settlement) -> bool:
        """Settle if that needs no waiting, and write it down. What is refused is written down too."""
        try:
            with self._noticing_death:
                is_settled = self.inner.settle_nowait(delivery, settlement)
        except ValueError as error:
            self.page.end(self.page.settle(delivery, settlement), error)
            raise
        if is_settled:
            self.page.end(self.page.settle(delivery, settlement))
        return is_settled

    def reply_sink(self, route: Route, take: Callable[[Delivery], None]) -> bool:
        """Have replies handed over, and write them down."""

        def take_and_write(delivery: Delivery) -> None:
            self.page.sink(delivery)
            take(delivery)

        with self._noticing_death:
            return self.inner.reply_sink(route, take_and_write)

    def depth(self, route: Route) -> int | None:
        """Return how many frames wait on a route."""
        return self.inner.depth(route)

    def offered(self, route: Route) -> int | None:
        """Return how many frames could come of a route now."""
        return self.inner.offered(route)

    @contextmanager
    def _writing(self, row: Sent | Settled) -> Generator[None]:
        try:
            yield
        except BaseException as error:
            self.page.end(row, error)
            raise
        self.page.end(row)


class NoticingDeath:
    """A block in which it is noticed that a connection is dead. One serves all calls of a connection."""

    __slots__ = ("_note",)

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, ConductorBroken):
            self._note()
