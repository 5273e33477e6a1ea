"""What foreign bytes may weigh, before anything is decoded."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from atomizer.bounds import DEFAULT_BOUNDS, Bounds, check_json, check_messagepack, unreadable
from atomizer.errors import Malformed
from atomizer.settings import Settings

Check = Callable[[bytes, Bounds], None]

MIB = 2**20
DIGITS = DEFAULT_BOUNDS.max_digits

JSON_WITHIN = {
    "nothing": b"",
    "32 deep": b"[" * 32 + b"]" * 32,
    "32 deep, in objects": b'{"a":' * 32 + b"1" + b"}" * 32,
    "wide list": b"[" + b"1," * MIB + b"1]",
    "wide list of lists": b"[" + b"[],{}," * (MIB // 8) + b"1]",
    "brackets in a text": b'["' + b"[{" * MIB + b'"]',
    "brackets in many texts": b"[" + b'"[",' * MIB + b"1]",
    "brackets after an escaped quote": rb'["\"' + b"[" * 99 + b'"]',
    "brackets after an escaped backslash and quote": rb'["\\\"' + b"[" * 99 + b'"]',
    "brackets in a key": b'{"' + b"[" * 99 + b'":1}',
    "long numbers": b"[" + b"1" * DIGITS + b",-" + b"2" * DIGITS + b"." + b"3" * DIGITS + b"]",
    "longer digits in a text": b'"' + b"1" * 2 * MIB + b'"',
    "longer digits after an escaped quote": rb'["\"' + b"1" * 2 * DIGITS + b'"]',
}
JSON_BEYOND = {
    "33 deep": b"[" * 33 + b"]" * 33,
    "33 deep, mixed": b'[{"a":' * 16 + b"[]" + b"}]" * 16,
    "1 MiB deep": b"[" * MIB,
    "1 MiB deep and closed": b"[" * (MIB // 2) + b"]" * (MIB // 2),
    "deep after an escaped backslash": rb'["\\",' + b"[" * 99 + b"]" * 99 + b"]",
    "deep after an escaped quote": rb'["\"",' + b"[" * 99 + b"]" * 99 + b"]",
    "deep among brackets in texts": b'["[[",' + b'["]",' * 33 + b"1" + b"]" * 34,
    "deep in a key that is unknown": b'{"unknown":' + b"[" * 32 + b"]" * 32 + b"}",
    "long number": b"[" + b"1" * (DIGITS + 1) + b"]",
    "long fraction": b"0." + b"1" * (DIGITS + 1),
    "long exponent": b"1e" + b"1" * (DIGITS + 1),
    "long number after longer texts": b'["' + b"1" * 2 * DIGITS + rb'","\"",' + b"1" * (DIGITS + 1) + b"]",
    "1 MiB of digits": b"1" * MIB,
}


@pytest.mark.parametrize("body", JSON_WITHIN.values(), ids=JSON_WITHIN)
def test_json_within_bounds_passes(body: bytes) -> None:
    """What is wide, or only looks deep or long because it stands in a text, is nobody's concern."""
    check_json(body)


@pytest.mark.parametrize("body", JSON_BEYOND.values(), ids=JSON_BEYOND)
def test_json_beyond_a_bound_is_refused(body: bytes) -> None:
    """Nesting and numbers count wherever they stand outside of a text."""
    with pytest.raises(Malformed):
        check_json(body)


def nested(depth: int, width: int) -> Any:
    """Make a value that is so deep, and at each level so wide."""
    value: Any = []
    for level in range(depth - 1):
        value = [*range(100, 100 + width), value] if level % 2 else {str(n): [] for n in range(width)} | {"x": value}
    return value


pack = msgspec.msgpack.Encoder().encode
MESSAGEPACK_WITHIN = {
    "nothing": b"",
    "32 deep": pack(nested(32, 3)),
    "wide list": pack([1] * MIB),
    "wide list of what looks like headers": pack([0x91] * 20_000),
    "wide list of lists": pack([[]] * 20_000),
    "wide map": pack({str(n): {} for n in range(20_000)}),
    "headers in binary": pack({"payload": b"\x91" * MIB}),
    "headers in a text": pack({"payload": "\x91" * MIB}),
    "headers in extensions": pack(
        [msgspec.msgpack.Ext(7, b"\x91" * size) for size in (1, 2, 4, 8, 16, 99, 999, 99999)]
    ),
    "headers in numbers": pack(
        [0x91, 0x9191, 0x91919191, 0x9191919191919191, -111, -28271, -(2**31) + 0x91, 2.5e300] * 99
    ),
    "long lengths": pack(["\x91" * 300, "\x91" * 70_000, b"\x91" * 300, b"\x91" * 70_000, [0] * 20_000]),
    "cut short": pack([[]] * 99)[:-40],
    "cut short in a length": b"\x91" * 31 + b"\xdc\x91",
    "more after the end": pack(1) + b"\x91" * 99,
}
MESSAGEPACK_BEYOND = {
    "33 deep": pack(nested(33, 3)),
    "1 MiB deep": b"\x91" * MIB,
    "1 MiB deep, in maps": b"\x81\x01" * MIB,
    "1 MiB deep, in maps of keys": b"\x81" * MIB,
    "deep by 16-bit lengths": b"\xdc\x00\x01" * 99,
    "deep by 32-bit lengths": b"\xdd\x00\x00\x00\x01" * 99,
    "deep after headers in binary": pack([b"\x91" * 999, nested(32, 1)]),
    "deep after headers in extensions": pack([msgspec.msgpack.Ext(7, b"\x91" * 16), nested(32, 1)]),
    "deep after numbers": pack([0x91, 0x9191, 0x91919191, 0x9191919191919191, -111, -28271, 1.5, nested(32, 1)]),
    "deep at the end of much": pack([*[[]] * 999, nested(32, 1)]),
    "too many parts to go through": pack([[]] * 100_000),
}


