"""Telling: what a runtime lets anybody read of what happens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ._core.event_filter import ERROR_KINDS, EventFilter, kinds_of
from .atom import definition_of
from .handle import Handle, wait_lending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._core.broadcast import Broadcast, EventStream
    from .atom import Atom, Definition
    from .events import Event
    from .settings import Settings

__all__ = ("ElectronOrId", "Telling", "checked_id", "filter_of", "id_of")

ElectronOrId: TypeAlias = "Handle[Any] | str"
"""An electron, as it is asked for."""


class Telling:
    """Whoever tells its events to those that ask for them."""

    _broadcast: Broadcast
    _settings: Settings

    def events(
        self,
        *,
        kinds: type[Event] | str | Iterable[type[Event] | str] | None = None,
        atom: Definition | type[Atom] | str | None = None,
        electron: ElectronOrId | None = None,
        buffer: int | None = None,
    ) -> EventStream:
        """
        Open a stream of everything that happens on this node, from now on.

        It may be opened before the runtime is entered, and then misses nothing. What is asked for is decided when
        something happens: a stream keeps nothing else, and nothing else costs.

        Args:
            kinds: Only these kinds of events: one or several, as classes of `atomizer.events` or by their names on the
                wire. A class stands for all that are derived from it. None means every kind.
            atom: Only what is about this atom: the atom, or the id it is registered by.
            electron: Only what is about this electron: its handle, or its id.
            buffer: How many events are kept for a slow reader, at least 1; None means `Settings.event_ring`.

        Raises:
            ValueError: The buffer holds less than one event, there is no kind of that name, or an id is too long, or
                empty.
            TypeError: What should be an atom, an electron or a kind is something else.
        """
        return self._broadcast.stream(self._room(buffer), filter_of(kinds, atom, electron), wait_lending)

    def errors(
        self,
        *,
        atom: Definition | type[Atom] | str | None = None,
        electron: ElectronOrId | None = None,
        buffer: int | None = None,
    ) -> EventStream:
        """
        Open a stream of everything that goes wrong on this node: events whose `is_error` is true.

        What goes well is not kept, so that it drops no error, and costs next to nothing.

        Args:
            atom: As for `events`.
            electron: As for `events`.
            buffer: As for `events`.

        Raises:
            ValueError: The buffer holds less than one event, or an id is too long, or empty.
            TypeError: What should be an atom or an electron is something else.
        """
        return self.events(kinds=ERROR_KINDS, atom=atom, electron=electron, buffer=buffer)

    def _room(self, buffer: int | None) -> int:
        return self._settings.event_ring if buffer is None else buffer


def filter_of(
    kinds: type[Event] | str | Iterable[type[Event] | str] | None,
    atom: Definition | type[Atom] | str | None,
    electron: ElectronOrId | None,
) -> EventFilter:
    """
    Decide which events are meant.

    Raises:
        ValueError: There is no kind of that name, or an id is none.
        TypeError: What should be an atom, an electron or a kind is something else.
    """
    atom_id = checked_id("atom", atom) if atom is None or isinstance(atom, str) else definition_of(atom).atom_id
    electron_id = None if electron is None else id_of(electron)
    return EventFilter(kinds=kinds_of(kinds), atom_id=atom_id or None, electron_id=electron_id)


def id_of(electron: ElectronOrId) -> str:
    """
    Return the id of an electron that is named by its handle, or by that.

    Raises:
        ValueError: No electron has such an id.
        TypeError: It is neither.
    """
    return checked_id("electron", electron.electron_id if isinstance(electron, Handle) else electron)


def checked_id(name: str, id: object) -> str:
    """
    Return what is the id of something, or its name; empty where None is said.

    Args:
        name: What the argument is called.
        id: What was given for it.

    Raises:
        ValueError: It is empty, or longer than anything on the wire may be.
        TypeError: It is no text.
    """
    if id is None:
        return ""
    if not isinstance(id, str):
        raise TypeError(f"{name}= is an id, as a text, and not {id!r}")
    if not 1 <= len(id) <= _LONGEST_ID:
        raise ValueError(f"{name}= is an id of 1 to {_LONGEST_ID} characters, and not of {len(id)}")
    return id


_LONGEST_ID = 256
