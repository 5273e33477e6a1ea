"""What is asked in a world: the asks that chance draws, and what may come of each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from atomizer import FailureKind
from atomizer.errors import AtomFailed, AtomUnknown, ConductorError

from .atoms import (
    ENDINGS,
    SPAWNERS,
    endless,
    flaky,
    homeless,
    hopeless,
    parent,
    picky,
    plain,
    raising,
    root,
    silent,
    single,
    slow,
    starter,
    stubborn,
    wanderer,
)

if TYPE_CHECKING:
    from random import Random

    from atomizer import Failure

__all__ = ("BUSY", "Ask", "Doubts", "breach", "draw_ask", "draw_asks")

BUSY = 2.0
"""Seconds in which a world's electrons are sent, and its accidents happen."""

ASKED = {
    plain: 12,
    silent: 2,
    slow: 2,
    single: 3,
    parent: 3,
    root: 2,
    starter: 2,
    flaky: 2,
    picky: 1,
    hopeless: 1,
    wanderer: 2,
    homeless: 2,
    raising: 2,
    endless: 1,
    stubborn: 1,
}
"""How many of each are asked in a world, without the children."""

SHARED = (slow, wanderer)
LIMIT = 0.2
MAY_HAVE_DEADLINE = (slow, single, parent, root, hopeless, wanderer)


class Ask(NamedTuple):
    """One electron of an asker's."""

    atom: Any
    number: int
    at: float
    by_run: bool
    timeout: float | None
    cancel_after: float | None
    is_shared: bool = False
    """The other asker asks the same under the same id."""

    def __str__(self) -> str:
        timeout = "" if self.timeout is None else f", timeout {self.timeout:.3f}"
        cancelled = "" if self.cancel_after is None else f", cancelled after {self.cancel_after:.3f}"
        return f"{self.at:.3f} {self.atom.atom_id}({self.number}{timeout}{cancelled})"

    @property
    def id(self) -> str | None:
        """The id of an electron that has a deadline, for its world knows it by that, or of one that is shared."""
        return f"{self.atom.__name__}-{self.number}" if self.timeout is not None or self.is_shared else None

    @property
    def target(self) -> Any:
        """The atom, with the options of this call."""
        if self.atom is silent:
            return silent.options(reply=False)
        if self.atom not in ENDINGS and self.id is None:
            return self.atom  # nothing said of it at all
        return self.atom.options(limit=LIMIT if self.atom in ENDINGS else None, timeout=self.timeout, id=self.id)


TRIED = {raising: (1, 1), picky: (2, 2), hopeless: (3, 3), homeless: (3, 3)}
"""How many attempts end in that failure at least (crashes among them), and how many of them may have failed so."""


def draw_asks(chance: Random) -> list[Ask]:
    """
    Draw everything that is asked in a world, by the askers in turn.

    No two have the same number, but for those that both askers ask under the same id.
    """
    kinds = [atom for atom, times in ASKED.items() for _ in range(times)]
    asks = [draw_ask(chance, atom, 100 * place) for place, atom in enumerate(kinds)]
    for place, atom in enumerate(SHARED, len(asks)):
        ask = draw_ask(chance, atom, 100 * place)._replace(timeout=None, cancel_after=None, is_shared=True)
        asks += [ask, ask._replace(at=chance.uniform(0, BUSY))]
    return asks


def draw_ask(chance: Random, atom: Any, above: int) -> Ask:
    """Draw when and how something is asked, and whether it is cancelled. Its number is among the hundred above one."""
    has_deadline = atom in MAY_HAVE_DEADLINE and chance.random() < 0.5
    is_cancelled = atom is not silent and chance.random() < 0.2
    return Ask(
        atom,
        above + chance.randrange(100),
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
    is_poisonous: bool
    """Its nodes give up on an electron that was delivered in vain a few times."""


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
    number = ask.number
    values = {
        plain: 3 * number + 1,
        slow: number + 100,
        single: number + 200,
        parent: 2 * (number + 100),
        root: number % 4 + 1,
        starter: number + 300,
        flaky: number + 400,
        wanderer: number + 500,
    }
    return values.get(ask.atom)


def _is_expected(ask: Ask, failure: Failure, doubts: Doubts) -> bool:
    if failure.kind == FailureKind.CANCELLED:
        return ask.cancel_after is not None
    if failure.kind in LATE:
        return ask.timeout is not None or (ask.atom in ENDINGS and failure.ending == ENDINGS[ask.atom])
    if failure.kind == FailureKind.POISON:
        return doubts.is_poisonous or ask.atom.defaults.retry is not None  # or its nodes used up its attempts
    if ask.atom in TRIED:
        return _is_told_how_often(ask, failure)
    if ask.atom is wanderer:
        return ask.timeout is not None and failure.type == "builtins.ConnectionError"
    return ask.atom in SPAWNERS and failure.type in _of_children(ask, doubts)


def _is_told_how_often(ask: Ask, failure: Failure) -> bool:
    """Whether a failure says what was raised, and tells of as many attempts as there are to be, if there was time."""
    least, most = TRIED[ask.atom]
    is_told = (failure.type, failure.message) == ("builtins.ValueError", f"number {ask.number}")
    return is_told and (failure.attempts >= least or ask.timeout is not None) and len(failure.earlier) < most


def _of_children(ask: Ask, doubts: Doubts) -> tuple[str, ...]:
    """Say what a spawner may raise for the sake of a child, by type."""
    types = (
        *(LATE_CHILD * (ask.timeout is not None)),
        *(IMPATIENT_CHILD * doubts.is_impatient),
        *(UNKNOWN_CHILD * doubts.may_have_nobody),
        *(POISONED_CHILD * doubts.is_poisonous),
    )
    return (*types, FAILED_CHILD) if ask.atom is root and types else types  # its child may have failed so itself


LATE = (FailureKind.TIMED_OUT, FailureKind.EXPIRED, FailureKind.NO_ANSWER)
UNKNOWN_CHILD = ("atomizer.errors.AtomUnknown",)
IMPATIENT_CHILD = ("atomizer.errors.ConductorBroken", "atomizer.errors.ConductorUnavailable")
LATE_CHILD = ("atomizer.errors.AtomTimedOut", "atomizer.errors.Expired", *IMPATIENT_CHILD)
POISONED_CHILD = ("atomizer.errors.Poison",)
FAILED_CHILD = "atomizer.errors.AtomFailed"
