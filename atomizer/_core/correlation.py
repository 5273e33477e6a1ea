"""Which reply belongs to whom. Pure: a table from electron ids to those who wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import AtomizerError
    from ..properties import Progress, Properties

__all__ = ("Correlation", "Expecting")


class Expecting(Protocol):
    """Somebody who waits for the properties of one electron."""

    electron_id: str
    atom_id: str
    due: float
    """When to give it up, on the clock's `monotonic()`."""
    is_cancelled: bool
    """Whether it was asked to be stopped."""

    @property
    def link(self) -> object:
        """The way it was sent."""
        ...

    def resolve(self, properties: Properties) -> None:
        """Take the outcome."""
        ...

    def fail(self, error: AtomizerError) -> None:
        """Take it that no outcome will come."""
        ...

    def advance(self, progress: Progress) -> None:
        """Take a word on how far it is."""
        ...


class Correlation:
    """
    Everything this node has asked for and not heard of. One visible outcome for each id: later ones find nobody.

    Attributes:
        expecting: Who waits, by electron id.
    """

    def __init__(self) -> None:
        self.expecting: dict[str, Expecting] = {}

    def __len__(self) -> int:
        return len(self.expecting)

    def take(self, electron_id: str) -> Expecting | None:
        """Take out whoever waits for an electron."""
        return self.expecting.pop(electron_id, None)

    def find(self, electron_id: str) -> Expecting | None:
        """Return whoever waits for an electron, and leave it there."""
        return self.expecting.get(electron_id)

    def drain(self, wanted: Callable[[Expecting], bool] = lambda _: True) -> list[Expecting]:
        """Take out everybody, or those that are wanted."""
        left = [expecting for expecting in self.expecting.values() if wanted(expecting)]
        for expecting in left:
            del self.expecting[expecting.electron_id]
        return left
