"""
Frames between a runtime and its child processes: what both ends know of the bytes on their socket pair.

A call is its head, the reference of the function, the content type, and the payload as it came. An answer is its head
and its body: nothing is encoded a second time on the way. One call at a time is under way on a pair.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

from msgspec import Struct

from ..bounds import Bounds

__all__ = (
    "ANSWER",
    "CALL",
    "CHANNEL_LOST",
    "FAILURE",
    "JSON_RESULT",
    "LAST_WORDS",
    "LEAVE",
    "LENGTH",
    "RAW_RESULT",
    "READY",
    "SPENT",
    "Call",
    "ChildSettings",
    "MainModule",
    "read_call",
    "write_call",
)

LENGTH = Layout("!Q")
"""In front of whatever goes to a child: how long it is."""
LEAVE = LENGTH.pack(0)
"""Tells a child to end by itself."""

CALL = Layout("!HHd")
"""How long the reference is, how long the content type, and the soft limit in seconds (0 means none)."""

ANSWER = Layout("!BQ")
"""In front of whatever comes from a child: its kind, and how long it is."""
READY = 1
JSON_RESULT = 2
RAW_RESULT = 3
FAILURE = 4
"""The kinds of answers: the child has started, it returned (in two content types), it failed."""
SPENT = 0x80
"""Added to the kind by a child that holds too much memory to be used again."""
LAST_WORDS = ord("F")
"""What comes instead of a kind from a child that crashes: Python writes "Fatal Python error: …" to the end."""

CHANNEL_LOST = 113
"""The exit code of a child whose descriptor for answers was closed by an atom."""


class MainModule(Struct, frozen=True):
    """Where the program is written that the parent runs as `__main__`."""

    path: bytes
    name: str
    """Its module name if it was started with `-m`."""
    package: str


class ChildSettings(Struct, frozen=True):
    """What a child is told when it starts."""

    main: MainModule | None
    """None if the program is in no file."""
    argv: list[bytes]
    references: list[str]
    """What is to be loaded before the child counts as ready."""
    max_payload_bytes: int
    memory_each: int
    bounds: Bounds


class Call(NamedTuple):
    """One call of a function."""

    reference: str
    content_type: str
    payload: bytes
    soft_limit: float
    """In seconds; 0 means none."""


def write_call(call: Call) -> bytes:
    """Return everything of a call but its payload, which follows as it is."""
    reference, content_type = call.reference.encode(), call.content_type.encode()
    length = CALL.size + len(reference) + len(content_type) + len(call.payload)
    sizes = CALL.pack(len(reference), len(content_type), call.soft_limit)
    return b"".join((LENGTH.pack(length), sizes, reference, content_type))


def read_call(body: memoryview) -> Call:
    """Read a call, without the length in front of it."""
    reference, content_type, soft_limit = CALL.unpack_from(body)
    middle = CALL.size + reference
    end = middle + content_type
    return Call(str(body[CALL.size : middle], "utf-8"), str(body[middle:end], "utf-8"), bytes(body[end:]), soft_limit)
