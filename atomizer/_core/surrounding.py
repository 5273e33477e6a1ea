"""
What surrounds an atom: the hook that an application has given for every attempt of every atom on its runtime.

The hook's code is the atom's as far as the core is concerned: it runs in the same step, context and identity, under the
same limits, and what it raises is the electron's failure. It sees how the atom ends, and cannot make a result of what
is none.
"""

from __future__ import annotations

import inspect
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from ..bond import Bond
    from ..electron import Electron
    from ..registry import Registration
    from .flight import Flight

__all__ = ("Bonding", "Bonds", "Hook", "bonds_within")

Bonding: TypeAlias = "Callable[[Flight, Electron, Registration], Coroutine[Any, Any, Any]]"
"""What brings electron and atom together: it makes the coroutine that a flight drives."""
Hook: TypeAlias = "Callable[[Bond], AbstractAsyncContextManager[object]]"
"""What an application has run around every attempt."""


class Bonds(NamedTuple):
    """
    How a runtime makes bonds.

    Attributes:
        make: Makes what an atom may use of its surroundings.
        surround: Puts the hook around a bonding; without a hook every bonding stays as it is, and costs nothing more.
    """

    make: Callable[[Flight], Bond]
    surround: Callable[[Bonding], Bonding]


def bonds_within(hook: Hook | None, make: Callable[[Flight], Bond]) -> Bonds:
    """
    Say how bonds are made within a hook.

    Raises:
        TypeError: The hook is no function that returns an async context manager.
    """
    if hook is None:
        return Bonds(make, _as_it_is)
    _refuse_unfit(hook)
    return Bonds(make, partial(_surrounded, hook, make))


def _as_it_is(bonding: Bonding) -> Bonding:
    return bonding


def _refuse_unfit(hook: object) -> None:
    """Refuse what would only fail when the first electron comes, as far as it can be told."""
    yields_or_waits = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    if not callable(hook) or any(is_so(hook) for is_so in yields_or_waits):
        raise _unfit(repr(hook))


def _unfit(what: str) -> TypeError:
    return TypeError(
        f"around= is a function that takes a Bond and returns an async context manager, and not {what}: "
        "write @contextlib.asynccontextmanager over an async function that yields once"
    )


def _surrounded(hook: Hook, make_bond: Callable[[Flight], Bond], bonding: Bonding) -> Bonding:
    def bond(flight: Flight, electron: Electron, registration: Registration) -> Coroutine[Any, Any, Any]:
        atom = bonding(flight, electron, registration)  # first: what is refused here meets no hook
        return _run(hook, make_bond(flight), atom)

    return bond


async def _run(hook: Hook, bond: Bond, atom: Coroutine[Any, Any, Any]) -> Any:
    try:
        async with _Witness(_entered_by(hook, bond)):
            return await atom
    finally:
        atom.close()  # it has not begun, if the hook raised


def _entered_by(hook: Hook, bond: Bond) -> AbstractAsyncContextManager[object]:
    """Call a hook. Only now it can be told what it returns."""
    surrounding: object = hook(bond)
    if not (hasattr(type(surrounding), "__aenter__") and hasattr(type(surrounding), "__aexit__")):
        raise _unfit(f"{hook!r}, which returned {surrounding!r}")
    return cast("AbstractAsyncContextManager[object]", surrounding)


class _Witness(AbstractAsyncContextManager[object, None]):
    """A hook that cannot swallow: an atom that has failed has no result, whatever the hook says to it."""

    def __init__(self, hook: AbstractAsyncContextManager[object]) -> None:
        self._hook = hook

    async def __aenter__(self) -> object:
        return await self._hook.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hook.__aexit__(kind, error, trace)
