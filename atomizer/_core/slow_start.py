"""
Slow start: how much of its slots a node may use on a connection that is new, or that brought what may be poison. Pure.

An electron that ends its process takes everything with it that the connection holds. All of that comes again, counted,
and if all of it were taken at once again, the innocent would be counted with the guilty until all were called poison.
So a connection begins with one delivery. What was never delivered before doubles it. What has ended a connection before
(`Delivery.count` at least 1) is run by itself: nothing is taken beside it until it is settled.

It doubles with what comes, and not with what is acknowledged. What the doubling protects is what comes *behind* a
delivery that may be poison, and the transport puts that in front: a delivery that has never been out says the moment
it comes that what might have been counted is through. To wait for its end as well would say no more, and cost much:
64 electrons of a second on 64 slots take 1 s so, 4 s if the credit doubles with each acknowledgement, and 7 s if it
does with each full round of them. Of slow atoms a node would stay nearly empty for as long as several of them take.

After a connection has broken that its process survived, what is under way comes again as if it had ended that. It joins
what runs here, and is no suspect from then on: this process lives, and runs it.

A delivery that came before, on a transport that cannot say how that ended, is neither: it doubles once it is settled.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..conductor import Delivery

__all__ = ("Past", "SlowStart", "past_of")


class Past(Enum):
    """What is known of the time before a delivery."""

    CLEAN = "clean"
    """It never ended badly."""
    UNKNOWN = "unknown"
    """It was out before, and the transport cannot say what became of it then."""
    SUSPECT = "suspect"
    """It was out when a connection ended, at least once: it may be what ended it."""


def past_of(count: int | None, redelivered: bool) -> Past:
    """
    Decide what the past of a delivery says of it.

    Args:
        count: `Delivery.count`.
        redelivered: `Delivery.redelivered`. Where the transport counts, what was given back is as good as new.
    """
    if count:
        return Past.SUSPECT
    return Past.UNKNOWN if count is None and redelivered else Past.CLEAN


class SlowStart:
    """
    The slow start of one connection.

    Args:
        slots: How many electrons run at once on the node.

    Attributes:
        ceiling: How many of them may come over this connection.
        is_holding: Something is out that may be poison: nothing is to be taken beside it.
    """

    def __init__(self, slots: int) -> None:
        self.ceiling: int = 1
        self._slots = slots
        self._out: dict[int, tuple[Delivery, Past]] = {}  # what to be told of, by identity: deliveries have no hash
        self.is_holding: bool = False

    def __repr__(self) -> str:
        holding = ", holding" if self.is_holding else ""
        return f"<SlowStart {self.ceiling} of {self._slots}{holding}>"

    @property
    def is_over(self) -> bool:
        """Whether all slots may be used."""
        return self.ceiling >= self._slots and not self.is_holding

    @property
    def withheld(self) -> int:
        """How many slots may not be used. What is lent comes on top, so that an atom's children always come."""
        return self._slots if self.is_holding else max(0, self._slots - self.ceiling)

    def received(self, delivery: Delivery) -> None:
        """Take note of a delivery that has come."""
        past = past_of(delivery.count, delivery.redelivered)
        if past is Past.CLEAN:
            self._double()
        elif past is Past.SUSPECT:
            self._out[id(delivery)] = delivery, past
            self.ceiling, self.is_holding = 1, True
        elif not self.is_over:
            self._out[id(delivery)] = delivery, past

    def settled(self, delivery: Delivery) -> bool:
        """
        Take note that a delivery is settled, or flown to its end, or joins what is under way here.

        Returns:
            Whether that made a difference.
        """
        found = self._out.pop(id(delivery), None)
        if found is None:
            return False
        self.is_holding = any(past is Past.SUSPECT for _, past in self._out.values())
        self._double()
        return True

    def _double(self) -> None:
        if not self.is_holding:
            self.ceiling = min(2 * self.ceiling, self._slots)
