"""
Events: what happens in a runtime, one type for each kind.

Every event says where (`node`, `conductor`), to what (`electron_id`, `atom_id`, `attempt`) and when (`seq`, `at_ns`).
`seq` counts the events that a node built, without gaps: a reader that sees all of them can tell what it missed.
`str(event)` is the original's text form: `[cid:C | aid:A | eid:E] message`, the empty ones left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from msgspec import Struct

from .electron import Id, Moment
from .properties import Finite, how_far

__all__ = (
    "AtomAbandoned",
    "AtomRegistered",
    "AtomUnregistered",
    "ConductorConnected",
    "ConductorLost",
    "ElectronBonded",
    "ElectronCancelled",
    "ElectronCompleted",
    "ElectronExpired",
    "ElectronFailed",
    "ElectronProgressed",
    "ElectronReceived",
    "ElectronRefused",
    "ElectronRequeued",
    "ElectronSent",
    "Event",
    "EventsLost",
    "PropertiesReceived",
    "PropertiesUnclaimed",
    "RuntimeFaulted",
    "RuntimeStarted",
    "RuntimeStopped",
    "RuntimeStopping",
    "SettlementLost",
    "UnknownEvent",
)


class Event(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind"):
    """Something that happened. Its class is its kind."""

    is_error: ClassVar[bool] = False
    """Whether it goes to the error stream as well."""
    text: ClassVar[str] = ""
    """What happened, for people."""

    node: Id = ""
    seq: int = 0
    at_ns: Moment = 0
    electron_id: Id = ""
    atom_id: Id = ""
    conductor: Id = ""
    attempt: int = 0

    @property
    def kind(self) -> str:
        """The name of its kind, as on the wire."""
        return str(type(self).__struct_config__.tag)

    @property
    def at(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.at_ns / 1e9, UTC)

    @property
    def message(self) -> str:
        """What happened, for people."""
        return self.text

    @property
    def inner(self) -> str:
        """The error inside an error event; empty for others."""
        return ""

    def __str__(self) -> str:
        ids = (("cid", self.conductor), ("aid", self.atom_id), ("eid", self.electron_id))
        where = " | ".join(f"{name}:{value}" for name, value in ids if value)
        line = f"[{where}] {self.message}" if where else self.message
        if not self.is_error:
            return line
        inner = f" | internal: ({self.inner})" if self.inner else ""
        return f"atomizer error {line}{inner}"


class _Fault(Event, frozen=True):
    """An event of the error stream, with the error inside."""

    is_error: ClassVar[bool] = True

    error: str = ""

    @property
    def inner(self) -> str:
        """The error inside."""
        return self.error


class ElectronSent(Event, frozen=True, tag="sent"):
    """An electron was taken by the other side."""

    text: ClassVar[str] = "electron sent"


class ElectronReceived(Event, frozen=True, tag="received"):
    """An electron came off the wire."""

    text: ClassVar[str] = "electron received"


class ElectronBonded(Event, frozen=True, tag="bonded"):
    """An electron met its atom and runs."""

    text: ClassVar[str] = "electron bonded with its atom"


class ElectronProgressed(Event, frozen=True, tag="progressed"):
    """An atom told how far it is."""

    done: Finite = 0.0
    total: Finite | None = None
    note: str = ""

    @property
    def message(self) -> str:
        """How far it is."""
        return f"progress: {how_far(self.done, self.total, self.note)}"


class ElectronCompleted(Event, frozen=True, tag="completed"):
    """An atom returned."""

    text: ClassVar[str] = "electron completed"


class ElectronFailed(_Fault, frozen=True, tag="failed"):
    """An atom raised, ran over its time, or returned what cannot be sent."""

    text: ClassVar[str] = "electron failed"
    failure: str = ""
    """The kind of the failure."""


class ElectronRefused(_Fault, frozen=True, tag="refused"):
    """An electron was answered without being started: unknown atom, misfit payload, malformed bytes."""

    text: ClassVar[str] = "electron refused"
    failure: str = ""
    """The kind of the failure."""


class ElectronExpired(_Fault, frozen=True, tag="expired"):
    """An electron came after its deadline and was not started."""

    text: ClassVar[str] = "electron expired before it was started"


class ElectronCancelled(Event, frozen=True, tag="cancelled"):
    """An electron was cancelled."""

    text: ClassVar[str] = "electron cancelled"
    ending: str = ""
    """How its atom ended: stopped, killed or abandoned."""


class ElectronRequeued(Event, frozen=True, tag="requeued"):
    """An electron was given back: this node stops, or its connection died."""

    text: ClassVar[str] = "electron given back"
    reason: str = ""
    """Why."""


class AtomAbandoned(_Fault, frozen=True, tag="abandoned"):
    """An atom did not end when it was cancelled. It runs on, and its slot is held."""

    text: ClassVar[str] = "atom abandoned: it does not end when it is cancelled"


class PropertiesReceived(Event, frozen=True, tag="answered"):
    """The properties of an electron came back to its sender."""

    text: ClassVar[str] = "properties received"


class PropertiesUnclaimed(_Fault, frozen=True, tag="unclaimed"):
    """Properties that nobody waits for: the sender's route is gone, or it does not know the electron any more."""

    text: ClassVar[str] = "nobody waits for these properties"


class SettlementLost(_Fault, frozen=True, tag="settlement_lost"):
    """A delivery could not be settled, so it will come again."""

    text: ClassVar[str] = "settlement lost, the electron will come again"


class AtomRegistered(Event, frozen=True, tag="registered"):
    """An atom was registered."""

    text: ClassVar[str] = "atom registered"


class AtomUnregistered(Event, frozen=True, tag="unregistered"):
    """An atom was taken away."""

    text: ClassVar[str] = "atom unregistered"


class ConductorConnected(Event, frozen=True, tag="connected"):
    """A conductor is ready."""

    text: ClassVar[str] = "conductor connected"


class ConductorLost(_Fault, frozen=True, tag="disconnected"):
    """A conductor broke or cannot be reached; it is tried again."""

    text: ClassVar[str] = "conductor lost"


class RuntimeStarted(Event, frozen=True, tag="started"):
    """A runtime is open."""

    text: ClassVar[str] = "runtime started"


class RuntimeStopping(Event, frozen=True, tag="stopping"):
    """A runtime takes nothing new."""

    text: ClassVar[str] = "runtime stopping"


class RuntimeStopped(Event, frozen=True, tag="stopped"):
    """A runtime is closed."""

    text: ClassVar[str] = "runtime stopped"


class RuntimeFaulted(_Fault, frozen=True, tag="faulted"):
    """Something in atomizer itself went wrong."""

    text: ClassVar[str] = "runtime faulted"


class EventsLost(Event, frozen=True, tag="lost"):
    """This reader was slow: the oldest events were dropped."""

    dropped: int = 0

    @property
    def message(self) -> str:
        """How many were dropped."""
        return f"{self.dropped} events dropped: this reader is slower than they come"


class UnknownEvent(Event, frozen=True, tag="unknown"):
    """An event of a kind that this version does not know."""

    unknown_kind: str = ""

    @property
    def message(self) -> str:
        """Its kind's name."""
        return f"event of unknown kind {self.unknown_kind!r}"
