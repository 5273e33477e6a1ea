"""The shape of the code: names of files, lengths of functions, and what tests may not do."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import Module, modules

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = modules("atomizer", "conductors", "examples")
TESTS = modules("tests")

KINDS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
LONGEST_FUNCTION = 40
LONGEST_FILE = 400

LONG_FUNCTIONS: dict[str, str] = {
    "atomizer._core.straight_line:fly": "the way of nearly every electron: in steps it takes a fifth longer",
    "atomizer._core.ways:make_ways": "a list of who needs whom",
}
"""Functions over the limit, by module and name, each with its reason."""
LONG_FILES: dict[str, str] = {}
"""Files over the limit, by module, each with its reason."""


def name_of(module: Module) -> str:
    """Name a test after the module it looks at."""
    return module.name


@pytest.mark.parametrize("module", CODE, ids=name_of)
def test_file_is_named_for_its_concept(module: Module) -> None:
    """No file is named for its kind: whoever looks for a thing finds it in the list of files."""
    words = {word for part in module.name.split(".") for word in part.split("_")}

    assert not words & KINDS


@pytest.mark.parametrize("module", CODE, ids=name_of)
def test_functions_are_short(module: Module) -> None:
    """A function is read without scrolling."""
    too_long = {
        f"{module.name}:{node.name}": length
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := body_length(node)) > LONGEST_FUNCTION
    }

    assert set(too_long) <= set(LONG_FUNCTIONS), too_long


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a body's lines from its first statement to its last, without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("module", CODE, ids=name_of)
def test_file_is_about_one_thing(module: Module) -> None:
    """A file is short enough to be about one thing."""
    length = module.path.read_text().count("\n")

    assert length <= LONGEST_FILE or module.name in LONG_FILES


def test_exceptions_to_the_limits_are_still_needed() -> None:
    """Who becomes short again leaves the list."""
    functions = {
        f"{module.name}:{node.name}"
        for module in CODE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_length(node) > LONGEST_FUNCTION
    }
    long_files = {module.name for module in CODE if module.path.read_text().count("\n") > LONGEST_FILE}

    assert set(LONG_FUNCTIONS) <= functions
    assert set(LONG_FILES) <= long_files


@pytest.mark.parametrize("module", TESTS, ids=name_of)
def test_tests_do_not_sleep_patch_or_hide_in_classes(module: Module) -> None:
    """Time is a clock's, order comes from events, and what a test replaces it hands in."""
    found = list(forbidden_in_tests(module))

    assert not found


def forbidden_in_tests(module: Module) -> Iterator[str]:
    """Say where a test waits for the wall's clock, patches, or is a method."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and "mock" in ast.unparse(node):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"monkeypatch.setattr", "time.sleep"}:
            yield f"line {node.lineno}: {ast.unparse(node.func)}"
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test") and module.path.name.startswith("test_"):
            yield f"line {node.lineno}: class {node.name}"
