"""The flight: one delivery's way from receipt to settlement."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from ..conductor import Connection, Delivery, Settlement
from ..electron import Electron
from ..failure import FailureKind
from ..properties import Progress
from ..registry import Registration
from .disposition import Verdict
from .identity import Identity
from .slots import Hold, Slots
from .supervision import Link
from .turn import Turn

if TYPE_CHECKING:
    from ..errors import AtomizerError
    from .children.processes import Taken

__all__ = ("CURRENT", "Child", "Flight")

_NEVER_READ = "(not read)"


class Child(Protocol):
    """
    An electron that an atom has sent and not heard of.

    Attributes:
        electron_id: The electron.
        atom_id: The atom that was asked.
    """

    electron_id: str
    atom_id: str

    @property
    def done(self) -> bool:
        """Whether nobody waits for its outcome: it is here, or none will come."""
        ...

    def abort(self) -> None:
        """Cancel it, without waiting for anything."""
        ...

    def fail(self, error: AtomizerError) -> None:
        """Take it that no outcome will come."""
        ...


class Flight(Struct, eq=False):
    """
    One delivery on its way through this node.

    Attributes:
        link: The conductor that brought it.
        connection: The life of it that did: only there can it be settled.
        slots: Where its slot is from.
        worker: The task that flies it.
        started_ns: When it was taken up, in UTC nanoseconds since 1970.
        electron: What was in it, once it is decoded.
        registration: Its atom, once it is known.
        identity: What its atom runs as, once it is bonded.
        hold: Its hold on its slot, once it lends it.
        deadline: When the electron's life ends, on the clock's `monotonic()`.
        until: When its atom must have ended: the deadline or the limit.
        due: When somebody must look at it: at `until`, and after it was told to stop.
        verdict: What becomes of an electron that is not started.
        told: Why its atom was told to stop; None if it was not.
        turn: What it waits for before it begins, and has then; most need nothing but their slot.
        softened: Its soft limit was reached, and its atom told so.
        abandoned: Its atom did not stop, and a deputy answers for it.
        landed: It is over, and has no slot.
        deputy: The task that answers for an abandoned atom.
        children: What its atom has sent and not heard of.
        is_advanced: Its electron is of a later attempt than the one that came.
        pausing: Resolved when it is told to stop, while it waits for its next attempt.
        joins: The flight of the same electron that answers for this one too.
        joined: The flights that it answers for.
        progress: How far its atom is, as it told last.
        is_cancelled: Somebody wants it stopped, whatever it is told at the moment.
        copy: What was sent in the place of its electron: that is under way on its own, and joins nothing here.
    """

    link: Link
    connection: Connection
    delivery: Delivery
    slots: Slots
    worker: asyncio.Task[Any]
    started_ns: int = 0
    electron: Electron | None = None
    registration: Registration | None = None
    deadline: float = inf
    until: float = inf
    due: float = inf
    identity: Identity | None = None
    hold: Hold | None = None
    verdict: Verdict | None = None
    told: FailureKind | Settlement | None = None
    turn: Turn | None = None
    softened: bool = False
    abandoned: bool = False
    landed: bool = False
    deputy: asyncio.Task[Any] | None = None
    children: dict[Child, None] | None = None
    is_advanced: bool = False
    pausing: asyncio.Future[None] | None = None
    joins: Flight | None = None
    joined: list[Flight] | None = None
    progress: Progress | None = None
    is_cancelled: bool = False
    copy: Electron | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the deputy of an abandoned atom is done."""
        return self.deputy is not None and self.deputy.done()

    @property
    def is_over(self) -> bool:
        """Whether its atom has ended: what still runs of it is what it has left behind."""
        return self.identity is not None and self.identity.done()

    @property
    def lends(self) -> bool:
        """Whether its atom waits for children without a slot."""
        return self.hold is not None and self.hold.lent

    @property
    def waits_for_children(self) -> bool:
        """Whether its atom, in all its strands that wait, does so for children; not for its slot after one."""
        return self.hold is not None and self.hold.is_waiting

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn."""
        return self.turn is not None and not self.turn.has_come

    @property
    def process(self) -> Taken | None:
        """The child process that its atom runs in."""
        return None if self.turn is None else self.turn.process

    @property
    def loads(self) -> bool:
        """Whether its child process has to load its atom first: no limit counts until then."""
        if self.process is None or self.registration is None:
            return False
        return not self.process.has_loaded(self.registration.definition.reference)

    def holding(self) -> Hold:
        """Return its hold on its slot. Most never lend it, and have none."""
        if self.hold is None:
            self.hold = Hold(self.slots)
        return self.hold

    def abort_children(self) -> None:
        """Cancel what its atom has sent and not heard of."""
        children, self.children = self.children, None
        for child in children or ():
            child.abort()

    def __repr__(self) -> str:
        atom_id = self.electron.atom_id if self.electron is not None else _NEVER_READ
        told = f", told {self.told.value}" if self.told is not None else ""
        return f"<Flight of {self.delivery.id!r} to {atom_id!r}{told}{', abandoned' if self.abandoned else ''}>"


CURRENT: ContextVar[Flight | None] = ContextVar("atomizer_flight", default=None)
"""The flight whose atom's code runs here."""
