"""One electron's turn: what it has taken for its run beside its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .children.processes import Taken
    from .flight import Flight
    from .gate import Gate

__all__ = ("Turn",)


class Turn:
    """
    One electron's turn.

    Attributes:
        gate: The gate that it is inside of.
        queue: The gate that it waits at.
        process: The child process that it has.
        has_come: Whether it waits no longer.
    """

    __slots__ = ("gate", "has_come", "process", "queue")

    def __init__(self) -> None:
        self.gate: Gate[Flight] | None = None
        self.queue: Gate[Flight] | None = None
        self.process: Taken | None = None
        self.has_come: bool = False
