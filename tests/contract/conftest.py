"""Contract tests run on every event loop that is here."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name the loops: asyncio's own, with eager tasks where Python has them, and uvloop where it is installed."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if sys.version_info >= (3, 12):
        loops["eager"] = _eager_loop
    try:
        import uvloop  # noqa: PLC0415  # not there on every platform
    except ImportError:
        return loops
    loops["uvloop"] = uvloop.new_event_loop
    return loops


if sys.version_info >= (3, 12):

    def _eager_loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop
