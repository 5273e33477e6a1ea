"""The electron: a request for one atom, as it travels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from .bounds import INSIDE
from .json_values import decode_value
from .trials import Trials

if TYPE_CHECKING:
    from .failure import Failure

__all__ = ("JSON", "RAW", "Electron", "Id", "Moment")

T = TypeVar("T")

JSON = "application/json"
"""The content type of encoded values."""
RAW = "application/octet-stream"
"""The content type of bytes that nobody encodes."""

Id = Annotated[str, Meta(max_length=256)]
"""An id or a name on the wire."""
Moment = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A UTC moment on the wire: nanoseconds since 1970."""
Duration = Annotated[float, Meta(ge=0.0, le=1e10)]
"""Seconds on the wire; the bounds refuse NaN and infinity."""


class Electron(Struct, frozen=True, kw_only=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A request for one atom."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    """Unique among all electrons of a deployment; the same id is the same request."""
    atom_id: Annotated[str, Meta(min_length=1, max_length=256)]
    """The atom that is asked."""
    sender: Id = ""
    """The node that sent it."""
    payload: bytes = b""
    """What the atom gets, encoded as `content_type` says."""
    content_type: Annotated[str, Meta(max_length=128)] = JSON
    """How `payload` is encoded: JSON, or raw bytes."""
    deadline_ns: Moment | None = None
    """When its life ends, in UTC nanoseconds since 1970. None means never."""
    budget: Duration | None = None
    """Seconds of life that were left when it was sent; the smaller of both counts, whatever the clocks say."""
    limit: Duration | None = None
    """Seconds that one attempt may run."""
    copy_state: bool | None = None
    """Whether the atom's registered state is copied; None means as the atom is registered."""
    attempt: Annotated[int, Meta(ge=1, le=2**31)] = 1
    """Which attempt this is."""
    parent: Id = ""
    """The electron whose atom sent this one."""
    trace: Annotated[str, Meta(max_length=256)] = ""
    """The W3C trace context, carried unread."""
    reply: bool = True
    """Whether anybody wants the properties."""
    soft_limit: Duration | None = None
    """Seconds of one attempt's run after which the atom is told that its limit comes near."""
    trials: Trials | None = None
    """What is done when it fails, and how the attempts so far went; None for nearly all."""

    @property
    def deadline(self) -> datetime | None:
        """When its life ends, in UTC. None means never."""
        return None if self.deadline_ns is None else datetime.fromtimestamp(self.deadline_ns / 1e9, UTC)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong in the attempts before this one, the oldest first."""
        return () if self.trials is None else self.trials.failures

    @property
    def replayed(self) -> int:
        """How often it was taken from the dead letters and sent again."""
        return 0 if self.trials is None else self.trials.replayed

    def decode(self, type: type[T], /) -> T:
        """
        Read the payload as a type.

        Args:
            type: Anything msgspec can decode to, or `bytes` for the payload as it came.

        Raises:
            Malformed: The payload is not of that type, is no JSON, or is out of bounds; its `path` says where.
        """
        if type is bytes:
            return self.payload  # type: ignore[return-value]  # T is bytes here
        return decode_value(msgspec.json.Decoder(type), self.payload, INSIDE)
