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
    "DeadLetterHeld",
    "ElectronAdmitted",
    "ElectronBonded",
    "ElectronCancelled",
    "ElectronCompleted",
    "ElectronDead",
    "ElectronExpired",
    "ElectronFailed",
    "ElectronJoined",
    "ElectronProgressed",
    "ElectronReceived",
    "ElectronRefused",
    "ElectronRequeued",
    "ElectronRetried",
    "ElectronSent",
    "Event",
    "EventsLost",
    "IntakePaused",
    "IntakeResumed",
    "LoopBlocked",
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


class ElectronAdmitted(Event, frozen=True, tag="admitted"):
    """An electron may be started here: its atom is known, its time is not over, and nobody has cancelled it."""

    text: ClassVar[str] = "electron admitted"


class ElectronJoined(Event, frozen=True, tag="joined"):
    """An electron came again that runs here already, or was done with here lately: it is not run once more."""

    text: ClassVar[str] = "electron joined"
    was_over: bool = False
    """Whether it was done with, and is answered as it was then."""

    @property
    def message(self) -> str:
        """What it joined."""
        return (
            "electron came again, and is answered as before" if self.was_over else "electron came again, and runs here"
        )


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


class ElectronRetried(_Fault, frozen=True, tag="retried"):
    """An attempt failed, and the electron is tried again."""

    text: ClassVar[str] = "electron failed, and is tried again"
    failure: str = ""
    """The kind of the failure."""
    pause: Finite = 0.0
    """Seconds until then."""
    elsewhere: bool = False
    """Whether a copy of it goes to the other nodes of its route, and not to this one alone."""

    @property
    def message(self) -> str:
        """What happens next."""
        where = "sent to the other nodes" if self.elsewhere else "run again here"
        return f"attempt {self.attempt} failed, to be {where} in {self.pause:.3g} s"


class ElectronRequeued(Event, frozen=True, tag="requeued"):
    """An electron was given back, or passed on to others: this node stops, lost its connection, or tried it before."""

    text: ClassVar[str] = "electron given back"
    reason: str = ""
    """Why."""

    @property
    def message(self) -> str:
        """That it was given back, and why."""
        return f"{self.text}: {self.reason}" if self.reason else self.text


class ElectronDead(_Fault, frozen=True, tag="dead"):
    """An electron was given up on, and lies with the dead letters; or properties do that nobody was there to take."""

    text: ClassVar[str] = "electron given up on: it is a dead letter now"
    reason: str = ""
    """Why: a `FailureKind`, or `unclaimed`."""

    @property
    def message(self) -> str:
        """Where it lies now."""
        return "its properties lie with the unclaimed ones now" if self.reason == "unclaimed" else self.text


class DeadLetterHeld(_Fault, frozen=True, tag="held"):
    """A dead letter has no room where it is to lie. Its electron is held meanwhile, without a slot."""

    text: ClassVar[str] = "dead letter held: there is no room for it"


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


class LoopBlocked(_Fault, frozen=True, tag="blocked"):
    """The event loop stood still: something on it computes or waits without letting others run."""

    text: ClassVar[str] = "event loop blocked"
    seconds: Finite = 0.0
    """For how long it stood still, at least."""
    coroutine: str = ""
    """The coroutine, or the function, that it stood still in."""
    file: str = ""
    """The file of that code."""
    line: int = 0
    """The line that it stood at."""

    @property
    def message(self) -> str:
        """Where it stood still, and what helps."""
        return (
            f"event loop blocked for {self.seconds:.2f} s by {self.coroutine} at {self.file}:{self.line}: "
            'let a plain function do it (it runs in a thread), or isolation="process"'
        )


class IntakePaused(Event, frozen=True, tag="paused"):
    """No electron is taken any more: of an atom, or off a conductor."""

    text: ClassVar[str] = "intake paused"


class IntakeResumed(Event, frozen=True, tag="resumed"):
    """Electrons are taken again: of an atom, or off a conductor."""

    text: ClassVar[str] = "intake resumed"


class RuntimeFaulted(_Fault, frozen=True, tag="faulted"):
    """Something in atomizer itself went wrong."""

    text: ClassVar[str] = "runtime faulted"


class EventsLost(Event, frozen=True, tag="lost"):
    """Events are missing: they came faster than they were read, or did not arrive from another node."""

    dropped: int = 0

    @property
    def message(self) -> str:
        """How many were dropped."""
        return f"{self.dropped} events lost: they came faster than they were read, or were lost on the way"


class UnknownEvent(Event, frozen=True, tag="unknown"):
    """An event of a kind that this version does not know."""

    unknown_kind: str = ""

    @property
    def message(self) -> str:
        """Its kind's name."""
        return f"event of unknown kind {self.unknown_kind!r}"
