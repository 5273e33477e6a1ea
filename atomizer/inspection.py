"""Inspection: what runs where, as data. Nodes tell it about themselves, on the CONTROL lane or in their own process."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from .electron import Id, Moment
from .properties import Finite, Progress

__all__ = ("LONGEST_NOTE", "BondReport", "BondState", "Inspection", "NodeReport")

LONGEST_NOTE = 256
"""How many characters of an atom's own note are reported."""

Count = Annotated[int, Meta(ge=0)]
Word = Annotated[str, Meta(max_length=32)]


class BondState(StrEnum):
    """What an electron that is under way on a node does there. Readers take other words too."""

    RUNNING = "running"
    """Its atom runs."""
    WAITING = "waiting"
    """It waits for its turn: for fewer of its kind, or for a child process."""
    SUSPENDED = "suspended"
    """Its atom waits for children, its slot lent."""
    RETRYING = "retrying"
    """An attempt failed, and it is held until the next one."""
    ANSWERING = "answering"
    """Its atom is over, and the answer is being sent."""
    ABANDONED = "abandoned"
    """Its atom was told to stop and did not: it runs on without anybody."""


class BondReport(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One electron that is under way on a node."""

    electron_id: Id
    """The electron."""
    atom_id: Id = ""
    """Its atom."""
    node: Id = ""
    """Where it is."""
    conductor: Id = ""
    """By which conductor it came, as that node calls it."""
    state: Word = BondState.RUNNING.value
    """One of `BondState`, or a word of a newer node."""
    since_ns: Moment = 0
    """When the node took it up, in UTC nanoseconds since 1970."""
    deadline_ns: Moment | None = None
    """When its life ends, by that node's clock. None means never."""
    attempt: Annotated[int, Meta(ge=1)] = 1
    """Which attempt this is."""
    parent: Id = ""
    """The electron whose atom sent this one; empty if none did."""
    sender: Id = ""
    """The node that sent it."""
    done: Finite | None = None
    """How much is done, as its atom told last; None if it told nothing."""
    total: Finite | None = None
    """How much there is to do, if its atom told."""
    note: Annotated[str, Meta(max_length=LONGEST_NOTE)] = ""
    """The line for people that its atom told last, cut at 256 characters."""

    @property
    def since(self) -> datetime:
        """When the node took it up, in UTC."""
        return datetime.fromtimestamp(self.since_ns / 1e9, UTC)

    @property
    def deadline(self) -> datetime | None:
        """When its life ends, in UTC. None means never."""
        return None if self.deadline_ns is None else datetime.fromtimestamp(self.deadline_ns / 1e9, UTC)

    @property
    def progress(self) -> Progress | None:
        """How far its atom is, as it told last; None if it told nothing."""
        if self.done is None:
            return None
        return Progress(electron_id=self.electron_id, done=self.done, total=self.total, note=self.note)


class Inspection(Struct, frozen=True, kw_only=True):
    """What the nodes that answered have under way."""

    bonds: tuple[BondReport, ...]
    """Every electron under way, by node, the oldest of each node first."""
    nodes: tuple[str, ...]
    """The nodes that answered, this one among them if it was asked."""
    left_out: int = 0
    """How many more there are, that did not fit into an answer."""


class NodeReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node: where it runs, what it is doing, and whether it can be relied on."""

    node: Id
    """Its name."""
    state: Word = "running"
    """Where it is in its life: starting, running, stopping."""
    since_ns: Moment = 0
    """When it was opened, in UTC nanoseconds since 1970."""
    host: Id = ""
    """The machine that it runs on."""
    pid: Count = 0
    """Its process there."""
    version: Id = ""
    """Which atomizer it is; empty if it runs without being installed."""
    python: Id = ""
    """Which Python it runs on."""
    serves: bool = True
    """Whether it takes electrons; False for one that only asks."""
    slots: Count = 0
    """How many electrons may run at once."""
    running: Count = 0
    """How many are bonded and hold a slot."""
    waiting: Count = 0
    """How many wait there for their turn."""
    suspended: Count = 0
    """How many atoms wait for children, their slot lent."""
    abandoned: Count = 0
    """How many atoms did not end when they were told to, and still run."""
    outstanding: Count = 0
    """How many electrons it has sent and not heard of."""
    completed: Count = 0
    """How many electrons have ended there with a result."""
    failed: Count = 0
    """How many electrons have ended there with a failure."""
    atoms: tuple[Id, ...] = ()
    """The ids of its atoms; of very many only the first."""
    atoms_left_out: Count = 0
    """How many more there are."""
    conductors: dict[str, str] = {}
    """The state of each of its conductors: connecting, ready, lost, failed, closed."""
    ok: bool = True
    """Whether it can be relied on."""
    reasons: tuple[str, ...] = ()
    """Why not, for people."""
    paused: tuple[str, ...] = ()
    """The ids of the atoms, and the names of the conductors, of which it takes nothing; of very many only the first."""

    @property
    def since(self) -> datetime:
        """When it was opened, in UTC."""
        return datetime.fromtimestamp(self.since_ns / 1e9, UTC)
