"""This atomizer, held against another tree of it: most often the one from before a change."""

from __future__ import annotations

from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from tests.benchmarks import engines
from tests.benchmarks.alternation import compare
from tests.benchmarks.copies import copy_by
from tests.benchmarks.peers import NotThere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from tests.benchmarks.sampling import Effort, Sample

__all__ = ("measure_change",)


async def measure_change(effort: Effort) -> Sample:
    """
    Measure this atomizer against another tree of it, without a reader of events in either.

    Raises:
        NotThere: No other tree was named.
        FileNotFoundError: There is no atomizer in that folder.
    """
    if not effort.before:
        raise NotThere("not measured: name the folder of another tree with --before")
    with copy_by(_Elsewhere(effort.before)) as copy:
        pass
    return await compare(engines.atomizer_engine(), copy.atomizer_engine(), effort.electrons)


class _Elsewhere(MetaPathFinder):
    """Finds atomizer in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "atomizer":  # its modules are found by their package
            return None
        spec = PathFinder.find_spec(fullname, [self._folder], target)
        if spec is None:
            raise FileNotFoundError(f"there is no atomizer in {self._folder}")
        return spec
