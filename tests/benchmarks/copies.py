"""A second copy of atomizer in one process, loaded in another way or from elsewhere, to be held against the first."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.benchmarks import engines

if TYPE_CHECKING:
    from collections.abc import Generator
    from importlib.abc import MetaPathFinder
    from types import ModuleType

__all__ = ("copy_by",)

_COPIED = ("atomizer", engines.__name__)


@contextmanager
def copy_by(finder: MetaPathFinder) -> Generator[ModuleType]:
    """Import the engines once more, and with them the atomizer that a finder finds."""
    kept = {name: sys.modules.pop(name) for name in tuple(sys.modules) if _is_copied(name)}
    sys.meta_path.insert(0, finder)
    try:
        copy = importlib.import_module(engines.__name__)
        for name in copy.atomizer.__all__:
            getattr(copy.atomizer, name)  # now, while what is loaded on first use is loaded in the same way
        yield copy
    finally:
        sys.meta_path.remove(finder)
        for name in tuple(sys.modules):
            if _is_copied(name):
                del sys.modules[name]
        sys.modules.update(kept)


def _is_copied(name: str) -> bool:
    return any(name == copied or name.startswith(f"{copied}.") for copied in _COPIED)
