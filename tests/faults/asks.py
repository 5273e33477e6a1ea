"""What is asked in a world: the atoms, the asks that chance draws, and what may come of them."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import atomizer
from atomizer import Bond, Ending, FailureKind, Lane, Route
from atomizer.errors import AtomFailed, AtomUnknown, ConductorError
from atomizer.testing.clock import current_clock

if TYPE_CHECKING:
    from random import Random

    from atomizer import Failure

__all__ = (
    "ATOMS",
    "BUSY",
    "LISTENER",
    "ROUTES",
    "Ask",
    "Doubts",
    "breach",
    "draw_ask",
    "parent",
    "plain",
    "silent",
    "slow",
)

BUSY = 2.0
"""Seconds in which a world's electrons are sent, and its accidents happen."""


class Listener(Protocol):
    """Who hears what the atoms do."""

    def started(self, bond: Bond) -> None:
        """Hear that an atom's code has begun."""
        ...

    def ended(self, bond: Bond) -> None:
        """Hear that an atom's code has come to its end."""
        ...


LISTENER: ContextVar[Listener] = ContextVar("listener")
"""The world in which an atom runs. A runtime gives its atoms the context it was entered in."""


@atomizer.atom(id="worlds.plain")
async def plain(bond: Bond, number: int) -> int:
    """Answer at once."""
    LISTENER.get().started(bond)
    return 3 * number + 1


@atomizer.atom(id="worlds.slow")
async def slow(bond: Bond, number: int) -> int:
    """Take its time."""
    LISTENER.get().started(bond)
    await asyncio.sleep(0.1 * (number % 17))
    LISTENER.get().ended(bond)
    return number + 100


@atomizer.atom(id="worlds.parent")
async def parent(bond: Bond, number: int) -> int:
    """Have two children at once, in one of two ways."""
    LISTENER.get().started(bond)
    if number % 2:
        value = sum([value async for value in bond.map(slow, [number, number])])
    else:
        first = await bond.send(slow, number)
        value = await bond.run(slow, number) + await first
    LISTENER.get().ended(bond)
    return value


@atomizer.atom(id="worlds.raising")
async def raising(bond: Bond, number: int) -> int:
    """Raise."""
    LISTENER.get().started(bond)
    raise ValueError(f"number {number}")


@atomizer.atom(id="worlds.endless")
async def endless(bond: Bond, number: int) -> int:
    """Run over its limit, and stop when told."""
    LISTENER.get().started(bond)
    await asyncio.sleep(1000)
    return number


@atomizer.atom(id="worlds.stubborn")
async def stubborn(bond: Bond, number: int) -> int:
    """Run over its limit, and go on for a while when told to stop."""
    LISTENER.get().started(bond)
    end = current_clock().monotonic() + 3.0
    while (left := end - current_clock().monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return number


@atomizer.atom(id="worlds.silent")
async def silent(bond: Bond, number: int) -> None:
    """Have an effect, and no answer."""
    LISTENER.get().started(bond)


ATOMS = (plain, slow, parent, raising, endless, stubborn, silent)
ROUTES = tuple(Route(Lane.WORK, atom.atom_id) for atom in ATOMS)
ENDINGS = {endless: Ending.STOPPED, stubborn: Ending.ABANDONED}
"""How those come to their end that run over their limit."""
LIMIT = 0.2
MAY_HAVE_DEADLINE = (slow, parent)


class Ask(NamedTuple):
    """One electron of the asker's."""

    atom: Any
    number: int
    at: float
    by_run: bool
    timeout: float | None
    cancel_after: float | None

    def __str__(self) -> str:
        timeout = "" if self.timeout is None else f", timeout {self.timeout}"
        return f"{self.atom.atom_id}({self.number}{timeout})"

    @property
    def id(self) -> str | None:
        """The id of an electron that has a deadline: its world knows it by that."""
        return None if self.timeout is None else f"{self.atom.__name__} asked at {self.at:.6f}"

    @property
    def target(self) -> Any:
        """The atom, with the options of this call."""
        if self.atom is silent:
            return silent.options(reply=False)
        return self.atom.options(limit=LIMIT if self.atom in ENDINGS else None, timeout=self.timeout, id=self.id)


def draw_ask(chance: Random, atom: Any) -> Ask:
    """Draw when and how something is asked, and whether it is cancelled."""
    has_deadline = atom in MAY_HAVE_DEADLINE and chance.random() < 0.5
    is_cancelled = atom is not silent and chance.random() < 0.3
    return Ask(
        atom,
        chance.randrange(100),
        chance.uniform(0, BUSY),
        by_run=atom is not silent and chance.random() < 0.4,
        timeout=chance.uniform(0.1, 2.0) if has_deadline else None,
        cancel_after=chance.uniform(0, 1.0) if is_cancelled else None,
    )


class Doubts(NamedTuple):
    """What may go wrong in a world beside what its asks bring upon themselves."""

    may_have_nobody: bool
    """A time may come at which nobody takes electrons."""
    is_impatient: bool
    """Its nodes give up sending sooner than connections come back."""


def breach(ask: Ask, outcome: object, doubts: Doubts) -> str:
    """Say which promise an outcome breaks; nothing if none. It is a value, an `AtomFailed`, or another exception."""
    if isinstance(outcome, asyncio.CancelledError):
        return "" if ask.cancel_after is not None else "I14, cancelled by nobody"
    if isinstance(outcome, AtomUnknown):
        return "" if doubts.may_have_nobody else "I1, not sent"
    if isinstance(outcome, ConductorError):
        return "" if ask.timeout is not None else "I1, not sent"
    if isinstance(outcome, AtomFailed):
        return "" if _is_expected(ask, outcome.failure, doubts) else "I2, an unexpected failure"
    return "" if outcome == truth(ask) else "I2, not the value of a run without faults"


def truth(ask: Ask) -> object:
    """Say what an atom gives in a run without faults."""
    values = {plain: 3 * ask.number + 1, slow: ask.number + 100, parent: 2 * (ask.number + 100)}
    return values.get(ask.atom)


def _is_expected(ask: Ask, failure: Failure, doubts: Doubts) -> bool:
    if failure.kind == FailureKind.CANCELLED:
        return ask.cancel_after is not None
    if failure.kind in LATE:
        return ask.timeout is not None or (ask.atom in ENDINGS and failure.ending == ENDINGS[ask.atom])
    if ask.atom is raising:
        return (failure.type, failure.message) == ("builtins.ValueError", f"number {ask.number}")
    return ask.atom is parent and failure.type in (
        *(LATE_CHILD * (ask.timeout is not None)),
        *(IMPATIENT_CHILD * doubts.is_impatient),
        *(UNKNOWN_CHILD * doubts.may_have_nobody),
    )


LATE = (FailureKind.TIMED_OUT, FailureKind.EXPIRED, FailureKind.NO_ANSWER)
UNKNOWN_CHILD = ("atomizer.errors.AtomUnknown",)
IMPATIENT_CHILD = ("atomizer.errors.ConductorBroken", "atomizer.errors.ConductorUnavailable")
LATE_CHILD = ("atomizer.errors.AtomTimedOut", "atomizer.errors.Expired", *IMPATIENT_CHILD)
"""What a parent raises for the sake of a child, by type."""
