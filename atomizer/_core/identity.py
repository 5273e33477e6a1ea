"""
Isolation: an atom's code runs on a worker's task, but not as that task.

A task for each electron costs three to six times what driving its coroutine by hand does. So a worker drives it: in a
context of its own, and with an identity of its own as `asyncio.current_task()`. What an atom leaves behind (a timeout
not left, a cancel scope not left, `call_later(current_task().cancel)`) keeps that identity, and an identity whose atom
is over cannot be cancelled: it never reaches the next electron.

Everything that an atom's author wrote runs so: what makes the arguments and the instance, the atom, and what encodes
the result. Nearly every electron needs one step for all of it.

Source: "Extending asyncio" in the Python documentation (`asyncio.tasks._enter_task`, `_leave_task`).
"""

from __future__ import annotations

import asyncio
from asyncio import isfuture
from asyncio.tasks import _enter_task, _leave_task  # pyright: ignore[reportPrivateUsage]  # documented, see above
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from enum import Enum
from types import coroutine
from typing import Any

from msgspec import Struct

__all__ = ("Identity", "Phase")


class Phase(Enum):
    """What of an atom runs, or ran last."""

    BONDING = "bonding"
    """What makes its coroutine."""
    RUNNING = "running"
    """Itself."""
    ENDING = "ending"
    """What encodes its result."""


_RUNNING, _ENDING = Phase.RUNNING, Phase.ENDING  # looked up on its class, a member costs as much as making a struct


