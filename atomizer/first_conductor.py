"""The conductors of a runtime, and which of them is its first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bounds import bounds_of
from .memory import MemoryConductor
from .schemes import conductor_from_url

if TYPE_CHECKING:
    from .conductor import Conductor
    from .registry import Registry
    from .settings import Settings

__all__ = ("conductors_of", "with_room")


def conductors_of(conductor: Conductor | str | None, registry: Registry, settings: Settings) -> list[Conductor]:
    """Decide which conductors a runtime has, the one to use first in front."""
    registered = registry.conductors
    if conductor is None and not registered:
        conductor = settings.url or with_room(MemoryConductor(), settings)
    if isinstance(conductor, str):
        conductor = with_room(conductor_from_url(conductor), settings)  # named in code, or by Settings.url
    if conductor is None:
        return list(registered)
    if conductor not in registered:
        registry.register(conductor)
    return [conductor, *(other for other in registered if other is not conductor)]


def with_room(conductor: Conductor, settings: Settings) -> Conductor:
    """Let a hub of this process that nobody has made by hand carry what the settings allow, with what is around it."""
    if isinstance(conductor, MemoryConductor):
        conductor.max_body_bytes = max(conductor.max_body_bytes, bounds_of(settings).max_bytes)
    return conductor
