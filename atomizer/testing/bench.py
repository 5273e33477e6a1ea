"""What a check of a conductor is, and the bench that it is run on."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from ..conductor import Capability, Conductor, Connection

__all__ = ("Bench", "Check", "CheckFailed", "check")


class CheckFailed(AssertionError):
    """A conductor does not keep a promise; the message says which, and what was seen."""


class Bench(ABC):
    """
    A transport, set up to be checked. Whoever writes a conductor implements this.

    All connections of a bench meet on the same transport. Each check uses fresh names, so one bench serves them all.

    Attributes:
        patience: Seconds that anything which must happen may take.
        quiet: Seconds after which what has not come is taken not to come; 0 where turns of the event loop are enough.
    """

    patience: float = 5.0
    quiet: float = 0.05

    @abstractmethod
    def conductor(self) -> Conductor:
        """Return the conductor."""

    @abstractmethod
    async def cut(self, connection: Connection) -> None:
        """Let a connection die, as a broken wire would."""

    def asker(self) -> AbstractAsyncContextManager[Connection]:
        """Open a fresh connection, as a node that only asks would."""
        return self.conductor().connect()

    def node(self) -> AbstractAsyncContextManager[Connection]:
        """Open a fresh connection, as a node that runs atoms would."""
        return self.conductor().connect()

    def unreachable(self) -> Conductor | None:
        """Return a conductor whose other side is not there; None where that cannot be."""
        return None

    def small(self) -> Conductor | None:
        """Return a conductor whose routes hold at most 100 frames, cut as others; None where there is no bound."""
        return None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the conductor says it can do."""
        return self.conductor().capabilities

    def name(self, word: str) -> str:
        """Return a name that nobody has used before."""
        return f"{word}-{_RUN}-{next(_NAMES)}"


_RUN = secrets.token_hex(4)  # a broker remembers the names of earlier runs
_NAMES = count(1)
_WAITS = 10  # how many times its patience a check may take in all: also leaving a connection may hang


@dataclass(frozen=True)
class Check:
    """
    One promise of the contract.

    Attributes:
        name: What it is called.
        promise: What it holds, in a sentence.
        body: What tries it out; `run` is how to call it.
        needs: The capability it is about: it applies where that is there.
        lacks: The capability it is about: it applies where that is missing.
    """

    name: str
    promise: str
    body: Callable[[Bench], Awaitable[None]]
    needs: Capability | None = None
    lacks: Capability | None = None

    def __str__(self) -> str:
        return self.name

    def applies_to(self, capabilities: frozenset[Capability]) -> bool:
        """Whether a conductor of these capabilities makes this promise."""
        return (self.needs is None or self.needs in capabilities) and self.lacks not in capabilities

    async def run(self, bench: Bench) -> None:
        """
        Hold a conductor to this promise; do nothing if it does not make it.

        Raises:
            CheckFailed: It does not keep it.
        """
        if not self.applies_to(bench.capabilities):
            return
        try:
            async with asyncio.timeout(bench.patience * _WAITS):
                await self.body(bench)
        except CheckFailed as failure:
            raise CheckFailed(f"{self.promise} But {failure}") from failure.__cause__
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise CheckFailed(f"{self.promise} But a call ended in a CancelledError that nobody asked for") from error
        except Exception as error:
            raise CheckFailed(f"{self.promise} But {type(error).__name__} was raised: {error}") from error


@overload
def check(body: Callable[[Bench], Awaitable[None]], /) -> Check: ...
@overload
def check(
    *, needs: Capability | None = None, lacks: Capability | None = None
) -> Callable[[Callable[[Bench], Awaitable[None]]], Check]: ...
def check(
    body: Callable[[Bench], Awaitable[None]] | None = None,
    /,
    *,
    needs: Capability | None = None,
    lacks: Capability | None = None,
) -> Check | Callable[[Callable[[Bench], Awaitable[None]]], Check]:
    """Make a check of a function: its name is the check's, its docstring the promise."""

    def make(body: Callable[[Bench], Awaitable[None]]) -> Check:
        return Check(body.__name__, " ".join((body.__doc__ or "").split()), body, needs, lacks)

    return make if body is None else make(body)
