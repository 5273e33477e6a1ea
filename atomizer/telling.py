"""Telling: what a runtime lets anybody read of what happens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core.event_filter import ERROR_KINDS, EventFilter, kinds_of
from .atom import definition_of
from .handle import wait_lending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._core.broadcast import Broadcast, EventStream
    from .atom import Atom, Definition
    from .events import Event
    from .settings import Settings

__all__ = ("Telling", "filter_of")


class Telling:
    """Whoever tells its events to those that ask for them."""

    _broadcast: Broadcast
    _settings: Settings

    def events(
        self,
        *,
        kinds: type[Event] | str | Iterable[type[Event] | str] | None = None,
        atom: Definition | type[Atom] | str | None = None,
        electron: str | None = None,
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
            electron: Only what is about the electron of this id.
            buffer: How many events are kept for a slow reader, at least 1; None means `Settings.event_ring`.

        Raises:
            ValueError: The buffer holds less than one event, or there is no kind of that name.
            TypeError: What should be an atom or a kind is something else.
        """
        return self._broadcast.stream(self._room(buffer), filter_of(kinds, atom, electron), wait_lending)

    def errors(
        self,
        *,
        atom: Definition | type[Atom] | str | None = None,
        electron: str | None = None,
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
            ValueError: The buffer holds less than one event.
            TypeError: What should be an atom is something else.
        """
        return self.events(kinds=ERROR_KINDS, atom=atom, electron=electron, buffer=buffer)

    def _room(self, buffer: int | None) -> int:
        return self._settings.event_ring if buffer is None else buffer


def filter_of(
    kinds: type[Event] | str | Iterable[type[Event] | str] | None,
    atom: Definition | type[Atom] | str | None,
    electron: str | None,
) -> EventFilter:
    """
    Decide which events are meant.

    Raises:
        ValueError: There is no kind of that name.
        TypeError: What should be an atom or a kind is something else.
    """
    atom_id = atom if atom is None or isinstance(atom, str) else definition_of(atom).atom_id
    return EventFilter(kinds=kinds_of(kinds), atom_id=atom_id, electron_id=electron)
