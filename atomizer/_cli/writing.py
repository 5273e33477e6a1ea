"""
Writing: cells and tables, moments, events and JSON, as every command writes them.

What comes from elsewhere is masked before it is written, as a value: finished JSON, and what somebody has asked to see,
stay as they are. For people every cell and every line is one line, with nothing in it that would steer a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..event_words import without_secrets
from ..masking import masked_line, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..events import Event

__all__ = ("as_json", "event_line", "joined", "moment", "table")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows in columns that are as wide as they must be: the first row is the heading."""
    shown = [tuple(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in shown)


def joined(text: str) -> str:
    """Join the lines of a text into one, with nothing in it that would steer a terminal."""
    return one_line(" ".join(text.split()))


def moment(when: datetime | None) -> str:
    """Write a moment in UTC, to the second; nothing for none."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}Z"


def event_line(event: Event, *, as_json: bool) -> str:
    """Write an event: its text form, or a JSON object. The secrets in what it says in words are hidden."""
    if as_json:
        return msgspec.json.encode(without_secrets(event)).decode()
    return masked_line(" ".join(str(without_secrets(event)).split()))


def as_json(value: object) -> str:
    """Write anything as JSON that people can read too."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()
