"""The trace context that an electron carries: what the application says of the moment, or its parent's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..events import RuntimeFaulted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..electron import Electron
    from .broadcast import Broadcast

__all__ = ("Tracing", "tracing_by")

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")
"""Of any version: later ones may add to it."""
_MOST = 256


def tracing_by(ask: Callable[[], str] | None, broadcast: Broadcast, *, for_children: bool) -> Tracing | None:
    """Say who is asked for trace contexts, and where it is told if what comes back is none; None asks nobody."""
    if ask is None:
        return None
    return Tracing(ask, for_children=for_children, complain=lambda why: broadcast.emit(RuntimeFaulted, error=why))


class Tracing:
    """
    Asks the application for the trace context of each electron that is sent.

    What cannot be one is left out: a trace is for people who look on, and no reason not to send.

    Args:
        ask: Returns the traceparent of the moment, or "" for none.
        for_children: Whether it is asked for children too. Without a hook that makes a span for each attempt, the
            moment an atom sees is not its own, and its children carry what it carried itself.
        complain: Told once, when what comes back cannot be a trace context.

    Source: W3C Trace Context, 3.2 traceparent header.
    """

    def __init__(self, ask: Callable[[], str], *, for_children: bool, complain: Callable[[str], None]) -> None:
        self._ask = ask
        self._for_children = for_children
        self._complain = complain
        self._has_complained = False

    def carried(self, parent: Electron | None) -> str:
        """Return what an electron is to carry, whose parent is this one, or that has none."""
        inherited = "" if parent is None else parent.trace
        if parent is not None and not self._for_children:
            return inherited
        return self._said() or inherited

    def _said(self) -> str:
        try:
            said = self._ask()
        except Exception as error:  # the application's own code: it must not keep an electron from being sent
            return self._leave_out(f"trace= raised {type(error).__qualname__}")
        if said == "" or is_trace_context(said):
            return said
        return self._leave_out("trace= returned what is no W3C traceparent")

    def _leave_out(self, why: str) -> str:
        if not self._has_complained:
            self._has_complained = True
            self._complain(f"{why}: electrons are sent without it; this is told once")
        return ""


def is_trace_context(said: object) -> bool:
    """Whether something can be carried as a trace context."""
    return type(said) is str and len(said) <= _MOST and _TRACEPARENT.fullmatch(said) is not None
