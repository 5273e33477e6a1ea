"""
Frames between a runtime and its child processes: what both ends know of the bytes on their socket pair.

A request is its head, the reference of the function, the content type, and the payload as it came. An answer is its
head and its body: nothing is encoded a second time on the way. One request at a time is under way on a pair, and its
number is in the answer: what an atom writes to a descriptor that is not its own is taken for no answer.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

from msgspec import Struct

from ...bounds import Bounds

__all__ = (
    "ANSWER",
    "CALL",
    "CHANNEL_LOST",
    "CRASH",
    "FAILURE",
    "JSON_RESULT",
    "LEAVE",
    "LENGTH",
    "LOAD",
    "LOADED",
    "PIECE",
    "RAW_RESULT",
    "READY",
    "REQUEST",
    "SPENT",
    "ChildSettings",
    "MainModule",
    "Request",
    "read_request",
    "write_request",
)

PIECE = 64 * 1024
"""How many bytes are read at once; what is longer is not copied into one piece with its head."""

LENGTH = Layout("!Q")
"""In front of whatever goes to a child: how long it is."""
LEAVE = LENGTH.pack(0)
"""Tells a child to end by itself."""

REQUEST = Layout("!BQHHd")
"""What is wanted, its number, how long the reference is, how long the content type, the soft limit (0 means none)."""
LOAD = 1
CALL = 2
"""What is wanted: to have a function loaded, or called."""

ANSWER = Layout("!BQQ")
"""In front of whatever comes from a child: its kind, the number of what it answers, and how long it is."""
READY = 1
LOADED = 2
JSON_RESULT = 3
RAW_RESULT = 4
FAILURE = 5
"""The kinds of answers: it has started, the function is loaded, it returned (in two content types), it failed."""
SPENT = 6
"""Comes before an answer, as soon as it is known: the child is not as it was, and is not to be used again."""
CRASH = b"Fatal Python error: "
"""What comes instead of an answer from a child that crashes: where that was follows."""

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


class Request(NamedTuple):
    """What a runtime wants of a child process."""

    kind: int
    number: int
    reference: str
    content_type: str = ""
    payload: bytes = b""
    soft_limit: float = 0.0
    """In seconds; 0 means none."""


def write_request(request: Request) -> bytes:
    """Return everything of a request but its payload, which follows as it is."""
    kind, number, name, form, payload, soft_limit = request
    reference, content_type = name.encode(), form.encode()
    length = REQUEST.size + len(reference) + len(content_type) + len(payload)
    head = REQUEST.pack(kind, number, len(reference), len(content_type), soft_limit)
    return b"".join((LENGTH.pack(length), head, reference, content_type))


def read_request(body: memoryview) -> Request:
    """Read a request, without the length in front of it."""
    kind, number, reference, content_type, soft_limit = REQUEST.unpack_from(body)
    middle = REQUEST.size + reference
    end = middle + content_type
    name, form = str(body[REQUEST.size : middle], "utf-8"), str(body[middle:end], "utf-8")
    return Request(kind, number, name, form, bytes(body[end:]), soft_limit)
