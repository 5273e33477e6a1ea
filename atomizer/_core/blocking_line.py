"""Which line of code an event loop stands still at: read from the frames of its thread."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

__all__ = ("Place", "place_of")

_OURS = __file__[: -len("_core/blocking_line.py")]
_LIBRARY = os.__file__[: -len("os.py")]
_INSTALLED = ("site-packages", "dist-packages")  # may lie inside of the library's folder
_LOOP = "asyncio."
_RUNS = frozenset(("run_forever", "run_until_complete", "run", "_run_once"))
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


class Place(NamedTuple):
    """A line of code."""

    coroutine: str
    """The coroutine that it belongs to; else the function."""
    file: str
    line: int


def place_of(frame: FrameType | None) -> Place | None:
    """
    Find the line that holds a loop up.

    That is the innermost which is neither atomizer's nor the standard library's; if there is none, the innermost.

    Args:
        frame: The innermost frame of the loop's thread.

    Returns:
        The line; None if the loop only waits for something to happen, or does not run.
    """
    inside = list(_inside_the_loop(frame))
    theirs = [index for index, each in enumerate(inside) if is_theirs(each.f_code)]
    if not inside or (not theirs and inside[0].f_globals.get("__name__") == "selectors"):
        return None
    chosen = theirs[0] if theirs else 0
    code = inside[chosen].f_code
    callers = (each.f_code for each in inside[chosen:])
    named = next((each for each in callers if each.co_flags & _ASYNC and is_theirs(each)), code)
    return Place(named.co_qualname, code.co_filename, inside[chosen].f_lineno)


def _inside_the_loop(frame: FrameType | None) -> Iterator[FrameType]:
    """Give the frames of what the loop runs, the innermost first: those from the loop itself outwards are no news."""
    while frame is not None and not _is_loop(frame):
        yield frame
        frame = frame.f_back


def _is_loop(frame: FrameType) -> bool:
    return frame.f_code.co_name in _RUNS and str(frame.f_globals.get("__name__", "")).startswith(_LOOP)


def is_theirs(code: CodeType) -> bool:
    """Whether code is neither atomizer's nor the standard library's."""
    path = code.co_filename
    if path.startswith(("<frozen", _OURS)):
        return False
    return not path.startswith(_LIBRARY) or any(folder in path for folder in _INSTALLED)
