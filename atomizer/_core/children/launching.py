"""Launching: how a child process is started, and how it finds the program it belongs to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from ...reference import main_file
from .framing import MainModule

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ("Launched", "launch", "main_module")

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from atomizer._core.children.program import live; live(*map(int, sys.argv[1:4]))"
)


class Launched(NamedTuple):
    """A process that is starting, and what leads to it."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    lifeline: FileIO
    """Our end of the pipe that is closed with this process, if not before."""


def launch() -> Launched:
    """
    Start a child process. It takes a millisecond or two until this returns; the child needs longer to be ready.

    Input is empty; output and errors are the parent's own, and nothing but the atom writes there.

    Raises:
        OSError: The system has no process or no descriptor left, or the interpreter cannot be found.
    """
    with ExitStack() as undo, ExitStack() as handed_on:
        ours, theirs = socket.socketpair()
        undo.enter_context(ours)
        handed_on.enter_context(theirs)
        read, write = os.pipe()
        handed_on.callback(os.close, read)
        lifeline = undo.enter_context(FileIO(write, "wb"))
        with _held_back(_SIGNALS):
            process = _start(theirs.fileno(), read)
        undo.pop_all()
    _lifelines.add(lifeline)
    return Launched(process, ours, lifeline)


def _start(*handed_on: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_command(), *map(str, handed_on), str(os.getpid()), *_search_path()],
        stdin=subprocess.DEVNULL,
        pass_fds=handed_on,
        process_group=0,
    )


_lifelines: WeakSet[FileIO] = WeakSet()


def _let_go() -> None:
    """Close the lifelines in a forked copy of this process: it may live on when the one is killed that they are for."""
    for lifeline in _lifelines:
        lifeline.close()


os.register_at_fork(after_in_child=_let_go)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a whole group or service is told to stop with: a child leaves it to its parent to stop it."""


@contextmanager
def _held_back(signals: tuple[signal.Signals, ...]) -> Generator[None]:
    """Start with signals held back: a child of this moment goes on holding them until it knows what to do with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _command() -> list[str]:
    if not sys.executable or getattr(sys, "frozen", False):  # a frozen program would start itself again
        raise FileNotFoundError("sys.executable names no Python, so there is nothing to start child processes with")
    return [sys.executable, *_flags(), "-c", _PROGRAM]


def _flags() -> list[str]:
    """Repeat what this interpreter was told about what it does at its start."""
    letters = [letter * int(getattr(sys.flags, name)) for name, letter in _FLAGS.items()]
    warnings = [f"-W{option}" for option in sys.warnoptions]
    return [f"-{letter}" for letter in letters if letter] + warnings + ["-Xutf8"] * sys.flags.utf8_mode


_FLAGS = {
    "dont_write_bytecode": "B",
    "ignore_environment": "E",
    "isolated": "I",
    "no_site": "S",
    "no_user_site": "s",
    "optimize": "O",
    "safe_path": "P",
}


def _search_path() -> list[str]:
    """Return where modules are looked for, from wherever the child is."""
    return [str(Path(entry).absolute()) for entry in sys.path]


def main_module() -> MainModule | None:
    """Say where this program's main module is written; None if in no file of its own."""
    path = main_file()
    if path is None:
        return None
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    name = "" if spec is None else str(spec.name)
    return MainModule(os.fsencode(Path(path).absolute()), name, getattr(main, "__package__", None) or "")
