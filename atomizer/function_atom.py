"""Function atoms: what `@atom` makes of a function."""

from __future__ import annotations

import inspect
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack

from .definition import Caller, Definition, Said
from .errors import RegistrationRefused
from .options import OptionFields, Options
from .payload import FunctionMapping
from .reference import check_reference, reference_of, refuse_local

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FunctionType

    from .annotations import Reader
    from .atom import Atom
    from .bond import Bond
    from .electron import Electron
    from .payload import Bind, ReadArguments

__all__ = ("FunctionAtom", "TakesOne")

P = ParamSpec("P")
"""What `run()` takes after a function atom."""
D = ParamSpec("D")
"""What a direct call of a function atom takes: the same, with the `Bond` in front if it asks for one."""
R_co = TypeVar("R_co", covariant=True)
"""What `run()` gives."""
V_co = TypeVar("V_co", covariant=True)
"""What a direct call gives: the same, or a coroutine of it."""
T_contra = TypeVar("T_contra", contravariant=True)


class FunctionAtom(Definition, Generic[P, R_co, D, V_co]):
    """
    A function that is an atom: what `@atom` makes of it.

    Called directly it is the function. It is pickled by reference: module and name.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[D, V_co]

    def __init__(self, function: Callable[D, V_co], said: Said) -> None:
        written = _plain_function(function)
        update_wrapper(self, written)
        if said.isolation == "process":
            refuse_local(written)
        super().__init__(written, said)
        self.is_async: bool = inspect.iscoroutinefunction(written)
        self._mapping = FunctionMapping(written)
        self._mapping.refuse_late_bond()
        if self.isolation is not None:
            self._refuse_bond_already()
        self._plain: Self | None = None
        self._function = function

    def __call__(self, *args: D.args, **kwargs: D.kwargs) -> V_co:
        """Call the function, here and now: no electron, no runtime."""
        return self._function(*args, **kwargs)

    def options(self, **options: Unpack[OptionFields]) -> Self:
        """
        Return this atom with options for a call: `runtime.run(add.options(limit=1.0), 1, 2)`.

        Args:
            options: The fields of `Options`; they count more than the atom's own.

        Raises:
            ValueError: A value is outside its range.
        """
        return self.with_defaults(Options(**options).over(self.defaults))

    def with_defaults(self, defaults: Options) -> Self:
        """Return this atom with other options for a call, and all else shared."""
        return self._again(defaults=defaults, _plain=self.plain)

    @property
    def plain(self) -> Self:
        """The function atom as it was declared, without options for a call."""
        return self if self._plain is None else self._plain

    @property
    def wants_bond(self) -> bool:
        """Whether its first parameter is the `Bond`."""
        return self._mapping.wants_bond

    @property
    def reference(self) -> str:
        """Where a child process finds it: module and name."""
        return reference_of(self._function)

    @property
    def bare(self) -> Callable[..., Coroutine[Any, Any, Any]] | None:
        """The function, if it is a coroutine function and asks for no `Bond`."""
        function: Callable[..., Any] = self._function
        return function if self.is_async and not self.wants_bond else None

    @property
    def bind(self) -> Bind:
        """What makes a payload of a call's arguments."""
        return self._mapping.parameters.bind

    @property
    def arguments(self) -> ReadArguments:
        """What makes arguments of an electron's payload, checked against the annotations."""
        return self._mapping.parameters.arguments

    @property
    def read(self) -> Reader:
        """What reads the result as the type that the function declares."""
        return self._mapping.read

    def prepare(self) -> Caller:
        """Build what reads its parameters and its result."""
        function: Callable[..., Any] = self._function
        self._mapping.prepare()
        if self.isolation is not None:
            self._refuse_bond()
            check_reference(self, self._function)

        def call(instance: Atom | None, bond: Bond, electron: Electron, args: Any, kwargs: Any) -> Any:
            return function(*args, **kwargs)

        def call_with_bond(instance: Atom | None, bond: Bond, electron: Electron, args: Any, kwargs: Any) -> Any:
            return function(bond, *args, **kwargs)

        return call_with_bond if self.wants_bond else call

    def _refuse_bond_already(self) -> None:
        """Refuse a `Bond` as far as it can be told: a type may be written further down in the module."""
        try:
            wants_bond = self.wants_bond
        except RegistrationRefused:
            return
        if wants_bond:
            self._refuse_bond()

    def _refuse_bond(self) -> None:
        if self.wants_bond:
            raise RegistrationRefused(
                f"{self.atom_id} takes a Bond, which works in the runtime's own process alone: leave the Bond out, or "
                'leave isolation="process" out'
            )

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self._plain is None:
            return self.__qualname__  # where `__module__` has it
        return _called_with, (self._plain, self.defaults)

    if TYPE_CHECKING:

        def _answer(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...  # shows P and R to `TakesOne`


def _called_with(plain: FunctionAtom[..., Any, ..., Any], defaults: Options) -> FunctionAtom[..., Any, ..., Any]:
    """Unpickle a function atom with options for a call."""
    return plain.with_defaults(defaults)


class TakesOne(Protocol[T_contra, R_co]):
    """An atom that can be asked with one item: what `map()` wants."""

    def _answer(self, item: T_contra, /) -> R_co: ...


def _plain_function(thing: object) -> FunctionType:
    """
    Return a function that can be an atom, as far as can be told without its types.

    Raises:
        RegistrationRefused: It is something else.
    """
    if isinstance(thing, FunctionAtom):
        raise RegistrationRefused(f"{thing.atom_id} is an atom already: decorate it once")
    if isinstance(thing, type):
        raise RegistrationRefused(
            f"{thing.__qualname__} is a class: write `class {thing.__name__}(atomizer.Atom, id=…)`"
        )
    if isinstance(thing, str):
        raise RegistrationRefused(
            f"@atom takes a function, and {thing!r} is text: an id is said as @atom(id={thing!r})"
        )
    if not inspect.isfunction(thing):
        raise RegistrationRefused(f"{thing!r} is no plain function: write one that calls it, and decorate that")
    name = f"{thing.__module__}.{thing.__qualname__}"
    if inspect.isgeneratorfunction(thing) or inspect.isasyncgenfunction(thing):
        raise RegistrationRefused(
            f"{name} yields, and an atom has one result: return a list, or ask once for each item"
        )
    if _is_method(thing):
        raise RegistrationRefused(f"{name} is a method: decorate a function, or derive its class from atomizer.Atom")
    return thing


def _is_method(function: FunctionType) -> bool:
    scope = function.__qualname__.rpartition(".")[0]
    return bool(scope) and not scope.endswith("<locals>") and function.__code__.co_varnames[:1] in (("self",), ("cls",))
