"""The envelope of what was given up on: a dead letter, as it lies on the DEAD lane."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

from .electron import JSON, Id, Moment
from .failure import Failure

__all__ = ("DEAD", "UNCLAIMED", "DeadLetter")

DEAD = "dead"
"""The route, on the DEAD lane, of electrons that were given up on."""
UNCLAIMED = "unclaimed"
"""The route, on the DEAD lane, of properties that nobody was there to take."""


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An electron that was given up on, or properties that nobody took: as it came, and why."""

    electron_id: Id
    """The electron it was, or the one that was answered."""
    reason: Annotated[str, Meta(max_length=64)]
    """Why it lies here: a `FailureKind`, or `unclaimed`."""
    body: bytes
    """The electron's own bytes as they came; for what is unclaimed those of the properties."""
    content_type: Annotated[str, Meta(max_length=128)] = JSON
    """How `body` is written."""
    atom_id: Id = ""
    """The atom that was asked; empty where the bytes could not be read."""
    route: Id = ""
    """The WORK route that it came by, and is replayed to."""
    conductor: Id = ""
    """The conductor that it came by."""
    node: Id = ""
    """The node that gave it up."""
    sender: Id = ""
    """The node that sent it."""
    reply_to: Id = ""
    """The node that waited for it; empty if none did."""
    key: Id = ""
    """Its affinity key."""
    priority: Annotated[int, Meta(ge=-1, le=1)] = 0
    """Its priority."""
    attempts: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    """How often it was tried."""
    failures: Annotated[tuple[Failure, ...], Meta(max_length=64)] = ()
    """What went wrong in each attempt, the oldest first."""
    trace: Annotated[str, Meta(max_length=256)] = ""
    """The W3C trace context."""
    replayed: Annotated[int, Meta(ge=0, le=2**31)] = 0
    """How often it was taken from here and sent again."""
    died_ns: Moment = 0
    """When it was given up, in UTC nanoseconds since 1970."""

    @property
    def died(self) -> datetime:
        """When it was given up, in UTC."""
        return datetime.fromtimestamp(self.died_ns / 1e9, UTC)

    @property
    def is_unclaimed(self) -> bool:
        """Whether it is properties that nobody took, and not an electron."""
        return self.reason == UNCLAIMED
