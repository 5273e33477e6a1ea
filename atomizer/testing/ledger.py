"""
The ledger of a `RecordingConductor`: what went over its connections, and what of it broke a rule.

It decides on plain values as they come, and knows no transport.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from ..codec import codec_for
from ..conductor import Delivery, Frame, Lane, Route, Settlement
from ..errors import CapabilityMissing, ConductorBroken, Malformed, NobodyThere, NotTaken
from ..properties import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("Ledger", "Outcome", "Page", "Received", "Sent", "Settled")


class Ledger:
    """
    What went over some connections, and what of it broke a rule.

    The rules, at the level of one conductor:

    - Each delivery is settled at most once, by the connection that received it.
    - An electron is acknowledged only when its answer was confirmed on the REPLY lane, or a letter for it on the DEAD
      lane, or a copy of it that goes on in its place; unless it asked for no answer.
    - No delivery is rejected.
    - No connection holds more unsettled deliveries of a route than it gave credit for.
    - A connection that lives leaves no delivery unsettled when it is closed.

    Args:
        now: Where the rows' `at` comes from; the running loop's clock if not given.

    Attributes:
        sent: The frames, in the order they were sent.
        received: The deliveries, in the order they came.
        settled: The settlements, in the order they were asked for.
        answered: The ids of the electrons whose answer is confirmed, or that lie among the dead letters.
        taken: The ids of the electrons that were received.
        newest: How far the newest confirmed copy of an electron is, by id.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self.sent: list[Sent] = []
        self.received: list[Received] = []
        self.settled: list[Settled] = []
        self.answered: set[str] = set()
        self.taken: set[str] = set()
        self.newest: dict[str, Stage] = {}
        self.now: Callable[[], float] = _loop_time if now is None else now
        self._pages = 0
        self._violations: list[str] = []

    def __repr__(self) -> str:
        rows = f"{len(self.sent)} sent, {len(self.received)} received, {len(self.settled)} settled"
        return f"<Ledger of {self._pages} connections: {rows}, {len(self._violations)} violations>"

    def violations(self) -> list[str]:
        """Return what broke a rule, one sentence each, in the order it happened."""
        return list(self._violations)

    def open_page(self) -> Page:
        """Begin a new connection's page. Connections are numbered from 1."""
        self._pages += 1
        return Page(self, self._pages)

    def accuse(self, sentence: str) -> None:
        """Write down that a rule was broken."""
        self._violations.append(sentence)


class Outcome(StrEnum):
    """How a call on a connection ended."""

    PENDING = "pending"
    """It has not ended."""
    DONE = "done"
    """It returned: the frame is confirmed, the settlement was sent."""
    NOBODY_THERE = "nobody_there"
    """The frame was certainly not taken: nobody listens on its route."""
    REFUSED = "refused"
    """It certainly had no effect, for another reason."""
    UNKNOWN = "unknown"
    """The connection died, or the call was cancelled."""


Stage: TypeAlias = tuple[int, int, bool]
"""How far the attempts at an electron are: how often it was replayed, which attempt it is, whether it was passed on."""


class Sent(Struct, kw_only=True):
    """A frame that was sent, or tried to be."""

    connection: int
    """The connection's number."""
    route: Route
    id: str
    """The electron's id."""
    reply_to: str
    """The node that waits for the answer; empty if none does."""
    is_answer: bool
    """Whether it is on the REPLY lane and ends an electron: properties, not progress."""
    at: float
    """When the call began, in seconds."""
    stage: Stage | None = None
    """Of an electron that was received before: how far the attempts at it are."""
    ended_at: float | None = None
    """When it ended."""
    outcome: Outcome = Outcome.PENDING
    error: str = ""
    """What it raised."""


class Received(Struct, kw_only=True):
    """A delivery that came."""

    connection: int
    """The connection's number."""
    route: Route
    id: str
    """The electron's id."""
    count: int | None
    redelivered: bool
    at: float
    """When, in seconds."""


class Settled(Struct, kw_only=True):
    """A settlement that was asked for."""

    connection: int
    """The connection's number."""
    route: Route
    id: str
    """The electron's id."""
    settlement: Settlement
    at: float
    """When the call began, in seconds."""
    ended_at: float | None = None
    """When it ended."""
    outcome: Outcome = Outcome.PENDING
    error: str = ""
    """What it raised."""


