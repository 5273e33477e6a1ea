"""Supervision: one conductor kept connected, and everything that is sent over it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from math import inf
from typing import TYPE_CHECKING

from ..cancellation import cleanup
from ..conductor import Durability, Lane, Route, Settlement, Spread
from ..errors import (
    ConductorBroken,
    ConductorError,
    ConductorUnavailable,
    Overloaded,
)
from ..events import ConductorConnected, ConductorLost, SettlementLost
from .back_off import pause_before
from .link_state import LinkState
from .seam import seam

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..codec import Codec
    from ..conductor import Conductor, Connection, Delivery, Frame
    from ..settings import Settings
    from .broadcast import Broadcast
    from .tasks import Tasks

__all__ = ("Link",)

_WORK = Lane.WORK
_REPLY_CREDIT = 1_000  # replies are settled in the turn they come, so this only bounds what one turn brings


class Link:
    """
    One conductor, over all its connections.

    A connection that breaks is left to die, and the next is opened here with jittered back-off, which begins anew only
    after a connection that lasted. Whoever sends over a link need not know: it tries again on the next connection until
    its time is up.

    Attributes:
        codec: How bodies are written on it.
        most_bytes: The largest body it takes.
        connection: The live connection, or None.
        settlements_may_be_lost: Whether a delivery may come again that was settled without an error.
        at_once: Sends an electron and flies it in the same call, if it can be over then. None where none are taken.
        state: Where the conductor is.
        error: What ended the last connection, or failed the last attempt to open one.
        withheld: How many of the node's slots may not be used for it yet.
        on_connecting: Called before a connection is listened on for electrons; it may say anew with how much credit.
        on_settled: Called with a delivery that came before, once it was told what became of it.
    """

    def __init__(
        self,
        conductor: Conductor,
        node: str,
        *,
        settings: Settings,
        broadcast: Broadcast,
        tasks: Tasks,
        on_reply: Callable[[Delivery], None],
        on_control: Callable[[Delivery], None],
        on_failed: Callable[[Link], None],
    ) -> None:
        self.conductor = conductor
        self.name: str = conductor.name
        self.codec: Codec = conductor.codec
        self.most_bytes: int = conductor.max_body_bytes
        self.settlements_may_be_lost: bool = conductor.durability is not Durability.PROCESS
        self.connection: Connection | None = None
        self.at_once: Callable[[Frame, str], bool] | None = None
        self.state: LinkState = LinkState.CONNECTING
        self.error: ConductorError | None = None
        self.withheld: int = 0
        self.on_connecting: Callable[[], None] = lambda: None
        self.on_settled: Callable[[Delivery], None] = lambda _: None
        self._node = node
        self._settings = settings
        self._clock = settings.clock
        self._broadcast = broadcast
        self._tasks = tasks
        self._on_reply = on_reply
        self._on_control = on_control
        self._on_failed = on_failed
        self._work: dict[Route, int] = {}
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Link {self.name!r} {self.state}, {len(self._work)} routes>"

    @property
    def has_failed(self) -> bool:
        """Whether it refused us for good."""
        return self.state is LinkState.FAILED

    async def keep(self) -> None:
        """
        Keep the conductor connected, until it refuses us for good: then `on_failed` is told.

        Cancellation: ends the connection cleanly.
        """
        attempt = 0
        try:
            while not self.has_failed:
                if await self._live() >= self._settings.backoff_most:  # else it comes only to break again
                    attempt = 0
                await asyncio.sleep(pause_before(attempt, self._settings))
                attempt += 1
            self._on_failed(self)
        finally:
            self.connection = None
            if not self.has_failed:
                self._move(LinkState.CLOSED)

    async def ready(self, until: float) -> Connection:
        """
        Wait for a live connection.

        Args:
            until: The moment to give up, on the clock's `monotonic()`.

        Raises:
            ConductorUnavailable: There was none until then, or there will be none.
        """
        while (connection := self.connection) is None:
            left = until - self._clock.monotonic()
            if self.state in (LinkState.FAILED, LinkState.CLOSED) or left <= 0:
                why = f": {self.error}" if self.error is not None else ""
                raise ConductorUnavailable(
                    f"conductor {self.name!r} is {self.state}{why}", permanent=self.has_failed
                ) from self.error
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return connection

    async def next_connection(self, after: Connection | None = None) -> Connection | None:
        """Wait for a live connection, another than the one that was found dead. None: there will be none any more."""
        while (connection := self.connection) is None or connection is after:
            if self.state in (LinkState.FAILED, LinkState.CLOSED):
                return None
            await self._changed.wait()
        return connection

    async def receive_work(self) -> tuple[Connection, Delivery]:
        """Wait for the next electron, over as many connections as it takes."""
        while True:
            connection = self.connection
            if connection is None:
                await self._changed.wait()
                continue
            try:
                delivery = await connection.receive(_WORK)
            except ConductorError:
                await self._gone(connection)
            else:
                return connection, delivery

    def plan(self, work: dict[Route, int]) -> None:
        """Say which routes to take electrons from, with how much credit, before the first connection."""
        self._work.update(work)

    def replan(self, credits: Mapping[str, int]) -> list[Route]:
        """Say with how much credit, by the routes' names, and tell nobody. Returns those for which it is another."""
        changed = [route for route, credit in self._work.items() if credits.get(route.name, credit) != credit]
        self._work.update({route: credits[route.name] for route in changed})
        return changed

    async def listen(self, route: Route, credit: int) -> None:
        """Take electrons of a route with so much credit, now and on every connection to come."""
        if self._work.get(route) != credit:
            self._work[route] = credit
            await self._ask(route)

    async def grant(self, credits: Mapping[str, int]) -> None:
        """Give the routes that are listened on credit, by their names."""
        for route in self.replan(credits):  # all at once: what is decided while one is told must not be overtaken
            await self._ask(route)

    @property
    def credits(self) -> Mapping[Route, int]:
        """The routes that electrons are taken from, with the credit of each."""
        return self._work

    async def unlisten(self, route: Route) -> None:
        """Leave a route to others."""
        self._work.pop(route, None)
        connection = self.connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(self._settings.confirm_timeout):
                await connection.unlisten(route)
        except (ConductorError, TimeoutError):  # the next connection will not listen there
            return

    def send_nowait(self, frame: Frame) -> bool:
        """Send a frame if that needs no waiting."""
        connection = self.connection
        return connection is not None and connection.send_nowait(frame)

    async def send(self, frame: Frame, until: float, renew: Callable[[], Frame] | None = None) -> None:
        """
        Send a frame until it is confirmed: over broken connections, lost confirms and full routes.

        What is sent again has the same id, so the other side can tell.

        Args:
            frame: What to send.
            until: The moment to give up, on the clock's `monotonic()`.
            renew: Makes the frame anew for another try: the time left in it has become less.

        Raises:
            NobodyThere, TooLarge, CapabilityMissing: It was certainly not taken, and will not be.
            Overloaded: The route stayed full until then. A transport that waits for room instead confirms nothing:
            ConductorBroken, ConductorUnavailable: No confirm came until then; whether it was taken is unknown.
        """
        if self.send_nowait(frame):
            return
        attempt = 0
        while True:
            try:
                connection = self.connection
                if connection is None:
                    connection = await self.ready(until)
                    frame = renew() if renew is not None else frame
                await self._attempt(connection, frame, until)
            except (ConductorBroken, Overloaded):
                pause = pause_before(attempt, self._settings)
                if self._clock.monotonic() + pause > until:
                    raise
            else:
                return
            await asyncio.sleep(pause)
            attempt += 1
            frame = renew() if renew is not None else frame

    def settle_nowait(self, connection: Connection, delivery: Delivery, settlement: Settlement) -> bool:
        """Settle a delivery if that needs no waiting and the connection that brought it is alive."""
        try:
            is_settled = connection.settle_nowait(delivery, settlement)
        except ConductorError:
            return False  # `settle` meets the same, and says so
        if is_settled and delivery.redelivered:
            self.on_settled(delivery)
        return is_settled

    async def settle(self, connection: Connection, delivery: Delivery, settlement: Settlement) -> None:
        """
        Settle a delivery on the connection that brought it.

        If that connection is gone the delivery comes again, and there is nothing to do but to say so.

        Cancellation: is held up until the settlement went out, at most `Settings.settle_grace`.
        """
        try:
            with cleanup(self._settings.settle_grace) as scope:
                await connection.settle(delivery, settlement)
        except ConductorError as error:
            self._unsettled(delivery, error)
        else:
            if scope.cancelled_caught:
                self._unsettled(delivery, TimeoutError("no answer within Settings.settle_grace"))
        if delivery.redelivered:
            self.on_settled(delivery)

    async def _live(self) -> float:
        """Live through one connection, from the attempt to open it to its end. Returns for how long it was ready."""
        stack, ready_at = AsyncExitStack(), inf
        try:
            connection = await self._connect(stack)
            ready_at = self._clock.monotonic()
            with seam(self.name, "it was read"):
                await self._read_control(connection)
        except ConductorError as error:
            self.connection = None
            self._lose(error)
        finally:
            self.connection = None
            lived = self._clock.monotonic() - ready_at
            await self._leave(stack)
        return lived

    async def _leave(self, stack: AsyncExitStack) -> None:
        """Leave a connection, also a dead one, for which its author may wait for something; but not for ever."""
        try:
            with seam(self.name, "it was left"), cleanup(self._settings.settle_grace):
                await stack.aclose()
        except ConductorError as error:
            if not self.has_failed:  # what has failed for good is not lost once more
                self._lose(error)

    async def _connect(self, stack: AsyncExitStack) -> Connection:
        """Open a connection and listen on everything on it, before anybody may use it."""
        seconds = self._settings.connect_timeout
        with seam(self.name, "connecting", ConductorUnavailable):
            try:
                async with asyncio.timeout(seconds):
                    connection = await stack.enter_async_context(self.conductor.connect())
                    await self._listen_on_everything(connection)
            except TimeoutError as error:
                raise ConductorUnavailable(
                    f"conductor {self.name!r} was not ready within {seconds:g} s (Settings.connect_timeout)"
                ) from error
        self.connection = connection
        self._move(LinkState.READY)
        self._broadcast.emit(ConductorConnected, conductor=self.name)
        return connection

    async def _listen_on_everything(self, connection: Connection) -> None:
        replies = Route(Lane.REPLY, self._node)
        if not connection.reply_sink(replies, self._on_reply):
            await connection.listen(replies, _REPLY_CREDIT)
            self._tasks.start(self._read_replies(connection), f"atomizer replies {self.name}")
        await connection.listen(Route(Lane.CONTROL, self._node), _REPLY_CREDIT)
        await connection.listen(Route(Lane.CONTROL, spread=Spread.ALL), _REPLY_CREDIT)
        self.on_connecting()
        await self._listen_for_work(connection)

    async def _listen_for_work(self, connection: Connection) -> None:
        """Listen on the routes of this moment: what is registered or left meanwhile counts too."""
        asked: dict[Route, int] = {}
        while asked != self._work:
            for route in [route for route in asked if route not in self._work]:
                del asked[route]
                await connection.unlisten(route)
            for route, credit in tuple(self._work.items()):
                if asked.get(route) != credit:
                    asked[route] = credit
                    await connection.listen(route, credit)

    async def _read_control(self, connection: Connection) -> None:
        """Read the CONTROL lane: this is also how a broken connection is noticed while nothing else happens."""
        while True:
            self._on_control(await connection.receive(Lane.CONTROL))

    async def _read_replies(self, connection: Connection) -> None:
        while True:
            try:
                delivery = connection.receive_nowait(Lane.REPLY) or await connection.receive(Lane.REPLY)
            except ConductorError:
                return  # the reader of the CONTROL lane hears the same, and opens the next connection
            self._on_reply(delivery)
            if not self.settle_nowait(connection, delivery, Settlement.ACK):
                await self.settle(connection, delivery, Settlement.ACK)

    async def _attempt(self, connection: Connection, frame: Frame, until: float) -> None:
        seconds = min(self._settings.confirm_timeout, max(0.0, until - self._clock.monotonic()))
        try:
            async with asyncio.timeout(seconds):
                await connection.send(frame)
        except TimeoutError as error:
            raise ConductorBroken(f"conductor {self.name!r} confirmed nothing within {seconds:g} s") from error

    async def _ask(self, route: Route) -> None:
        """Tell the live connection the credit of a route, until it is told. The next connection asks by itself."""
        connection, attempt = self.connection, 0
        while connection is not None and connection is self.connection:
            credit = self._work.get(route)
            if credit is None:  # left meanwhile
                return
            try:
                async with asyncio.timeout(self._settings.confirm_timeout):
                    await connection.listen(route, credit)
            except ConductorError:
                return
            except TimeoutError:
                await asyncio.sleep(pause_before(attempt, self._settings))
                attempt += 1
            else:
                return

    async def _gone(self, connection: Connection) -> None:
        """Wait until a dead connection is noticed by its keeper too."""
        while self.connection is connection:
            await self._changed.wait()

    def _lose(self, error: ConductorError) -> None:
        self.error = error
        permanent = isinstance(error, ConductorUnavailable) and error.permanent
        self._move(LinkState.FAILED if permanent else LinkState.LOST)
        self._broadcast.emit(ConductorLost, conductor=self.name, error=str(error))

    def _move(self, state: LinkState) -> None:
        self.state = state
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _unsettled(self, delivery: Delivery, error: Exception) -> None:
        self._broadcast.emit(SettlementLost, conductor=self.name, electron_id=delivery.id, error=str(error))
