"""A picture of the progress: one line in a terminal that is drawn again and again, else a line a second."""

from __future__ import annotations

import sys
import time

import click

__all__ = ("Picture",)

_WIDTH = 30
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
        line = f"{_bar(done / total)} {done / total:4.0%}   {note}   {rate:,.0f} tosses/s"
        click.echo(f"\r\x1b[K{line}" if self._live else line, file=self._stream, nl=not self._live)

    def end(self) -> None:
        """Leave the last picture standing."""
        if self._live:
            click.echo(file=self._stream)


def _bar(share: float) -> str:
    eighths = round(share * _WIDTH * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_WIDTH, "·")