class Page:
    """
    One connection's part of a ledger.

    Attributes:
        number: The connection's number.
        is_broken: Whether the connection is known to be dead. What it held comes again, so nothing is held against it.
    """

    def __init__(self, ledger: Ledger, number: int) -> None:
        self.number = number
        self.is_broken: bool = False
        self._ledger = ledger
        self._unsettled: dict[int, Delivery] = {}  # by identity, which is theirs as long as they are in here
        self._over: dict[int, Delivery] = {}
        self._grants: dict[Route, _Grant] = {}

    def listening(self, route: Route, credit: int) -> None:
        """Note that a credit was asked for: a larger one may be in force from now on."""
        self._grants.setdefault(route, _Grant()).ask(credit)

    def listened(self, route: Route, credit: int) -> None:
        """Note that a credit is in force."""
        self._grants[route].credit = credit

    def send(self, frame: Frame) -> Sent:
        """Note that a frame is being sent."""
        row = Sent(
            connection=self.number,
            route=frame.to,
            id=frame.id,
            reply_to=frame.reply_to,
            is_answer=_is_answer(frame),
            stage=_stage(frame) if frame.id in self._ledger.taken else None,
            at=self._ledger.now(),
        )
        self._ledger.sent.append(row)
        return row

    def receive(self, delivery: Delivery) -> None:
        """Note that a delivery came."""
        self._note_received(delivery)
        if delivery.route.lane.settled:
            self._unsettled[id(delivery)] = delivery
            self._check_credit(delivery.route)

    def settle(self, delivery: Delivery, settlement: Settlement) -> Settled:
        """Note that a delivery is being settled."""
        row = self._note_settled(delivery, settlement)
        self._check_settlement(delivery, settlement)
        return row

    def sink(self, delivery: Delivery) -> None:
        """Note that a sink took a delivery: received and settled in one, and no credit needed."""
        self._note_received(delivery)
        self.end(self._note_settled(delivery, Settlement.ACK))

    def end(self, row: Sent | Settled, error: BaseException | None = None) -> None:
        """Note how a call ended."""
        row.outcome, row.ended_at = _outcome(error), self._ledger.now()
        row.error = "" if error is None else f"{type(error).__name__}: {error}"
        if isinstance(error, ConductorBroken):
            self.is_broken = True
        if isinstance(row, Sent) and row.outcome is Outcome.DONE:
            self._note_confirmed(row)

    def note_death(self) -> None:
        """Note that the connection is dead."""
        self.is_broken = True

    def close(self) -> None:
        """Note that the connection was closed."""
        if not self.is_broken:
            for delivery in self._unsettled.values():
                self._accuse(delivery, "was left unsettled when its connection was closed")

    def _note_confirmed(self, row: Sent) -> None:
        ledger = self._ledger
        if row.is_answer or row.route.lane is Lane.DEAD:
            ledger.answered.add(row.id)
        elif row.stage is not None:
            ledger.newest[row.id] = max(row.stage, ledger.newest.get(row.id, row.stage))

    def _note_received(self, delivery: Delivery) -> None:
        row = Received(
            connection=self.number,
            route=delivery.route,
            id=delivery.id,
            count=delivery.count,
            redelivered=delivery.redelivered,
            at=self._ledger.now(),
        )
        self._ledger.received.append(row)
        if delivery.route.lane is Lane.WORK:
            self._ledger.taken.add(delivery.id)

    def _note_settled(self, delivery: Delivery, settlement: Settlement) -> Settled:
        row = Settled(
            connection=self.number,
            route=delivery.route,
            id=delivery.id,
            settlement=settlement,
            at=self._ledger.now(),
        )
        self._ledger.settled.append(row)
        return row

    def _check_credit(self, route: Route) -> None:
        grant = self._grants.setdefault(route, _Grant())
        grant.held += 1
        if grant.held > grant.most:
            self._ledger.accuse(
                f"connection {self.number} holds {grant.held} unsettled deliveries of {str(route)!r}, "
                f"and gave credit for {grant.most}"
            )

    def _check_settlement(self, delivery: Delivery, settlement: Settlement) -> None:
        if self._unsettled.pop(id(delivery), None) is None:
            if not self.is_broken:
                self._accuse(delivery, _TWICE if id(delivery) in self._over else _NOT_HELD)
            return
        self._over[id(delivery)] = delivery
        self._grants[delivery.route].release()
        if settlement is Settlement.REJECT:
            self._accuse(delivery, "was rejected")
        if settlement is Settlement.ACK and self._owes_answer(delivery):
            self._accuse(delivery, "was acknowledged before its answer was confirmed")

    def _owes_answer(self, delivery: Delivery) -> bool:
        if delivery.route.lane is not Lane.WORK or delivery.reply_to == "" or delivery.id in self._ledger.answered:
            return False
        newest, stage = self._ledger.newest.get(delivery.id), _stage(delivery)
        return newest is None or stage is None or stage >= newest

    def _accuse(self, delivery: Delivery, verdict: str) -> None:
        self._ledger.accuse(f"{delivery.id!r} of {str(delivery.route)!r} {verdict} (connection {self.number})")


_TWICE = "was settled twice"
_NOT_HELD = "was settled by a connection that had not received it"


class _Grant:
    """
    How many deliveries of a route a connection may hold.

    A smaller credit takes nothing back: what was taken under the larger one, and perhaps not received yet, may stay
    until it is settled. So the bound sinks with the settlements.
    """

    def __init__(self) -> None:
        self.credit = 0
        self.most = 0
        self.held = 0

    def ask(self, credit: int) -> None:
        self.credit = max(self.credit, credit)
        self.most = max(self.most, credit)

    def release(self) -> None:
        self.held -= 1
        self.most = max(self.credit, self.most - 1)


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome.DONE
    if isinstance(error, NobodyThere):
        return Outcome.NOBODY_THERE
    if isinstance(error, (NotTaken, CapabilityMissing, ValueError)):
        return Outcome.REFUSED
    return Outcome.UNKNOWN


def _is_answer(frame: Frame) -> bool:
    if frame.to.lane is not Lane.REPLY:
        return False
    try:
        return not isinstance(codec_for(frame.content_type).decode_reply(frame.body), Progress)
    except Malformed:
        return True  # a test's own bytes, on the lane of answers


def _stage(carrier: Frame | Delivery) -> Stage | None:
    """Read how far the attempts at an electron are; None on other lanes, and where its bytes cannot be read."""
    route = carrier.to if isinstance(carrier, Frame) else carrier.route
    if route.lane is not Lane.WORK:
        return None
    try:
        electron = codec_for(carrier.content_type).decode_electron(carrier.body)
    except Malformed:
        return None
    trials = electron.trials
    return electron.replayed, electron.attempt, trials is not None and trials.passed_on


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
