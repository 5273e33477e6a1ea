"""
Telemetry: one line of a log for each electron, and OpenTelemetry spans around every attempt.

Both are off until an application asks for them, and neither steers anything. Payloads, results and tracebacks are in
neither; what an atom raised is in both, with its secrets masked. `log_electrons` writes through structlog, which it
never configures. `OpenTelemetry` needs the extra `otel`, and configures nothing either.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from ._core.confinement import FailedInChild
from ._core.disposition import is_cancellation, raised
from .errors import SoftLimitReached
from .events import ElectronBonded, EventsLost
from .failure import Failure, FailureKind
from .masking import masked_line, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from opentelemetry.trace import TracerProvider

    from ._core.broadcast import EventStream
    from .bond import Bond
    from .electron import Electron
    from .events import Event
    from .runtime import Atomizer

__all__ = ("Logger", "OpenTelemetry", "Style", "line_logger", "log_electrons")


Style: TypeAlias = Literal["console", "json"]
"""How finished lines look: for people, or one JSON object each."""


class Logger(Protocol):
    """What lines are written to: any logger of structlog's."""

    def info(self, event: str, /, **fields: Any) -> object:
        """Write what is as it should be."""
        ...

    def warning(self, event: str, /, **fields: Any) -> object:
        """Write what may need a look."""
        ...

    def error(self, event: str, /, **fields: Any) -> object:
        """Write what went wrong."""
        ...


# The log


def log_electrons(runtime: Atomizer, logger: Logger | None = None, *, buffer: int = 1_024) -> Coroutine[Any, Any, None]:
    """
    Log one line for each electron of a node when it ends there, and one for each event that is an error.

    What is returned is to be awaited, in a task of the application's own, and returns when the runtime has stopped and
    everything is written. It misses nothing from this call on; the runtime need not be entered yet.

    A line has the fields `node`, `conductor`, `atom_id`, `electron_id` and `attempt`, as far as there are any. The end
    of an electron has `outcome`, the kind of its event; `seconds` since it met its atom, if it did; and `failure` and
    `error`, `ending` or `reason` where they are known. Other lines have `kind` in place of `outcome`.

    Args:
        runtime: Whose electrons.
        logger: Where the lines go; None means `structlog.get_logger("atomizer")`. It is called in a thread, so that a
            slow one holds up nobody.
        buffer: How many lines are kept for a slow logger. Beyond that the oldest are dropped, and a line says how many.

    Raises:
        ValueError: The buffer holds less than one line.
        TypeError: The logger is one of `logging`: those take no fields.
        Whatever the logger raises.

    Cancellation: what is not written is lost.
    """
    if buffer < 1:
        raise ValueError(f"a log keeps at least 1 line for its writer: buffer={buffer}")
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        raise TypeError(f"logger= takes lines with fields, as any logger of structlog's does, and not {logger!r}")
    return _log(runtime.events(), _default_logger() if logger is None else logger, _Waiting(buffer))