class Identity(Struct, eq=False, weakref=True):
    """
    What `asyncio.current_task()` is while an atom's own code runs: as much of a task as running code asks of one.

    Attributes:
        host: The task that drives it.
        loop: The loop it runs on.
        context: What it runs in; None when it is over.
        name: The atom, for logs.
        finish: Encodes what the atom returned.
        phase: What runs, or ran last.
        value: What `finish` made of what the atom returned, once it is over.
        error: What was raised, once it is over.
        forsaken: Set by the runtime before it cancels the worker: the coroutine is not stepped again.
    """

    host: asyncio.Task[Any]
    loop: asyncio.AbstractEventLoop
    context: Context | None
    name: str
    finish: Callable[[Any], Any]
    phase: Phase = Phase.BONDING
    value: Any = None
    error: BaseException | None = None
    forsaken: bool = False
    _coro: Coroutine[Any, Any, Any] | None = None
    _over: bool = False
    _was_cancelled: bool = False
    _cancelling: int = 0
    _waits_for: Any = None
    _callbacks: list[tuple[Callable[[Identity], object], Context | None]] | None = None
    # these two carry the names that anyio's cancel scopes look for on a task
    _must_cancel: bool = False
    _fut_waiter: asyncio.Future[Any] | None = None
    _thrown: BaseException | None = None

    def cancel(self, msg: object = None) -> bool:
        """Throw a `CancelledError` into the atom at its next step; nothing if it is over."""
        if self._over:
            return False
        self._cancelling += 1
        self._thrown = None
        if not self._cancel_waiting(msg):
            self._must_cancel = True
        return True

    def interrupt(self, error: BaseException) -> None:
        """Throw an exception into the atom where it waits; nothing if it is over, or being cancelled already."""
        if not self._over and not self._cancelling:
            self._thrown = error
            self._cancel_waiting()

    def _cancel_waiting(self, msg: object = None) -> bool:
        """Cancel what the atom waits for. A future of its author's own may refuse in any way."""
        try:
            return self._fut_waiter is not None and self._fut_waiter.cancel(msg=msg)
        except BaseException:
            return False

    def cancelling(self) -> int:
        """Count the cancellations that nobody has taken back."""
        return self._cancelling

    def uncancel(self) -> int:
        """Take one cancellation back. The last one takes a pending one with it, as tasks do from 3.13 on."""
        self._cancelling = max(0, self._cancelling - 1)
        if not self._cancelling:
            self._must_cancel = False
        return self._cancelling

    def done(self) -> bool:
        """Whether the atom is over."""
        return self._over

    def cancelled(self) -> bool:
        """Whether the atom ended in a `CancelledError`."""
        return self._was_cancelled or (self._over and issubclass(type(self.error), asyncio.CancelledError))

    def exception(self) -> BaseException | None:
        """
        What the atom raised; None if it returned, or is over and forgotten.

        Raises:
            InvalidStateError: It is not over.
            CancelledError: It ended in one.
        """
        if not self._over:
            raise asyncio.InvalidStateError("the atom is not over")
        if self.error is not None and self.cancelled():
            raise self.error
        return self.error

    def get_name(self) -> str:
        """The atom and its electron, for logs."""
        return self.name

    def set_name(self, value: object) -> None:
        """Rename it; only this electron is affected."""
        self.name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any] | None:
        """The atom's coroutine; None before it is made."""
        return self._coro

    def get_context(self) -> Context:
        """The context the atom runs in, or this one when it is over."""
        return self.context or copy_context()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it runs on."""
        return self.loop

    def add_done_callback(self, fn: Callable[[Identity], object], /, *, context: Context | None = None) -> None:
        """Have a function called soon after the atom is over."""
        if self._over:
            self.loop.call_soon(fn, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(fn, context)]
        else:
            self._callbacks.append((fn, context))

    def remove_done_callback(self, fn: Callable[[Identity], object], /) -> int:
        """Forget a function; return how often it was there."""
        kept = [entry for entry in self._callbacks or () if entry[0] != fn]
        removed = len(self._callbacks or ()) - len(kept)
        self._callbacks = kept
        return removed

    def __repr__(self) -> str:
        return f"<Identity {self.name!r} {'over' if self._over else 'running'} on {self.host.get_name()!r}>"

    def begin(self, bond: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...]) -> bool:
        """
        Have the atom's coroutine made, and take its first step: most need no other.

        Whatever its author's code raises is in `error` then: it never raises here.

        Args:
            bond: Makes the coroutine.
            args: What it is called with.

        Returns:
            Whether it goes on: `drive` takes it to its end.
        """
        return self._step(self._first, bond, args)

    @coroutine
    def drive(self) -> Generator[Any, Any, None]:
        """
        Take an atom that goes on to its end, on the task that awaits this.

        What becomes of it is in `value` or `error` then: an atom's exception never raises here.

        Raises:
            CancelledError: The host was cancelled and the atom is forsaken: the coroutine is left where it stands.

        Cancellation: of the host goes on to the atom.
        """
        coro = self._coro
        assert coro is not None  # noqa: S101  # it has begun
        going = True
        try:
            while going:
                step: Callable[[Any], Any] = coro.send
                try:
                    value = yield self._waits_for
                except GeneratorExit:  # the loop is gone
                    raise
                except BaseException as error:
                    if self.forsaken:
                        raise
                    step, value = coro.throw, error
                finally:
                    self._fut_waiter = self._waits_for = None
                if self._must_cancel:
                    self._must_cancel = False
                    step, value = coro.throw, asyncio.CancelledError()
                elif self._thrown is not None:
                    step, value, self._thrown = coro.throw, self._thrown, None
                going = self._step(self._next, step, value)
        finally:
            self._over = True

    def end(self) -> None:
        """Be over for good: nothing can cancel this, and it knows nothing any more of the flight."""
        self._over = True
        self.context = self._coro = None
        self._was_cancelled = self.cancelled()
        self.value = self.error = None  # its traceback knows this, and what the atom had at hand
        if self._callbacks is not None:
            for fn, context in self._callbacks:
                self.loop.call_soon(fn, self, context=context)
            self._callbacks = None

    def _step(self, inside: Callable[[Any, Any], Any], first: Any, second: Any) -> bool:
        """Take the atom one step on, as itself. Returns whether it goes on: it then waits for `_waits_for`."""
        host, loop = self.host, self.loop
        _leave_task(loop, host)
        _enter_task(loop, self)  # type: ignore[arg-type]  # it is what running code asks of a task
        try:
            waiter = (self.context or copy_context()).run(inside, first, second)
        except BaseException as error:  # whatever an atom raises is its answer, never our end
            # without this frame, which knows it; and past what its author made of the method
            self.error = BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            self._over = True
            return False
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]  # as above
            _enter_task(loop, host)
        if waiter is _OVER:
            self._over = True
            return False
        self._waits_for = waiter
        self._fut_waiter = waiter if isfuture(waiter) else None  # junk is the host task's to refuse
        if self._must_cancel and self._cancel_waiting():
            self._must_cancel = False
        return True

    def _first(self, bond: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...]) -> Any:
        """Do the first step, inside of the atom's context; if it is the last one, encode the result there too."""
        self._coro = coro = bond(*args)
        self.phase = _RUNNING
        try:
            return coro.send(None)
        except StopIteration as end:
            returned = end.value
        self.phase = _ENDING
        self.value = self.finish(returned)
        return _OVER

    def _next(self, step: Callable[[Any], Any], value: Any) -> Any:
        """Do a later step, likewise."""
        try:
            return step(value)
        except StopIteration as end:
            returned = end.value
        self.phase = _ENDING
        self.value = self.finish(returned)
        return _OVER


_OVER = object()
