"""How a child process came to its end, in words. Pure."""

from __future__ import annotations

import os
from pathlib import Path
from signal import Signals

from ...failure import Failure, FailureKind
from .framing import CHANNEL_LOST

__all__ = ("ProcessDied", "way_of_death")


class ProcessDied(Exception):
    """
    A child process ended while it ran an atom, or before it could.

    Args:
        how: What became of it, in words that go on from "its child process".
        last_words: What Python wrote of a crash: where the atom was.

    Attributes:
        failure: What the electron is answered with.
    """

    def __init__(self, how: str, last_words: bytes = b"") -> None:
        message = f"its child process {how}"
        self.failure: Failure = Failure(kind=FailureKind.FAILED, message=message, trace=_atoms_own(last_words))
        super().__init__(message)


def _atoms_own(last_words: bytes) -> str:
    """Leave out the frames of the core, which come last: they say nothing to the atom's author."""
    lines = last_words.decode("utf-8", "replace").splitlines(keepends=True)
    ours = (number for number, line in enumerate(lines) if line.startswith(_OUR_FRAME))
    return "".join(lines[: next(ours, None)])


_OUR_FRAME = f'  File "{Path(__file__).parents[1]}{os.sep}'


def way_of_death(exit_code: int, *, was_ready: bool = True) -> str:
    """
    Say how a process came to its end.

    Args:
        exit_code: As it was reaped with: below zero the signal that ended it.
        was_ready: Whether it had come so far that it could run atoms.
    """
    if exit_code < 0:
        name = _name_of(-exit_code)
        return f"was ended by {name}{_GUESSES.get(name, '')}"
    if not was_ready:
        return f"ended with exit code {exit_code} while it started: the standard error may say why"
    if exit_code == CHANNEL_LOST:
        return "could not answer: the atom closed a descriptor that it had not opened"
    if exit_code == _UNCAUGHT:
        return "ended with exit code 1: the standard error says why, unless an atom has called os._exit, which none may"
    return f"ended itself with exit code {exit_code}: an atom, or a library it uses, may not call os._exit"


_UNCAUGHT = 1
"""The exit code of a Python that an exception ends: the program of the child itself is not safe from what atoms do."""


def _name_of(signal: int) -> str:
    try:
        return Signals(signal).name
    except ValueError:  # a real-time signal
        return f"signal {signal}"


_GUESSES = {
    "SIGKILL": ": not by us, so perhaps by the kernel because memory ran out",
    "SIGSEGV": ": a crash in a library written in C, or a recursion too deep for the stack",
}
