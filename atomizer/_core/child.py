"""The program of a child process: it takes calls from its parent, one after another, and answers each."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import socket
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import structs

from ..electron import RAW, Electron
from ..errors import Malformed, SoftLimitReached
from ..properties import Failure, FailureKind
from .callee import Callee, Callees
from .calling import Calling
from .disposition import failure_of, is_anothers, raised, result_too_large, sendable
from .framing import (
    ANSWER,
    CHANNEL_LOST,
    FAILURE,
    JSON_RESULT,
    LENGTH,
    RAW_RESULT,
    READY,
    SPENT,
    Call,
    ChildSettings,
    read_call,
)
from .lifeline import hold_lifeline
from .main_module import LOADED_AS, UnguardedProgram

if TYPE_CHECKING:
    from types import FrameType

    from ..payload import Arguments
    from .threads import Ended

__all__ = ("live",)

_CHUNK = 64 * 1024


def live(descriptor: int, parent: int) -> None:
    """
    Be a child process until the parent says that it is enough.

    Args:
        descriptor: This end of the socket pair.
        parent: The parent's process id.
    """
    _leave_signals_to_the_parent()
    os.set_inheritable(descriptor, False)
    channel = ChildChannel(socket.socket(fileno=descriptor))
    hold_lifeline(descriptor, parent)
    faulthandler.enable(descriptor, all_threads=False)
    if (first := channel.receive()) is not None:
        settings = msgspec.json.decode(first, type=ChildSettings)
        sys.argv[:] = map(os.fsdecode, settings.argv)
        with closing(Calling()) as calling:
            ChildProgram(channel, settings, calling).serve()
    channel.detach()


def _leave_signals_to_the_parent() -> None:
    """
    Do nothing when a terminal or a service manager tells all processes to stop: the parent stops its children.

    They are handled and not ignored, because what is ignored stays ignored in the programs that an atom starts.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, _do_nothing) for each in signals}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def as_before() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    os.register_at_fork(after_in_child=as_before)


def _do_nothing(signal: int, frame: FrameType | None) -> None:
    """Handle a signal."""


