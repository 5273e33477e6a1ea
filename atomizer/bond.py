"""
Asking for electrons: what an application's `Atomizer` and an atom's `Bond` have in common, and the bond itself.

The types say what comes back: `await runtime.run(add, 1, 2)` is an `int` to the type checker because `add` is declared
so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine, Iterable, Iterator
    from datetime import datetime

    from .atom import ClassCall, FunctionAtom, Processes, TakesOne
    from .electron import Electron
    from .failure import Failure
    from .handle import Handle
    from .options import Options
    from .results import Results

__all__ = ("Asking", "Blocking", "Bond")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Asking(ABC):
    """
    The three ways to ask: `run` waits for the result, `send` gives a handle, `map` does many.

    Inside an atom all of them make children of the current electron, whoever is asked: the deadline is inherited and
    only ever shortened, and what is outstanding when the parent ends is cancelled, unless `Options(detached=True)`.
    """

    @overload
    async def run(self, atom: FunctionAtom[P, R, ..., Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    async def run(self, atom: ClassCall[R] | type[Processes[R]], payload: object = ..., /) -> R: ...
    @overload
    async def run(
        self, atom: str, payload: object = ..., /, *, result: type[T], options: Options | None = None
    ) -> T: ...
    @overload
    async def run(self, atom: str, payload: object = ..., /, *, options: Options | None = None) -> Any: ...
    def run(self, atom: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """
        Ask an atom and wait for its result.

        Args:
            atom: A function atom with its own arguments; a class atom with one payload; or an atom id with one payload,
                for atoms that cannot be imported here.
            result: For an atom id, the type of the result.
            options: For an atom id, how the electron is treated; for others say `atom.options(…)`.

        Returns:
            What the atom returned, as the type it declares.

        Raises:
            AtomFailed: The atom failed, or was not run; its subclasses say why.
            TypeError: The arguments are not the atom's.
            ConductorError: The electron could not be sent.
            NotRunning: The runtime is not open.

        Cancellation: cancels the electron, wherever it is.
        """
        return self._run(atom, args, kwargs)

    @overload
    async def send(self, atom: FunctionAtom[P, R, ..., Any], /, *args: P.args, **kwargs: P.kwargs) -> Handle[R]: ...
    @overload
    async def send(self, atom: ClassCall[R] | type[Processes[R]], payload: object = ..., /) -> Handle[R]: ...
    @overload
    async def send(
        self, atom: str, payload: object = ..., /, *, result: type[T], options: Options | None = None
    ) -> Handle[T]: ...
    @overload
    async def send(self, atom: str, payload: object = ..., /, *, options: Options | None = None) -> Handle[Any]: ...
    def send(self, atom: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Handle[Any]]:
        """
        Ask an atom, and return once the other side has the electron.

        It blocks while the route is full or the conductor is away, until the deadline or `Settings.send_patience`.

        Returns:
            A handle on the electron.

        Raises:
            As `run`, for what goes wrong before the atom runs here or elsewhere.

        Cancellation: the electron may or may not have been sent; it is cancelled.
        """
        return self._send(atom, args, kwargs)

    @overload
    def map(
        self,
        atom: TakesOne[T, R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        limit: int | None = None,
        ordered: bool = False,
    ) -> Results[R]: ...
    @overload
    def map(
        self,
        atom: type[Processes[R]],
        items: Iterable[object] | AsyncIterable[object],
        /,
        *,
        limit: int | None = None,
        ordered: bool = False,
    ) -> Results[R]: ...
    @overload
    def map(
        self,
        atom: str,
        items: Iterable[object] | AsyncIterable[object],
        /,
        *,
        result: type[T],
        limit: int | None = None,
        ordered: bool = False,
    ) -> Results[T]: ...
    @overload
    def map(
        self,
        atom: str,
        items: Iterable[object] | AsyncIterable[object],
        /,
        *,
        limit: int | None = None,
        ordered: bool = False,
    ) -> Results[Any]: ...
    def map(self, atom: Any, items: Any, /, **kwargs: Any) -> Results[Any]:
        """
        Ask an atom once for each item, a bounded number at a time.

        Nothing is sent before the first result is asked for; items are taken only as there is room.

        Args:
            atom: An atom with one required argument.
            items: What to ask with: an iterable or an async iterable.
            limit: How many electrons are outstanding at most; None means twice `Settings.slots`.
            ordered: Results in the order of the items; else as they come.

        Returns:
            An async iterator of results, and a context manager that cancels what is outstanding when it is left.
        """
        return self._map(atom, items, **kwargs)

    @abstractmethod
    def _run(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]: ...

    @abstractmethod
    def _send(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Handle[Any]]: ...

    @abstractmethod
    def _map(
        self, atom: Any, items: Any, *, result: Any = None, limit: int | None = None, ordered: bool = False
    ) -> Results[Any]: ...


class Blocking(ABC):
    """The same for atoms that run in a thread: `bond.blocking.run(…)` waits without a coroutine."""

    @overload
    def run(self, atom: FunctionAtom[P, R, ..., Any], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def run(self, atom: ClassCall[R] | type[Processes[R]], payload: object = ..., /) -> R: ...
    @overload
    def run(self, atom: str, payload: object = ..., /, *, result: type[T], options: Options | None = None) -> T: ...
    @overload
    def run(self, atom: str, payload: object = ..., /, *, options: Options | None = None) -> Any: ...
    def run(self, atom: Any, /, *args: Any, **kwargs: Any) -> Any:
        """
        Ask an atom and wait for its result, from a thread.

        Raises:
            RuntimeError: It was called on the event loop's own thread, which it would block for ever.
            As `Asking.run`.
        """
        return self._run(atom, args, kwargs)

    @overload
    def map(self, atom: TakesOne[T, R], items: Iterable[T], /, *, limit: int | None = None) -> Iterator[R]: ...
    @overload
    def map(self, atom: type[Processes[R]], items: Iterable[object], /, *, limit: int | None = None) -> Iterator[R]: ...
    @overload
    def map(
        self, atom: str, items: Iterable[object], /, *, result: type[T], limit: int | None = None
    ) -> Iterator[T]: ...
    def map(self, atom: Any, items: Any, /, **kwargs: Any) -> Iterator[Any]:
        """
        Ask an atom once for each item, from a thread; results as they come.

        Raises:
            As `run`.
        """
        return self._map(atom, items, kwargs)

    @abstractmethod
    def _run(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    @abstractmethod
    def _map(self, atom: Any, items: Any, kwargs: dict[str, Any]) -> Iterator[Any]: ...


class Bond(Asking):
    """
    What an atom may use of its surroundings: its electron, its time, and ways to ask other atoms.

    A function atom asks for it by a first parameter annotated `Bond`; a class atom's `process` always gets it.
    """

    @property
    @abstractmethod
    def electron(self) -> Electron:
        """The electron this atom is bonded with."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self.electron.attempt

    @property
    @abstractmethod
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong in the attempts before this one."""

    @property
    def deadline(self) -> datetime | None:
        """When the electron's life ends, in UTC. None means never."""
        return self.electron.deadline

    @abstractmethod
    def time_left(self) -> float:
        """Return the seconds until the limit or the deadline, whichever comes first; `math.inf` without either."""

    @property
    @abstractmethod
    def cancelled(self) -> bool:
        """
        Whether this atom has been asked to stop, or has reached its soft limit: what an atom in a thread looks at now
        and then. It may still return a result, until it is cancelled or over its limit.
        """

    @abstractmethod
    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """
        Tell how far this atom is, to whoever asked and to the events. Never waits; may be lost; the newest counts.

        It may be called from the atom's thread.

        Args:
            done: How much is done, in a unit of your own.
            total: How much there is to do, if known.
            note: A line for people.
        """

    @property
    @abstractmethod
    def blocking(self) -> Blocking:
        """The same ways to ask, for an atom that runs in a thread."""
