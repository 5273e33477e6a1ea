"""Visiting a fleet: a runtime for one command, that takes nothing and leaves again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConductorError
from ..runtime import Atomizer
from .complaint import NO_CONDUCTOR, Complaint
from .conductors import chosen, is_out_of_reach
from .fields import settings_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ("visit",)

T = TypeVar("T")

_OUT_OF_REACH = (
    "the conductor is in the memory of this process, so no other node can be seen: "
    "name another with --conductor URL or ATOMIZER_URL"
)


def visit(url: str | None, look: Callable[[Atomizer], Awaitable[T]], note: Callable[[str], None]) -> T:
    """
    Open a runtime that only asks, look at its fleet, and close it.

    Args:
        url: The conductor; None means `ATOMIZER_URL`, else memory.
        look: What to do with the runtime.
        note: Writes a note, where nobody can be seen.

    Raises:
        Complaint: The conductor is unknown or cannot be reached, or the environment holds a wrong setting.
    """
    settings = settings_of({"name": ""})  # the environment's may be that of a node which runs already
    conductor = chosen(url, settings)
    if is_out_of_reach(conductor):
        note(f"note: {_OUT_OF_REACH}")

    async def go() -> T:
        async with Atomizer(conductor=conductor, settings=settings, serve=False) as runtime:
            return await look(runtime)

    try:
        return asyncio.run(go())
    except ConductorError as error:
        raise Complaint(str(error), exit_code=NO_CONDUCTOR) from error
