"""What comes back of asking: the handle on one electron, and the results of many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from ._core.flight import CURRENT
from .errors import AtomFailed, AtomizerError
from .properties import Failure, FailureKind, Progress, Properties, failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator

    from ._core.broadcast import EventStream
    from ._core.flight import Flight

__all__ = ("Handle", "Results")

R_co = TypeVar("R_co", covariant=True)


class Desk(Protocol):
    """What a handle asks of the runtime that made it."""

    def cancel(self, handle: Handle[Any]) -> None:
        """Tell every node to stop the handle's electron."""
        ...

    def follow(self, handle: Handle[Any]) -> EventStream:
        """Open the events of the handle's electron."""
        ...


class Handle(Generic[R_co]):
    """
    One electron that was sent: wait for its result, look at its progress, cancel it.

    It may be awaited any number of times, by any number of waiters. Cancelling a waiter cancels nothing.

    Attributes:
        electron_id: The electron.
        atom_id: The atom that was asked.
        progress: The last word of the atom on how far it is; None before the first.
    """

    __slots__ = (
        "__weakref__",
        "_desk",
        "_error",
        "_listeners",
        "_parent",
        "_properties",
        "_raises",
        "_read",
        "_waiters",
        "atom_id",
        "electron_id",
        "link",
        "progress",
        "ring",
    )

    def __init__(
        self,
        electron_id: str,
        atom_id: str,
        desk: Desk,
        *,
        read: Callable[[Properties], Any],
        raises: tuple[type[BaseException], ...] = (),
        parent: Flight | None = None,
    ) -> None:
        self.electron_id = electron_id
        self.atom_id = atom_id
        self.progress: Progress | None = None
        self.link: Any = None
        self.ring: Any = None
        self._desk = desk
        self._read = read
        self._raises = raises
        self._parent = parent
        self._properties: Properties | None = None
        self._error: AtomizerError | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._listeners: list[Callable[[Handle[Any]], None]] = []

    def __repr__(self) -> str:
        return f"<Handle on {self.electron_id!r} to {self.atom_id!r}, {'done' if self.done else 'outstanding'}>"

    @property
    def done(self) -> bool:
        """Whether its outcome is here."""
        return self._properties is not None or self._error is not None

    def __await__(self) -> Generator[Any, None, R_co]:
        return self.result().__await__()

    async def result(self) -> R_co:
        """
        Wait for the result.

        Raises:
            AtomFailed: The atom failed, or was not run; its subclasses say why. An atom declared with
                `raises=(MyError,)` raises `MyError` here, from the `AtomFailed`. A result that is not of the atom's
                declared type is a failure too.
            NotRunning: The runtime stopped before an answer came.
            NoReplyAsked: The electron was sent with `Options(reply=False)`.

        Cancellation: cancels nothing but this waiting.
        """
        properties = await self.properties()
        if properties.failure is not None:
            self._raise(properties, properties.failure)
        try:
            result: R_co = self._read(properties)
        except ValueError as error:
            raise self._misfit(properties, error) from error
        return result

    async def properties(self) -> Properties:
        """
        Wait for the outcome, whatever it is. Never raises for the atom's sake.

        Raises:
            NotRunning: The runtime stopped before an answer came.
            NoReplyAsked: The electron was sent with `Options(reply=False)`.

        Cancellation: cancels nothing but this waiting.
        """
        if self._properties is None and self._error is None:
            await wait_lending(self._wait)
        if self._error is not None:
            raise self._error
        assert self._properties is not None  # noqa: S101  # one of the two is there
        return self._properties

    async def cancel(self) -> None:
        """
        Ask for the electron to be stopped, wherever it is: queued, running, or on its way.

        Returns at once; `properties()` then gives *cancelled* (its `failure.ending` says how), or the real outcome when
        it was too late.
        """
        self.abort()

    def events(self) -> EventStream:
        """Open the stream of this node's events of this electron, from now on. It ends when the outcome is here."""
        return self._desk.follow(self)

    # What the runtime does with it

    def abort(self) -> None:
        """Cancel the electron if it is outstanding. Never waits."""
        if not self.done:
            self._desk.cancel(self)

    def adopt(self) -> None:
        """Become a child of the atom that sent this electron: it is cancelled when that atom ends before it."""
        if self._parent is not None:
            if self._parent.children is None:
                self._parent.children = set()
            self._parent.children.add(self)

    def disown(self) -> None:
        """Be nobody's child and nobody's duty any more."""
        if self.ring is not None:
            self.ring.cancel()
        if self._parent is not None and self._parent.children is not None:
            self._parent.children.discard(self)

    def resolve(self, properties: Properties) -> None:
        """Take the outcome."""
        if not self.done:
            self._properties = properties
            self._finish()

    def fail(self, error: AtomizerError) -> None:
        """Take it that no outcome will come."""
        if not self.done:
            self._error = error
            self._finish()

    def advance(self, progress: Progress) -> None:
        """Take a word on how far it is."""
        self.progress = progress

    def when_done(self, call: Callable[[Handle[Any]], None]) -> None:
        """Have a function called when the outcome is here."""
        if self.done:
            call(self)
        else:
            self._listeners.append(call)

    def _finish(self) -> None:
        self.disown()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for call in self._listeners:
            call(self)
        self._waiters.clear()
        self._listeners.clear()

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _raise(self, properties: Properties, failure: Failure) -> None:
        error = failed(failure, atom_id=self.atom_id, electron_id=properties.electron_id)
        for kind in self._raises:
            if failure.type == f"{kind.__module__}.{kind.__qualname__}":
                raise kind(failure.message) from error
        raise error

    def _misfit(self, properties: Properties, error: ValueError) -> AtomFailed:
        failure = Failure(
            kind=FailureKind.RESULT_REFUSED,
            message=f"the result is not what the atom declares: {error}",
            node=properties.node,
        )
        return failed(failure, atom_id=self.atom_id, electron_id=self.electron_id)


