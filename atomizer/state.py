"""
The state of class atoms: which instance answers an electron.

| mode | registered | an electron gets | `copy_state=False` | `copy_state=True` |
|---|---|---|---|---|
| fresh | a class | a new instance | the same | the same |
| copy | an instance | a deep copy of its public state | a new instance | the same |
| shared | either, with `share=True` | the one instance | a new instance | the same |
"""

from __future__ import annotations

import inspect
import traceback
from abc import ABC, abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .atom import Atom
from .errors import RegistrationRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Copied", "Fresh", "Shared", "State", "StateRefused", "Stateless")


class StateRefused(ValueError):
    """An atom's state cannot be made as the electron asks."""


class State(ABC):
    """Where the instances of one registered atom come from."""

    @abstractmethod
    def instance(self, copy_state: bool | None) -> Atom | None:
        """
        Return the instance that answers one electron; None for an atom without any.

        Args:
            copy_state: As the electron says: None is the mode's own, False a new instance.

        Raises:
            StateRefused: It cannot be made; the message says why.
        """

    async def open(self) -> None:  # noqa: B027  # only what is shared is opened
        """Make ready what serves all electrons. Raises whatever the atom's own `open` raises."""

    async def close(self) -> None:  # noqa: B027
        """Release what `open` took, if it was opened. Raises whatever the atom's own `close` raises."""


class Stateless(State):
    """Functions: no instance."""

    def instance(self, copy_state: bool | None) -> None:
        """Return None."""


class Fresh(State):
    """A new instance for each electron."""

    def __init__(self, written: type[Atom]) -> None:
        _refuse_unopened(written)
        if needs := _needs(written):
            raise RegistrationRefused(f"{_name(written)} cannot be made without {needs}: register an instance of it")
        self._written = written

    def instance(self, copy_state: bool | None) -> Atom:
        """Return a new instance."""
        return _make(self._written)


class Copied(State):
    """
    A deep copy for each electron, of the public state that an instance had when it was registered.

    `__init__` is not run for a copy, and what begins with an underscore is not in it.
    """

    def __init__(self, instance: Atom) -> None:
        self._written = type(instance)
        _refuse_unopened(self._written)
        self._snapshot = _snapshot(instance)
        self._is_plain = all(type(value) in _UNCHANGEABLE for value in self._snapshot.values())
        try:
            self._copy()
        except Exception as error:
            raise RegistrationRefused(f"an instance of {_name(self._written)} cannot be copied: {_ADVICE}") from error

    def instance(self, copy_state: bool | None) -> Atom:
        """Return a copy, or a new instance if the electron asks for that."""
        if copy_state is False:
            return _make(self._written)
        try:
            return self._copy()
        except BaseException as error:  # the author's own `__deepcopy__` and `__new__` run here
            raise StateRefused(f"the state of {_name(self._written)} cannot be copied: {_told(error)}") from error

    def _copy(self) -> Atom:
        instance = self._written.__new__(self._written)
        state = self._snapshot if self._is_plain else deepcopy(self._snapshot)
        for name, value in state.items():
            object.__setattr__(instance, name, value)  # past a class's own, which may refuse or do more
        return instance


_UNCHANGEABLE = frozenset((bool, bytes, complex, float, int, str, type(None)))
"""What need not be copied: looked at by exact type."""

_ADVICE = "use share=True, and the one instance serves all electrons"


class Shared(State):
    """
    One instance for all electrons.

    A class is made into that instance when it is first needed; what a runtime registers is its own.
    """

    def __init__(self, item: Atom | type[Atom]) -> None:
        self._written = item if isinstance(item, type) else type(item)
        self._one = None if isinstance(item, type) else item
        self._is_open = False
        if self._one is None and (needs := _needs(self._written)):
            raise RegistrationRefused(
                f"{_name(self._written)} cannot be made without {needs}: register an instance of it"
            )
        for name in _opened_by(self._written):
            if not inspect.iscoroutinefunction(getattr(self._written, name)):
                raise RegistrationRefused(f"{_name(self._written)}.{name} is awaited: write `async def {name}(self)`")

    def instance(self, copy_state: bool | None) -> Atom:
        """Return the one instance, or a new one if the electron asks for that and it needs no opening."""
        if copy_state is False:
            return self._beside()
        if self._one is None:
            self._one = _make(self._written)
        return self._one

    async def open(self) -> None:
        """Open the one instance."""
        await self.instance(None).open()
        self._is_open = True

    async def close(self) -> None:
        """Close the one instance, if it was opened."""
        if self._is_open and self._one is not None:
            self._is_open = False
            await self._one.close()

    def _beside(self) -> Atom:
        if _opened_by(self._written):
            raise StateRefused(f"{_name(self._written)} is opened once, and serves all: copy_state=False cannot be had")
        return _make(self._written)


def _refuse_unopened(written: type[Atom]) -> None:
    if names := _opened_by(written):
        raise RegistrationRefused(
            f"{_name(written)} has {' and '.join(names)}(), for one instance that serves all electrons: say share=True"
        )


def _opened_by(written: type[Atom]) -> list[str]:
    """Name the methods that make ready and release, if a class has its own."""
    return [name for name in ("open", "close") if getattr(written, name) is not getattr(Atom, name)]


def _needs(written: type[Atom]) -> str:
    """Name the arguments without which a class cannot be made; empty if there are none."""
    parameters = inspect.signature(written).parameters.values()
    required = (p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
    return ", ".join(required)


def _make(written: type[Atom]) -> Atom:
    """Make a new instance. Whatever its `__init__` raises is an answer to the electron, not the end of the node."""
    try:
        return written()
    except BaseException as error:
        if needs := _needs(written):
            raise StateRefused(f"{_name(written)} cannot be made without {needs}") from error
        raise StateRefused(f"{_name(written)} cannot be made: {_told(error)}") from error


def _snapshot(instance: Atom) -> dict[str, Any]:
    """Copy the public state of an instance in one go, so that what its attributes share stays shared."""
    state = dict(_public_state(instance))
    try:
        return deepcopy(state)
    except Exception as error:
        culprit = next((name for name, value in state.items() if not _can_be_copied(value)), "state")
        raise RegistrationRefused(
            f"{culprit!r} of an instance of {_name(type(instance))} cannot be copied: {_ADVICE}"
        ) from error


def _public_state(instance: Atom) -> Iterable[tuple[str, Any]]:
    names = [*getattr(instance, "__dict__", ()), *_slots(type(instance))]
    return [(name, getattr(instance, name)) for name in names if not name.startswith("_") and hasattr(instance, name)]


def _slots(written: type) -> Iterable[str]:
    for each in written.__mro__:
        slots = each.__dict__.get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


def _can_be_copied(value: object) -> bool:
    try:
        deepcopy(value)
    except Exception:
        return False
    return True


def _name(written: type) -> str:
    return f"{written.__module__}.{written.__qualname__}"


def _told(error: BaseException) -> str:
    """Say what an exception says; safe for one whose `__str__` raises."""
    return "".join(traceback.format_exception_only(error)).strip()
