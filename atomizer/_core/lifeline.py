"""
The lifeline of a child process: it dies with its parent, also when that is killed and can say nothing any more.

Two means, for either has a hole. The kernel sends a signal when the thread that started the child ends, on Linux alone.
A thread of the child sees the parent's end of the socket pair close, but waits behind C code that keeps the GIL.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from contextlib import suppress

__all__ = ("hold_lifeline",)

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG in linux/prctl.h


def hold_lifeline(descriptor: int, parent: int) -> None:
    """
    See to it that this process dies with its parent.

    Args:
        descriptor: This end of the socket pair.
        parent: The process id of the parent: it may have died already.
    """
    threading.Thread(target=_watch, args=(descriptor,), name="atomizer lifeline", daemon=True).start()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without it: then the thread does it alone
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        _die()


def _watch(descriptor: int) -> None:
    """Wait until the other end is closed: a poll for nothing tells of that alone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the main thread
    poller = select.poll()
    poller.register(descriptor, 0)
    poller.poll()
    _die()


def _die() -> None:
    """End, with whatever the atoms started in this process's group."""
    with suppress(OSError):  # it may have left its group
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
