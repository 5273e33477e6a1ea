"""What a command tells its user who can put it right, and the exit codes of all commands."""

from __future__ import annotations

__all__ = ("BAD_TARGET", "FINDING", "INTERRUPTED", "NO_CONDUCTOR", "UNWRITABLE", "USAGE", "Complaint")

FINDING = 1
"""Something was found, failed or lost."""
USAGE = 2
"""Wrong usage: what click ends with too."""
BAD_TARGET = 3
"""A target cannot be imported or served, or holds no atoms."""
NO_CONDUCTOR = 4
"""The conductor is unknown or cannot be reached."""
UNWRITABLE = 5
"""Standard output cannot be written."""
INTERRUPTED = 130
"""Ctrl-C before anything was there to be finished."""


class Complaint(Exception):
    """
    A user's mistake, or a surrounding that is not as it should be, in one line that says what to do next.

    Attributes:
        exit_code: What the process ends with.
    """

    def __init__(self, message: str, *, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(" ".join(message.split()))
