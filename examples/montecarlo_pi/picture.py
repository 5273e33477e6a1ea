"""A picture of the progress: one line in a terminal that is drawn again and again, else a line a second."""

from __future__ import annotations

import os
import sys
import time

import click

__all__ = ("Picture",)

_WIDTH = 30
_COLUMNS = 80  # of a terminal that does not say
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class Picture:
    """Draws how far it is on standard error."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._live = self._stream.isatty()
        self._started = time.monotonic()
        self._drawn = self._started

    def draw(self, done: float, total: float, note: str) -> None:
        """Draw the newest figures. Without a terminal to draw on, at most once a second."""
        now = time.monotonic()
        if not self._live and done < total and now - self._drawn < 1.0:
            return
        self._drawn = now
        rate = done / max(now - self._started, 1e-9)
        text = f" {done / total:4.0%}   {note}   {rate:,.0f} tosses/s"
        if self._live:
            click.echo(f"\r\x1b[K{_fitted(done / total, text, self._columns())}", file=self._stream, nl=False)
        else:
            click.echo(_bar(done / total, _WIDTH) + text, file=self._stream)

    def end(self) -> None:
        """Leave the last picture standing."""
        if self._live:
            click.echo(file=self._stream)

    def _columns(self) -> int:
        return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS


def _fitted(share: float, text: str, columns: int) -> str:
    """Give the bar what the text leaves of a line; a line that is full would begin another one."""
    room = columns - 1
    return (_bar(share, min(max(room - len(text), 0), _WIDTH)) + text)[:room]


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, "·")
