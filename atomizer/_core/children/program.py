"""The program of a child process: it takes calls from its parent, one after another, and answers each."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import socket
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import structs

from ...electron import RAW, Electron
from ...errors import Malformed, SoftLimitReached
from ...failure import Failure, FailureKind
from ..disposition import failure_of, is_anothers, is_over_soft_limit, raised, result_too_large, sendable
from .answer_line import AnswerLine
from .framing import FAILURE, JSON_RESULT, LOAD, LOADED, RAW_RESULT, READY, ChildSettings, Request, read_request
from .functions import Function, Functions
from .lifeline import hold_lifeline
from .main_module import LOADED_AS, UnguardedProgram
from .running import Runner
from .surroundings import Surroundings

if TYPE_CHECKING:
    from types import FrameType

    from ...payload import Arguments
    from ..ended import Ended

__all__ = ("live",)


def live(descriptor: int, lifeline: int, parent: int) -> None:
    """
    Be a child process until the parent says that it is enough.

    Args:
        descriptor: This end of the socket pair.
        lifeline: This end of the pipe of which the parent holds the other.
        parent: The parent's process id.
    """
    _leave_signals_to_the_parent()
    os.set_inheritable(descriptor, False)
    line = AnswerLine(socket.socket(fileno=descriptor))
    hold_lifeline(lifeline, parent)
    faulthandler.enable(descriptor, all_threads=False)
    try:
        if (first := line.receive()) is not None:
            settings = msgspec.json.decode(first, type=ChildSettings)
            sys.argv[:] = map(os.fsdecode, settings.argv)
            with closing(Runner(line.be_spent)) as runner:
                ChildProgram(line, settings, runner).serve()
    finally:
        line.detach()


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


class Encoded(NamedTuple):
    """An answer as it is sent."""

    kind: int
    body: bytes


class ChildProgram:
    """Answers requests."""

    def __init__(self, line: AnswerLine, settings: ChildSettings, runner: Runner) -> None:
        self._line = line
        self._settings = settings
        self._functions = Functions(settings.main)
        self._runner = runner
        self._surroundings = Surroundings()

    def serve(self) -> None:
        """Answer requests until there are no more."""
        loaded = [each for each in self._settings.references if self._load(each).kind == LOADED]
        self._line.send(READY, msgspec.json.encode(loaded))
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Answer one. Returns whether there was one; nothing of it is held while the next is waited for."""
        frame = self._line.receive()
        if frame is None:
            return False
        request = read_request(frame)
        del frame
        self._line.number = request.number
        kind, body = self._load(request.reference) if request.kind == LOAD else self._answer(request)
        self._surroundings.flush()
        if self._is_spent():
            self._line.be_spent()
        self._line.send(kind, body)
        self._surroundings.restore()
        return True

    def _load(self, reference: str) -> Encoded:
        """Load a function. What its module changes in this process is meant to last."""
        try:
            self._functions.find(reference)
        except BaseException as error:
            return _encoded_failure(_not_loaded(reference, error))
        finally:
            self._surroundings.note()
        return Encoded(LOADED, b"")

    def _answer(self, call: Request) -> Encoded:
        function = self._functions.find(call.reference)
        try:
            arguments = self._arguments(function, call)
        except Malformed as error:
            return _encoded_failure(Failure(kind=FailureKind.PAYLOAD_REFUSED, message=sendable(str(error))))
        except BaseException as error:  # an author's own type may raise anything while it is built
            return _encoded_failure(raised(error))
        ended = self._run(function, arguments, call.soft_limit)
        if ended.error is not None:
            return _encoded_failure(self._failure(ended.error, call.soft_limit))
        return self._encode(function, ended.value)

    def _arguments(self, function: Function, call: Request) -> Arguments:
        electron = Electron(id="-", atom_id="-", payload=call.payload, content_type=call.content_type)
        return function.parameters.arguments(electron, self._settings.bounds)

    def _run(self, function: Function, arguments: Arguments, soft_limit: float) -> Ended:
        args, kwargs = arguments
        run = self._runner.run_async if function.is_async else self._runner.run
        return run(partial(function.call, *args, **kwargs), soft_limit)

    def _failure(self, error: BaseException, soft_limit: float) -> Failure:
        if not (soft_limit and self._runner.limit.reached and is_over_soft_limit(error)):
            return raised(error)
        self._runner.limit.cut(error)
        failure = failure_of(error, kind=FailureKind.TIMED_OUT)
        type = f"{SoftLimitReached.__module__}.{SoftLimitReached.__qualname__}"
        return structs.replace(failure, type=type, message=f"it ran over its soft limit of {soft_limit:g} s")

    def _encode(self, function: Function, value: object) -> Encoded:
        try:
            result = function.encode_result(value)
        except ValueError as error:
            return _encoded_failure(Failure(kind=FailureKind.RESULT_REFUSED, message=sendable(str(error))))
        except BaseException as error:  # as with the arguments
            return _encoded_failure(raised(error))
        if len(result.body) > self._settings.max_payload_bytes:
            return _encoded_failure(result_too_large(len(result.body), self._settings.max_payload_bytes))
        return Encoded(RAW_RESULT if result.content_type == RAW else JSON_RESULT, result.body)

    def _is_spent(self) -> bool:
        """Whether this process is not as it was: an atom left something behind, or too much memory is held."""
        most = self._settings.memory_each
        holds_too_much = bool(most) and _peak_bytes() > most and _resident_bytes() > most
        return holds_too_much or self._runner.has_leftovers or self._surroundings.is_spoilt


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
