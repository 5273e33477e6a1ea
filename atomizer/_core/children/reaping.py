"""Reaping: to be told on the event loop that a process has ended, whatever else waits for processes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from subprocess import Popen

__all__ = ("tell_end", "tell_end_by_thread")


def tell_end(loop: asyncio.AbstractEventLoop, process: Popen[bytes], on_end: Callable[[], None]) -> None:
    """
    Have a function called on the loop, once, when a process has ended: waiting for it takes no time then.

    Where the system has descriptors for processes, the loop watches one; elsewhere a thread waits.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # another system, an old kernel, or no descriptor left
        return tell_end_by_thread(loop, process, on_end)

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        on_end()

    loop.add_reader(descriptor, ended)
    return None


def tell_end_by_thread(loop: asyncio.AbstractEventLoop, process: Popen[bytes], on_end: Callable[[], None]) -> None:
    """Do the same with a thread that waits for the process."""

    def wait() -> None:
        _wait(process)
        try:
            loop.call_soon_threadsafe(on_end)
        except RuntimeError:  # the loop is closed: nobody wants to know any more
            return

    threading.Thread(target=wait, name=f"atomizer reaps {process.pid}", daemon=True).start()


def _wait(process: Popen[bytes]) -> None:
    """Wait for a process, and where that is possible leave it to be reaped: its number is its own until then."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
