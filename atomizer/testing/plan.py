"""A plan of faults: which steps go wrong, and how. It only decides; `atomizer.testing.faults` does."""

from __future__ import annotations

import asyncio
from collections import Counter
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ("APPLICABLE", "FaultKind", "Injected", "Plan", "Step")


class Step(StrEnum):
    """Where a fault may happen."""

    CONNECT = "connect"
    LISTEN = "listen"
    """`listen` and `unlisten`."""
    RECEIVE = "receive"
    """A delivery comes on a lane that is settled."""
    SEND_WORK = "send_work"
    SEND_REPLY = "send_reply"
    """A frame goes out that a node sends before it settles: REPLY and DEAD."""
    SEND_CONTROL = "send_control"
    """A frame goes out that may be lost: CONTROL and EVENT."""
    SETTLE = "settle"
    CLOSE = "close"
    """A connection that lives is left."""


class FaultKind(StrEnum):
    """What may happen there."""

    DELAY = "delay"
    """It happens later, by `Plan.delay`."""
    DROP = "drop"
    """
    Sending: the frame never arrives, and the connection dies; CONTROL and EVENT are lost in silence. Receiving: the
    delivery is held back unsettled, and the connection dies a little later. Settling: it returns, but nothing arrives,
    and the connection dies a little later.
    """
    DUPLICATE = "duplicate"
    """Sending: the frame arrives twice. Receiving: it comes once more, as a delivery of its own, if there is room."""
    REORDER = "reorder"
    """The next on that lane goes before it, if one comes within `Plan.delay`."""
    HANG = "hang"
    """
    It happens, and the call never returns; the connection is found dead after `Plan.silence`, or when it is left.
    Receiving: the delivery stays unsettled. Connecting: nothing happens until it is cancelled.
    """
    BREAK_BEFORE = "break_before"
    """The connection dies before it happens. Connecting: the other side cannot be reached."""
    BREAK_AFTER = "break_after"
    """The connection dies when it has happened, and nobody is told that it has."""


_EVERYWHERE = frozenset((FaultKind.DELAY, FaultKind.HANG, FaultKind.BREAK_BEFORE, FaultKind.BREAK_AFTER))

APPLICABLE: Mapping[Step, frozenset[FaultKind]] = {
    Step.CONNECT: _EVERYWHERE,
    Step.LISTEN: _EVERYWHERE,
    Step.RECEIVE: frozenset(FaultKind),
    Step.SEND_WORK: frozenset(FaultKind),
    Step.SEND_REPLY: frozenset(FaultKind),
    Step.SEND_CONTROL: frozenset(FaultKind),
    Step.SETTLE: _EVERYWHERE | {FaultKind.DROP},
    Step.CLOSE: frozenset((FaultKind.DELAY, FaultKind.BREAK_BEFORE)),  # it is bounded and raises nothing
}
"""Which faults go with which step. The others would break the contract, and prove nothing about a runtime."""


class Injected(NamedTuple):
    """A fault that was injected."""

    step: Step
    kind: FaultKind
    at: float
    """When, on the loop's clock."""
    electron_id: str
    """Whose frame or delivery it was; empty for other steps."""
    nth: int
    """Which of its step it was, counted from 1."""


