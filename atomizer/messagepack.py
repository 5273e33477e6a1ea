"""
Native MessagePack that the strict decoders refuse: a newer node's, whose surplus is passed over, or bytes that are bad.

Electrons and replies are arrays in the order of their fields, a reply's tag before them. What a newer node writes has
more elements than we know, or is of a kind that we do not know, and may be nested as deep as it likes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, structs

from .bounds import UNREADABLE, Bounds, check_messagepack, decode_with, unreadable
from .electron import Electron, Id
from .errors import Malformed
from .kinds import Unknown
from .properties import Progress, Properties
from .tolerant import known, tolerant

__all__ = ("DEEPEST", "read_electron", "read_reply")

S = TypeVar("S", bound=Struct)

DEEPEST = 4
"""How deep the strict decoders go: a failure among those in the trials of an electron."""


def read_electron(body: bytes, bounds: Bounds) -> Electron:
    """
    Read an electron of which more is said than this version knows.

    Raises:
        Malformed: It is no electron, or out of bounds.
    """
    check_messagepack(body, bounds)
    electron: Electron = _reader(Electron).read(body)
    return electron


def read_reply(body: bytes, bounds: Bounds) -> Properties | Progress | Unknown:
    """
    Read a reply of which more is said than this version knows, or name its kind.

    Raises:
        Malformed: It is no reply, or out of bounds.
    """
    check_messagepack(body, bounds)
    kind = _kind_of(body)
    struct = _REPLIES.get(kind)
    return Unknown(kind) if struct is None else _reader(struct).read(body)


def _kind_of(body: bytes) -> str:
    """Name a reply's kind: the first element of an array, or what a newer one, that is a map, has under `reply`."""
    try:
        return _read_kind_of_map(body).kind
    except UNREADABLE:
        return decode_with(_read_kind, body).kind


class _Kind(Struct, array_like=True):
    kind: Id


class _KindOfMap(Struct):
    kind: Id = msgspec.field(name=str(Properties.__struct_config__.tag_field))


_read_kind = msgspec.msgpack.Decoder(_Kind).decode
_read_kind_of_map = msgspec.msgpack.Decoder(_KindOfMap).decode

_REPLIES: dict[str, type[Properties | Progress]] = {
    str(struct.__struct_config__.tag): struct for struct in (Properties, Progress)
}


class _Reader(Generic[S]):
    """Reads a struct by its twin. Its errors name fields, where the bytes have but positions."""

    def __init__(self, struct: type[S]) -> None:
        tag_field = struct.__struct_config__.tag_field
        self._struct = struct
        self._names = ((tag_field,) if tag_field else ()) + struct.__struct_fields__
        self._read = msgspec.msgpack.Decoder(tolerant(struct)).decode

    def read(self, body: bytes) -> S:
        try:
            twin = self._read(body)
        except UNREADABLE as error:
            told = unreadable(error)
            raise Malformed(told.reason, _POSITION.sub(self._name, told.path)) from error
        return known(self._struct, structs.asdict(twin))

    def _name(self, position: re.Match[str]) -> str:
        return f"$.{self._names[int(position[1])]}"


_POSITION = re.compile(r"^\$\[(\d+)\]")


@cache
def _reader(struct: type[Any]) -> _Reader[Any]:
    return _Reader(struct)  # not at import: most nodes never need it
