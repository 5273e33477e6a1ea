"""
Bounds: what foreign bytes may weigh, looked at before anything is decoded.

A decoder recurses as deep as its input is nested, also where it only skips what it does not know; on a thread with a
small stack that ends the process. So size, nesting and the length of numbers are checked first, and without recursion:
a count that is never too small lets nearly every body pass at once, and only what it cannot clear is looked at exactly.
Nesting is not looked at where the decoder refuses at once whatever could be nested: see `atomizer.messagepack`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from .errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from .settings import Settings

__all__ = (
    "DEFAULT_BOUNDS",
    "INSIDE",
    "UNREADABLE",
    "Bounds",
    "bounds_of",
    "check_json",
    "check_messagepack",
    "decode_with",
    "unreadable",
)

T = TypeVar("T")


class Bounds(Struct, frozen=True):
    """What a body may weigh."""

    max_bytes: int = 8 * 1024 * 1024 + 64 * 1024
    """The largest body: the largest payload and some room for what is around it."""
    max_depth: int = 32
    """How deep it may be nested; a flat list or object counts as 1."""
    max_digits: int = 4_300
    """How many digits in a row a JSON number may have; as many as Python's own `int` reads and writes."""


DEFAULT_BOUNDS = Bounds()
"""What a body may weigh where nobody says otherwise."""

INSIDE = Bounds(max_bytes=sys.maxsize)
"""For a payload or result that came inside of a body: its size was bounded with that."""


