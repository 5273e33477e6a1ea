"""Unanswered: telling those who wait for an outcome that none will come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConductorUnavailable, NotRunning

if TYPE_CHECKING:
    from .correlation import Correlation
    from .supervision import Link

__all__ = ("Unanswered",)


class Unanswered:
    """Lets nobody of a node wait for ever."""

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation

    def over(self, link: Link) -> None:
        """Tell those who wait for what was sent over a conductor that was taken away, or refuses us for good."""
        for expecting in self._correlation.drain(lambda each: each.link is link):
            what = f"electron {expecting.electron_id!r} has no answer"
            if link.has_failed:
                why = f"conductor {link.name!r} has failed for good: {link.error}; {what}"
                expecting.fail(ConductorUnavailable(why, permanent=True))
            else:
                expecting.fail(NotRunning(f"conductor {link.name!r} was taken away: {what}"))

    def at_the_end(self) -> None:
        """Tell everybody: the runtime stops."""
        for expecting in self._correlation.drain():
            expecting.fail(NotRunning(f"the runtime stopped before electron {expecting.electron_id!r} was answered"))
