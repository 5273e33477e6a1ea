"""Payloads and results as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import Struct

from atomizer.codec import Bounds, decode_value, encode_value
from atomizer.errors import Malformed
from atomizer.json_values import is_embeddable


class Weather(Enum):
    CALM = 0.0
    STORM = math.inf


@dataclass
class Point:
    x: float
    y: float | None = None


class Body(Struct):
    at: object
    speed: float = 0.0


class Pair(NamedTuple):
    left: object
    right: object


class Sensitive(Struct):
    """A type that says no in its own way."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("less than nothing")
        if self.number == 0:
            raise KeyError(self.number)


class Evil(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even a text")


class Lost(tzinfo):
    """A zone that cannot be found when it is asked."""

    def utcoffset(self, _: object) -> timedelta:
        raise Evil

    dst = utcoffset

    def tzname(self, _: object) -> str:
        raise Evil


ITSELF: list[object] = []
ITSELF.append(ITSELF)


class Attribute(NamedTuple):
    name: str


class LikeAttrs:
    """What a class of attrs looks like to msgspec."""

    __attrs_attrs__ = (Attribute("speed"),)

    def __init__(self, speed: float) -> None:
        self.speed = speed


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, b"null"),
        ([None, 1.5, "null"], b'[null,1.5,"null"]'),
        ({"a": Point(1.0)}, b'{"a":{"x":1.0,"y":null}}'),
        (Body(Pair(1, {2: "b"})), b'{"at":[1,{"2":"b"}],"speed":0.0}'),
        ([Weather.CALM, None], b"[0.0,null]"),
        (datetime(2026, 1, 2, tzinfo=UTC), b'"2026-01-02T00:00:00Z"'),
        ([Decimal("NaN"), None], b'["NaN",null]'),
        (10**4000, b"1" + b"0" * 4000),
        (b"\x00", b'"AA=="'),
    ],
)
def test_value_is_written_as_json(value: object, written: bytes) -> None:
    """Whatever msgspec knows; None is null, and nothing else is."""
    assert encode_value(value) == written


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "nan cannot be written as JSON - at `$`"),
        ([1, {"a": (None, -math.inf)}], "-inf cannot be written as JSON - at `$[1].a[1]`"),
        ([None, Weather.STORM], "inf cannot be written as JSON - at `$[1].value`"),
        (Body([Point(1.0, math.nan)]), "nan cannot be written as JSON - at `$.at[0].y`"),
        ({"moving": LikeAttrs(math.nan)}, "nan cannot be written as JSON - at `$.moving.speed`"),
        ({"a b": {7: math.inf}}, "inf cannot be written as JSON - at `$['a b'][7]`"),
        ({"a": [object()]}, "object cannot be written as JSON: Encoding objects of type object .* - at `$.a[0]`"),
        (Body({"k": {1j}}), "complex cannot be written as JSON.* - at `$.at.k[0]`"),
        ({(1, 2): 3}, "dict cannot be written as JSON: Only dicts .* - at `$`"),
        (["a", "\ud800"], "str cannot be written as JSON: .*surrogates not allowed - at `$[1]`"),
        ([10**5000], "int cannot be written as JSON: .* - at `$[0]`"),
        (ITSELF, "nested too deep for JSON, or holds itself"),
        (lambda: 1, "function cannot be written as JSON"),
    ],
)
def test_value_that_json_cannot_carry_is_refused(value: object, message: str) -> None:
    """The message says what it is, and where."""
    with pytest.raises(ValueError, match=message.replace("$", r"\$").replace("[", r"\[")) as refused:
        encode_value(value)

    assert type(refused.value) is ValueError


def test_value_that_raises_while_it_is_written_is_refused() -> None:
    """An application's own errors do not come through, not even one without a text."""
    with pytest.raises(ValueError, match=r"datetime cannot be written as JSON - at `\$\[0\]`"):
        encode_value([datetime(2026, 1, 2, tzinfo=Lost())])


def test_deep_value_without_numbers_is_written() -> None:
    """The search for NaN goes as deep as msgspec writes."""
    deep: object = None
    for _ in range(500):
        deep = [deep]

    assert encode_value(deep) == b"[" * 500 + b"null" + b"]" * 500


def test_value_is_read_as_its_type() -> None:
    """By a decoder that its reader keeps."""
    assert decode_value(msgspec.json.Decoder(Point), b'{"x":1,"y":2}') == Point(1.0, 2.0)


@pytest.mark.parametrize(
    ("kind", "body", "path", "reason"),
    [
        (Point, b'{"x":"1"}', "$.x", "Expected `float`, got `str`"),
        (list[Point], b'[{"x":1},{"y":1}]', "$[1]", "Object missing required field `x`"),
        (dict[str, int], b'{"a":1.5}', "$[...]", "Expected `int`, got `float`"),
        (int, b"", "$", "Input data was truncated"),
        (str, b'"\xff"', "$", "text that is not UTF-8"),
        (list[Any], b"[" * 99, "$", "nested deeper than 8 levels, or not closed"),
        (int, b"1" * 200, "$", "a number of more than 100 digits"),
        (str, b'"%b"' % (b"x" * 1000), "$", "1,002 bytes are over the bound of 1,000"),
        (Sensitive, b'{"number":-1}', "$", "less than nothing"),
        (Sensitive, b'{"number":0}', "$", "KeyError"),
        (float, b"1e999", "$", "Number out of range"),
        (float, b"NaN", "$", "JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_value_that_does_not_fit_is_malformed(kind: Any, body: bytes, path: str, reason: str) -> None:
    """Whatever is wrong with it, and whatever the application's own type says of it."""
    with pytest.raises(Malformed) as refused:
        decode_value(msgspec.json.Decoder(kind), body, Bounds(max_bytes=1_000, max_depth=8, max_digits=100))

    assert (refused.value.path, refused.value.reason) == (path, reason)


@pytest.mark.parametrize("body", [b"1", b"null", b'"a"', b"[1, 2]", b'{"a": []}', b"1e999", b"[" * 31 + b"]" * 31])
def test_json_may_stand_inside_of_json(body: bytes) -> None:
    """What is valid and has nothing around it comes out as it went in."""
    assert is_embeddable(body)


@pytest.mark.parametrize(
    "body", [b"", b" ", b" 1", b"1\n", b"nope", b"1 2", b'"\xff"', b"NaN", b"{", b"[" * 32 + b"]" * 32, b"1" * 5000]
)
def test_other_bytes_may_not_stand_inside_of_json(body: bytes) -> None:
    """What would be lost, or spoil what is around it, or pass the bounds with it."""
    assert not is_embeddable(body)
