"""Tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ("moment", "table")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows in columns that are as wide as they must be: the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def moment(when: datetime | None) -> str:
    """Write a moment in UTC, to the second; nothing for none."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}Z"
