"""The conductor that a command line names."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points
from time import perf_counter
from typing import TYPE_CHECKING

from ..conductor import Conductor
from ..errors import ConductorUnknown
from ..first_conductor import with_room
from ..masking import masked
from ..memory import MemoryConductor
from ..registry import default_registry
from ..schemes import GROUP, HOMES, conductor_from_url
from ..settings import Settings
from .complaint import NO_CONDUCTOR, Complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("chosen", "conductor_of", "is_out_of_reach", "offered_schemes", "said_of", "time_of_connecting")


def conductor_of(url: str) -> Conductor:
    """
    Make the conductor of a URL.

    Raises:
        Complaint: No conductor answers to it, or it cannot be read.
    """
    try:
        return conductor_from_url(url)
    except (ConductorUnknown, ValueError) as error:
        raise Complaint(said_of(url, error), exit_code=NO_CONDUCTOR) from error


def said_of(url: str, error: Exception) -> str:
    """Say what went wrong, and with which URL, once and without its secrets."""
    shown = masked(url)
    text = (str(error) or type(error).__qualname__).replace(url, shown)
    return text if text.startswith(shown) else f"{shown}: {text}"


def chosen(url: str | None, settings: Settings, items: Sequence[object] = ()) -> Conductor | None:
    """
    Choose a runtime's first conductor as the runtime itself would; None leaves it to those registered, or to memory.

    Raises:
        Complaint: As `conductor_of`.
    """
    registered = default_registry.conductors or any(isinstance(item, Conductor) for item in items)
    wanted = url or ("" if registered else settings.url)
    return with_room(conductor_of(wanted), settings) if wanted else None


def is_out_of_reach(first: Conductor | None, items: Sequence[object] = ()) -> bool:
    """Whether no other process can reach a runtime with these conductors."""
    others = [item for item in (*default_registry.conductors, *items) if isinstance(item, Conductor)]
    named = others if first is None else [first, *others]
    return all(isinstance(conductor, MemoryConductor) for conductor in named)


def offered_schemes() -> list[str]:
    """Return the schemes of URLs that something here answers to."""
    return sorted({*HOMES, *entry_points(group=GROUP).names})


async def time_of_connecting(url: str) -> float:
    """
    Connect a conductor and leave it again, and return how many seconds that took.

    Raises:
        Complaint: As `conductor_of`.
        ConductorUnavailable: It cannot be reached.
        TimeoutError: That took longer than `Settings.connect_timeout`.
    """
    conductor = conductor_of(url)
    began = perf_counter()
    async with asyncio.timeout(Settings().connect_timeout), conductor.connect():
        return perf_counter() - began
