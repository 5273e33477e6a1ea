"""Disposition: what becomes of an electron, decided from how it ended. Pure."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from msgspec.structs import replace

from ..conductor import Settlement
from ..electron import Electron
from ..errors import SoftLimitReached
from ..failure import Failure, FailureKind
from ..properties import Properties
from ..retry import names_of

if TYPE_CHECKING:
    from types import TracebackType

__all__ = (
    "GIVE_BACK",
    "Verdict",
    "dispose",
    "failure_of",
    "interruption",
    "is_anothers",
    "is_cancellation",
    "is_over_soft_limit",
    "lineage_of",
    "lineage_of_name",
    "name_of",
    "raised",
    "result_too_large",
    "sendable",
)

_MESSAGE_MOST = 4_000
_TRACE_MOST = 16_000


class Verdict(Struct, frozen=True, gc=False):
    """
    What to do with a delivery: what to send, each confirmed, and then how to settle.

    Attributes:
        reply: What goes to the node that waits.
        settlement: How to settle when everything is sent.
        outcome: What became of the electron, to be remembered; None if nothing did.
        letter: The outcome for which it goes to the dead letters.
        copy: What is sent in its place, to all nodes of its route.
        delay: Seconds until the copy may be delivered.
        again: Seconds until it is tried again here, and nothing is sent or settled before; None: it is not.
    """

    reply: Properties | None = None
    settlement: Settlement = Settlement.ACK
    outcome: Properties | None = None
    letter: Properties | None = None
    copy: Electron | None = None
    delay: float = 0.0
    again: float | None = None


GIVE_BACK = Verdict(None, Settlement.REQUEUE)
"""Nothing became of it here: the node stops, or lost its connection."""


def dispose(properties: Properties, reply_to: str, *, was_dead: bool = False) -> Verdict:
    """
    Decide what to send and how to settle, now that an electron has an outcome.

    Args:
        properties: Its outcome: a result or a failure. (An electron without one is given back: `GIVE_BACK`.)
        reply_to: The node that waits for it; "" means nobody does.
        was_dead: It was taken from the dead letters: if it fails again, it goes back there.
    """
    reply = properties if reply_to else None
    letter = properties if _is_given_up(properties, is_awaited=bool(reply_to), was_dead=was_dead) else None
    return Verdict(reply, Settlement.ACK, properties, letter)


def _is_given_up(properties: Properties, *, is_awaited: bool, was_dead: bool) -> bool:
    """Whether somebody should be able to look into it later: nobody hears of it, or more than one attempt was lost."""
    if properties.failure is None:
        return False
    kind = properties.failure.kind
    if was_dead:
        return True
    if kind in _NEVER_DEAD:
        return False
    return kind in _ALWAYS_DEAD or not is_awaited or (kind in _RAN and properties.attempt > 1)


_NEVER_DEAD = frozenset((FailureKind.EXPIRED, FailureKind.CANCELLED))
_ALWAYS_DEAD = frozenset((FailureKind.MALFORMED, FailureKind.POISON))
_RAN = frozenset((FailureKind.FAILED, FailureKind.TIMED_OUT))


def failure_of(error: BaseException, *, kind: str) -> Failure:
    """Describe an exception as data. Whatever its `__str__` does, this does not raise."""
    return Failure(
        kind=kind,
        type=name_of(error),
        message=_message(error),
        trace=_trace(error),
    )


def raised(error: BaseException) -> Failure:
    """Describe what an atom raised of its own accord."""
    if is_cancellation(error):
        message = "it raised CancelledError itself, or cancelled itself: nobody else did"
        return Failure(kind=FailureKind.FAILED, type=name_of(error), message=message)
    return failure_of(error, kind=FailureKind.FAILED)


def result_too_large(size_bytes: int, most_bytes: int, limit: str = "Settings.max_payload_bytes") -> Failure:
    """Describe a result that may not be sent, and which limit it is over."""
    message = (
        f"the result has {size_bytes:,} bytes, and {most_bytes:,} are allowed ({limit}): "
        "return a reference to the data, or raise that limit on both sides"
    )
    return Failure(kind=FailureKind.RESULT_REFUSED, message=message)


def interruption(failure: Failure, error: BaseException | None) -> Failure:
    """Add what an atom raised on its way out to its failure of having been told to stop: a detail of that."""
    if error is None or is_cancellation(error) or issubclass(type(error), BaseExceptionGroup):
        return failure
    return replace(
        failure,
        type=name_of(error),
        message=f"{failure.message}; on its way out it raised {_message(error)}",
        trace=_trace(error),
    )


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is a cancellation. By its type alone: an atom's exception may lie about its class."""
    loaded = sys.modules.get("asyncio.exceptions")  # a child process may do without
    return loaded is not None and issubclass(type(error), loaded.CancelledError)


def is_over_soft_limit(error: BaseException) -> bool:
    """Whether an atom let its soft limit through, perhaps out of a task group. By type: an exception may lie."""
    pending = [error]
    while pending:
        each = pending.pop()
        if type(each) in _GROUPS:
            pending.extend(cast("BaseExceptionGroup[BaseException]", each).exceptions)
        elif not issubclass(type(each), SoftLimitReached):
            return False
    return True


_GROUPS = (ExceptionGroup, BaseExceptionGroup)
"""And none that an author has made of them: it may do anything."""


def name_of(error: BaseException) -> str:
    """The type of an exception as failures carry it. Even that may run code of its author: a metaclass's."""
    try:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
    except BaseException:
        name = "(a type whose name cannot be read)"
    return sendable(name, 256)


def lineage_of(error: BaseException) -> tuple[str, ...]:
    """Name an exception's type and all that it is derived from, as far as that can be read."""
    try:
        return names_of(type(error))
    except BaseException:  # as above: a metaclass's code
        return ()


def lineage_of_name(name: str) -> tuple[str, ...]:
    """Name what an exception of another process is derived from, if its type is loaded in this one too."""
    module, _, name = name.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    return names_of(kind) if isinstance(kind, type) and issubclass(kind, BaseException) else ()


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as second:  # an exception whose str() raises, even SystemExit, is still an answer
        text = f"(its str() raised {type(second).__name__})"
    return sendable(text)


def _trace(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _own_frames(error.__traceback__))
    except BaseException as second:  # as above: rendering runs code of the exception's author
        return f"(its traceback could not be rendered: {type(second).__name__})"
    return sendable("".join(lines)[-_TRACE_MOST:], _TRACE_MOST)


def sendable(text: str, most: int = _MESSAGE_MOST) -> str:
    """Make text of a bounded size of which every character can be sent."""
    return str(text)[:most].encode("utf-8", "replace").decode()


def is_anothers(error: BaseException) -> bool:
    """Whether an exception was raised by other code than the core's own, so that its traceback says something."""
    trace = _own_frames(error.__traceback__)
    return trace is not None and not _is_ours(trace)


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of the core that drives the atom: they say nothing to its author."""
    while trace is not None and trace.tb_next is not None and _is_ours(trace):
        trace = trace.tb_next
    return trace


def _is_ours(trace: TracebackType) -> bool:
    return f"{trace.tb_frame.f_globals.get('__package__')}.".startswith(f"{__package__}.")
