"""The pool of child processes of a node: how large it may be, and how it is made."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from ..processors import usable_cpus

if TYPE_CHECKING:
    import asyncio

    from ..settings import Settings
    from .children.processes import Processes
    from .tasks import Tasks

__all__ = ("make_processes", "most_processes")


def most_processes(settings: Settings) -> int:
    """Decide how many child processes there are at most: one for each core that may be used, if nothing is said."""
    return settings.processes or ceil(usable_cpus())


def make_processes(name: str, *, loop: asyncio.AbstractEventLoop, settings: Settings, tasks: Tasks) -> Processes:
    """Make the pool of a node: only who has atoms for it pays for what it takes."""
    from .children.processes import Processes  # noqa: PLC0415  # as above

    return Processes(
        loop,
        f"atomizer-{name}",
        most=most_processes(settings),
        calls_each=settings.process_calls,
        memory_each=settings.process_memory_bytes,
        max_payload_bytes=settings.max_payload_bytes,
        tasks=tasks,
    )
