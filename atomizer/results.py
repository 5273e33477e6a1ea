"""The results of many electrons: what `map()` gives."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .errors import AtomFailed
from .handle import Handle, wait_lending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from .properties import Properties

__all__ = ("Results",)

R_co = TypeVar("R_co", covariant=True)


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

        With `ordered=True` they come in the order of the items. Leaving early cancels what is outstanding.
        """
        try:
            while True:
                handle, _ = await self._next()
                yield await handle.properties()
        except StopAsyncIteration:
            return
        finally:
            await self.aclose()

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
