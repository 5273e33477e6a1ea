"""Targets: what `module` and `module:name` on the command line stand for."""

from __future__ import annotations

import re
import sys
import traceback
from functools import reduce
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..atom import Atom, Definition, is_class_atom
from ..conductor import Conductor
from ..errors import RegistrationRefused, nearest
from ..registry import Registry, default_registry
from .complaint import BAD_TARGET, USAGE, Complaint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

__all__ = ("Item", "collect", "registry_of")

Item: TypeAlias = Definition | Atom | type[Atom] | Conductor
"""What can be registered."""

_SHOWN = 5
_TARGET = re.compile(r"(\w+(?:\.\w+)*)(?::(\w+(?:\.\w+)*))?")


def collect(targets: Sequence[str]) -> list[Item]:
    """
    Import targets, and return what they stand for, each once.

    What a module has put into the default registry is not returned: every runtime begins with it.

    Raises:
        Complaint: A target is written wrongly, cannot be imported, or holds no atoms.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    found = [item for target in targets for item in _items_of(target)]
    unique = list({id(item): item for item in found}.values())
    if not default_registry.registrations and all(isinstance(item, Conductor) for item in unique):
        raise Complaint(f"{' '.join(targets)}: there are conductors and no atoms; name some too", exit_code=BAD_TARGET)
    return unique


def registry_of(items: Sequence[Item]) -> Registry:
    """
    Register items as a runtime would, with what is in the default registry.

    Raises:
        Complaint: One of them cannot be an atom.
    """
    registry = Registry(name="these targets", beside=default_registry)
    try:
        for item in items:
            registry.register(item)
    except RegistrationRefused as error:
        raise Complaint(str(error), exit_code=BAD_TARGET) from error
    return registry


def _items_of(target: str) -> list[Item]:
    written = _TARGET.fullmatch(target)
    if written is None:
        raise Complaint(f"a target is MODULE or MODULE:NAME, and not {target!r}{_as_module(target)}", exit_code=USAGE)
    before = set(default_registry.registrations)
    module = _imported(written[1])
    if written[2]:
        return [_checked(item, target) for item in _listed(_named(module, written[2]))]
    items = _defined_in(module)
    if not items and not _registered_by(module, before):
        raise Complaint(f"{target} holds no atoms: {_elsewhere(module)}", exit_code=BAD_TARGET)
    return items


def _as_module(target: str) -> str:
    """Say how to name the module of a file."""
    path, _, name = target.partition(":")
    if not path.endswith(".py"):
        return ", as in shop.atoms or shop.atoms:add"
    parts = Path(path).with_suffix("").parts
    return f", which is a file: type {'.'.join(part for part in parts if part not in ('.', '/'))}{name and ':' + name}"


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Complaint(_missing(name), exit_code=BAD_TARGET) from error
        raise Complaint(_broken(name, error), exit_code=BAD_TARGET) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may raise anything, and `sys.exit()` of a script is an exception too
        raise Complaint(_broken(name, error), exit_code=BAD_TARGET) from error


def _missing(name: str) -> str:
    """Say that a module is not there, and what may have been meant."""
    parent, _, leaf = name.rpartition(".")
    if hasattr(sys.modules.get(parent), leaf):
        return f"{name} is no module, but in module {parent}: type {parent}:{leaf}"
    here = Path.cwd()
    return (
        f"there is no module {name!r}, looked for in {here} first; {nearest(name, _modules_in(here), known_as='there')}"
    )


def _modules_in(folder: Path) -> Iterator[str]:
    """Name the modules of a folder, the folders with modules in them, and those."""
    for path in (*folder.glob("*.py"), *folder.glob("*/*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if all(part.isidentifier() for part in parts):
            yield parts[0]
            yield ".".join(parts).removesuffix(".__init__")


def _broken(name: str, error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return (
            f"{name} ends the program when it is imported{_where(error)}: "
            "what only a script should do belongs under `if __name__ == '__main__':`"
        )
    what = f"{type(error).__qualname__}: {error}".partition("\n")[0]
    return f"{name} cannot be imported: {what}{_where(error)}; all of it: python -c 'import {name}'"


def _where(error: BaseException) -> str:
    """Say in which file and line an error was raised, as far as that is not inside Python itself."""
    if isinstance(error, SyntaxError):
        return ""  # its text says it
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen ")]
    within = [f for f in frames if Path(f.filename).is_relative_to(Path.cwd())] or frames
    return f" ({within[-1].filename}, line {within[-1].lineno})"


def _named(module: ModuleType, path: str) -> object:
    try:
        return reduce(getattr, path.split("."), cast("object", module))
    except AttributeError as error:
        names = [name for name in vars(module) if not name.startswith("__")]
        raise Complaint(
            f"{module.__name__} has no {path!r}; {nearest(path, names, known_as='in it')}", exit_code=BAD_TARGET
        ) from error


def _listed(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)


def _checked(item: object, target: str) -> Item:
    """
    Make sure that something can be registered.

    Raises:
        Complaint: It cannot; the message says how to make an atom of it.
    """
    if isinstance(item, Conductor):
        return item
    try:
        Registry().register(cast("Any", item))
    except RegistrationRefused as error:
        raise Complaint(f"{target}: {error}", exit_code=BAD_TARGET) from error
    return cast("Item", item)


def _defined_in(module: ModuleType) -> list[Item]:
    """Return the atoms that a module defines, but those it registered itself: that is done as it said."""
    items = [item for value in vars(module).values() if (item := _atom_of(value)) is not None]
    ours = [item for item in items if item.__module__ == module.__name__]
    return [item for item in ours if item not in default_registry]


def _atom_of(value: object) -> Any:
    """Return the function or class atom that a value is; None if it is none that electrons could meet."""
    if isinstance(value, Definition):
        return value.plain
    return value if is_class_atom(value) and not getattr(value, "__abstractmethods__", None) else None


def _registered_by(module: ModuleType, before: set[Any]) -> bool:
    """Whether a module, or what it imports, put something into the default registry."""
    after = default_registry.registrations
    return bool(set(after) - before) or any(getattr(each.origin, "__module__", "") == module.__name__ for each in after)


def _elsewhere(module: ModuleType) -> str:
    """Say where the atoms are that a module only imports."""
    atoms = [item for value in vars(module).values() if (item := _atom_of(value)) is not None]
    homes = sorted({str(item.__module__) for item in atoms} - {"atomizer", "atomizer.atom"})
    if homes:
        return f"it imports some; name their own module: {' or '.join(homes)}"
    inside = [f"{module.__name__}.{found.name}" for found in iter_modules(getattr(module, "__path__", ()))]
    if inside:
        return f"it is a package; name one of its modules: {', '.join(inside[:_SHOWN])}"
    return "decorate a function with @atomizer.atom, or derive a class from atomizer.Atom"
