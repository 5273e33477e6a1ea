"""What a runtime knows of an atom, whatever its form, and the ids that atoms have."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias, cast

from .errors import RegistrationRefused
from .options import NOTHING_SAID, Options, options_among
from .payload import encode_payload
from .reference import main_file

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FunctionType

    from .annotations import Reader
    from .atom import Atom
    from .bond import Bond
    from .electron import Electron
    from .function_atom import FunctionAtom
    from .payload import Bind, ReadArguments

__all__ = ("Caller", "Definition", "Isolation", "Said", "refuse_unknown")

Isolation: TypeAlias = Literal["process"]
"""Where an atom runs if not in the runtime's own process: in a child process that can be killed."""
Caller: TypeAlias = "Callable[[Atom | None, Bond, Electron, tuple[Any, ...], dict[str, Any]], Any]"
"""Calls an atom with its instance if it has one, the bond, the electron, and the arguments."""


class Said(NamedTuple):
    """What an atom's author says of it."""

    id: str | None = None
    """None means by where it is written."""
    route: str | None = None
    """None means the atom id."""
    share: bool = False
    """Classes: one instance serves all electrons."""
    raises: tuple[type[BaseException], ...] = ()
    options: Options = NOTHING_SAID
    isolation: Isolation | None = None
    concurrency: int | None = None
    """None means as many as there are slots."""
    singleton: bool = False
    """The same as a concurrency of 1."""


class Definition(ABC):
    """
    What a runtime knows of an atom.

    Attributes:
        atom_id: What it is found by.
        route: Where its electrons go; the atom id unless something else was said.
        defaults: Its own options.
        raises: The exceptions that its asker gets as themselves, from the `AtomFailed`.
        is_async: Whether calling it gives a coroutine; else it runs in a thread.
        isolation: "process" if it runs in a child process.
        concurrency: How many of its electrons run at once on a node; None means as many as there are slots.
        kept: What its asker has worked out for all its electrons, under which default options.
    """

    atom_id: str
    route: str
    defaults: Options
    raises: tuple[type[BaseException], ...]
    is_async: bool
    isolation: Isolation | None
    concurrency: int | None
    kept: tuple[Options, Any] | None = None

    def __init__(self, written: FunctionType | type, said: Said) -> None:
        self.atom_id = _id_of(written) if said.id is None else _checked_id(said.id)
        self.route = said.route or self.atom_id
        self.defaults = said.options
        self.raises = said.raises
        self.isolation = said.isolation
        self.concurrency = 1 if said.singleton else said.concurrency
        _check_said(self.atom_id, said)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.atom_id!r}>"

    @property
    @abstractmethod
    def plain(self) -> FunctionAtom[..., Any, ..., Any] | type[Atom]:
        """What is registered when this is: the atom as it was declared, without options for a call."""

    @property
    def reference(self) -> str:
        """Where a child process finds it: empty for what does not run in one."""
        return ""

    @property
    @abstractmethod
    def wants_bond(self) -> bool:
        """Whether it asks for a `Bond`."""

    @property
    def bare(self) -> Callable[..., Coroutine[Any, Any, Any]] | None:
        """The coroutine function, if that is all there is to it: no `Bond`, no instance, no thread."""
        return None

    @property
    @abstractmethod
    def bind(self) -> Bind:
        """
        What makes a payload of a call's arguments.

        It raises `TypeError` for what are not the atom's arguments, and `ValueError` for what cannot be encoded.

        Raises:
            RegistrationRefused: A type of them cannot be found.
        """

    @property
    @abstractmethod
    def arguments(self) -> ReadArguments:
        """
        What makes arguments of an electron's payload, by position and by name. Neither may be written to.

        Raises:
            RegistrationRefused: A type of them cannot be found.
        """

    encode_result = staticmethod(encode_payload)  # `bytes` as they are, anything else as JSON: None is `null`

    @property
    @abstractmethod
    def read(self) -> Reader:
        """
        What reads the result as the type that the atom declares.

        Raises:
            RegistrationRefused: That type cannot be found.
        """

    @abstractmethod
    def prepare(self) -> Caller:
        """
        Work out everything that calling the atom needs, once, and return what calls it.

        Raises:
            RegistrationRefused: It cannot be called with what travels.
        """

    def with_defaults(self, defaults: Options) -> Self:
        """Return this definition with other options, and all else shared."""
        return self._again(defaults=defaults)

    def named(self, id: str | None, route: str | None) -> Self:
        """Return this definition under another id or on another route, and all else shared."""
        if id is None and route is None:
            return self
        new_id = self.atom_id if id is None else _checked_id(id)
        by_default = new_id if self.route == self.atom_id else self.route
        return self._again(atom_id=new_id, route=route or by_default)

    def _again(self, **changes: Any) -> Self:
        """Make a second one. `copy.copy` would not: atoms are pickled and copied by reference."""
        other = object.__new__(type(self))
        vars(other).update(vars(self) | {"kept": None} | changes)
        return other


