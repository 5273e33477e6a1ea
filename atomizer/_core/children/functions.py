"""Functions: those that a child process is asked for, found by reference, with what decodes and encodes for them."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ...function_atom import FunctionAtom
from ...payload import FunctionMapping, encode_payload
from .main_module import load_main

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType, TracebackType

    from ...payload import Parameters, Payload
    from .framing import MainModule

__all__ = ("Function", "Functions")


class Function(NamedTuple):
    """A function, and how its arguments and its result travel."""

    call: Callable[..., Any]
    is_async: bool
    parameters: Parameters
    encode_result: Callable[[object], Payload]


class Functions:
    """Finds functions, and remembers them."""

    def __init__(self, main: MainModule | None) -> None:
        self._main = main
        self._main_module: ModuleType | None = None
        self._main_error: BaseException | None = None
        self._main_trace: TracebackType | None = None
        self._found: dict[str, Function] = {}

    def find(self, reference: str) -> Function:
        """
        Find a function by `module:qualname`.

        Raises:
            AttributeError, TypeError: There is no function of that name.
            RegistrationRefused: It cannot be called with what travels.
            Whatever its module raises while it is imported.
        """
        function = self._found.get(reference)
        if function is None:
            function = self._found[reference] = self._look_up(reference)
        return function

    def _look_up(self, reference: str) -> Function:
        module, _, name = reference.partition(":")
        if module != "__main__":
            return _function(_named(name, _import(module)))
        try:
            return _function(_named(name, self._load_main()))
        except AttributeError as error:
            if self._main_error is not None or error.obj is not self._main_module:
                raise
            raise AttributeError(_ONLY_IN_THE_PARENT.format(name=name)) from None

    def _load_main(self) -> ModuleType:
        """Load the main module once: whatever it does at its start is not done again, also when it failed."""
        if self._main_error is not None:
            raise self._main_error.with_traceback(self._main_trace)
        if self._main_module is None:
            try:
                self._main_module = load_main(self._main)
            except BaseException as error:
                self._main_error, self._main_trace = error, error.__traceback__
                raise
        return self._main_module


_ONLY_IN_THE_PARENT = (
    "the program's main module has no {name!r} when a child process loads it: "
    'an atom is written outside of `if __name__ == "__main__":`, above it'
)


def _named(name: str, thing: Any) -> Any:
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def _import(module: str) -> ModuleType:
    __import__(module)  # unlike `importlib.import_module` it leaves its own frames out of a traceback
    return sys.modules[module]


def _function(thing: Any) -> Function:
    encode = encode_payload
    if isinstance(thing, FunctionAtom):
        thing, encode = thing.__wrapped__, thing.encode_result
    if not inspect.isfunction(thing):
        raise TypeError(f"it is of type {type(thing).__qualname__}, and no function")
    mapping = FunctionMapping(thing)
    mapping.prepare()
    if mapping.wants_bond:
        raise TypeError("it asks for a Bond, and there is none there: remove that parameter")
    return Function(thing, inspect.iscoroutinefunction(thing), mapping.parameters, encode)
