"""Properties: the outcome of one electron, and what may travel back before it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from .bounds import INSIDE
from .electron import JSON, RAW, Id, Moment
from .errors import (
    AtomCancelled,
    AtomFailed,
    AtomTimedOut,
    AtomUnknown,
    Expired,
    PayloadRefused,
    Poison,
)
from .failure import Failure, FailureKind
from .json_values import decode_value

__all__ = ("Progress", "Properties")

T = TypeVar("T")

Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""Any number on the wire but NaN and infinity, which JSON does not have."""


class Properties(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    array_like=True,
    forbid_unknown_fields=True,
    tag_field="reply",
    tag="properties",
):
    """The outcome of one electron: a result, or a failure."""

    electron_id: Id
    """The electron this answers."""
    atom_id: Id = ""
    """The atom that was asked."""
    started_ns: Moment = 0
    """When the node took the electron up, in UTC nanoseconds since 1970."""
    ended_ns: Moment = 0
    """When it was done with it, in UTC nanoseconds since 1970."""
    result: bytes = b""
    """What the atom returned, encoded as `content_type` says."""
    content_type: str = JSON
    """How `result` is encoded."""
    failure: Failure | None = None
    """What went wrong; None when the atom returned."""
    attempt: Annotated[int, Meta(ge=1)] = 1
    """Which attempt this was."""
    node: str = ""
    """The node that ran it."""

    @property
    def started(self) -> datetime:
        """When the node took the electron up, in UTC."""
        return datetime.fromtimestamp(self.started_ns / 1e9, UTC)

    @property
    def ended(self) -> datetime:
        """When the node was done with it, in UTC."""
        return datetime.fromtimestamp(self.ended_ns / 1e9, UTC)

    def decode(self, type: type[T], /) -> T:
        """
        Read the result as a type.

        Args:
            type: Anything msgspec can decode to, or `bytes` for the result as it came.

        Raises:
            AtomFailed: The electron failed.
            Malformed: The result is not of that type, is no JSON, or is out of bounds; its `path` says where.
        """
        self._raise_failure()
        if type is bytes:
            return self.result  # type: ignore[return-value]  # T is bytes here
        return decode_value(msgspec.json.Decoder(type), self.result or b"null", INSIDE)

    def value(self) -> Any:
        """
        Return the result without asking for a type: decoded JSON, or the bytes as they came.

        Raises:
            AtomFailed: The electron failed.
            Malformed: The result is no JSON, or is out of bounds.
        """
        self._raise_failure()
        return self.result if self.content_type == RAW else decode_value(_ANY, self.result or b"null", INSIDE)

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise failed(self.failure, atom_id=self.atom_id, electron_id=self.electron_id)


def how_far(done: float, total: float | None, note: str) -> str:
    """Write for people how far an atom is: a whole number as one, whatever type it travels as."""
    of = "" if total is None else f" of {total:.15g}"
    return f"{done:.15g}{of}" + (f", {note}" if note else "")


class Progress(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    array_like=True,
    forbid_unknown_fields=True,
    tag_field="reply",
    tag="progress",
):
    """How far an atom is, told while it runs. May be lost; only the newest counts."""

    electron_id: Id
    done: Finite
    """How much is done, in the atom's own unit."""
    total: Finite | None = None
    """How much there is to do, if known."""
    note: str = ""
    """A line for people."""

    def __str__(self) -> str:
        """How far it is."""
        return how_far(self.done, self.total, self.note)


_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

_ERROR_BY_KIND: dict[str, type[AtomFailed]] = {
    FailureKind.TIMED_OUT: AtomTimedOut,
    FailureKind.NO_ANSWER: AtomTimedOut,
    FailureKind.CANCELLED: AtomCancelled,
    FailureKind.UNKNOWN_ATOM: AtomUnknown,
    FailureKind.PAYLOAD_REFUSED: PayloadRefused,
    FailureKind.EXPIRED: Expired,
    FailureKind.POISON: Poison,
}


def failed(failure: Failure, *, atom_id: str, electron_id: str) -> AtomFailed:
    """Make the exception that a failure is in the asker's hands."""
    kind = _ERROR_BY_KIND.get(failure.kind, AtomFailed)
    return kind(failure, atom_id=atom_id, electron_id=electron_id)
