"""References: how a child process finds a function, by module and name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import RegistrationRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

__all__ = ("check_reference", "main_file", "reference_of", "refuse_class", "refuse_local")


def reference_of(function: Callable[..., Any]) -> str:
    """Return where a function is found: `module:qualified.name`."""
    return f"{function.__module__}:{function.__qualname__}"


def main_file() -> str | None:
    """Return where the program's main module is written: None if it was typed in, piped in, or is in an archive."""
    from pathlib import Path  # noqa: PLC0415  # slow to import, and only needed in a script

    path: str | None = getattr(sys.modules.get("__main__"), "__file__", None)
    return path if path and Path(path).is_file() else None


def refuse_local(function: FunctionType) -> None:
    """
    Refuse a function that no other process can find by its name.

    Raises:
        RegistrationRefused: It is local to another one, or has no name.
    """
    if "<" in function.__qualname__:  # `<lambda>`, or `<locals>` in front
        raise RegistrationRefused(
            f"{function.__qualname__} is local or has no name, so no child process finds it: "
            'isolation="process" is for functions at the top of a module'
        )


def refuse_class(written: type) -> NoReturn:
    """
    Refuse a class atom in a child process.

    Raises:
        RegistrationRefused: Always.
    """
    raise RegistrationRefused(
        f"{written.__module__}.{written.__qualname__}: isolation= is for functions, because `process` gets a Bond, "
        'which works in the runtime\'s own process alone: write a function, with @atom(isolation="process")'
    )


def check_reference(atom: object, function: Callable[..., Any]) -> None:
    """
    Make sure that a child process will find an atom where its function says it is.

    Raises:
        RegistrationRefused: Something else is there, or its module is no file.
    """
    module, name = function.__module__, function.__qualname__
    if module == "__main__" and main_file() is None:
        raise RegistrationRefused(
            f"{name} was typed in, piped in or packed into an archive, and a child process imports files: "
            'isolation="process" is for functions in a module that can be imported'
        )
    if _found(module, name) is not function:
        raise RegistrationRefused(
            f"{name} in module {module!r} is not {atom!r}, so a child process would not find it: "
            "decorate the function where it is written, and keep its name"
        )


def _found(module: str, name: str) -> object:
    """Return the function of the atom under a name, or None."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return getattr(found, "__wrapped__", None)
