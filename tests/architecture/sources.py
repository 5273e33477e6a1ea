"""The project's own files, read and not run: what the tests of its shape look at."""

from __future__ import annotations

import ast
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("ROOT", "Import", "Module", "all_names", "files", "imports_of", "modules")

ROOT = Path(__file__).resolve().parents[2]

_NOT_OURS = {"__pycache__", "_build", "build", "dist", "node_modules"}


class Module(NamedTuple):
    """One Python file of the project."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether it is a package's `__init__`."""
        return self.path.name == "__init__.py"

    @property
    def is_public(self) -> bool:
        """Whether users may import it: no part of its name begins with an underscore."""
        return not any(part.startswith("_") for part in self.name.split("."))


class Import(NamedTuple):
    """One imported module, and where it stands."""

    target: str
    name: str | None
    """What is taken from it; None when the module itself is imported."""
    line: int
    dots: int
    for_types_only: bool


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Parse every Python file under some folders of the project."""
    paths = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return tuple(Module(_name_of(path), path, ast.parse(path.read_text(), str(path))) for path in paths)


def _name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports_of(module: Module) -> tuple[Import, ...]:
    """List what a module imports anywhere in it, by full names."""
    known = {other.name for other in modules("atomizer", "conductors")}
    types_only = {node for branch in _type_checking_branches(module.tree) for node in ast.walk(branch)}
    found = []
    for node in ast.walk(module.tree):
        for target, name, dots in _targets(node, module):
            submodule = f"{target}.{name}"
            whole = (submodule, None) if submodule in known else (target, name)
            found.append(Import(*whole, getattr(node, "lineno", 0), dots, node in types_only))
    return tuple(found)


def _type_checking_branches(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from node.body


def _targets(node: ast.AST, module: Module) -> Iterator[tuple[str, str | None, int]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, None, 0) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
        above = package[: len(package) - node.level + 1] if node.level else []
        target = ".".join([*above, *filter(None, [node.module])])
        yield from ((target, alias.name, node.level) for alias in node.names)


def all_names(module: Module) -> tuple[str, ...] | None:
    """Return a module's `__all__`, or None where it is not a tuple of plain strings."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return _strings(node.value)
    return None


def _strings(value: ast.expr) -> tuple[str, ...] | None:
    if not isinstance(value, ast.Tuple):
        return None
    names = tuple(item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str))
    return names if len(names) == len(value.elts) else None


def files() -> Iterator[Path]:
    """Walk over every file of the project, and nothing that tools leave beside them."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name == ".ci" or not (name.startswith(".") or name in _NOT_OURS)]
        yield from (Path(folder, name) for name in names)
