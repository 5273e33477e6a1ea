"""The results of many electrons: what `map()` gives."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from contextlib import suppress
from inspect import isasyncgen
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .cancellation import cleanup
from .errors import AtomFailed
from .handle import Handle, wait_lending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from ._core.flight import Flight
    from .properties import Properties

__all__ = ("Results",)

R_co = TypeVar("R_co", covariant=True)


class Results(Generic[R_co]):
    """
    The results of many electrons, as they come, or in order.

    An async iterator: each step gives one result. At most `limit` electrons are outstanding; items are taken only as
    there is room. The first failure cancels the rest and raises, with the item it was made of as `.item`.

    Also a context manager: leaving it cancels what is outstanding. Without it, leaving a loop early lets the
    outstanding run on. It has one reader at a time.

    An async generator as `items` is stepped by one task from its first item to its end, so that timeouts, scopes and
    context variables in it work, and is closed there.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        send: Callable[[Any], Awaitable[Handle[R_co]]],
        *,
        limit: int,
        ordered: bool,
        flight: Flight | None = None,
        patience: float = 2.0,
    ) -> None:
        if limit < 1:
            raise ValueError(f"map(limit=…) is how many electrons are outstanding at most, and cannot be {limit}")
        self._source = _AsyncSource(items, patience) if isinstance(items, AsyncIterable) else _Source(items)
        self._send = send
        self._limit = limit
        self._ordered = ordered
        self._flight = flight
        self._reading = False
        self._closed = False
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
            RuntimeError: Another reader waits for a result already.

        Cancellation: cancels what is outstanding.
        """
        self._begin_reading()
        try:
            handle, item = await self._next()
            return await _result(handle, item)
        except StopAsyncIteration:
            raise
        except BaseException:
            await self.aclose()
            raise
        finally:
            self._reading = False

    async def settled(self) -> AsyncIterator[Properties]:
        """
        Give the properties of each electron instead of its result: failures are values here, and cancel nothing.

        With `ordered=True` they come in the order of the items. Leaving early cancels what is outstanding.

        Raises:
            RuntimeError: Another reader waits for a result already.
        """
        self._begin_reading()
        try:
            while True:
                handle, _ = await self._next()
                yield await handle.properties()
        except StopAsyncIteration:
            return
        finally:
            self._reading = False
            await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """
        Take no more items, and cancel what is outstanding.

        It waits for nothing on the wire, and for an async source to end at most `Settings.cancel_grace`.
        """
        self._closed = True
        for handle in self._outstanding:
            handle.abort()
        self._outstanding.clear()
        self._ready.clear()
        self._wake()
        await self._source.aclose()

    def __repr__(self) -> str:
        return f"<Results, {len(self._outstanding)} of {self._limit} outstanding, {len(self._ready)} ready>"

    def _begin_reading(self) -> None:
        if self._reading:
            raise RuntimeError("results have one reader at a time: make another with map(), or share out what is read")
        self._reading = True

    async def _next(self) -> tuple[Handle[R_co], Any]:
        while True:
            await self._fill()
            if self._is_ready():
                handle = self._ready.popleft()
                return handle, self._outstanding.pop(handle)
            if self._closed or (not self._outstanding and self._source.ended):
                raise StopAsyncIteration
            await wait_lending(self._move, self._flight)

    def _is_ready(self) -> bool:
        return bool(self._ready) and (not self._ordered or self._ready[0].done)

    async def _fill(self) -> None:
        """Send for as many items as there are and as there is room for, but keep nobody waiting who has a result."""
        while len(self._outstanding) < self._limit and self._source.take(self._wake):
            item = self._source.item
            handle = await self._send(item)
            if self._closed:  # while it was being sent
                handle.abort()
                return
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
    except BaseException as error:  # an atom may declare any exception as its own
        failed = error if isinstance(error, AtomFailed) else error.__cause__
        if isinstance(failed, AtomFailed):
            failed.item = item
            with suppress(AttributeError, TypeError):  # some exceptions take no attributes
                error.item = item  # type: ignore[attr-defined]
        raise


class _Source:
    """
    The items of a map, one at a time.

    Attributes:
        item: What the last `take` took.
        ended: There are no more.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items: Iterator[Any] = iter(items)
        self.item: Any = None
        self.ended = False

    def take(self, wake: Callable[[], None]) -> bool:
        """
        Put the next item in `item`, if there is one now.

        Args:
            wake: Called when what is not there yet has come: an item, or the end. What is here already wakes nobody.

        Raises:
            Whatever the iterable raises.
        """
        if not self.ended:
            try:
                self.item = next(self._items)
            except StopIteration:
                self.ended = True
        return not self.ended

    async def aclose(self) -> None:
        """Take no more."""
        self.ended = True


class _AsyncSource:
    """
    The same of an async iterable.

    One task reads it, an item each time one is asked for: waiting for the next must keep nobody from results that are
    there already, and what the iterable opens in a task it must close in the same.
    """

    def __init__(self, items: AsyncIterable[Any], patience: float) -> None:
        self._items: AsyncIterator[Any] = aiter(items)
        self._patience = patience
        self._reader: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._there = False
        self.item: Any = None
        self.ended = False

    def take(self, wake: Callable[[], None]) -> bool:
        """Put the next item in `item` if it is there, else ask for it. As `_Source.take`."""
        if self.ended:
            return False
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(wake), name="atomizer map source")  # noqa: TID251  # `aclose` ends it
            self._reader.add_done_callback(lambda _: wake())
        if self._there:
            self._there = False
            return True
        if self._reader.done():
            self.ended = True
            self._reader.result()
        self._asked.set()
        return False

    async def aclose(self) -> None:
        """Take no more, and have the iterable end. One that will not is left behind after a while."""
        self.ended = True
        if self._reader is not None and not self._reader.done():
            self._reader.cancel()
            with cleanup(self._patience):
                await asyncio.wait((self._reader,))

    async def _read(self, wake: Callable[[], None]) -> None:
        try:
            async for item in self._items:
                if self.ended:  # it has swallowed its cancellation
                    return
                self.item, self._there = item, True
                self._asked.clear()
                wake()
                await self._asked.wait()
        finally:
            if isasyncgen(self._items):  # a stream that somebody else opened is not ours to close
                await self._items.aclose()
