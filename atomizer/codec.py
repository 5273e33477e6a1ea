"""
Codecs: how electrons, properties, control and events are written as bytes, and read again.

| content type | codec | who speaks it |
|---|---|---|
| `application/vnd.atomizer.v1+msgpack` | `MESSAGEPACK` | nodes among themselves: the payload travels as it is |
| `application/vnd.atomizer.v1+json` | `NATIVE_JSON` | whoever would rather read along: the same fields as JSON |
| `application/json` | `GO` | the original atomizer's nodes; see `atomizer.go_dialect` |

Readers are tolerant: unknown fields are passed over, an unknown kind of reply or control reads as `Unknown`, of event
as `UnknownEvent`. Writers are strict: what they write is the schema, and what no reader would take is refused there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from . import events, go_dialect
from .bounds import DEFAULT_BOUNDS, UNREADABLE, Bounds, check_json, check_messagepack, unreadable
from .control import Cancel
from .electron import JSON, Electron, Id
from .errors import Malformed
from .events import ElectronProgressed, Event, UnknownEvent
from .json_values import decode_value, encode_value, is_embeddable
from .properties import Progress, Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = (
    "DEFAULT_BOUNDS",
    "GO",
    "MESSAGEPACK",
    "NATIVE_JSON",
    "Bounds",
    "Codec",
    "Unknown",
    "codec_for",
    "decode_value",
    "encode_value",
)

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


class Unknown(Struct, frozen=True):
    """A reply or a control of a newer node: to be counted and passed over."""

    kind: str
    """Its kind's name on the wire."""


