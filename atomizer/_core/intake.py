"""Intake: what a node takes nothing of for now, because somebody said so. Pure."""

from __future__ import annotations

__all__ = ("Intake",)


class Intake:
    """
    What is paused: routes and conductors, each by its name, and with `drain` everything.

    Attributes:
        is_draining: Nothing new is taken at all.
        is_over: Nothing new will be taken any more: the node stops.
    """

    def __init__(self) -> None:
        self.is_draining: bool = False
        self.is_over: bool = False
        self._routes: dict[str, None] = {}  # in order
        self._conductors: dict[str, None] = {}

    def __repr__(self) -> str:
        what = "everything" if self.is_draining else ", ".join((*self._routes, *self._conductors)) or "nothing"
        return f"<Intake, {what} paused>"

    def takes(self, conductor: str, route: str) -> bool:
        """Whether electrons of a route are taken off a conductor."""
        return not (self.is_over or self.holds_conductor(conductor) or route in self._routes)

    def holds_route(self, route: str) -> bool:
        """Whether a route is paused by its name."""
        return route in self._routes

    def holds_conductor(self, conductor: str) -> bool:
        """Whether nothing is taken off a conductor: it is paused by its name, or everything is."""
        return self.is_draining or conductor in self._conductors

    def pause_route(self, route: str) -> bool:
        """Take nothing more of a route. Returns whether that is new."""
        return _put(self._routes, route)

    def pause_conductor(self, conductor: str) -> bool:
        """Take nothing more off a conductor. Returns whether that is new."""
        return _put(self._conductors, conductor)

    def resume_route(self, route: str) -> bool:
        """Take a route up again. Returns whether it was paused."""
        return self._routes.pop(route, 0) is None

    def resume_conductor(self, conductor: str) -> bool:
        """Take a conductor up again. Returns whether it was paused."""
        return self._conductors.pop(conductor, 0) is None


def _put(names: dict[str, None], name: str) -> bool:
    if name in names:
        return False
    names[name] = None
    return True
