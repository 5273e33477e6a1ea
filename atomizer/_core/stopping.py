"""Stopping: on a signal, and to the end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anyio import CancelScope

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ("stopped_by_signals", "to_its_end")


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Generator[None]:
    """
    Let the first SIGTERM or SIGINT stop in order; the next meets the system's own handling, which ends the process.

    The handlers from before are put back only if no signal came: after the first, a second one must end the process
    while it stops.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def take() -> None:
        stop()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        before.clear()

    for number in numbers:
        loop.add_signal_handler(number, take)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def to_its_end(closing: asyncio.Task[None], hurry: Callable[[], None]) -> None:
    """
    Wait for the end of a stop, which is bounded by itself, whoever cancels the waiting, and however often.

    A task's own `cancel()` goes through any shield: Ctrl-C and `asyncio.timeout` would leave half of it open.
    """
    cancelled: asyncio.CancelledError | None = None
    while not closing.done():
        try:
            with CancelScope(shield=cancelled is not None):  # a cancelled scope cancels each await again
                await asyncio.wait((closing,))
        except asyncio.CancelledError as error:
            cancelled = error
            hurry()
    closing.result()
    if cancelled is not None:
        raise cancelled
