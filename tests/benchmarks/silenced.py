"""
A copy of atomizer that cannot tell events, to measure what it costs to be able to.

Nothing in the public API takes events away, and a runtime whose readers have left runs the same lines as one that
never had any. So a second copy of the package is loaded beside the first, with every line taken out of its source that
tells an event or asks whether anybody listens. What it would compute for an event elsewhere stays in both.
"""

from __future__ import annotations

import ast
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

from atomizer import events
from tests.benchmarks import engines
from tests.benchmarks.alternation import compare
from tests.benchmarks.copies import copy_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType, ModuleType

    from tests.benchmarks.sampling import Effort, Sample

__all__ = ("measure_silence", "without_events")

_KINDS = frozenset(
    name for name, kind in vars(events).items() if isinstance(kind, type) and issubclass(kind, events.Event)
)
_QUESTIONS = frozenset(("listening", "routine"))
"""The attributes of `Broadcast` that say whether anybody does."""


async def measure_silence(effort: Effort) -> Sample:
    """
    Measure atomizer without a reader of its events, against itself with nothing to read.

    Raises:
        RuntimeError: The copy tells events all the same, or the original tells none.
    """
    with copy_by(_Finder()) as copy:
        pass
    if await events_told(copy) or not await events_told(engines):
        raise RuntimeError("the copy without events still tells some, or the original tells none: look at `_Silencer`")
    return await compare(engines.atomizer_engine(), copy.atomizer_engine(), effort.electrons)


async def events_told(copy: Any) -> int:
    """Count the events of one electron's way."""
    told = 0
    async with copy.atomizer.Atomizer(copy.echo) as runtime:
        stream = runtime.events()
        await runtime.run(copy.echo, engines.TEXT)
    async for _ in stream:
        told += 1
    return told


class _Finder(MetaPathFinder):
    """Finds atomizer where it is, and has it loaded in another way."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "atomizer":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module from its source alone: neither takes its code from a file beside it, nor leaves it there."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(without_events(self.get_data(path)), path, "exec", dont_inherit=True)


def without_events(source: bytes) -> ast.Module:
    """Take every line that tells an event out of a module."""
    module = ast.parse(source)
    _Silencer().visit(module)
    return ast.fix_missing_locations(module)


class _Silencer(ast.NodeTransformer):
    """
    Takes out the calls whose first argument is a kind of event, and answers with no where it is asked who listens.

    What stands behind a constant no is left out by the compiler.
    """

    def __init__(self) -> None:
        self._answers: frozenset[str] = frozenset()

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        tells = isinstance(call, ast.Call) and call.args and ast.unparse(call.args[0]).split(".")[-1] in _KINDS
        return ast.Pass() if tells else self.generic_visit(node)  # type: ignore[return-value]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        asks = node.attr in _QUESTIONS and isinstance(node.ctx, ast.Load)
        return ast.Constant(value=False) if asks else self.generic_visit(node)  # type: ignore[return-value]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        asks = node.id in self._answers and isinstance(node.ctx, ast.Load)
        return ast.Constant(value=False) if asks else node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        outside = self._answers
        self._answers = outside | frozenset(_kept_answers(node))
        try:
            return self.generic_visit(node)
        finally:
            self._answers = outside


def _kept_answers(node: ast.AST) -> Iterator[str]:
    """Find the variables that keep the answer for later."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Attribute) and inner.value.attr in _QUESTIONS:
            yield from (target.id for target in inner.targets if isinstance(target, ast.Name))
