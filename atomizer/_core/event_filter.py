"""Event filters: which events a stream takes, decided before anything is built of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, cast

from msgspec import Struct

from .. import events
from ..errors import nearest
from ..events import Event

__all__ = ("ERROR_KINDS", "EVERYTHING", "EventFilter", "Kinds", "kinds_named", "kinds_of", "names_of")

Kinds: TypeAlias = type[Event] | str | Iterable[type[Event] | str]
"""One kind of event or several: classes, or their names on the wire."""


class EventFilter(Struct, frozen=True, kw_only=True):
    """
    Which events a stream takes: those that fit in everything that is said.

    Attributes:
        kinds: Their kinds; None means every kind.
        atom_id: The atom they are about; None means any, or none.
        electron_id: The electron they are about; None means any, or none.
    """

    kinds: frozenset[type[Event]] | None = None
    atom_id: str | None = None
    electron_id: str | None = None

    def takes(self, kind: type[Event]) -> bool:
        """Decide whether events of a kind may fit."""
        return self.kinds is None or kind in self.kinds

    def fits(self, electron_id: str, atom_id: str) -> bool:
        """Decide whether an event of a kind that it takes fits."""
        return (self.electron_id is None or electron_id == self.electron_id) and (
            self.atom_id is None or atom_id == self.atom_id
        )


def kinds_of(kinds: Kinds | None) -> frozenset[type[Event]] | None:
    """
    Find the kinds that are meant: a class stands for itself and for what is derived from it.

    Raises:
        ValueError: There is no kind of that name, or none is said.
        TypeError: Something is neither a class of events nor a name.
    """
    if kinds is None:
        return None
    named = _listed(kinds)
    if not named:
        raise ValueError("kinds=() names no kind of event, so nothing would ever come: None means every kind")
    return frozenset(kind for name in named for kind in _meant(name))


def kinds_named(names: Iterable[str]) -> frozenset[type[Event]]:
    """Find the kinds of these names on the wire. One that a newer node knows is passed over."""
    return frozenset(_BY_NAME[name] for name in names if name in _BY_NAME)


def names_of(kinds: frozenset[type[Event]] | None) -> tuple[str, ...]:
    """Name kinds as on the wire; no name stands for every kind."""
    return tuple(sorted(str(kind.__struct_config__.tag) for kind in kinds or ()))


def _listed(kinds: object) -> tuple[object, ...]:
    if isinstance(kinds, str | type):
        return (kinds,)
    if isinstance(kinds, bytes) or not isinstance(kinds, Iterable):
        raise _no_kind(kinds)
    return tuple(cast("Iterable[object]", kinds))


def _meant(name: object) -> Iterable[type[Event]]:
    if isinstance(name, str):
        if name not in _BY_NAME:
            raise ValueError(f"no kind of event is named {name!r}: {nearest(name, _BY_NAME, known_as='a kind')}")
        return (_BY_NAME[name],)
    found = _derived_from(name)
    if not found:
        raise _no_kind(name)
    return found


def _derived_from(kind: object) -> list[type[Event]]:
    if isinstance(kind, type) and issubclass(kind, Event):
        return [each for each in _KINDS if issubclass(each, kind)]
    return []


def _no_kind(name: object) -> TypeError:
    return TypeError(f"{name!r} is no kind of event: give classes of atomizer.events, or their names on the wire")


_KINDS: tuple[type[Event], ...] = tuple(getattr(events, name) for name in events.__all__ if name != "Event")
_BY_NAME = {str(kind.__struct_config__.tag): kind for kind in _KINDS}

EVERYTHING = EventFilter()
ERROR_KINDS = frozenset(kind for kind in _KINDS if kind.is_error)
