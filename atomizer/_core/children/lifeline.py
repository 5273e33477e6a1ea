"""
The lifeline of a child process: it dies with its parent, also when that is killed and can say nothing any more.

It is a pipe of which the parent alone holds the other end, and which nothing goes through. Two means, for either has a
hole. On Linux the kernel kills the whole group when that end is closed: whatever the child does, and with the programs
that its atoms have started. A thread of the child sees it too, but waits behind C code that keeps the GIL.
"""

from __future__ import annotations

import fcntl
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
    See to it that this process dies with its parent, and its group with it.

    Args:
        descriptor: The end of the pipe that is read.
        parent: The process id of the parent: it may have died already.
    """
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_watch, args=(descriptor,), name="atomizer lifeline", daemon=True).start()
    if sys.platform == "linux":
        _leave_to_the_kernel(descriptor)
    if os.getppid() != parent:
        _die()


def _leave_to_the_kernel(descriptor: int) -> None:
    """Have the end of the pipe signalled to the group; where that is refused, the parent's to this process."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    except (OSError, AttributeError):  # what takes itself for Linux, and is it not in everything
        import ctypes  # noqa: PLC0415  # seldom needed

        with suppress(OSError, AttributeError):  # a C library without it: then the thread does it alone
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL))


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