class ChildChannel:
    """The child's end of the socket pair, which blocks."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._buffer = memoryview(bytearray(_CHUNK))
        self._pid = os.getpid()

    def receive(self) -> memoryview | None:
        """
        Wait for a frame. It is good until the next is asked for.

        Returns:
            The frame; None if the parent says that it is enough, or is gone.
        """
        have = self._fill(self._buffer, 0, LENGTH.size)
        if have < LENGTH.size:
            return None
        end = LENGTH.size + int(LENGTH.unpack_from(self._buffer)[0])
        frame = self._buffer
        if end > _CHUNK:
            frame = memoryview(bytearray(end))
            frame[:have] = self._buffer[:have]
        if self._fill(frame, have, end) < end or end == LENGTH.size:
            return None
        return frame[LENGTH.size : end]

    def _fill(self, frame: memoryview, have: int, least: int) -> int:
        while have < least:
            count = self._end.recv_into(frame[have:])
            if not count:
                break
            have += count
        return have

    def send(self, kind: int, body: bytes) -> None:
        """Send an answer. What cannot be sent ends this process: there is nobody else to tell."""
        if os.getpid() != self._pid:  # an atom forked, and forgot to end the copy
            os._exit(0)
        head = ANSWER.pack(kind, len(body))
        try:
            if len(body) < _CHUNK:
                self._end.sendall(head + body)
            else:
                self._end.sendall(head)
                self._end.sendall(body)
        except OSError:
            os._exit(CHANNEL_LOST)

    def detach(self) -> None:
        """Leave the socket open until the process has ended: the parent waits for that."""
        self._end.detach()


class Encoded(NamedTuple):
    """An answer as it is sent."""

    kind: int
    body: bytes


class ChildProgram:
    """Answers calls."""

    def __init__(self, channel: ChildChannel, settings: ChildSettings, calling: Calling) -> None:
        self._channel = channel
        self._settings = settings
        self._callees = Callees(settings.main)
        self._calling = calling
        self._home = _current_folder()

    def serve(self) -> None:
        """Answer calls until there are no more."""
        for reference in self._settings.references:
            with suppress(BaseException):  # it is told to whoever calls it
                self._callees.find(reference)
        self._channel.send(READY, b"")
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Answer one call. Returns whether there was one; nothing of it is held while the next is waited for."""
        frame = self._channel.receive()
        if frame is None:
            return False
        call = read_call(frame)
        del frame
        kind, body = self._answer(call)
        self._tidy_up()
        self._channel.send(kind | SPENT if self._is_spent() else kind, body)
        return True

    def _answer(self, call: Call) -> Encoded:
        try:
            callee = self._callees.find(call.reference)
        except BaseException as error:
            return _encoded_failure(_not_loaded(call.reference, error))
        try:
            arguments = self._arguments(callee, call)
        except Malformed as error:
            return _encoded_failure(Failure(kind=FailureKind.PAYLOAD_REFUSED, message=sendable(str(error))))
        except BaseException as error:  # an author's own type may raise anything while it is built
            return _encoded_failure(raised(error))
        ended = self._run(callee, arguments, call.soft_limit)
        if ended.error is not None:
            return _encoded_failure(self._failure(ended.error, call.soft_limit))
        return self._encode(callee, ended.value)

    def _arguments(self, callee: Callee, call: Call) -> Arguments:
        electron = Electron(id="-", atom_id="-", payload=call.payload, content_type=call.content_type)
        return callee.parameters.arguments(electron, self._settings.bounds)

    def _run(self, callee: Callee, arguments: Arguments, soft_limit: float) -> Ended:
        args, kwargs = arguments
        run = self._calling.run_async if callee.is_async else self._calling.run
        return run(partial(callee.function, *args, **kwargs), soft_limit)

    def _failure(self, error: BaseException, soft_limit: float) -> Failure:
        if not (soft_limit and self._calling.limit.reached and issubclass(type(error), SoftLimitReached)):
            return raised(error)
        self._calling.limit.cut(error)
        failure = failure_of(error, kind=FailureKind.TIMED_OUT)
        return structs.replace(failure, message=f"it ran over its soft limit of {soft_limit:g} s")

    def _encode(self, callee: Callee, value: object) -> Encoded:
        try:
            result = callee.encode_result(value)
        except ValueError as error:
            return _encoded_failure(Failure(kind=FailureKind.RESULT_REFUSED, message=sendable(str(error))))
        except BaseException as error:  # as with the arguments
            return _encoded_failure(raised(error))
        if len(result.body) > self._settings.max_payload_bytes:
            return _encoded_failure(result_too_large(len(result.body), self._settings.max_payload_bytes))
        return Encoded(RAW_RESULT if result.content_type == RAW else JSON_RESULT, result.body)

    def _tidy_up(self) -> None:
        """Leave to the next call what this one found: and print what would be lost if this process were killed."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # an atom may have closed it, or put anything in its place
                stream.flush()
        with suppress(OSError):  # it may have gone
            os.chdir(self._home)

    def _is_spent(self) -> bool:
        most = self._settings.memory_each
        return bool(most) and _peak_bytes() > most and _resident_bytes() > most


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def _not_loaded(reference: str, error: BaseException) -> Failure:
    if isinstance(error, UnguardedProgram):
        return Failure(kind=FailureKind.FAILED, message=str(error))
    failure = failure_of(error, kind=FailureKind.FAILED)
    message = sendable(f"{reference} cannot be loaded in a child process: {failure.message}")
    return structs.replace(failure, message=message, trace=failure.trace if is_anothers(error) else "")


def _encoded_failure(failure: Failure) -> Encoded:
    """Encode a failure, in the words of a program that knows its main module as `__main__`."""
    type, trace = (text.replace(f"{LOADED_AS}.", "__main__.") for text in (failure.type, failure.trace))
    return Encoded(FAILURE, msgspec.json.encode(structs.replace(failure, type=type, trace=trace)))


def _peak_bytes() -> int:
    """Return how much memory this process held at most: cheap to ask for."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _resident_bytes() -> int:
    """Return how much memory this process holds now; at most, where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return _peak_bytes()
    return int(pages) * resource.getpagesize()
