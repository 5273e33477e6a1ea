"""Where an atom's electrons come from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conductor import Capability, Lane, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..conductor import Conductor
    from ..registry import Registration

__all__ = ("routes_of",)


def routes_of(registrations: Iterable[Registration], conductor: Conductor, node: str) -> list[Route]:
    """List the routes of atoms on a conductor: of each, its own, and the part of it that is for this node alone."""
    nodes = ("", node) if Capability.NODE in conductor.capabilities else ("",)
    return [Route(Lane.WORK, each.definition.route, name) for each in registrations for name in nodes]