class Codec(ABC):
    """
    One way to write what travels. Codecs hold nothing and may be used by many tasks and threads at once.

    Every `encode_…` raises `ValueError` for what cannot be written, and every `decode_…` raises `Malformed`, and
    nothing else, for bytes that cannot be read or are out of bounds.
    """

    content_type: str
    """What tells a reader which codec wrote a body."""

    @abstractmethod
    def encode_electron(self, electron: Electron) -> bytes:
        """Write an electron."""

    @abstractmethod
    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        """Read an electron."""

    @abstractmethod
    def encode_reply(self, reply: Properties | Progress) -> bytes:
        """Write what goes back to a sender."""

    @abstractmethod
    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        """Read what came back to a sender."""

    @abstractmethod
    def encode_control(self, control: Cancel) -> bytes:
        """Write what one node tells others."""

    @abstractmethod
    def decode_control(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Cancel | Unknown:
        """Read what another node tells."""

    @abstractmethod
    def encode_events(self, events: Sequence[Event]) -> bytes:
        """Write a batch of events."""

    @abstractmethod
    def decode_events(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Event, ...]:
        """Read a batch of events. One that cannot be read spoils the batch; one of an unknown kind does not."""


def codec_for(content_type: str) -> Codec:
    """
    Return the codec of a content type: exactly as listed, without parameters.

    Raises:
        Malformed: There is none.
    """
    codec = _CODECS.get(content_type)
    if codec is None:
        raise Malformed(f"no codec reads content type {content_type[:128]!r}: send one of {', '.join(_CODECS)}")
    return codec


def _read(read: Callable[[Any], T], body: bytes | Raw, path: str = "$") -> T:
    try:
        return read(body)
    except UNREADABLE as error:
        raise unreadable(error, path) from error


def _union(kinds: Sequence[type[Struct]]) -> Any:
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    return union


class _Kinds(Generic[T]):
    """The kinds of one lane in one format, told apart by their tag: those it knows are read, the others named."""

    def __init__(self, decoder: Callable[[Any], Any], *kinds: type[Struct]) -> None:
        tag_field = kinds[0].__struct_config__.tag_field
        any_kind = msgspec.defstruct("AnyKind", [("kind", Id, msgspec.field(name=tag_field))])
        self._read: Callable[[bytes], T] = decoder(_union(kinds)).decode
        self._read_any: Callable[[bytes], Any] = decoder(any_kind).decode
        self._tags = frozenset(kind.__struct_config__.tag for kind in kinds)

    def read(self, body: bytes) -> T | Unknown:
        try:
            return self._read(body)
        except UNREADABLE as error:
            kind = self._unknown_kind(body)
            if kind is None:
                raise unreadable(error) from error
            return Unknown(kind)

    def _unknown_kind(self, body: bytes) -> str | None:
        try:
            kind: str = self._read_any(body).kind
        except UNREADABLE:
            return None
        return None if kind in self._tags else kind


class _Batches:
    """Batches of events in one format."""

    def __init__(self, decoder: Callable[[Any], Any]) -> None:
        one: Any = _union(_EVENT_KINDS)
        list_of: Any = list
        self._read: Callable[[bytes], list[Event]] = decoder(list_of[one]).decode
        self._read_any: Callable[[bytes], list[Any]] = decoder(list_of[_AnyEvent]).decode
        self._read_raw: Callable[[bytes], list[Raw]] = decoder(list_of[Raw]).decode
        self._read_one: Callable[[Raw], Event] = decoder(one).decode

    def read(self, body: bytes) -> tuple[Event, ...]:
        try:
            return tuple(self._read(body))
        except UNREADABLE as error:
            batch = _read(self._read_any, body)
            if all(event.unknown_kind in _EVENT_TAGS for event in batch):
                raise unreadable(error) from error
            return tuple(self._read_each(batch, self._read_raw(body)))

    def _read_each(self, batch: list[Any], raws: list[Raw]) -> Iterator[Event]:
        """Read a batch with unknown kinds in it: of those, what all events have."""
        for index, (event, raw) in enumerate(zip(batch, raws, strict=True)):
            if event.unknown_kind in _EVENT_TAGS:
                yield _read(self._read_one, raw, f"$[{index}]")
            else:
                yield UnknownEvent(**structs.asdict(event))


_EVENT_KINDS: tuple[type[Event], ...] = tuple(getattr(events, name) for name in events.__all__ if name != "Event")
_EVENT_TAGS = frozenset(kind.__struct_config__.tag for kind in _EVENT_KINDS)

_AnyEvent = msgspec.defstruct(
    "AnyEvent",
    [("unknown_kind", Id, msgspec.field(name=Event.__struct_config__.tag_field))]
    + [(field.name, field.type, field.default) for field in structs.fields(Event)],
    kw_only=True,
)


class _Format(Codec):
    """What all formats do alike: control and events are the structs themselves."""

    def __init__(
        self,
        content_type: str,
        encode: Callable[[object], bytes],
        decoder: Callable[[Any], Any],
        check: Callable[[bytes, Bounds], None],
    ) -> None:
        self.content_type = content_type
        self._encode, self._decoder, self._check = encode, decoder, check
        self._controls = _Kinds[Cancel](decoder, Cancel)

    def __repr__(self) -> str:
        return f"<codec {self.content_type}>"

    def encode_control(self, control: Cancel) -> bytes:
        return self._write(control)

    def decode_control(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Cancel | Unknown:
        self._check(body, bounds)
        return self._controls.read(body)

    def encode_events(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if isinstance(event, ElectronProgressed):
                _refuse_endless(event)
        return self._write(tuple(events))

    def decode_events(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Event, ...]:
        self._check(body, bounds)
        return self._batches.read(body)

    @cached_property
    def _batches(self) -> _Batches:
        return _Batches(self._decoder)  # not at import: msgspec takes 5 ms for two dozen kinds

    def _write(self, thing: T, form: Callable[[T], object] | None = None) -> bytes:
        try:
            return self._encode(form(thing) if form else thing)
        except _UNWRITABLE as error:
            raise ValueError(f"{type(thing).__name__} cannot be written: {error}") from error


_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)


def _refuse_endless(thing: Electron | Progress | ElectronProgressed) -> None:
    """Refuse NaN and infinity at the sender, who can mend it. Readers refuse them, and JSON would have null instead."""
    for name in ("limit", "budget") if isinstance(thing, Electron) else ("done", "total"):
        if not isfinite(getattr(thing, name) or 0.0):
            raise ValueError(f"{type(thing).__name__} cannot be written: its {name} is {getattr(thing, name)}")


class _MessagePack(_Format):
    """MessagePack: all structs as they are, bytes as bytes. The road of nearly every electron."""

    def __init__(self) -> None:
        decoder = msgspec.msgpack.Decoder[Any]
        super().__init__(
            "application/vnd.atomizer.v1+msgpack", msgspec.msgpack.Encoder().encode, decoder, check_messagepack
        )
        self._read_electron = msgspec.msgpack.Decoder(Electron).decode
        self._replies = _Kinds[Properties | Progress](decoder, Properties, Progress)

    def encode_electron(self, electron: Electron) -> bytes:
        limit, budget = electron.limit, electron.budget
        if not ((limit is None or 0 <= limit < inf) and (budget is None or 0 <= budget < inf)):
            _refuse_endless(electron)
        try:  # calling `_write` at once would cost a fifth more
            return self._encode(electron)
        except _UNWRITABLE:
            return self._write(electron)

    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        check_messagepack(body, bounds)
        try:
            return self._read_electron(body)
        except UNREADABLE as error:
            raise unreadable(error) from error

    def encode_reply(self, reply: Properties | Progress) -> bytes:
        if isinstance(reply, Progress):
            _refuse_endless(reply)
        try:
            return self._encode(reply)
        except _UNWRITABLE:
            return self._write(reply)

    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        check_messagepack(body, bounds)
        return self._replies.read(body)


class _JsonForm(Generic[S]):
    """
    A struct as native JSON carries it: the same fields, but for its bytes.

    Bytes whose `content_type` is `application/json` stand there as the JSON they are, bytes of any other type as a
    string of base64. JSON that cannot stand so (it is none, it is at the bounds, there is white space around it) is a
    string of base64 too, and `<field>_encoding` says it. Empty bytes are left out.
    """

    def __init__(self, struct: type[S], field: str) -> None:
        self._struct, self._field, self._encoding = struct, field, f"{field}_encoding"
        members = {member.name: (member.name, member.type, member.default) for member in structs.fields(struct)}
        members[field] = (field, Raw, _NO_BYTES)
        members[self._encoding] = (self._encoding, Literal["", "base64"], "")
        config = struct.__struct_config__
        self.wire = msgspec.defstruct(
            f"{struct.__name__}Json",
            list(members.values()),
            kw_only=True,
            omit_defaults=True,
            tag_field=config.tag_field,
            tag=config.tag,
        )

    def write(self, value: S) -> Struct:
        members = structs.asdict(value)
        body, is_json = members[self._field], members["content_type"] == JSON
        raw, encoding = _NO_BYTES, ""
        if is_json and is_embeddable(body):
            raw = Raw(body)
        elif body:
            raw, encoding = Raw(msgspec.json.encode(body)), "base64" if is_json else ""
        return self.wire(**members | {self._field: raw, self._encoding: encoding})

    def read(self, wire: Struct) -> S:
        members = structs.asdict(wire)
        body, encoding = bytes(members[self._field]), members.pop(self._encoding)
        if body and (encoding or members["content_type"] != JSON):
            body = _read(_read_base64, body, f"$.{self._field}")
        return self._struct(**members | {self._field: body})


_NO_BYTES = Raw()
_read_base64 = msgspec.json.Decoder(bytes).decode


class _Json(_Format):
    """JSON: the structs, with their payload or result as `_JsonForm` has it."""

    def __init__(self, content_type: str = "application/vnd.atomizer.v1+json") -> None:
        decoder = msgspec.json.Decoder[Any]
        super().__init__(content_type, msgspec.json.Encoder().encode, decoder, check_json)
        self._electron, self._properties = _JsonForm(Electron, "payload"), _JsonForm(Properties, "result")
        self._read_electron = decoder(self._electron.wire).decode
        self._replies = _Kinds[Any](decoder, self._properties.wire, Progress)

    def encode_electron(self, electron: Electron) -> bytes:
        _refuse_endless(electron)
        return self._write(electron, self._electron.write)

    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        check_json(body, bounds)
        return self._electron.read(_read(self._read_electron, body))

    def encode_reply(self, reply: Properties | Progress) -> bytes:
        if isinstance(reply, Properties):
            return self._write(reply, self._properties.write)
        _refuse_endless(reply)
        return self._write(reply)

    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        check_json(body, bounds)
        reply = self._replies.read(body)
        return reply if isinstance(reply, (Progress, Unknown)) else self._properties.read(reply)


class _Go(_Json):
    """The original's dialect. What Go does not know is native JSON: it is never sent it, or finds none of its keys."""

    def __init__(self) -> None:
        super().__init__(JSON)

    def encode_electron(self, electron: Electron) -> bytes:
        _refuse_endless(electron)
        return self._write(electron, go_dialect.electron_form)

    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        check_json(body, bounds)
        return go_dialect.read_electron(body)

    def encode_reply(self, reply: Properties | Progress) -> bytes:
        if isinstance(reply, Properties):
            return self._write(reply, go_dialect.properties_form)
        return super().encode_reply(reply)

    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        check_json(body, bounds)
        properties = go_dialect.read_properties(body)
        return super().decode_reply(body, bounds) if properties is None else properties


MESSAGEPACK: Codec = _MessagePack()
"""Native MessagePack."""
NATIVE_JSON: Codec = _Json()
"""Native JSON."""
GO: Codec = _Go()
"""The Go dialect."""

_CODECS = {codec.content_type: codec for codec in (MESSAGEPACK, NATIVE_JSON, GO)}
