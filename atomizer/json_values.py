"""Payloads and results as JSON: how values are written and read, and what is JSON enough to stand inside other JSON."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from .bounds import DEFAULT_BOUNDS, UNREADABLE, Bounds, check_json, unreadable
from .errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ("decode_value", "encode_value", "is_embeddable", "value_reader")

T = TypeVar("T")


def encode_value(value: object) -> bytes:
    """
    Write a payload or a result as JSON.

    Raises:
        ValueError: It holds what JSON cannot carry: an unknown type, NaN or infinity, itself, half of a surrogate pair.
            The message says what, and where.
    """
    try:
        encoded = _write(value)
    except RecursionError as error:
        raise ValueError("it is nested too deep for JSON, or holds itself") from error
    except Exception as error:  # what is the application's own, a time zone say, may raise anything
        path, culprit = _locate(value, _is_refused)
        raise ValueError(f"{type(culprit).__name__} cannot be written as JSON{_reason(error)} - at `{path}`") from error
    if b"null" in encoded and _holds_no_number(value):  # msgspec writes NaN and infinity as null
        path, culprit = _locate(value, _holds_no_number)
        raise ValueError(f"{culprit!r} cannot be written as JSON - at `{path}`")
    return encoded


_write = msgspec.json.Encoder().encode


def decode_value(decoder: msgspec.json.Decoder[T], body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> T:
    """
    Read a payload or a result with a decoder of the application's own type.

    Raises:
        Malformed: It is out of bounds, no JSON, or not of that type; its `path` says where.
    """
    check_json(body, bounds)
    try:
        return decoder.decode(body)
    except Exception as error:  # an application's type may raise anything while it is built
        raise unreadable(error) from error


def value_reader(kind: Any) -> Callable[[bytes, Bounds], Any]:
    """
    Make what reads values of one type: as `decode_value`, with a decoder that is made once.

    Text and numbers have nothing inside of them: their decoder refuses a bracket where it stands, so how deep a body
    may be nested need not be looked at.

    Raises:
        TypeError: msgspec cannot decode to it.
    """
    decoder = msgspec.json.Decoder(kind)
    if not isinstance(kind, type) or kind not in _FLAT:
        return partial(decode_value, decoder)
    decode = decoder.decode

    def read(body: bytes, bounds: Bounds) -> Any:
        if len(body) > bounds.max_digits or len(body) > bounds.max_bytes:
            check_json(body, bounds)
        try:
            return decode(body)
        except UNREADABLE as error:
            raise unreadable(error) from error

    return read


_FLAT = frozenset((str, int, float, bool, type(None)))


def is_embeddable(body: bytes) -> bool:
    """
    Whether bytes can stand as they are inside of other JSON and come out the same: they are valid JSON, with no white
    space around it, and not at the default bounds already.
    """
    try:
        check_json(body, _INSIDE)
        body.decode()  # msgspec takes any bytes inside of the strings of a `Raw`
        return bytes(_read_raw(body)) == body
    except (Malformed, *UNREADABLE):
        return False


_INSIDE = Bounds(max_depth=DEFAULT_BOUNDS.max_depth - 1)
_read_raw = msgspec.json.Decoder(Raw).decode


def _locate(value: object, is_guilty: Callable[[object], bool]) -> tuple[str, object]:
    """Go down from guilty part to guilty part: the one none of whose own parts is guilty is the culprit."""
    path = "$"
    for _ in range(_LONGEST_PATH):
        guilty = next(((key, part) for key, part in _parts(value) if is_guilty(part)), None)
        if guilty is None:
            break
        key, value = guilty
        path += f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
    return path, value


_LONGEST_PATH = 32


def _is_refused(value: object) -> bool:
    try:
        _write(value)
    except Exception:
        return True
    return False


def _reason(error: Exception) -> str:
    """Say what msgspec says. An error of the application's own making may not even have a text."""
    return f": {error}" if type(error) in (TypeError, ValueError, UnicodeEncodeError, OverflowError) else ""


def _holds_no_number(value: object) -> bool:
    """Whether NaN or infinity is anywhere in a value. Without recursion, for msgspec goes deeper than Python."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, float):
            if not math.isfinite(one):
                return True
        elif not isinstance(one, _WITHOUT_PARTS):
            rest.extend(part for _, part in _parts(one))
    return False


_WITHOUT_PARTS = (str, int, bytes, type(None))


def _parts(value: object) -> Iterable[tuple[object, object]]:
    """Return what msgspec writes inside of a value, by key."""
    if isinstance(value, dict):
        return cast("dict[object, object]", value).items()
    if isinstance(value, list | tuple | set | frozenset):
        return enumerate(cast("Iterable[object]", value))
    if isinstance(value, Enum):
        return (("value", value.value),)
    parts = ((name, getattr(value, name, None)) for name in _field_names(value))
    return ((name, part) for name, part in parts if part is not msgspec.UNSET)  # what is unset is not written


def _field_names(value: object) -> Iterable[str]:
    if isinstance(value, Struct):
        return value.__struct_fields__
    if is_dataclass(value):
        return (field.name for field in fields(value))
    return (attribute.name for attribute in getattr(type(value), "__attrs_attrs__", ()))