def line_logger(write: Callable[[str], None], style: Style) -> Logger:
    """
    Make a logger that writes finished lines, each with its moment and level, and leaves structlog's own as they are.

    Args:
        write: Takes each line, without its end.
        style: How they look.
    """
    import structlog  # who logs nothing pays nothing for it

    render = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    logger: Logger = structlog.wrap_logger(
        _Writer(write),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


class _Writer:
    """What structlog hands a finished line to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.info = self.warning = self.error = write


def _default_logger() -> Logger:
    import structlog  # as above

    logger: Logger = structlog.get_logger("atomizer")
    return logger


async def _log(events: EventStream, logger: Logger, waiting: _Waiting) -> None:
    try:
        async with events, asyncio.TaskGroup() as group:
            group.create_task(_read(events, waiting), name="atomizer log: events")
            while lines := await waiting.take():
                await asyncio.to_thread(_write, logger, lines)
    except ExceptionGroup as raised_by_logger:  # the reader raises nothing
        raise raised_by_logger.exceptions[0] from None


async def _read(events: EventStream, waiting: _Waiting) -> None:
    lines = _Lines()
    async for event in events:
        line = lines.of(event)
        if line is not None:
            waiting.put(line)
    waiting.end()


def _write(logger: Logger, lines: list[_Line]) -> None:
    for line in lines:
        getattr(logger, line.level)(line.text, **line.fields)


class _Line(NamedTuple):
    """One line of a log."""

    level: Literal["info", "warning", "error"]
    text: str
    fields: dict[str, object]


class _Waiting:
    """The lines that wait to be written."""

    def __init__(self, most: int) -> None:
        self._lines: deque[_Line] = deque()
        self._most = most
        self._dropped = 0
        self._ended = False
        self._moved = asyncio.Event()

    def put(self, line: _Line) -> None:
        """Keep a line; of too many the oldest is dropped."""
        if len(self._lines) == self._most:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)
        self._moved.set()

    def end(self) -> None:
        """Take no more."""
        self._ended = True
        self._moved.set()

    async def take(self) -> list[_Line]:
        """Wait for lines, and return all that are there, with what has been dropped before them; none at the end."""
        while not self._lines and not self._ended:
            self._moved.clear()
            await self._moved.wait()
        lines = list(self._lines)
        self._lines.clear()
        if self._dropped:
            text = f"{self._dropped} lines dropped: this log is slower than they come"
            lines.insert(0, _Line("warning", text, {"dropped": self._dropped}))
            self._dropped = 0
        return lines


_LEVELS: dict[str, Literal["info", "warning", "error"]] = {
    "completed": "info",
    "cancelled": "info",
    "requeued": "warning",
    "retried": "warning",
    "failed": "error",
    "refused": "error",
    "expired": "error",
    "dead": "error",
}
"""The kinds of event with which an electron, or an attempt of it, ends on a node."""
_IDS = ("node", "conductor", "atom_id", "electron_id")
_WORDS = ("failure", "error", "ending", "reason", "coroutine", "file")
_FIGURES = ("attempt", "pause", "elsewhere", "seconds", "line", "dropped")
"""What else an event may say. Whatever is not named here is not logged: it may be what an electron carries."""


class _Lines:
    """Decides which events are lines, and what they say. Pure."""

    def __init__(self) -> None:
        self._began_ns: dict[str, int] = {}  # of those that have met their atom, and not ended

    def of(self, event: Event) -> _Line | None:
        """Return the line of an event; None for one that is not logged."""
        kind = event.kind
        if isinstance(event, ElectronBonded):
            self._began_ns[event.electron_id] = event.at_ns
        elif isinstance(event, EventsLost):
            self._began_ns.clear()  # the ends of some are among what was lost
            return _Line("warning", event.message, _said(event))
        elif kind in _LEVELS:
            return _Line(_LEVELS[kind], event.text, {**self._end_of(event), **_said(event)})
        elif event.is_error:
            return _Line("error", event.text, {"kind": kind, **_said(event)})
        return None

    def _end_of(self, event: Event) -> dict[str, object]:
        began_ns = self._began_ns.pop(event.electron_id, None)
        if began_ns is None:
            return {"outcome": event.kind}
        return {"outcome": event.kind, "seconds": round((event.at_ns - began_ns) / 1e9, 6)}


def _said(event: Event) -> dict[str, object]:
    ids = {name: one_line(value) for name in _IDS if (value := getattr(event, name))}
    words = {name: masked_line(value) for name in _WORDS if (value := getattr(event, name, ""))}
    figures = {name: value for name in _FIGURES if (value := getattr(event, name, 0))}
    return {**ids, **words, **figures}


# The spans


class OpenTelemetry:
    """
    Spans of OpenTelemetry: one around each attempt, of kind CONSUMER, that its electron's trace context is parent of.

    .. code-block:: python

        otel = OpenTelemetry()
        runtime = Atomizer(add, around=otel.around, trace=otel.trace)

    A span bears the atom's id as its name, and attributes after the conventions for messaging. An attempt that fails
    has the status ERROR with the masked message, and in `error.type` the type of the exception, or the kind of the
    failure where there is none. Of the W3C trace context `traceparent` is carried; `tracestate` and baggage are not.

    Args:
        tracer_provider: Where the spans go; None means OpenTelemetry's global one.

    Raises:
        ModuleNotFoundError: OpenTelemetry is not installed; the message says how.

    Source: OpenTelemetry semantic conventions, messaging spans.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        try:  # who has no spans pays nothing for them
            from opentelemetry.context import attach, detach
            from opentelemetry.trace import SpanKind, StatusCode, get_tracer, set_span_in_context
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "opentelemetry":
                raise
            cure = "spans need OpenTelemetry: pip install 'atomizer-engine[otel]'"
            raise ModuleNotFoundError(cure, name=error.name) from error
        self._tracer = get_tracer("atomizer", tracer_provider=tracer_provider)
        self._propagator = TraceContextTextMapPropagator()
        self._attach, self._detach, self._with_span = attach, detach, set_span_in_context
        self._consumer, self._error = SpanKind.CONSUMER, StatusCode.ERROR

    def trace(self) -> str:
        """Return the trace context of the current span; empty if there is none. To be given as `trace=`."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent", "")

    @asynccontextmanager
    async def around(self, bond: Bond) -> AsyncGenerator[None]:
        """
        Make a span for an attempt, and make it the current one for the atom. To be given as `around=`.

        Args:
            bond: The attempt.
        """
        electron = bond.electron
        parent = self._propagator.extract({"traceparent": electron.trace})  # no other: not who opened the runtime
        span = self._tracer.start_span(electron.atom_id, parent, self._consumer, _attributes(electron))
        token = self._attach(self._with_span(span))
        is_left_behind = False
        try:
            yield
        except BaseException as error:
            is_left_behind = type(error) is GeneratorExit  # closed from outside of the electron's context
            failure = _failure_of(bond, error)
            span.set_attribute("error.type", failure.type or failure.kind)
            span.set_status(self._error, masked_line(failure.message))
            raise
        finally:
            span.end()
            if not is_left_behind:
                self._detach(token)


def _attributes(electron: Electron) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "messaging.system": "atomizer",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": electron.atom_id,
        "messaging.message.id": electron.id,
        "atomizer.attempt": electron.attempt,
        "atomizer.sender": electron.sender,
    }
    return {**attributes, "atomizer.parent": electron.parent} if electron.parent else attributes


def _failure_of(bond: Bond, error: BaseException) -> Failure:
    """Describe what ended an attempt, as its properties will."""
    if type(error) is FailedInChild:  # by type: an atom's exception may lie about its class
        return error.failure
    if issubclass(type(error), SoftLimitReached) or (is_cancellation(error) and bond.time_left() <= 0):
        return Failure(kind=FailureKind.TIMED_OUT, message="it ran over its time")
    if is_cancellation(error) and bond.cancelled:
        return Failure(kind=FailureKind.CANCELLED, message="it was told to stop")
    return raised(error)
