"""
Native JSON: the structs as objects, by the names of their fields, and their bytes as what JSON has.

Bytes whose `content_type` is `application/json` stand there as the JSON they are, bytes of any other type as a string
of base64. JSON that cannot stand so (it is none, it is at the bounds, there is white space around it) is a string of
base64 too, and `<field>_encoding` says it. Empty bytes are left out.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from .bounds import decode_with
from .electron import JSON
from .json_values import is_embeddable
from .tolerant import fields_of, known

__all__ = ("BytesForm", "JsonForm")

S = TypeVar("S", bound=Struct)


class JsonForm(Generic[S]):
    """A struct as native JSON carries it. Readers pass over what they do not know."""

    def __init__(self, struct: type[S], **others: tuple[Any, Any]) -> None:
        config = struct.__struct_config__
        members = {name: (kind, default) for name, kind, default in fields_of(struct)} | others
        self._struct = struct
        self.wire: type[Struct] = msgspec.defstruct(
            f"{struct.__name__}Json",
            [(name, kind, default) for name, (kind, default) in members.items()],
            kw_only=True,
            omit_defaults=True,
            tag_field=config.tag_field,
            tag=config.tag,
        )

    def write(self, value: S) -> Struct:
        """Put a struct into the form that is written."""
        return self.wire(**structs.asdict(value))

    def read(self, wire: Struct) -> S:
        """
        Take a struct out of the form that was read.

        Raises:
            Malformed: Its bytes are none.
        """
        return known(self._struct, structs.asdict(wire))


class BytesForm(JsonForm[S]):
    """A struct with bytes of a content type, as native JSON carries it."""

    def __init__(self, struct: type[S], field: str) -> None:
        self._field, self._encoding = field, f"{field}_encoding"
        encoding: Any = Literal["", "base64"]
        super().__init__(struct, **{field: (Raw, _NO_BYTES), self._encoding: (encoding, "")})

    def write(self, value: S) -> Struct:
        """Put a struct into the form that is written."""
        members = structs.asdict(value)
        body, is_json = members[self._field], members["content_type"] == JSON
        raw, encoding = _NO_BYTES, ""
        if is_json and is_embeddable(body):
            raw = Raw(body)
        elif body:
            raw, encoding = Raw(msgspec.json.encode(body)), "base64" if is_json else ""
        return self.wire(**members | {self._field: raw, self._encoding: encoding})

    def read(self, wire: Struct) -> S:
        """
        Take a struct out of the form that was read.

        Raises:
            Malformed: Its bytes are not what their content type says.
        """
        members = structs.asdict(wire)
        body, encoding = bytes(members[self._field]), members.pop(self._encoding)
        if body and (encoding or members["content_type"] != JSON):
            body = decode_with(_read_base64, body, f"$.{self._field}")
        return known(self._struct, members | {self._field: body})


_NO_BYTES = Raw()
_read_base64 = msgspec.json.Decoder(bytes).decode
