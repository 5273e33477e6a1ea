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
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec
from msgspec import Struct, structs

from . import go_dialect, messagepack
from .bounds import DEFAULT_BOUNDS, UNREADABLE, Bounds, check_json, check_messagepack, decode_with
from .control import Control
from .electron import JSON, Electron
from .envelope import DeadLetter
from .errors import Malformed
from .events import ElectronProgressed
from .json_values import decode_value, encode_value
from .kinds import Batches, Kinds, Unknown
from .messagepack import DEEPEST
from .native_json import BytesForm, JsonForm
from .properties import Progress, Properties
from .tolerant import known, tolerant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .events import Event

__all__ = (
    "CODECS",
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
    def encode_control(self, control: Control) -> bytes:
        """Write what one node tells others."""

    @abstractmethod
    def decode_control(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Control | Unknown:
        """Read what another node tells."""

    @abstractmethod
    def encode_dead_letter(self, letter: DeadLetter) -> bytes:
        """Write what was given up on."""

    @abstractmethod
    def decode_dead_letter(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> DeadLetter:
        """Read what was given up on."""

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
    codec = CODECS.get(content_type)
    if codec is None:
        raise Malformed(f"no codec reads content type {content_type[:128]!r}: send one of {', '.join(CODECS)}")
    return codec


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

    def __repr__(self) -> str:
        return f"<codec {self.content_type}>"

    def encode_control(self, control: Control) -> bytes:
        return self._write(control)

    def decode_control(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Control | Unknown:
        self._check(body, bounds)
        return self._controls.read(body)

    @cached_property
    def _controls(self) -> Kinds[Control]:
        kinds: tuple[type[Struct], ...] = get_args(Control)
        return Kinds[Control](self._decoder, *kinds)

    def encode_dead_letter(self, letter: DeadLetter) -> bytes:
        return self._write(letter)

    def decode_dead_letter(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> DeadLetter:
        self._check(body, bounds)
        return known(DeadLetter, structs.asdict(decode_with(self._read_dead_letter, body)))

    @cached_property
    def _read_dead_letter(self) -> Callable[[bytes], Any]:
        read: Callable[[bytes], Any] = self._decoder(tolerant(DeadLetter)).decode
        return read  # not at import: few nodes ever read one

    def encode_events(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if isinstance(event, ElectronProgressed):
                _refuse_endless(event)
        return self._write(tuple(events))

    def decode_events(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Event, ...]:
        self._check(body, bounds)
        return self._batches.read(body)

    @cached_property
    def _batches(self) -> Batches:
        return Batches(self._decoder)  # not at import: msgspec takes 5 ms for two dozen kinds

    def _write(self, thing: T, form: Callable[[T], object] | None = None) -> bytes:
        try:
            return self._encode(form(thing) if form else thing)
        except _UNWRITABLE as error:
            raise _unwritable(thing, error) from error


_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)


def _unwritable(thing: object, error: Exception) -> ValueError:
    return ValueError(f"{type(thing).__name__} cannot be written: {error}")


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
        self._read_reply: Callable[[bytes], Properties | Progress] = decoder(Properties | Progress).decode

    def encode_electron(self, electron: Electron) -> bytes:
        if not 0.0 <= (electron.limit or 0.0) + (electron.budget or 0.0) < inf:
            _refuse_endless(electron)
        try:
            return self._encode(electron)
        except _UNWRITABLE as error:
            raise _unwritable(electron, error) from error

    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        if len(body) <= bounds.max_bytes and bounds.max_depth >= DEEPEST:
            try:
                return self._read_electron(body)
            except UNREADABLE:
                pass  # whether it is bad or only newer, the tolerant reader says
        return messagepack.read_electron(body, bounds)

    def encode_reply(self, reply: Properties | Progress) -> bytes:
        if type(reply) is Progress:
            _refuse_endless(reply)
        try:
            return self._encode(reply)
        except _UNWRITABLE as error:
            raise _unwritable(reply, error) from error

    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        if len(body) <= bounds.max_bytes and bounds.max_depth >= DEEPEST:
            try:
                return self._read_reply(body)
            except UNREADABLE:
                pass  # whether it is bad or only newer, the tolerant reader says
        return messagepack.read_reply(body, bounds)


class _Json(_Format):
    """JSON: each struct as `native_json` has it."""

    def __init__(self, content_type: str = "application/vnd.atomizer.v1+json") -> None:
        decoder = msgspec.json.Decoder[Any]
        super().__init__(content_type, msgspec.json.Encoder().encode, decoder, check_json)
        self._electron, self._properties = BytesForm(Electron, "payload"), BytesForm(Properties, "result")
        self._progress = JsonForm(Progress)
        self._read_electron = decoder(self._electron.wire).decode
        self._replies = Kinds[Any](decoder, self._properties.wire, self._progress.wire)

    def encode_electron(self, electron: Electron) -> bytes:
        _refuse_endless(electron)
        return self._write(electron, self._electron.write)

    def decode_electron(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Electron:
        check_json(body, bounds)
        return self._electron.read(decode_with(self._read_electron, body))

    def encode_reply(self, reply: Properties | Progress) -> bytes:
        if isinstance(reply, Properties):
            return self._write(reply, self._properties.write)
        _refuse_endless(reply)
        return self._write(reply, self._progress.write)

    def decode_reply(self, body: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> Properties | Progress | Unknown:
        check_json(body, bounds)
        reply = self._replies.read(body)
        if isinstance(reply, Unknown):
            return reply
        return (self._progress if isinstance(reply, self._progress.wire) else self._properties).read(reply)


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

CODECS = {codec.content_type: codec for codec in (MESSAGEPACK, NATIVE_JSON, GO)}
"""All of them, by their content type."""