async def wait_lending(wait: Callable[[], Any]) -> Any:
    """Wait for something; if an atom does it, its slot is lent meanwhile."""
    flight = CURRENT.get()
    if flight is None:
        return await wait()
    flight.hold.lend()
    try:
        value = await wait()
    except BaseException:
        flight.hold.retake()
        raise
    await flight.hold.reclaim()
    return value


class Results(Generic[R_co]):
    """
    The results of many electrons, as they come, or in order.

    An async iterator: each step gives one result. At most `limit` electrons are outstanding; items are taken only as
    there is room. The first failure cancels the rest and raises, with the item it was made of as `.item`.

    Also a context manager: leaving it cancels what is outstanding. Without it, leaving a loop early lets the
        outstanding run on.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        send: Callable[[Any], Awaitable[Handle[R_co]]],
        *,
        limit: int,
        ordered: bool,
    ) -> None:
        if limit < 1:
            raise ValueError(f"map(limit=…) is how many electrons are outstanding at most, and cannot be {limit}")
        self._source = _Source(items)
        self._send = send
        self._limit = limit
        self._ordered = ordered
        self._outstanding: dict[Handle[R_co], Any] = {}
        self._ready: deque[Handle[R_co]] = deque()
        self._moved: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R_co:
        """
        Wait for the next result.

        Raises:
            StopAsyncIteration: All items are done.
            AtomFailed: One failed; the others are cancelled.

        Cancellation: cancels what is outstanding.
        """
        try:
            handle, item = await self._next()
            return await _result(handle, item)
        except StopAsyncIteration:
            raise
        except BaseException:
            await self.aclose()
            raise

    async def settled(self) -> AsyncIterator[Properties]:
        """
        Give the properties of each electron instead of its result: failures are values here, and cancel nothing.

        With `ordered=True` they come in the order of the items.
        """
        while True:
            try:
                handle, _ = await self._next()
            except StopAsyncIteration:
                return
            yield await handle.properties()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take no more items, and cancel what is outstanding. Waits for nothing on the wire."""
        await self._source.aclose()
        for handle in self._outstanding:
            handle.abort()
        self._outstanding.clear()
        self._ready.clear()

    def __repr__(self) -> str:
        return f"<Results, {len(self._outstanding)} of {self._limit} outstanding, {len(self._ready)} ready>"

    async def _next(self) -> tuple[Handle[R_co], Any]:
        while True:
            await self._fill()
            if self._is_ready():
                handle = self._ready.popleft()
                return handle, self._outstanding.pop(handle)
            if not self._outstanding and self._source.ended:
                raise StopAsyncIteration
            await wait_lending(self._move)

    def _is_ready(self) -> bool:
        return bool(self._ready) and (not self._ordered or self._ready[0].done)

    async def _fill(self) -> None:
        """Send for as many items as there are and as there is room for, but keep nobody waiting who has a result."""
        while len(self._outstanding) < self._limit and self._source.take(self._wake):
            item = self._source.item
            handle = await self._send(item)
            self._outstanding[handle] = item
            if self._ordered:
                self._ready.append(handle)
            handle.when_done(self._done)
            if self._is_ready():
                return

    def _done(self, handle: Handle[Any]) -> None:
        if not self._ordered and handle in self._outstanding:
            self._ready.append(handle)
        self._wake()

    def _wake(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    async def _move(self) -> None:
        if self._is_ready():
            return
        self._moved = asyncio.get_running_loop().create_future()
        try:
            await self._moved
        finally:
            self._moved = None


async def _result(handle: Handle[R_co], item: Any) -> R_co:
    try:
        return await handle.result()
    except AtomFailed as error:
        error.item = item
        raise


class _Source:
    """
    The items of a map, one at a time.

    An async iterable is read by a task of its own, one item ahead: waiting for the next item must keep nobody from
    results that are there already.
    """

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self._sync: Iterator[Any] | None = None if isinstance(items, AsyncIterable) else iter(items)
        self._async: AsyncIterator[Any] | None = aiter(items) if isinstance(items, AsyncIterable) else None
        self._pull: asyncio.Task[Any] | None = None
        self.item: Any = None
        self.ended = False

    def take(self, wake: Callable[[], None]) -> bool:
        """
        Put the next item in `item`, if there is one now.

        Args:
            wake: Called when an item that is not there yet has come.

        Raises:
            Whatever the iterable raises.
        """
        if self.ended:
            return False
        return self._take_sync() if self._sync is not None else self._take_async(wake)

    async def aclose(self) -> None:
        """Take no more."""
        self.ended = True
        if self._pull is not None and not self._pull.done():
            self._pull.cancel()
            await asyncio.wait((self._pull,))

    def _take_sync(self) -> bool:
        assert self._sync is not None  # noqa: S101  # `take` looked
        try:
            self.item = next(self._sync)
        except StopIteration:
            self.ended = True
        return not self.ended

    def _take_async(self, wake: Callable[[], None]) -> bool:
        if self._pull is None:
            self._pull = asyncio.create_task(self._read(), name="atomizer map source")  # noqa: TID251  # `aclose` ends it
            self._pull.add_done_callback(lambda _: wake())
        if not self._pull.done():
            return False
        pull, self._pull = self._pull, None
        self.ended, self.item = pull.result()
        return not self.ended

    async def _read(self) -> tuple[bool, Any]:
        assert self._async is not None  # noqa: S101  # only made for async items
        try:
            return False, await anext(self._async)
        except StopAsyncIteration:
            return True, None
