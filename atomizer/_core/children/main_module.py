"""
The program's main module, in a child process: loaded under another name, so that its guard keeps it from starting.

A program without the guard would start itself again in its child. While its main module is loaded, a loop counts as
running, so that no other starts, and no pool of child processes is made; the error shows the guard.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import ModuleType

    from .framing import MainModule

__all__ = ("LOADED_AS", "UnguardedProgram", "load_main", "refuse_while_loading")

LOADED_AS = "__mp_main__"
"""The name that multiprocessing uses too: programs may know it."""


_ADVICE = ". Say `"
"""How `atomizer.run` goes on: with what helps where a loop runs indeed."""


class UnguardedProgram(RuntimeError):
    """The program's main module could not be loaded in a child process: it seems to have started the program again."""

    def __init__(self, error: RuntimeError) -> None:
        reason = str(error).partition(_ADVICE)[0].rstrip(".")
        super().__init__(
            f"a child process loads the program's main module to find its atoms, and that failed: {reason}. "
            "If the module starts the program whenever it is loaded, put what starts it under a guard:\n\n"
            'if __name__ == "__main__":\n'
            "    anyio.run(main)\n"
        )


def load_main(main: MainModule | None) -> ModuleType:
    """
    Load the program's main module, and put it in its place.

    Raises:
        UnguardedProgram: It seems to have started itself.
        ImportError: It is in no file of its own.
        Whatever it raises.
    """
    if main is None:
        raise ImportError(
            "the program is in no file of its own, so no child process can load it: write its atoms in a module"
        )
    module = _empty(main)
    sys.modules["__main__"] = sys.modules[LOADED_AS] = module
    with warnings.catch_warnings():
        # of the coroutine that was not run: it goes with the error, which is let go of in here
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            with _no_start():
                SourceFileLoader(LOADED_AS, os.fsdecode(main.path)).exec_module(module)
        except RuntimeError as error:
            unguarded = UnguardedProgram(error)
        else:
            return module
    raise unguarded


def _empty(main: MainModule) -> ModuleType:
    path = os.fsdecode(main.path)
    loader = SourceFileLoader(LOADED_AS, path)
    spec = spec_from_file_location(main.name or LOADED_AS, path, loader=loader)
    if spec is None:
        raise ImportError(f"the program is in {path}, which cannot be loaded")
    module = module_from_spec(spec)
    module.__name__, module.__package__ = LOADED_AS, main.package
    return module


class _Loading:
    """Whether a main module is being loaded in this process."""

    is_under_way = False


@contextmanager
def _no_start() -> Generator[None]:
    """Have a loop count as running, that never runs."""
    from asyncio import new_event_loop  # noqa: PLC0415  # who has no atoms there can do without
    from asyncio.events import _set_running_loop  # noqa: PLC0415  # pyright: ignore[reportPrivateUsage]  # see its text

    loop = new_event_loop()
    _set_running_loop(loop)
    _Loading.is_under_way = True
    try:
        yield
    finally:
        _Loading.is_under_way = False
        _set_running_loop(None)
        loop.close()


def refuse_while_loading() -> None:
    """
    Refuse to make child processes while the main module is loaded.

    Raises:
        RuntimeError: It is.
    """
    if _Loading.is_under_way:
        raise RuntimeError("it makes child processes of its own")
