"""One atom in a registry: what a runtime has at hand for each of its electrons."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .atom import Atom, FunctionAtom
from .state import Shared, State

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .bond import Bond
    from .bounds import Bounds
    from .definition import Definition
    from .electron import Electron
    from .payload import Arguments, Payload

__all__ = ("Plain", "Registration", "described")

AnyFunction: TypeAlias = FunctionAtom[..., Any, ..., Any]
Call: TypeAlias = "Callable[[Atom | None, Bond, Electron, tuple[Any, ...], dict[str, Any]], Coroutine[Any, Any, Any]]"
Plain: TypeAlias = AnyFunction | Atom | type[Atom]
"""What can be registered as an atom, without options for a call."""


class Registration:
    """
    One atom in a registry.

    Attributes:
        item: What was registered.
        definition: What a runtime knows of it; its id and route are the registration's.
        call: Calls it: `(instance, bond, electron, args, kwargs)`. Gives a coroutine if `definition.is_async`.
        suspends: It was seen to wait for something: it is not over in one step.
        bare: Calls it with its arguments alone, if it is a coroutine function that asks for nothing else.
        arguments: Makes its arguments of an electron's payload.
        finish: Encodes its result.
        instance: Gives the instance that answers an electron: `(copy_state)`. None for functions.
        takes_turns: Whether its electrons wait for their turn: for fewer of their kind, or for a child process.
    """

    __slots__ = (
        "arguments",
        "bare",
        "call",
        "definition",
        "finish",
        "instance",
        "item",
        "state",
        "suspends",
        "takes_turns",
    )

    def __init__(self, item: Plain, definition: Definition, state: State) -> None:
        self.item: Plain = item
        self.definition: Definition = definition
        self.state: State = state
        self.call: Call = definition.prepare()
        self.bare: Callable[..., Coroutine[Any, Any, Any]] | None = definition.bare
        self.finish: Callable[[Any], Payload] = definition.encode_result
        self.arguments: Callable[[Electron, Bounds], Arguments] = definition.arguments
        self.instance: Callable[[bool | None], Atom | None] = state.instance
        self.suspends: bool = definition.bare is None
        self.takes_turns: bool = definition.concurrency is not None or definition.isolation is not None

    def __repr__(self) -> str:
        mode = type(self.state).__name__.lower()
        return f"<Registration of {described(self.item)} as {self.definition.atom_id!r}, {mode}>"

    @property
    def origin(self) -> object:
        """The function atom, or the class."""
        return type(self.item) if isinstance(self.item, Atom) else self.item

    def thunk(
        self, instance: Atom | None, bond: Bond, electron: Electron, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[], Any]:
        """Return a call without arguments, for a thread."""
        return partial(self.call, instance, bond, electron, args, kwargs)

    async def open(self) -> None:
        """Make ready an atom that is shared. Raises whatever its `open` raises."""
        await self.state.open()

    async def close(self) -> None:
        """Release an atom that is shared and was opened. Raises whatever its `close` raises."""
        await self.state.close()

    def renewed(self) -> Registration:
        """Return a registration of the same with a state of its own: each runtime opens and closes its own."""
        if not isinstance(self.state, Shared):
            return self
        return Registration(self.item, self.definition, Shared(cast("Atom | type[Atom]", self.item)))


def described(item: Plain) -> str:
    """Name an atom by what its author wrote."""
    if isinstance(item, FunctionAtom):
        return f"function {item.__module__}.{item.__qualname__}"
    if isinstance(item, type):
        return f"class {item.__module__}.{item.__qualname__}"
    return f"an instance of {type(item).__module__}.{type(item).__qualname__}"
