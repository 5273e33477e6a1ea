"""
Atoms: functions decorated with `@atom`, and classes derived from `Atom`.

Nothing is registered here: a decorated function is still that function, and a class still that class.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from functools import cached_property, partial
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeGuard,
    TypeVar,
    Unpack,
    cast,
    final,
    overload,
)

from .annotations import Reader, result_reader
from .definition import Caller, Definition, Isolation, Said, refuse_unknown
from .errors import RegistrationRefused
from .function_atom import FunctionAtom, TakesOne
from .options import NOTHING_SAID, OptionFields, Options
from .payload import NO_ARGUMENTS, Arguments, Bind, Payload, ReadArguments, bind_payload
from .reference import refuse_class

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .bond import Bond
    from .bounds import Bounds
    from .electron import Electron

__all__ = (
    "Atom",
    "AtomDecorator",
    "ClassCall",
    "Definition",
    "FunctionAtom",
    "Payload",
    "Processes",
    "TakesOne",
    "atom",
    "atom_id",
    "definition_of",
)

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class ClassCall(Definition, Generic[R_co]):
    """A class atom as a runtime sees it, with options for a call: what `Toss.options(…)` gives."""

    def __init__(self, written: type[Processes[R_co]], said: Said) -> None:
        super().__init__(written, said)
        self._written = cast("type[Atom]", written)
        self.is_async: bool = inspect.iscoroutinefunction(written.process)

    @property
    def plain(self) -> type[Atom]:
        """The class, without options for a call."""
        return self._written

    @property
    def wants_bond(self) -> bool:
        """Whether it asks for a `Bond`: `process` always gets it."""
        return True

    @property
    def bind(self) -> Bind:
        """What encodes the payload: `bytes` as they are, anything else as JSON, and nothing as nothing."""
        return partial(bind_payload, self.atom_id)

    @property
    def arguments(self) -> ReadArguments:
        """What leaves the payload to `process`, which has the electron."""
        return _no_arguments

    @property
    def read(self) -> Reader:
        """What reads the result as the type that `process` declares."""
        return self._reader

    def prepare(self) -> Caller:
        """Look at `process`, and build what reads its result."""
        _check_process(self._written)
        self._reader  # noqa: B018  # built by being looked at
        return _process

    def __reduce__(self) -> tuple[Any, ...]:
        return _class_call, (self._written, self.defaults)

    @cached_property
    def _reader(self) -> Reader:
        return result_reader(self._written.process)

    if TYPE_CHECKING:

        def _answer(self, payload: object = ..., /) -> R_co: ...  # shows R to `TakesOne`


def _no_arguments(electron: Electron, bounds: Bounds) -> Arguments:
    return NO_ARGUMENTS


def _process(instance: Atom | None, bond: Bond, electron: Electron, args: Any, kwargs: Any) -> Any:
    return cast("Atom", instance).process(bond, electron)


def _class_call(written: type[Atom], defaults: Options) -> ClassCall[Any]:
    """Make or unpickle a class atom with options for a call."""
    return written.__atom__.definition.with_defaults(defaults)


class Processes(Protocol[R_co]):
    """The class form of an atom, seen from outside: what it gives is what its own `process` says."""

    def process(self, conductor: Bond, electron: Electron) -> Coroutine[Any, Any, R_co]:
        """Answer one electron."""
        ...


class Atom(ABC):
    """
    The class form of an atom: derive, and write `process`.

    .. code-block:: python

        class Toss(atomizer.Atom, id="montecarlopi.Toss"):
            async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> bytes: ...

    Registered as a class, it is made anew for each electron. Registered as an instance, each electron gets a deep copy
    of its public state. With `share=True` one instance serves them all.

    The class keywords say something of this class alone; one that is derived from it has its own.

    Args:
        id: The atom id; the module path and qualified name if not given.
        route: Where its electrons go; the atom id if not given.
        share: One instance serves all electrons.
        raises: Exceptions that an asker who knows them gets as themselves.
        options: How its electrons are treated where the call does not say otherwise.
        isolation: Refused: a class atom runs in the runtime's own process, with its `Bond`.
        concurrency: How many of its electrons run at once on a node; as many as there are slots if not given.
        singleton: One at a time: the same as `concurrency=1`.
    """

    __atom__: ClassVar[Declared]

    def __init_subclass__(
        cls,
        *,
        id: str | None = None,
        route: str | None = None,
        share: bool = False,
        raises: tuple[type[BaseException], ...] = (),
        options: Options | None = None,
        isolation: None = None,
        concurrency: int | None = None,
        singleton: bool = False,
    ) -> None:
        super().__init_subclass__()
        if isolation is not None:
            refuse_class(cls)
        before = cls.__dict__.get("__atom__")  # a class made over again, as by @dataclass(slots=True), without keywords
        said = Said(id, route, share, raises, options or NOTHING_SAID, isolation, concurrency, singleton)
        cls.__atom__ = Declared(cls, said if before is None else before.said)

    @abstractmethod
    async def process(self, conductor: Bond, electron: Electron) -> object:
        """
        Answer one electron.

        A plain `def` works too, and runs in a thread; type checkers want to be told that it is meant.

        Args:
            conductor: Its surroundings: time, progress, other atoms.
            electron: The request; `electron.payload` is bytes, `electron.decode(T)` reads them.

        Returns:
            The result: `bytes` travel as they are, anything else is encoded.
        """

    async def open(self) -> None:  # noqa: B027  # most have nothing to open
        """Make ready the one instance that serves all electrons, before the first comes. Only with `share=True`."""

    async def close(self) -> None:  # noqa: B027
        """Release what `open` took, after the last electron. Only with `share=True`."""

    @classmethod
    def options(cls: type[Processes[R]], **options: Unpack[OptionFields]) -> ClassCall[R]:
        """
        Return this class with options for a call: `runtime.run(Toss.options(limit=1.0), payload)`.

        Args:
            options: The fields of `Options`; they count more than the class's own.

        Raises:
            ValueError: A value is outside its range.
        """
        definition = cast("type[Atom]", cls).__atom__.definition
        return definition.with_defaults(Options(**options).over(definition.defaults))


class Declared:
    """
    What the class keywords of an atom say, and what a runtime makes of them once it is asked for.

    Attributes:
        said: The class keywords.
    """

    def __init__(self, written: type[Any], said: Said) -> None:
        self._written = written
        self.said = said

    @cached_property
    def definition(self) -> ClassCall[Any]:
        """The definition. Not every base class has one: it raises `RegistrationRefused` without an atom id."""
        return ClassCall[Any](self._written, self.said)

    def named(self, id: str | None, route: str | None) -> ClassCall[Any]:
        """Return the definition under another id or on another route."""
        if id is None:
            return self.definition.named(None, route)
        return ClassCall[Any](self._written, self.said._replace(id=id, route=route or self.said.route))


Atom.__atom__ = Declared(Atom, Said())  # so that it is refused as any abstract class


@final
class _Anything:
    """A first parameter that takes this is `Any` or `object`, and asks for no `Bond`."""


class AtomDecorator:
    """
    The decorator that makes an atom of a function: `@atom`, or `@atom(id=…)`.

    It attaches a definition and registers nothing; the function can still be called directly. An `async def` runs on
    the event loop, a `def` in a thread, either in a child process with `isolation="process"`. A first parameter
    annotated `Bond` gets the atom's surroundings; all others are the payload.
    """

    def __init__(self, said: Said | None = None) -> None:
        self._said = said or Said()

    def __repr__(self) -> str:
        return f"<decorator atomizer.atom{self._said if self._said != Said() else ''}>"

    @overload
    def __call__(
        self, f: Callable[Concatenate[_Anything, P], Coroutine[Any, Any, R]], /
    ) -> FunctionAtom[Concatenate[Any, P], R, Concatenate[Any, P], Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(
        self, f: Callable[Concatenate[_Anything, P], R], /
    ) -> FunctionAtom[Concatenate[Any, P], R, Concatenate[Any, P], R]: ...
    @overload
    def __call__(
        self, f: Callable[Concatenate[Bond, P], Coroutine[Any, Any, R]], /
    ) -> FunctionAtom[P, R, Concatenate[Bond, P], Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, f: Callable[Concatenate[Bond, P], R], /) -> FunctionAtom[P, R, Concatenate[Bond, P], R]: ...
    @overload
    def __call__(self, f: Callable[P, Coroutine[Any, Any, R]], /) -> FunctionAtom[P, R, P, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, f: Callable[P, R], /) -> FunctionAtom[P, R, P, R]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        id: str | None = None,
        route: str | None = None,
        raises: tuple[type[BaseException], ...] = (),
        options: Options | None = None,
        isolation: Isolation | None = None,
        concurrency: int | None = None,
        singleton: bool = False,
    ) -> AtomDecorator: ...
    def __call__(
        self,
        f: Any = None,
        /,
        *,
        id: str | None = None,
        route: str | None = None,
        raises: tuple[type[BaseException], ...] = (),
        options: Options | None = None,
        isolation: Isolation | None = None,
        concurrency: int | None = None,
        singleton: bool = False,
        **unknown: object,
    ) -> Any:
        """
        Make an atom of a function, or a decorator that says more of it.

        Args:
            f: The function.
            id: The atom id; the module path and qualified name if not given.
            route: Where its electrons go; the atom id if not given.
            raises: Exceptions that an asker who knows them gets as themselves.
            options: How its electrons are treated where the call does not say otherwise.
            isolation: "process": it runs in a child process, which is killed at its limit or when it is cancelled. The
                function must be found by its name there, and has no `Bond`.
            concurrency: How many of its electrons run at once on a node; as many as there are slots if not given.
            singleton: One at a time: the same as `concurrency=1`.

        Raises:
            RegistrationRefused: The function cannot be an atom; the message says why and what to do.
        """
        refuse_unknown(unknown)
        before = self._said
        said = Said(
            id=before.id if id is None else id,
            route=before.route if route is None else route,
            raises=raises or before.raises,
            options=before.options if options is None else options,
            isolation=isolation or before.isolation,
            concurrency=before.concurrency if concurrency is None else concurrency,
            singleton=singleton or before.singleton,
        )
        return AtomDecorator(said) if f is None else FunctionAtom[..., Any, ..., Any](f, said)


atom: AtomDecorator = AtomDecorator()
"""Makes an atom of a function: see `AtomDecorator`."""


def atom_id(atom: Definition | Atom | type[Atom] | str, /) -> str:
    """
    Return the id that an atom is found by: of a function atom, a class atom, or an instance of one; an id is its own.

    Raises:
        RegistrationRefused: It has none: it is local to a function, and was given no `id=`.
        TypeError: It is no atom.
    """
    if isinstance(atom, str):
        return atom
    return definition_of(type(atom) if isinstance(atom, Atom) else atom).atom_id


def definition_of(atom: object) -> Definition:
    """
    Return what a runtime knows of an atom that it is asked for: of a function atom or a class atom.

    Raises:
        RegistrationRefused: It has no atom id.
        TypeError: It cannot be asked for; the message says what can.
    """
    if isinstance(atom, Definition):
        return atom
    if is_class_atom(atom):
        return atom.__atom__.definition
    if isinstance(atom, Atom):
        raise TypeError(f"an instance is for registration: ask for its class {type(atom).__qualname__}, or by atom id")
    hint = (
        "decorate it with @atomizer.atom" if inspect.isroutine(atom) else "ask for a function or class atom, or by id"
    )
    raise TypeError(f"{atom!r} is no atom: {hint}")


def is_class_atom(item: object) -> TypeGuard[type[Atom]]:
    """Whether an item is a class derived from `Atom`."""
    return isinstance(item, type) and issubclass(item, Atom)


def _check_process(written: type[Atom]) -> None:
    """
    Look whether a class can answer electrons.

    Raises:
        RegistrationRefused: It cannot.
    """
    name = f"{written.__module__}.{written.__qualname__}"
    if inspect.isabstract(written):
        raise RegistrationRefused(f"{name} is abstract: write its {', '.join(sorted(written.__abstractmethods__))}")
    if inspect.isgeneratorfunction(written.process) or inspect.isasyncgenfunction(written.process):
        raise RegistrationRefused(f"{name}.process yields, and an atom has one result: return a list")
    try:
        inspect.signature(written.process).bind(None, None, None)
    except TypeError:
        raise RegistrationRefused(
            f"{name}.process takes something else: write process(self, conductor: Bond, electron: Electron)"
        ) from None
