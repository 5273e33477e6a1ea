"""Kinds: what travels on one lane, told apart by tag. Those that this version knows are read, the others are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from . import events
from .bounds import UNREADABLE, decode_with, unreadable
from .electron import Id
from .events import Event, UnknownEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ("Batches", "Kinds", "Unknown")

T = TypeVar("T")


class Unknown(Struct, frozen=True):
    """A reply or a control of a newer node: to be counted and passed over."""

    kind: str
    """Its kind's name on the wire."""


def _union(kinds: Sequence[type[Struct]]) -> Any:
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    return union


class Kinds(Generic[T]):
    """The kinds of one lane in one format, told apart by their tag: those it knows are read, the others named."""

    def __init__(self, decoder: Callable[[Any], Any], *kinds: type[Struct]) -> None:
        tag_field = kinds[0].__struct_config__.tag_field
        any_kind = msgspec.defstruct("AnyKind", [("kind", Id, msgspec.field(name=tag_field))])
        self._read: Callable[[bytes], T] = decoder(_union(kinds)).decode
        self._read_any: Callable[[bytes], Any] = decoder(any_kind).decode
        self._tags = frozenset(kind.__struct_config__.tag for kind in kinds)

    def read(self, body: bytes) -> T | Unknown:
        """
        Read what is within bounds.

        Raises:
            Malformed: It is of a kind that is known, and cannot be read; or of none.
        """
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


class Batches:
    """Batches of events in one format."""

    def __init__(self, decoder: Callable[[Any], Any]) -> None:
        one: Any = _union(_EVENT_KINDS)
        list_of: Any = list
        self._read: Callable[[bytes], list[Event]] = decoder(list_of[one]).decode
        self._read_any: Callable[[bytes], list[Any]] = decoder(list_of[_AnyEvent]).decode
        self._read_raw: Callable[[bytes], list[Raw]] = decoder(list_of[Raw]).decode
        self._read_one: Callable[[Raw], Event] = decoder(one).decode

    def read(self, body: bytes) -> tuple[Event, ...]:
        """
        Read a batch that is within bounds.

        Raises:
            Malformed: It is no batch, or one of its events cannot be read.
        """
        try:
            return tuple(self._read(body))
        except UNREADABLE as error:
            batch = decode_with(self._read_any, body)
            if all(event.unknown_kind in _EVENT_TAGS for event in batch):
                raise unreadable(error) from error
            return tuple(self._read_each(batch, self._read_raw(body)))

    def _read_each(self, batch: list[Any], raws: list[Raw]) -> Iterator[Event]:
        """Read a batch with unknown kinds in it: of those, what all events have."""
        for index, (event, raw) in enumerate(zip(batch, raws, strict=True)):
            if event.unknown_kind in _EVENT_TAGS:
                yield decode_with(self._read_one, raw, f"$[{index}]")
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
