"""Signals: the first stops in order, the second ends the process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ("stopped_by_signals",)


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
