"""Failures: what went wrong with an electron, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

__all__ = ("Ending", "Failure", "FailureKind")


class FailureKind(StrEnum):
    """What sort of failure an electron was answered with. Readers take other words too: newer nodes may know more."""

    FAILED = "failed"
    """The atom raised."""
    TIMED_OUT = "timed_out"
    """The atom ran over its limit or its deadline."""
    NO_ANSWER = "no_answer"
    """Nothing came back until the deadline and the grace after it."""
    CANCELLED = "cancelled"
    """Somebody cancelled it."""
    UNKNOWN_ATOM = "unknown_atom"
    """No atom of that id there."""
    PAYLOAD_REFUSED = "payload_refused"
    """The payload does not fit the atom's arguments."""
    RESULT_REFUSED = "result_refused"
    """What the atom returned cannot be encoded, or is too large."""
    STATE_REFUSED = "state_refused"
    """The atom's state cannot be made as the electron asks."""
    EXPIRED = "expired"
    """It came after its deadline."""
    POISON = "poison"
    """It was delivered too often without an end."""
    MALFORMED = "malformed"
    """Its bytes cannot be read."""
    CAPABILITY_MISSING = "capability_missing"
    """The node cannot do what the electron asks for."""


class Ending(StrEnum):
    """How an atom that was cancelled, or ran over its time, came to its end."""

    STOPPED = "stopped"
    """It ended by itself when it was cancelled."""
    KILLED = "killed"
    """Its process was ended."""
    ABANDONED = "abandoned"
    """It would not end: it runs on without anybody, its slot held."""


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What went wrong with an electron, as data."""

    kind: str
    """One of `FailureKind`, or a word of a newer node."""
    type: str = ""
    """The exception's type, as `module.Name`; empty when there was none."""
    message: str = ""
    """What happened, for people."""
    trace: str = ""
    """The traceback on the node, trimmed to the atom's own frames; empty when there was none."""
    attempts: Annotated[int, Meta(ge=1)] = 1
    """How many times the atom was tried."""
    node: str = ""
    """Where it happened."""
    ending: str = ""
    """For timed out and cancelled atoms, one of `Ending`."""
    earlier: tuple[str, ...] = ()
    """What went wrong in the attempts before the last one, a line for each."""
