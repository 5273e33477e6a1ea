"""What `atomizer bench --atom process` measures: in a module of its own, because child processes import it."""

from __future__ import annotations

from ..atom import atom

__all__ = ("give_back",)


@atom(id="atomizer.bench.process", isolation="process")
def give_back(payload: bytes) -> bytes:
    """Return what it was given."""
    return payload
