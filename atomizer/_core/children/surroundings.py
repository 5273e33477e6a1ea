"""Surroundings: what belongs to a whole process, which every call finds as its atom's module left it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from _signal import getsignal  # type: ignore[import-not-found]  # that of `signal` looks up a name for each, and takes twenty times as long
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ("Surroundings",)

_SIGNALS = tuple(int(each) for each in signal.Signals if each not in (signal.SIGKILL, signal.SIGSTOP))
_ROUND_SECONDS = 0.01  # what a thread needs that ends already
_LOOKS = 10


class Surroundings:
    """What a process was like when its functions were loaded, to be put back after each call."""

    def __init__(self) -> None:
        self.note()

    def note(self) -> None:
        """Take this process as it is for how it is to be."""
        self._home = _current_folder()
        self._mask = os.umask(0o77)
        os.umask(self._mask)
        self._environment = dict(_environment())
        self._handlers = _handlers()
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._streams = sys.stdout, sys.stderr
        self._threads = threading.active_count()

    @property
    def is_spoilt(self) -> bool:
        """Whether something has changed that nobody can put back: a thread was left, or a stream closed."""
        output, errors = self._streams
        if getattr(output, "closed", False) or getattr(errors, "closed", False):
            return True
        return threading.active_count() > self._threads and self._has_threads_left()

    def flush(self) -> None:
        """Print what would be lost if this process were killed."""
        output, errors = self._streams
        _flush(output)
        _flush(errors)
        if sys.stdout is not output or sys.stderr is not errors:
            _flush(sys.stdout)
            _flush(sys.stderr)

    def restore(self) -> None:
        """Put back what can be put back."""
        sys.stdout, sys.stderr = self._streams
        with suppress(OSError):  # it may have gone
            os.chdir(self._home)
        os.umask(self._mask)
        if _environment() != self._environment:
            os.environb.clear()
            os.environb.update(self._environment)
        if _handlers() != self._handlers:
            self._restore_handlers()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def _restore_handlers(self) -> None:
        for number, before, now in zip(_SIGNALS, self._handlers, _handlers(), strict=True):
            if now != before and before is not None:  # None: not Python's own
                signal.signal(number, before)

    def _has_threads_left(self) -> bool:
        """Let threads end that are about to."""
        for _ in range(_LOOKS):
            time.sleep(_ROUND_SECONDS / _LOOKS)
            if threading.active_count() <= self._threads:
                return False
        return True


def _flush(stream: Any) -> None:
    try:  # noqa: SIM105  # `suppress` takes four times as long
        stream.flush()
    except Exception:  # noqa: S110  # an atom may have closed it, or put anything in its place
        pass


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def _environment() -> dict[bytes, bytes]:
    """Return the variables themselves: a copy by their mapping takes longer than all the rest of this."""
    environment: dict[bytes, bytes] = vars(os.environ)["_data"]
    return environment


def _handlers() -> list[Any]:
    return [getsignal(number) for number in _SIGNALS]
