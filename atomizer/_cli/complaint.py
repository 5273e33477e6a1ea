"""What a command tells its user who can put it right, and the exit codes of all commands."""

from __future__ import annotations

import re

__all__ = ("BAD_TARGET", "FINDING", "INTERRUPTED", "NO_CONDUCTOR", "UNWRITABLE", "USAGE", "Complaint", "masked")

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


def masked(text: str) -> str:
    """Hide the secrets of every URL in a text: its password, a token in front of its host, and keys in its query."""
    return _SECRET.sub(r"\1***", _USER_INFO.sub(_without_secret, text))


def _without_secret(found: re.Match[str]) -> str:
    user, colon, _ = found[1].partition(":")
    return f"://{user}:***@" if colon else "://***@"


_USER_INFO = re.compile(r"://([^\s\"]*)@")  # up to the last @: a password that is not escaped may hold one, or a slash
_SECRET = re.compile(r"([?&][\w-]*(?:passw(?:or)?d|secret|token|key)[\w-]*=)[^&\s\"]+", re.IGNORECASE)