class Plan:
    """
    Which of all steps go wrong, and how. A plan serves one run: it counts what happens.

    Args:
        fate: Says what happens to the nth of a step, counted from 1. It is asked once for each, in order.
        limit: How many faults are injected; after that everything goes well, so that every run ends.
        delay: Seconds of a delay, and of the life that is left to a connection that dies "a little later".
        silence: Seconds until a connection on which a call hangs is found dead, as by a heartbeat.

    Attributes:
        injected: The faults so far.
        hits: How often each pair of a step and a fault was injected.
        seen: How many of each step there were, with or without a fault.
    """

    def __init__(
        self, fate: Callable[[Step, int], FaultKind | None], *, limit: int, delay: float = 0.05, silence: float = 10.0
    ) -> None:
        self.limit = limit
        self.delay = delay
        self.silence = silence
        self.injected: list[Injected] = []
        self.hits: Counter[tuple[Step, FaultKind]] = Counter()
        self.seen: Counter[Step] = Counter()
        self._fate = fate
        self._upcoming: dict[Step, FaultKind | None] = {}

    @classmethod
    def from_seed(
        cls,
        seed: int,
        *,
        rate: float = 0.1,
        steps: Iterable[Step] = Step,
        faults: Iterable[FaultKind] = FaultKind,
        limit: int = 10,
        delay: float = 0.05,
        silence: float = 10.0,
    ) -> Self:
        """
        Draw a plan by chance. The same seed is the same plan, and what one step meets does not depend on the others.

        Args:
            seed: Where chance comes from.
            rate: How likely a fault is, at each of these steps: from 0 to 1.
            steps: The steps that may go wrong.
            faults: The faults that may happen, where they are applicable.

        Raises:
            ValueError: The rate is no probability, or none of these faults goes with any of these steps.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate is a probability, from 0 to 1, and cannot be {rate}")
        chosen = frozenset(faults)
        kinds = {step: sorted(APPLICABLE[step] & chosen) for step in steps}
        if not any(kinds.values()):
            raise ValueError("none of these faults goes with any of these steps: see APPLICABLE")
        return cls(_by_chance(Random(seed), rate, kinds), limit=limit, delay=delay, silence=silence)

    @classmethod
    def at(cls, *faults: tuple[Step, int, FaultKind] | Injected, delay: float = 0.05, silence: float = 10.0) -> Self:
        """
        Say exactly what goes wrong: `Plan.at((Step.SEND_WORK, 1, FaultKind.DROP))`.

        Args:
            faults: The step, which of that step it is, counted from 1, and what happens to it; or what another plan
                injected.

        Raises:
            ValueError: A fault does not go with its step, or a count is below 1.
        """
        wanted = [(fault.step, fault.nth, fault.kind) if isinstance(fault, Injected) else fault for fault in faults]
        for step, nth, kind in wanted:
            if kind not in APPLICABLE[step]:
                known = ", ".join(sorted(APPLICABLE[step]))
                raise ValueError(f"{kind} does not go with {step}: choose one of {known}")
            if nth < 1:
                raise ValueError(f"{step} {nth}: steps are counted from 1")
        fates = {(step, nth): kind for step, nth, kind in wanted}
        return cls(lambda step, nth: fates.get((step, nth)), limit=len(fates), delay=delay, silence=silence)

    def __repr__(self) -> str:
        return f"<Plan: {len(self.injected)} of at most {self.limit} faults, {self.seen.total()} steps>"

    def upcoming(self, step: Step) -> FaultKind | None:
        """Say what will happen to the next of a step, without its happening."""
        if len(self.injected) >= self.limit:
            return None
        if step not in self._upcoming:
            self._upcoming[step] = self._fate(step, self.seen[step] + 1)
        return self._upcoming[step]

    def take(self, step: Step, electron_id: str = "") -> FaultKind | None:
        """Say what happens to this one of a step, and count it."""
        kind = self.upcoming(step)
        self._upcoming.pop(step, None)
        self.seen[step] += 1
        if kind is not None:
            now = asyncio.get_running_loop().time()
            self.injected.append(Injected(step, kind, now, electron_id, self.seen[step]))
            self.hits[step, kind] += 1
        return kind


def _by_chance(
    chance: Random, rate: float, kinds: Mapping[Step, list[FaultKind]]
) -> Callable[[Step, int], FaultKind | None]:
    """Give each step a chance of its own, so that the order in which steps of different kinds come changes nothing."""
    chances = {step: Random(chance.getrandbits(64)) for step in Step}

    def fate(step: Step, _: int) -> FaultKind | None:
        wrong = chances[step].random() < rate
        return chances[step].choice(kinds[step]) if wrong and kinds.get(step) else None

    return fate
