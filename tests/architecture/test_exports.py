"""The public face: a list, complete, frozen and documented."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import atomizer
from atomizer._on_first_use import HOMES
from tests.architecture.sources import Module, all_names, imports_of, modules

INIT = modules("atomizer")[0]
EXPORTED = {found.name: found.target for found in imports_of(INIT) if found.for_types_only}
PUBLIC = [module for module in modules("atomizer", "conductors") if module.is_public and module.name != "atomizer"]
FROZEN = Path(__file__).with_name("exports.txt")


def name_of(module: Module) -> str:
    """Name a test after the module it looks at."""
    return module.name


def test_init_is_a_list_and_nothing_else() -> None:
    """`atomizer/__init__.py` holds a docstring, `from .x import Y as Y` for type checkers, how it loads, `__all__`."""
    lists = [node for node in INIT.tree.body[1:] if isinstance(node, ast.If)]
    others = [ast.unparse(node) for node in INIT.tree.body[1:] if node not in lists and not is_all(node)]

    assert ast.get_docstring(INIT.tree)
    assert others == ["from typing import TYPE_CHECKING"]
    assert [ast.unparse(node.test) for node in lists] == ["TYPE_CHECKING"]
    assert not [ast.unparse(node) for node in lists[0].body if not is_reexport(node)]
    assert [ast.unparse(node) for node in lists[0].orelse] == [
        "from ._on_first_use import load_on_first_use",
        "load_on_first_use(__name__)",
    ]


def is_reexport(node: ast.stmt) -> bool:
    """Whether a line has the form `from .x import Y as Y`."""
    return isinstance(node, ast.ImportFrom) and node.level == 1 and all(a.name == a.asname for a in node.names)


def is_all(node: ast.stmt) -> bool:
    """Whether a line is the list of names."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def test_all_and_the_imports_name_the_same_things() -> None:
    """What is imported into `atomizer` is in its `__all__`, and the other way round, once each."""
    names = all_names(INIT) or ()

    assert sorted(names) == sorted(EXPORTED, key=str)


@pytest.mark.parametrize(("name", "home"), sorted(EXPORTED.items(), key=str))
def test_name_is_what_type_checkers_see(name: str, home: str) -> None:
    """What a name is when it is loaded is what the list says it is."""
    assert getattr(atomizer, name) is getattr(import_module(home), name)


def test_homes_are_the_modules_of_the_list() -> None:
    """Every module that a public name comes from is loaded for it, and no other."""
    assert sorted(f"atomizer.{home}" for home in HOMES) == sorted(set(EXPORTED.values()))


@pytest.mark.parametrize("module", PUBLIC, ids=name_of)
def test_module_exports_only_what_it_calls_public(module: Module) -> None:
    """Whatever `atomizer` takes from a module is in that module's own `__all__`."""
    taken = {name for name, target in EXPORTED.items() if target == module.name}

    assert taken <= set(all_names(module) or ())


def test_every_error_is_at_the_top() -> None:
    """Whoever catches an error finds it where everything else is."""
    errors = next(module for module in PUBLIC if module.name == "atomizer.errors")

    assert set(all_names(errors) or ()) <= set(EXPORTED)


def test_public_names_are_frozen() -> None:
    """A name that comes or goes is a visible change: it is added to exports.txt, or taken out, by hand."""
    names = list(all_names(INIT) or ())

    assert sorted(names) == FROZEN.read_text().split()


@pytest.mark.parametrize("module", PUBLIC, ids=name_of)
def test_public_module_says_what_is_public(module: Module) -> None:
    """Every public module has a docstring, and a tuple `__all__`, unless it is a mere package."""
    defines = any(isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) for node in module.tree.body)

    assert ast.get_docstring(module.tree)
    assert all_names(module) is not None or (module.is_package and not defines)


@pytest.mark.parametrize("module", [INIT, *PUBLIC], ids=name_of)
def test_all_names_what_is_there(module: Module) -> None:
    """Every name in `__all__` can be had."""
    loaded = import_module(module.name)

    missing = [name for name in all_names(module) or () if not hasattr(loaded, name)]

    assert not missing


@pytest.mark.parametrize("module", PUBLIC, ids=name_of)
def test_every_public_name_has_a_docstring(module: Module) -> None:
    """What is public says what it is: a class or function in its docstring, a constant in the string beneath it."""
    documented = {name for node, after in pairs(module.tree.body) for name in documented_by(node, after)}
    imported = {found.name or found.target for found in imports_of(module)}

    missing = set(all_names(module) or ()) - documented - imported

    assert not missing


def pairs(body: list[ast.stmt]) -> list[tuple[ast.stmt, ast.stmt | None]]:
    """Give each statement with the one after it."""
    return list(zip(body, [*body[1:], None], strict=True))


def documented_by(node: ast.stmt, after: ast.stmt | None) -> list[str]:
    """Return the names that a statement defines and documents."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name] if ast.get_docstring(node) else []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    has_text = (
        isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
    )
    return [ast.unparse(target) for target in targets if has_text]