def bounds_of(settings: Settings) -> Bounds:
    """Return what a body may weigh on a node: base64 makes a third more of a payload, and there is more around it."""
    return Bounds(max_bytes=settings.max_payload_bytes * 4 // 3 + 64 * 1024, max_depth=settings.max_depth)


def check_json(body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> None:
    """
    Refuse JSON that is too large to be decoded in peace. Whether it is JSON at all is the decoder's question.

    Raises:
        Malformed: A bound is passed.
    """
    if len(body) > bounds.max_bytes:
        raise _too_large(body, bounds)
    if body.count(b"[") + body.count(b"{") > bounds.max_depth:
        _check_brackets(body, bounds.max_depth)
    if len(body) > bounds.max_digits:
        _check_digits(body, bounds.max_digits)


def _too_large(body: bytes, bounds: Bounds) -> Malformed:
    return Malformed(f"{len(body):,} bytes are over the bound of {bounds.max_bytes:,}")


def _check_brackets(body: bytes, max_depth: int) -> None:
    """Take away the innermost pairs, as often as it may be nested: valid JSON within the bound leaves nothing over."""
    brackets = _brackets(body)
    for _ in range(max_depth):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    if brackets:
        raise Malformed(f"nested deeper than {max_depth} levels, or not closed")


def _brackets(body: bytes) -> bytes:
    """Return the brackets outside of strings, the curly ones as square ones."""
    marks = _without_escapes(body).translate(_CURLY_AS_SQUARE, _NO_MARK)
    marks = marks.replace(b'""', b"")  # leaves odd and even as they were, and hardly a string to split at
    return b"".join(marks.split(b'"')[::2])


def _without_escapes(body: bytes) -> bytes:
    """Take away the escapes that decide whether a quote ends its string. Outside of strings they are no JSON."""
    return body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body


def _check_digits(body: bytes, max_digits: int) -> None:
    """Look at one byte in every `max_digits + 1`: a longer run of digits covers one of them."""
    in_string, seen = False, 0
    for at in range(max_digits, len(body), max_digits + 1):
        if _run_at(body, at, max_digits) <= max_digits:
            continue
        in_string ^= _without_escapes(body[seen:at]).count(b'"') % 2 == 1
        seen = at
        if not in_string:
            raise Malformed(f"a number of more than {max_digits:,} digits")


def _run_at(body: bytes, at: int, reach: int) -> int:
    """Count the digits in a row around a byte, up to `reach` to each side."""
    before = body[at - reach : at]
    after = body[at : at + reach + 1]
    if not after[:1].isdigit():
        return 0
    return len(before) - len(before.rstrip(_DIGITS)) + len(after) - len(after.lstrip(_DIGITS))


def check_messagepack(body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> None:
    """
    Refuse MessagePack that is too large to be decoded in peace. Whether it is any at all is the decoder's question.

    Raises:
        Malformed: A bound is passed, or it has so many parts that looking at them would take too long.
    """
    if len(body) > bounds.max_bytes:
        raise _too_large(body, bounds)
    if len(body.translate(None, _NO_CONTAINER)) > bounds.max_depth:
        _walk(body, bounds.max_depth)


def _walk(body: bytes, max_depth: int) -> None:
    """Go through a body header by header, with the number of parts that are left in each open container."""
    left, at = [1], 0
    for _ in range(_MOST_PARTS):
        while left and not left[-1]:
            left.pop()
        if not left or at >= len(body):
            return
        left[-1] -= 1
        length_bytes, length, parts_each = _HEADERS[body[at]]
        at += 1 + length_bytes
        length += int.from_bytes(body[at - length_bytes : at], "big")
        if not parts_each:
            at += length
            continue
        left.append(length * parts_each)
        if len(left) - 1 > max_depth:
            raise Malformed(f"nested deeper than {max_depth} levels")
    raise Malformed(f"more than {_MOST_PARTS:,} parts")


def _headers() -> list[tuple[int, int, int]]:
    """
    Say what each first byte of a part means, as the MessagePack specification has it.

    Returns:
        For each: how many bytes of length follow; what is added to that length; and how many parts one of it stands
        for, or 0 where it counts bytes to pass over.
    """
    headers = dict.fromkeys(range(256), (0, 0, 0))
    headers |= {0x80 + n: (0, n, 2) for n in range(16)}  # map
    headers |= {0x90 + n: (0, n, 1) for n in range(16)}  # array
    headers |= {0xA0 + n: (0, n, 0) for n in range(32)}  # text
    headers |= {0xC4 + n: (1 << n, 0, 0) for n in range(3)}  # binary
    headers |= {0xC7 + n: (1 << n, 1, 0) for n in range(3)}  # extension, and a byte for its type
    headers |= {0xCA + n: (0, 4 << n, 0) for n in range(2)}  # float
    headers |= {0xCC + n: (0, 1 << n, 0) for n in range(4)}  # unsigned
    headers |= {0xD0 + n: (0, 1 << n, 0) for n in range(4)}  # signed
    headers |= {0xD4 + n: (0, 1 + (1 << n), 0) for n in range(5)}  # extension of a fixed size
    headers |= {0xD9 + n: (1 << n, 0, 0) for n in range(3)}  # text
    headers |= {0xDC + n: (2 << n, 0, 1) for n in range(2)}  # array
    headers |= {0xDE + n: (2 << n, 0, 2) for n in range(2)}  # map
    return list(headers.values())


_HEADERS = _headers()
_NO_CONTAINER = bytes(first for first, (_, _, parts_each) in enumerate(_HEADERS) if not parts_each)
_MOST_PARTS = 50_000
"""Some 15 ms. What atomizers write to each other has a few parts an electron, and a few thousand a batch of events."""

_DIGITS = b"0123456789"
_CURLY_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_MARK = bytes(set(range(256)) - set(b'"[]{}'))

UNREADABLE = (ValueError, OverflowError, RecursionError, MemoryError)
"""What a decoder raises for bytes that it cannot read; all of msgspec's own errors are `ValueError`s."""

_AT_PATH = re.compile(r"(.*) - at (?:`key` in )?`([^`]*)`", re.DOTALL)
_LONGEST_REASON = 300


def unreadable(error: Exception, path: str = "$") -> Malformed:
    """
    Translate a decoder's error.

    Args:
        error: What was raised.
        path: Where what was decoded lies in the body.
    """
    if not isinstance(error, msgspec.MsgspecError):
        return Malformed(_REASONS.get(type(error), type(error).__name__), path)
    reason = str(error)
    if found := _AT_PATH.fullmatch(reason):
        reason, path = found[1], path + found[2][1:]
    return Malformed(reason[:_LONGEST_REASON], path)


_REASONS: dict[type[Exception], str] = {
    UnicodeDecodeError: "text that is not UTF-8",
    RecursionError: "nested too deep to be decoded",
    MemoryError: "too large for the memory of this node",
}


def decode_with(decode: Callable[[Any], T], body: bytes | Raw, path: str = "$") -> T:
    """
    Decode what is within bounds.

    Args:
        decode: A decoder's method.
        body: What to decode.
        path: Where it lies in the whole body.

    Raises:
        Malformed: The decoder cannot read it.
    """
    try:
        return decode(body)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
