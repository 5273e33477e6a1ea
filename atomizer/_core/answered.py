"""What a node has answered lately, so that an electron which comes again is answered again, and not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from ..failure import FailureKind
from ..trials import NONE_SO_FAR

if TYPE_CHECKING:
    from ..electron import Electron
    from ..properties import Properties
    from ..settings import Clock

__all__ = ("Answered", "Done", "has_run", "stage_of")


class Done(NamedTuple):
    """What became of an electron that carried trials, and which of those it was that came."""

    stage: tuple[int, int, bool]
    """What is older than this, or the same, was answered with it."""
    outcome: Properties | None
    """Its outcome; None if a copy was sent in its place."""
    reply_to: str = ""
    """Who is answered by that copy in the end."""


class Answered:
    """
    The answers of a node, by electron id, in a bounded table.

    There are two generations, and when the younger one has its half of the room the older one is forgotten: so nothing
    is looked for to make room for each electron.

    Attributes:
        young: The newest ones.
        half: How many of them make a generation.
        most_bytes: The largest answer that is kept, so that all of them have a bounded room.
    """

    def __init__(self, clock: Clock, *, most: int, seconds: float, most_bytes: int) -> None:
        self.young: dict[str, Properties | Done] = {}
        self.half: int = max(1, most // 2)
        self.most_bytes: int = most_bytes // most
        self._clock = clock
        self._nanoseconds = seconds * 1e9
        self._old: dict[str, Properties | Done] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def turn_over(self) -> None:
        """Begin a new generation."""
        self._old, self.young = self.young, {}

    def add(self, electron: Electron, outcome: Properties) -> None:
        """Remember what an electron was answered with."""
        if _weight(outcome) > self.most_bytes and outcome.failure is not None:
            outcome = replace(outcome, failure=replace(outcome.failure, trace="", earlier=()))
        if _weight(outcome) > self.most_bytes:
            return
        self._put(electron, outcome if electron.trials is None else Done(stage_of(electron), outcome))

    def add_copy(self, came: Electron, copy: Electron, reply_to: str = "") -> None:
        """Remember that a copy was sent in the place of an electron, and who is answered by it."""
        self._put(came, Done(_before(stage_of(copy)), None, reply_to))

    def find(self, electron: Electron) -> Done | None:
        """Return what became of an electron that came before, if that is remembered, and is not too long ago."""
        found = self.young.get(electron.id) or self._old.get(electron.id)
        if found is None:
            return None
        done = found if isinstance(found, Done) else Done(_LAST, found)
        if stage_of(electron) > done.stage or self._is_long_ago(done.outcome):
            return None
        return done

    def _put(self, electron: Electron, what: Properties | Done) -> None:
        self.young[electron.id] = what
        if len(self.young) >= self.half:
            self.turn_over()

    def _is_long_ago(self, outcome: Properties | None) -> bool:
        return outcome is not None and self._clock.utc_ns() - outcome.ended_ns > self._nanoseconds


def has_run(outcome: Properties) -> bool:
    """Whether an outcome is that of an atom that ran: what was refused may not be refused the next time."""
    return outcome.failure is None or outcome.failure.kind in _RAN


_RAN = frozenset((FailureKind.FAILED, FailureKind.TIMED_OUT, FailureKind.RESULT_REFUSED))


def _weight(outcome: Properties) -> int:
    """Return the bytes of what may be large in an outcome."""
    failure = outcome.failure
    if failure is None:
        return len(outcome.result)
    return len(failure.message) + len(failure.trace) + sum(map(len, failure.earlier))


_LAST = (0, 2**63, True)
"""What was never replayed, whatever the attempt."""


def stage_of(electron: Electron) -> tuple[int, int, bool]:
    """Say how far an electron is: replayed comes after not replayed, a later attempt after an earlier one."""
    trials = electron.trials or NONE_SO_FAR
    return trials.replayed, electron.attempt, trials.passed_on


def _before(stage: tuple[int, int, bool]) -> tuple[int, int, bool]:
    """Return the last stage before one."""
    replayed, attempt, passed_on = stage
    return (replayed, attempt, False) if passed_on else (replayed, attempt - 1, True)