def refuse_unknown(arguments: dict[str, object]) -> None:
    """
    Refuse what `@atom` does not take, and say where options go.

    Raises:
        TypeError: There is any.
    """
    if options := options_among(arguments):
        raise TypeError(f"@atom takes no {options}: say options=Options({options})")
    if arguments:
        raise TypeError(f"@atom takes no {next(iter(arguments))}=")


def _id_of(written: FunctionType | type) -> str:
    """Return the id that a function or a class has by where it is written."""
    name, module = written.__qualname__, cast("str | None", written.__module__)
    if "<" in name:  # `<lambda>`, or `<locals>` in front
        raise RegistrationRefused(f"{name} is local or has no name, so no other node finds it: give it id=…")
    if module is None:
        raise RegistrationRefused(f"{name} is in no module, so no other node finds it: give it id=…")
    return _checked_id(f"{_main_module() if module == '__main__' else module}.{name}")


def _main_module() -> str:
    """Return the name under which other nodes import what runs here as `__main__`."""
    spec, file = getattr(sys.modules["__main__"], "__spec__", None), main_file()
    if spec is not None:
        return str(spec.name)
    from pathlib import Path  # noqa: PLC0415  # slow to import, and only needed in a script

    return "__main__" if file is None else Path(file).stem


def _checked_id(id: str) -> str:
    if not 0 < len(id) <= _LONGEST_ID:
        raise RegistrationRefused(f"an atom id has 1 to {_LONGEST_ID} characters, not {len(id)}: {id[:80]!r}")
    return id


_LONGEST_ID = 256
"""What an electron can carry."""


def _check_said(id: str, said: Said) -> None:
    raises = cast("object", said.raises)
    if not isinstance(raises, tuple) or not all(map(_is_exception, cast("tuple[object, ...]", raises))):
        raise RegistrationRefused(f"{id}: raises= is a tuple of exception types, as in raises=(MyError,)")
    if not isinstance(cast("object", said.options), Options):
        raise RegistrationRefused(f"{id}: options= is an atomizer.Options, as in options=Options(limit=1.0)")
    if said.options.id is not None:
        raise RegistrationRefused(f"{id}: Options.id is for one call: the same id on all is one and the same request")
    _check_modes(id, said)


def _check_modes(id: str, said: Said) -> None:
    if said.isolation not in (None, "process"):
        raise RegistrationRefused(f'{id}: isolation= is "process" or nothing, not {said.isolation!r}')
    concurrency = cast("object", said.concurrency)
    if concurrency is not None and (not isinstance(concurrency, int) or isinstance(concurrency, bool)):
        raise RegistrationRefused(f"{id}: concurrency= is a number of electrons, not {concurrency!r}")
    if said.concurrency is not None and said.concurrency < 1:
        raise RegistrationRefused(f"{id}: concurrency= is at least 1, not {said.concurrency}: an atom has to run")
    if said.singleton and said.concurrency not in (None, 1):
        raise RegistrationRefused(
            f"{id}: a singleton runs once at a time, and concurrency={said.concurrency} says otherwise: say one of them"
        )


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)
