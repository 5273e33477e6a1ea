"""One child process, as its runtime sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from secrets import randbits
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ...cancellation import cleanup
from ...electron import JSON, RAW
from ...failure import Failure
from .channel import Channel
from .death import ProcessDied, way_of_death
from .framing import (
    CALL,
    CHANNEL_LOST,
    JSON_RESULT,
    LEAVE,
    LENGTH,
    LOAD,
    LOADED,
    RAW_RESULT,
    READY,
    SPENT,
    ChildSettings,
    Request,
    write_request,
)
from .launching import launch
from .reaping import tell_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ("Answer", "ChildProcess")

_LOAD_SECONDS = 60.0  # more than any import should take
_DEATH_SECONDS = 0.03  # a killed process is gone in one or two milliseconds, but for a very large one
_ROOM = 256 * 1024  # for a failure with its trace, every character of it escaped
_CONTENT_TYPES = {JSON_RESULT: JSON, RAW_RESULT: RAW, LOADED: JSON}
_read_failure = msgspec.json.Decoder(Failure).decode
_read_references = msgspec.json.Decoder(list[str]).decode


class Answer(NamedTuple):
    """What became of a call."""

    body: bytes
    """The result, encoded as `content_type` says."""
    content_type: str
    failure: Failure | None
    """What went wrong; None if there is a result."""


class ChildProcess:
    """
    A child process from its start until it is reaped. It answers one call at a time.

    Args:
        on_ready: Called when it can be used.
        on_spent: Called when it is known that it is not to be used again, which may be before it answers.
        on_end: Called when it has ended, and is reaped.

    Attributes:
        calls: How many calls it was given.
        is_ready: Whether it has started.
        is_spent: Whether it is not as it was, or holds too much memory, and is not to be used again.
        is_killed: Whether we ended it.
        died: How it ended, if it did.
        ended: Done when it is reaped.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: ChildSettings,
        on_ready: Callable[[ChildProcess], None],
        on_spent: Callable[[ChildProcess], None],
        on_end: Callable[[ChildProcess, ProcessDied], None],
    ) -> None:
        self.calls: int = 0
        self.is_ready: bool = False
        self.is_spent: bool = False
        self.is_killed: bool = False
        self.died: ProcessDied | None = None
        self.ended: asyncio.Future[None] = loop.create_future()
        self._is_leaving = False
        self._is_lost = False
        self._why = ""
        self._loop = loop
        self._on_ready = on_ready
        self._on_spent = on_spent
        self._on_end = on_end
        self._answer: asyncio.Future[Answer] | None = None
        self._number = randbits(62)  # what an atom could guess would be no number
        self._loaded: set[str] = set()
        told = msgspec.json.encode(settings)
        self._process, end, self._lifeline = launch()
        self._channel = Channel(loop, end, settings.max_payload_bytes + _ROOM, self._receive, self._lose)
        self._patience = loop.call_later(_LOAD_SECONDS, self.kill, f"was not ready after {_LOAD_SECONDS:g} s")
        tell_end(loop, self._process, self._finish)
        self._channel.send(LENGTH.pack(len(told)), told)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_calling(self) -> bool:
        """Whether a call is under way."""
        return self._answer is not None

    @property
    def is_over(self) -> bool:
        """Whether it cannot be used any more."""
        return self.is_killed or self._is_leaving or self._is_lost

    def __repr__(self) -> str:
        state = "over" if self.is_over else "calling" if self.is_calling else "idle" if self.is_ready else "starting"
        return f"<ChildProcess {self.pid} {state}, {self.calls} calls>"

    def has_loaded(self, reference: str) -> bool:
        """Whether it calls a function without importing anything first."""
        return reference in self._loaded

    async def load(self, reference: str) -> Failure | None:
        """
        Have a function loaded, and wait for it: for a minute at most, then the process is killed.

        Returns:
            Why it cannot be loaded; None if it is.

        Raises:
            ProcessDied: The process ended meanwhile.

        Cancellation: the process is killed, at once.
        """
        why = f"was killed: it had not loaded {reference} after {_LOAD_SECONDS:g} s"
        patience = self._loop.call_later(_LOAD_SECONDS, self.kill, why)
        try:
            answer = await self._ask(Request(LOAD, self._number + 1, reference))
        finally:
            patience.cancel()
        if answer.failure is None:
            self._loaded.add(reference)
        return answer.failure

    def call(self, reference: str, content_type: str, payload: bytes, soft_limit: float) -> Coroutine[Any, Any, Answer]:
        """
        Have a function called that is loaded, and wait for what becomes of it.

        Raises:
            ProcessDied: The process ended meanwhile.

        Cancellation: the process is killed, at once. It is gone when this ends, or will be a moment later.
        """
        self.calls += 1
        return self._ask(Request(CALL, self._number + 1, reference, content_type, payload, soft_limit))

    async def _ask(self, request: Request) -> Answer:
        if self.died is not None:
            raise self.died
        self._number = request.number
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._channel.send(write_request(request), request.payload, request.number)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled() or not answer.done():
                await self._end_now()
            raise
        finally:
            self._answer = None

    def kill(self, why: str = "was killed") -> None:
        """
        End it and whatever its atoms have started, now. It is reaped as soon as it is gone.

        Args:
            why: What a call that is under way is told of it.
        """
        if self.is_killed or self.ended.done():
            return
        self.is_killed = True
        self._why = why
        self._channel.close()
        self._kill_group()

    def _kill_group(self) -> None:
        if self._process.returncode is None:  # not reaped, so the number is still its own
            for kill in (os.killpg, os.kill):  # an atom may have left the group
                with suppress(ProcessLookupError, PermissionError):
                    kill(self._process.pid, signal.SIGKILL)

    async def leave(self, seconds: float) -> None:
        """
        Let it end by itself while it has no call, as a program ends; kill it if it does not within some seconds.

        Cancellation: it is killed.
        """
        self.ask_to_leave()
        try:
            await asyncio.wait((self.ended,), timeout=seconds)
        finally:
            self.kill()

    def ask_to_leave(self) -> None:
        """Tell it that it is enough."""
        self._is_leaving = True
        self._channel.send(LEAVE, b"")

    async def _end_now(self) -> None:
        self.kill()
        with cleanup(_DEATH_SECONDS):
            await asyncio.wait((self.ended,))

    def _receive(self, kind: int, body: bytes) -> None:
        answer = self._answer
        if kind == READY and not self.is_ready:
            self._be_ready(body)
        elif answer is None or answer.done():
            self._refuse()
        elif kind == SPENT:
            self.is_spent = True
            self._on_spent(self)
        else:
            self._resolve(answer, kind, body)

    def _be_ready(self, loaded: bytes) -> None:
        self._loaded.update(_read_references(loaded))
        self.is_ready = True
        self._patience.cancel()
        if not self._is_lost:
            self._on_ready(self)

    def _resolve(self, answer: asyncio.Future[Answer], kind: int, body: bytes) -> None:
        if kind in _CONTENT_TYPES:
            answer.set_result(Answer(body, _CONTENT_TYPES[kind], None))
            return
        try:
            answer.set_result(Answer(b"", JSON, _read_failure(body)))
        except msgspec.MsgspecError:
            self._refuse()

    def _lose(self) -> None:
        """Nothing more will come: it has ended, or must."""
        self._is_lost = True
        if self._channel.is_garbled:
            self._refuse()
        elif not self._is_leaving:
            self._patience.cancel()
            self._patience = self._loop.call_later(_DEATH_SECONDS, self.kill, way_of_death(CHANNEL_LOST))

    def _refuse(self) -> None:
        """End it for what it sent: nobody has asked for that."""
        self._is_lost = True
        self._why = self._why or "sent what is no answer: the atom wrote to a descriptor that it had not opened"
        self._kill_group()

    def _finish(self) -> None:
        """See to everything that is left of a process that has ended."""
        self._is_lost = True
        self._kill_group()  # what its atoms have started
        exit_code = self._process.wait()
        self._channel.drain()
        self._channel.close()
        self._patience.cancel()
        self._lifeline.close()
        how = self._why or way_of_death(exit_code, was_ready=self.is_ready)
        self.died = died = ProcessDied(how, self._channel.last_words)
        self.ended.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(died)
        self._on_end(self, died)
