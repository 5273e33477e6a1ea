"""For scripts: one call, without a loop of one's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .registry import default_registry
from .runtime import Atomizer

if TYPE_CHECKING:
    from .atom import ClassCall, FunctionAtom, Processes

__all__ = ("run",)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@overload
def run(atom: FunctionAtom[P, R, ..., Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
@overload
def run(atom: ClassCall[R] | type[Processes[R]], payload: object = ..., /) -> R: ...
@overload
def run(atom: str, payload: object = ..., /, *, result: type[T]) -> T: ...
@overload
def run(atom: str, payload: object = ..., /) -> Any: ...
def run(atom: Any, /, *args: Any, **kwargs: Any) -> Any:
    """
    Run one atom in a script: start a loop and a runtime, ask, wait, stop.

    The atom is registered with that runtime; the atoms it asks for come from the default registry
    (`atomizer.register`).

    Raises:
        RuntimeError: A loop is running here: say `await runtime.run(…)` instead.
        As `Atomizer.run`.
    """
    if _is_in_a_loop():
        raise RuntimeError(
            "atomizer.run() starts an event loop of its own, and one is running here. "
            "Say `async with atomizer.Atomizer(atom) as runtime: await runtime.run(atom, …)`."
        )
    return asyncio.run(_run_once(atom, args, kwargs))


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _run_once(atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    registrations = () if isinstance(atom, str) or atom in default_registry else (atom,)
    async with Atomizer(*registrations) as runtime:
        return await runtime.run(atom, *args, **kwargs)
