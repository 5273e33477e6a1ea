"""
Isolation: an atom's coroutine runs on a worker's task, but not as that task.

A task for each electron costs three to six times what driving its coroutine by hand does. So a worker drives it: in a
context of its own, and with an identity of its own as `asyncio.current_task()`. What an atom leaves behind (a timeout
not left, a cancel scope not left, `call_later(current_task().cancel)`) keeps that identity, and an identity whose atom
is over cannot be cancelled: it never reaches the next electron.

Source: "Extending asyncio" in the Python documentation (`asyncio.tasks._enter_task`, `_leave_task`).
"""

from __future__ import annotations

import asyncio
from asyncio import isfuture
from asyncio.tasks import _enter_task, _leave_task  # pyright: ignore[reportPrivateUsage]  # documented, see above
from contextvars import copy_context
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context

__all__ = ("AuthorsError", "Identity")

T = TypeVar("T")


class Identity:
    """
    What `asyncio.current_task()` is while an atom's own code runs: as much of a task as running code asks of one.

    Attributes:
        value: What the atom returned, once it is over.
        error: What the atom raised, once it is over.
        forsaken: Set by the runtime before it cancels the worker: the coroutine is not stepped again.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_cancelling",
        "_context",
        "_coro",
        "_fut_waiter",
        "_host",
        "_must_cancel",
        "_name",
        "_over",
        "_thrown",
        "_waits_for",
        "error",
        "forsaken",
        "value",
    )

    # `_must_cancel` and `_fut_waiter` carry the names that anyio's cancel scopes look for on a task.

    def __init__(self, host: asyncio.Task[Any], context: Context, name: str) -> None:
        self._host = host
        self._coro: Coroutine[Any, Any, Any] | None = None
        self._context: Context | None = context
        self._name = name
        self._over = False
        self._cancelling = 0
        self._must_cancel = False
        self._thrown: BaseException | None = None
        self._fut_waiter: asyncio.Future[Any] | None = None
        self._waits_for: Any = None
        self._callbacks: list[tuple[Callable[[Identity], object], Context | None]] | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.forsaken: bool = False

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
        except Exception:
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
        return self._over and issubclass(type(self.error), asyncio.CancelledError)

    def exception(self) -> BaseException | None:
        """
        What the atom raised; None if it returned.

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
        return self._name

    def set_name(self, value: object) -> None:
        """Rename it; only this electron is affected."""
        self._name = str(value)

    def get_coro(self) -> Coroutine[Any, Any, Any] | None:
        """The atom's coroutine; None before it is made."""
        return self._coro

    def get_context(self) -> Context:
        """The context the atom runs in, or this one when it is over."""
        return self._context or copy_context()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it runs on."""
        return self._host.get_loop()

    def add_done_callback(self, fn: Callable[[Identity], object], /, *, context: Context | None = None) -> None:
        """Have a function called soon after the atom is over."""
        if self._over:
            self.get_loop().call_soon(fn, self, context=context)
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
        return f"<Identity {self._name!r} {'over' if self._over else 'running'} on {self._host.get_name()!r}>"

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """
        Call a function as the atom: its author's code for arguments, state and result runs like the atom itself.

        Raises:
            AuthorsError: It raised; even `SystemExit` is an answer here, and not the end of the worker.
            ValueError, Malformed: It refused.
        """
        host, loop, run = self._host, self._host.get_loop(), self.get_context().run
        _leave_task(loop, host)
        _enter_task(loop, self)  # type: ignore[arg-type]  # it is what running code asks of a task
        try:
            return run(function, *args)
        except (ValueError, Malformed):
            raise
        except BaseException as error:
            raise AuthorsError(error) from error
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]  # as above
            _enter_task(loop, host)

    @coroutine
    def drive(self, coro: Coroutine[Any, Any, Any]) -> Generator[Any, Any, None]:
        """
        Run the atom's coroutine to its end, on the task that awaits this.

        What it returns is in `value` then, what it raises in `error`: an atom's exception never raises here.

        Raises:
            CancelledError: The host was cancelled and the atom is forsaken: the coroutine is left where it stands.

        Cancellation: of the host goes on to the atom.
        """
        self._coro = coro
        step: Callable[[Any], Any] = coro.send
        value: Any = None
        try:
            while self._step(step, value):
                try:
                    value = yield self._waits_for
                    step = coro.send
                except GeneratorExit:  # the loop is gone
                    raise
                except BaseException as error:
                    if self.forsaken:
                        raise
                    step, value = coro.throw, error
                finally:
                    self._fut_waiter = self._waits_for = None
        finally:
            self._over = True
            self._tell_callbacks()

    def _step(self, step: Callable[[Any], Any], value: Any) -> bool:
        """Take the coroutine one step on, as itself. Returns whether it goes on: it then waits for `_waits_for`."""
        host, loop = self._host, self._host.get_loop()
        if self._must_cancel and self._coro is not None:
            self._must_cancel = False
            step, value = self._coro.throw, asyncio.CancelledError()
        elif self._thrown is not None and self._coro is not None:
            step, value, self._thrown = self._coro.throw, self._thrown, None
        _leave_task(loop, host)
        _enter_task(loop, self)  # type: ignore[arg-type]  # as above
        try:
            self._waits_for = waiter = self.get_context().run(step, value)
        except StopIteration as end:
            self.value = end.value
            return False
        except BaseException as error:  # whatever an atom raises is its answer, never our end
            trace = error.__traceback__
            # without this frame, which knows it; and past what its author made of the method
            self.error = BaseException.with_traceback(error, trace and trace.tb_next)
            return False
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]  # as above
            _enter_task(loop, host)
        self._fut_waiter = waiter if isfuture(waiter) else None  # junk is the host task's to refuse
        if self._must_cancel and self._cancel_waiting():
            self._must_cancel = False
        return True

    def end(self) -> None:
        """Be over for good: nothing can cancel this, and it knows nothing any more of the flight."""
        self._over = True
        self._context = None

    def _tell_callbacks(self) -> None:
        for fn, context in self._callbacks or ():
            self.get_loop().call_soon(fn, self, context=context)


class AuthorsError(Exception):
    """
    What the code of an atom's author raised outside of the atom itself.

    Attributes:
        inner: The exception.
    """

    def __init__(self, inner: BaseException) -> None:
        self.inner = inner
        super().__init__(inner)
