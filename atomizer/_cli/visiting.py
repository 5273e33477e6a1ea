"""Visiting: a runtime for one command, which takes nothing, does something, and leaves again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import ConductorError
from ..memory import MemoryConductor
from ..runtime import Atomizer
from .complaint import NO_CONDUCTOR, Complaint
from .conductors import chosen
from .fields import settings_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .voice import Voice

__all__ = ("Said", "at_runtime", "note_to")

T = TypeVar("T")

_IN_MEMORY = (
    "the conductor is in the memory of this process, so nothing of other processes is there: "
    "name another with --conductor URL or ATOMIZER_URL"
)


class Said(NamedTuple):
    """What a command has to say, and whether all that was asked for was done, or was there."""

    text: str
    is_sound: bool = True
    note: str = ""
    """What there is to know about it, beside the answer itself."""


def at_runtime(url: str | None, act: Callable[[Atomizer], Awaitable[T]], voice: Voice) -> T:
    """
    Open a runtime that takes no electrons, do something with it, and close it.

    Args:
        url: The conductor; None means `ATOMIZER_URL`, else memory.
        act: What to do.
        voice: Where it is noted that nothing can be there.

    Raises:
        Complaint: The conductor is unknown, cannot be reached or broke, or a setting is out of its range.
    """
    settings = settings_of({"name": ""})  # that of the environment may be of a node which runs
    conductor = chosen(url, settings)
    if conductor is None or isinstance(conductor, MemoryConductor):
        note_to(voice, _IN_MEMORY)
    return asyncio.run(_within(Atomizer(conductor=conductor, settings=settings, serve=False), act))


def note_to(voice: Voice, text: str) -> None:
    """Write a note, for people or for machines."""
    voice.note(json.dumps({"kind": "note", "text": text}) if voice.as_json else f"note: {text}")


async def _within(runtime: Atomizer, act: Callable[[Atomizer], Awaitable[T]]) -> T:
    try:
        async with runtime:
            return await act(runtime)
    except ConductorError as error:
        raise Complaint(str(error), exit_code=NO_CONDUCTOR) from error
