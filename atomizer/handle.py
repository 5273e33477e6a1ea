"""The handle: what comes back of sending one electron."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from copy import copy
from math import inf
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec import Struct

from ._core.flight import CURRENT, Flight
from ._core.lending import lending
from ._core.supervision import Link
from .errors import AtomizerError, Malformed, NoReplyAsked
from .failure import Failure, FailureKind
from .properties import Progress, Properties, failed

if TYPE_CHECKING:
    from ._core.broadcast import EventStream
    from .errors import AtomFailed

__all__ = ("Handle",)

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Desk(Protocol):
    """What a handle asks of the runtime that made it."""

    def cancel(self, handle: Handle[Any]) -> None:
        """Tell every node to stop the handle's electron."""
        ...

    def follow(self, handle: Handle[Any]) -> EventStream:
        """Open the events of the handle's electron."""
        ...


class Handle(Struct, Generic[R_co], eq=False, weakref=True):
    """
    One electron that was sent: wait for its result, look at its progress, cancel it.

    It may be awaited any number of times, by any number of waiters. Cancelling a waiter cancels nothing.

    Attributes:
        electron_id: The electron.
        atom_id: The atom that was asked.
        progress: The last word of the atom on how far it is; None before the first.
    """

    electron_id: str
    atom_id: str
    _desk: Desk
    _read: Callable[[Properties], Any]
    _raises: tuple[type[BaseException], ...] = ()
    parent: Flight | None = None
    link: Link | None = None
    due: float = inf
    progress: Progress | None = None
    is_cancelled: bool = False
    _properties: Properties | None = None
    _error: AtomizerError | None = None
    _waiters: list[asyncio.Future[None]] | None = None
    _listeners: list[Callable[[Handle[Any]], None]] | None = None

    def __repr__(self) -> str:
        return f"<Handle on {self.electron_id!r} to {self.atom_id!r}, {'done' if self.done else 'outstanding'}>"

    @property
    def done(self) -> bool:
        """Whether its outcome is here."""
        return self._properties is not None or self._error is not None

    def __await__(self) -> Generator[Any, None, R_co]:
        if self._properties is None:
            if self.parent is None and self._error is None and CURRENT.get() is None:
                yield from self._until_done()  # nobody lends a slot: nearly every wait
            if self._properties is None:
                yield from self._outcome().__await__()
        return self._result()

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
        return await self

    async def properties(self) -> Properties:
        """
        Wait for the outcome, whatever it is. Never raises for the atom's sake.

        Raises:
            NotRunning: The runtime stopped before an answer came.
            NoReplyAsked: The electron was sent with `Options(reply=False)`.

        Cancellation: cancels nothing but this waiting.
        """
        return self._properties or await self._outcome()

    async def cancel(self) -> None:
        """
        Ask for the electron to be stopped, wherever it is: queued, running, or on its way.

        Returns at once; `properties()` then gives *cancelled* (its `failure.ending` says how), or the real outcome when
        it was too late. Of an electron that was sent with `Options(reply=False)` nothing is heard.
        """
        self.abort()

    def events(self) -> EventStream:
        """Open the stream of this node's events of this electron, from now on. It ends when the outcome is here."""
        return self._desk.follow(self)

    # What the runtime does with it

    def abort(self) -> None:
        """Cancel the electron if its outcome is not here: asked for without a reply, it never is. Never waits."""
        if not self.done or isinstance(self._error, NoReplyAsked):
            self._desk.cancel(self)

    def adopt(self) -> None:
        """Become a child of the atom that sent this electron: it is cancelled when that atom ends before it."""
        if self.parent is not None:
            if self.parent.children is None:
                self.parent.children = {}
            self.parent.children[self] = None

    def disown(self) -> None:
        """Be nobody's child any more."""
        if self.parent is not None and self.parent.children is not None:
            self.parent.children.pop(self, None)

    def resolve(self, properties: Properties) -> None:
        """Take the outcome."""
        if self._properties is None and self._error is None:
            self._properties = properties
            if self._waiters is not None or self._listeners is not None or self.parent is not None:
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
        elif self._listeners is None:
            self._listeners = [call]
        else:
            self._listeners.append(call)

    def _finish(self) -> None:
        if self.parent is not None:
            self.disown()
        if self._waiters is not None:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters = None
        if self._listeners is not None:
            listeners, self._listeners = self._listeners, None
            for call in listeners:
                call(self)

    async def _outcome(self) -> Properties:
        if self._properties is None and self._error is None:
            await wait_lending(self._wait, self.parent)
        if self._error is not None:
            raise copy(self._error)  # each waiter has a traceback of its own
        assert self._properties is not None  # noqa: S101  # one of the two is there
        return self._properties

    @coroutine
    def _wait(self) -> Generator[Any, None, None]:
        yield from self._until_done()

    def _until_done(self) -> Generator[Any, None, None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = [] if self._waiters is None else self._waiters
        waiters.append(waiter)
        self._waiters = waiters
        try:
            yield from waiter
        except BaseException:
            if waiter in waiters:
                waiters.remove(waiter)
            raise

    def _result(self) -> R_co:
        properties = self._properties
        assert properties is not None  # noqa: S101  # `_outcome` has returned
        if properties.failure is not None:
            raise self._error_of(properties, properties.failure)  # in no variable here: its traceback knows this frame
        try:
            result: R_co = self._read(properties)
        except (ValueError, Malformed) as error:
            raise self._misfit(properties, error) from error
        return result

    def _error_of(self, properties: Properties, failure: Failure) -> BaseException:
        error = failed(failure, atom_id=self.atom_id, electron_id=properties.electron_id)
        for kind in self._raises:
            if failure.type == f"{kind.__module__}.{kind.__qualname__}":
                return _as_declared(kind, error)
        return error

    def _misfit(self, properties: Properties, error: Exception) -> AtomFailed:
        failure = Failure(
            kind=FailureKind.RESULT_REFUSED,
            message=f"the result is not of the type that the atom declares or that was asked for: {error}",
            node=properties.node,
        )
        return failed(failure, atom_id=self.atom_id, electron_id=self.electron_id)


def _as_declared(kind: type[BaseException], error: AtomFailed) -> BaseException:
    """Make of a failure the exception its atom declares; leave it, if that cannot be made of a message alone."""
    try:
        declared = kind(error.failure.message)
    except Exception:
        return error
    declared.__cause__ = error
    return declared


async def wait_lending(wait: Callable[[], Awaitable[T]], flight: Flight | None = None) -> T:
    """
    Wait for something; if an atom does it, its slot is lent meanwhile.

    Args:
        wait: Starts the waiting.
        flight: Whose atom waits, where the context does not say: an atom may ask from a context of its own making.
    """
    flight = CURRENT.get() or flight
    if flight is None or flight.landed:
        return await wait()
    return await lending(flight, wait)