@pytest.mark.parametrize("body", MESSAGEPACK_WITHIN.values(), ids=MESSAGEPACK_WITHIN)
def test_messagepack_within_bounds_passes(body: bytes) -> None:
    """What is wide, or only looks deep because of what stands in bytes and texts, is nobody's concern."""
    check_messagepack(body)


@pytest.mark.parametrize("body", MESSAGEPACK_BEYOND.values(), ids=MESSAGEPACK_BEYOND)
def test_messagepack_beyond_a_bound_is_refused(body: bytes) -> None:
    """Nesting counts wherever it stands, and what would take long to go through is not gone through."""
    with pytest.raises(Malformed):
        check_messagepack(body)


@pytest.mark.parametrize("check", [check_json, check_messagepack])
def test_body_beyond_its_size_is_refused(check: Check) -> None:
    """One byte too many is too many, and the message names both sizes."""
    bounds = Bounds(max_bytes=1_000)
    check(b"\x01" * 1_000, bounds)

    with pytest.raises(Malformed, match="1,001 bytes are over the bound of 1,000"):
        check(b"\x01" * 1_001, bounds)


@pytest.mark.parametrize("depth", [0, 1, 2, 33, 64])
def test_depth_is_a_bound_to_choose(depth: int) -> None:
    """At the bound it passes, one level beyond it does not, in either format."""
    bounds = Bounds(max_depth=depth)
    within, beyond = nested(depth, 2) if depth else 1, nested(depth + 1, 2)
    check_json(msgspec.json.encode(within), bounds)
    check_messagepack(pack(within), bounds)

    with pytest.raises(Malformed, match=f"deeper than {depth} levels"):
        check_json(msgspec.json.encode(beyond), bounds)
    with pytest.raises(Malformed, match=f"deeper than {depth} levels"):
        check_messagepack(pack(beyond), bounds)


def test_default_bounds_are_those_of_the_settings() -> None:
    """The largest payload fits, with room for what is around it."""
    settings = Settings()

    assert DEFAULT_BOUNDS.max_depth == settings.max_depth
    assert DEFAULT_BOUNDS.max_bytes == settings.max_payload_bytes + 64 * 1024


def depth_of(value: Any) -> int:
    """Count the levels of a decoded value."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth_of, parts), default=0)


def random_value(chance: random.Random, room: int) -> Any:
    """Make a value of texts full of what could be taken for structure."""
    if room == 0 or chance.random() < 0.3:
        return chance.choice([chance.randrange(2**32), "".join(chance.choices('[]{}"\\\x91é,:', k=9)), None, 1.5])
    parts = [random_value(chance, room - 1) for _ in range(chance.randrange(4))]
    return parts if chance.random() < 0.5 else {f'{"[" * number}"{number}': part for number, part in enumerate(parts)}


@pytest.mark.parametrize("seed", range(300))
def test_depth_is_counted_exactly(seed: int) -> None:
    """What passes, and what does not, is just what a decoder finds to be so deep."""
    value = random_value(random.Random(seed), room=8)
    bounds = Bounds(max_depth=4)

    for check, body in ((check_json, msgspec.json.encode(value)), (check_messagepack, pack(value))):
        try:
            check(body, bounds)
        except Malformed:
            assert depth_of(value) > 4
        else:
            assert depth_of(value) <= 4


@pytest.mark.parametrize("body", [*JSON_WITHIN.values(), *JSON_BEYOND.values()], ids=[*JSON_WITHIN, *JSON_BEYOND])
def test_checking_takes_no_time_to_speak_of(body: bytes) -> None:
    """A megabyte is looked at in milliseconds, whatever is in it."""
    began = time.thread_time()

    with suppress(Malformed):
        check_json(body)

    assert time.thread_time() - began < 0.25


@pytest.mark.parametrize(
    ("error", "reason", "path"),
    [
        (
            msgspec.ValidationError("Expected `int`, got `str` - at `$.limit`"),
            "Expected `int`, got `str`",
            "$[3].limit",
        ),
        (msgspec.ValidationError("Expected `int` - at `key` in `$.names`"), "Expected `int`", "$[3].names"),
        (msgspec.DecodeError("Input data was truncated"), "Input data was truncated", "$[3]"),
        (msgspec.DecodeError("x" * 1000), "x" * 300, "$[3]"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "text that is not UTF-8", "$[3]"),
        (RecursionError("maximum"), "nested too deep to be decoded", "$[3]"),
        (MemoryError(), "too large for the memory of this node", "$[3]"),
        (KeyError("secret"), "KeyError", "$[3]"),
    ],
)
def test_error_of_a_decoder_is_told_with_its_path(error: Exception, reason: str, path: str) -> None:
    """Where it happened counts from where the decoded part lies; what others raise is told by its type alone."""
    told = unreadable(error, "$[3]")

    assert (told.reason, told.path) == (reason, path)
