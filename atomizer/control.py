"""What nodes tell each other on the CONTROL lane. May be lost; never settled."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from .electron import Id
from .inspection import BondReport, NodeReport

__all__ = ("Cancel", "Control", "Inspect", "Inspected", "Interest", "Ping", "Pong")

Name = Annotated[str, Meta(min_length=1, max_length=256)]


class Cancel(Struct, frozen=True, kw_only=True, gc=False, tag_field="control", tag="cancel"):
    """Stop an electron, wherever it is."""

    electron_id: Id


class Ping(Struct, frozen=True, kw_only=True, gc=False, tag_field="control", tag="ping"):
    """Ask how a node is. It answers with a `Pong` to the node that asks."""

    asker: Name
    """The node that asks."""
    question: Id = ""
    """What the answer repeats, so that the asker can tell what it answers."""


class Pong(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="control", tag="pong"):
    """How a node is."""

    question: Id
    """The question that this answers."""
    report: NodeReport
    """The node, as it sees itself."""


class Inspect(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="control", tag="inspect"):
    """Ask what a node has under way. It answers with an `Inspected` to the node that asks."""

    asker: Name
    """The node that asks."""
    question: Id = ""
    """What the answer repeats."""
    electron_id: Id = ""
    """The one electron to look for; empty means all."""


class Inspected(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="control", tag="inspected"):
    """What a node has under way, the oldest first."""

    question: Id
    """The question that this answers."""
    node: Name
    """The node that answers."""
    bonds: tuple[BondReport, ...] = ()
    """As many as fit into one answer."""
    left_out: Annotated[int, Meta(ge=0)] = 0
    """How many more there are."""


class Interest(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="control", tag="interest"):
    """Tell every node that somebody follows its events, for a while. Whoever goes on following says so again."""

    follower: Name
    """Who follows; what it says replaces what it has said before."""
    seconds: Annotated[float, Meta(ge=0.0, le=1e10)]
    """For how long; 0 means no longer."""
    kinds: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    """The kinds of events that are wanted; none means every kind."""
    atom_id: Id = ""
    """The atom that they are to be about; empty means any, or none."""
    electron_id: Id = ""
    """The electron that they are to be about; empty means any, or none."""


Control: TypeAlias = Cancel | Ping | Pong | Inspect | Inspected | Interest
"""Everything that travels on the CONTROL lane."""
