"""
The program's main module, in a child process: loaded under another name, so that its guard keeps it from starting.

A program without the guard would start itself again in its child. It is kept from that where it would make an event
loop or a pool of child processes of its own, and the error shows the guard.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from .framing import MainModule

__all__ = ("LOADED_AS", "UnguardedProgram", "load_main", "refuse_while_loading")

LOADED_AS = "__mp_main__"
"""The name that multiprocessing uses too: programs may know it."""


class UnguardedProgram(RuntimeError):
    """The program would start itself again in its child process."""

    def __init__(self) -> None:
        super().__init__(
            "a child process loads the program's main module to find its atoms, and that started the program again: "
            "put what starts it under a guard\n\n"
            'if __name__ == "__main__":\n'
            "    anyio.run(main)\n"
        )


class _Loading:
    """Whether a main module is being loaded, and whether it tried to start."""

    is_under_way = False
    tried_to_start = False


def load_main(main: MainModule | None) -> ModuleType:
    """
    Load the program's main module, and put it in its place.

    Raises:
        UnguardedProgram: It started itself.
        ImportError: It is in no file.
        Whatever it raises.
    """
    if main is None:
        raise ImportError("the program is in no file, so a child process cannot load it: write its atoms in a module")
    module = _empty(main)
    sys.modules["__main__"] = sys.modules[LOADED_AS] = module
    with warnings.catch_warnings():
        # of the coroutine that could not be run: it goes with the error, which is let go of in here
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            with _no_start():
                SourceFileLoader(LOADED_AS, main.path).exec_module(module)
        except BaseException:
            if not _Loading.tried_to_start:
                raise
        else:
            return module
    raise UnguardedProgram


def _empty(main: MainModule) -> ModuleType:
    loader = SourceFileLoader(LOADED_AS, main.path)
    spec = spec_from_file_location(main.name or LOADED_AS, main.path, loader=loader)
    if spec is None:
        raise ImportError(f"the program is in {main.path}, which cannot be loaded")
    module = module_from_spec(spec)
    module.__name__, module.__package__ = LOADED_AS, main.package
    return module


@contextmanager
def _no_start() -> Iterator[None]:
    """Refuse event loops of the program's own."""
    before, refusing = asyncio.get_event_loop_policy(), _NoLoops()
    asyncio.set_event_loop_policy(refusing)
    _Loading.is_under_way = True
    try:
        yield
    finally:
        _Loading.is_under_way = False
        if asyncio.get_event_loop_policy() is refusing:
            asyncio.set_event_loop_policy(before)


class _NoLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> NoReturn:
        _refuse()


def refuse_while_loading() -> None:
    """
    Refuse to start anything while the main module is loaded.

    Raises:
        UnguardedProgram: It is.
    """
    if _Loading.is_under_way:
        _refuse()


def _refuse() -> NoReturn:
    _Loading.tried_to_start = True
    raise UnguardedProgram
