"""
The public names are loaded when they are asked for, with all those that come before them.

`import atomizer` alone costs next to nothing, and so does `atomizer --help`, which needs none of them. A module of
atoms needs few: a child process that loads it starts in half the time that all of them would take.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("HOMES", "Package", "load_on_first_use")

HOMES = (
    "atom",
    "bond",
    "failure",
    "retry",
    "options",
    "errors",
    "properties",
    "electron",
    "inspection",
    "envelope",
    "events",
    "conductor",
    "codec",
    "settings",
    "health",
    "registry",
    "schemes",
    "memory",
    "handle",
    "results",
    "dead_letters",
    "runtime",
    "script",
)
"""The modules that public names come from: first those of which a module of atoms has need, and at last the runtime."""


class Package(ModuleType):
    """A package whose public names are loaded late, and so are its modules, as `atomizer.events`."""

    __all__: tuple[str, ...]
    __homes__: tuple[str, ...]

    def __getattr__(self, name: str) -> object:
        """Load what is asked for. It is there from then on, and not looked for again."""
        if name in self.__all__:
            self._load(name)
            return vars(self)[name]
        if not name.startswith("_"):
            return self._module(name)
        raise self._miss(name)

    def __setattr__(self, name: str, value: object) -> None:
        """Keep a public name free of the module it shares its name with: `atomizer.atom` is the decorator."""
        if not (isinstance(value, ModuleType) and name in self.__all__):
            super().__setattr__(name, value)

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self.__all__})

    def _load(self, name: str) -> None:
        for home in self.__homes__:
            module = import_module(f"{self.__name__}.{home}")
            vars(self).update((each, getattr(module, each)) for each in module.__all__ if each in self.__all__)
            if name in vars(self):
                return

    def _module(self, name: str) -> ModuleType:
        path = f"{self.__name__}.{name}"
        try:
            return import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
        raise self._miss(name)

    def _miss(self, name: str) -> AttributeError:
        return AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)


def load_on_first_use(package: str, homes: tuple[str, ...] = HOMES) -> None:
    """
    Have a package load its public names when they are asked for.

    Args:
        package: Its name; it is being imported, and its `__all__` says what is public.
        homes: The modules that its public names come from, in the order in which they are looked through.
    """
    module = sys.modules[package]
    vars(module)["__homes__"] = homes
    module.__class__ = Package
