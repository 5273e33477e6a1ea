"""Where a command's lines go, and what becomes of them where they cannot be written."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Unwritable", "Voice", "is_broken", "let_go_of_broken_streams")

_CANNOT_BE_WRITTEN = (OSError, ValueError)
"""Its reader is gone, its disk is full; it is closed, or has no such letters."""


class Unwritable(Exception):
    """
    Standard output cannot be written.

    Attributes:
        reader_is_gone: As in `| head`: nobody is left to be told.
    """

    def __init__(self, error: OSError | ValueError) -> None:
        self.reader_is_gone = isinstance(error, BrokenPipeError)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        super().__init__(f"standard output cannot be written: {reason}")


class Voice:
    """
    Where the lines of a command go that has more to do than to say them. What cannot be written is passed over.

    Args:
        say: Writes results.
        note: Writes notes and errors.
        as_json: For machines.

    Attributes:
        unwritten: How many lines could not be written.
    """

    def __init__(self, say: Callable[[str], None], note: Callable[[str], None], *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.unwritten = 0
        self._say = say
        self._note = note

    def say(self, text: str) -> None:
        """Write a result, if it can be written."""
        self._write(self._say, text)

    def note(self, text: str) -> None:
        """Write a note or an error, if it can be written."""
        self._write(self._note, text)

    def _write(self, write: Callable[[str], None], text: str) -> None:
        try:
            write(text)
        except (Unwritable, *_CANNOT_BE_WRITTEN):
            self.unwritten += 1


def is_broken(stream: TextIO | None, probe: str = "") -> bool:
    """Whether what was written to a stream cannot go out, or what is written to try it."""
    try:
        if stream is not None:
            stream.write(probe)
            stream.flush()
    except _CANNOT_BE_WRITTEN:
        return True
    return False


def let_go_of_broken_streams() -> None:
    """Have what cannot be written go nowhere: at its end Python would try once more, and end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        if is_broken(stream):
            with suppress(*_CANNOT_BE_WRITTEN):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
