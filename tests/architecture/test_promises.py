"""Every promise is held by a test that names it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import modules

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISES = {f"I{number}" for number in range(1, 16)}


def docstrings_of_tests() -> Iterator[tuple[str, str]]:
    """Give the docstring of every test, and of every module of tests, each with its name."""
    for module in modules("tests"):
        if module.name.startswith("tests.architecture"):
            continue
        yield module.name, ast.get_docstring(module.tree) or ""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{module.name}::{node.name}", ast.get_docstring(node) or ""


def named_by_promise() -> dict[str, list[str]]:
    """List who names which promise. `I1 to I6` names all of them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in docstrings_of_tests():
        ranges = re.findall(r"\bI(\d+) to I(\d+)\b", text)
        numbers = {number for first, last in ranges for number in range(int(first), int(last) + 1)}
        for number in numbers | {int(each) for each in re.findall(r"\bI(\d+)\b", text)}:
            found[f"I{number}"].append(name)
    return found


TESTS = named_by_promise()


@pytest.mark.parametrize("promise", [f"I{number}" for number in range(1, 16)])
def test_promise_is_named_by_a_test(promise: str) -> None:
    """Whoever breaks one is told which."""
    assert TESTS.get(promise)


def test_no_promise_is_made_up() -> None:
    """A number that stands for nothing misleads."""
    assert set(TESTS) <= PROMISES
