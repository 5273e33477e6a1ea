"""
Every exception of atomizer, in one tree.

.. code-block:: text

    AtomizerError
    ├── AtomFailed                 an electron was answered with a failure (`.failure` says which)
    │   ├── AtomTimedOut           it ran over its limit or deadline, or no answer came in time
    │   ├── AtomCancelled          it was cancelled
    │   ├── AtomUnknown            nobody there has that atom
    │   ├── PayloadRefused         its payload does not fit the atom
    │   ├── Expired                it came too late and was not started
    │   └── Poison                 it was delivered too often without an end
    ├── RegistrationRefused        the caller's fault: what was registered cannot be
    ├── Malformed                  bytes that are no electron, properties, …
    ├── NotRunning                 the runtime is not open (any more)
    ├── LetterUnknown              no dead letter of that electron lies there
    ├── NoReplyAsked               the electron was sent with `reply=False`: no outcome will come
    ├── EventsEnded                a stream of events ended without the one that was waited for
    ├── TooManyWaiting             too many atoms wait for children on this node
    ├── WaitsForItself             an atom asked its own atom, which waits for that very atom to end
    ├── SoftLimitReached           inside of an atom: its limit comes near
    ├── ConductorError             the transport's side
    │   ├── ConductorUnknown       no conductor for that URL, or its package is missing
    │   ├── ConductorUnavailable   it cannot be reached, or refuses us
    │   ├── ConductorBroken        the connection died; what was under way is unknown
    │   ├── ConductorClosed        we closed it
    │   ├── CapabilityMissing      this transport cannot do that
    │   └── NotTaken               a frame was certainly not taken
    │       ├── NobodyThere        nobody listens on that route
    │       ├── Overloaded         the route is full
    │       └── TooLarge           the body is over the transport's limit
    └── AtomizerBug                our fault: please report it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .failure import Failure

__all__ = (
    "AtomCancelled",
    "AtomFailed",
    "AtomTimedOut",
    "AtomUnknown",
    "AtomizerBug",
    "AtomizerError",
    "CapabilityMissing",
    "ConductorBroken",
    "ConductorClosed",
    "ConductorError",
    "ConductorUnavailable",
    "ConductorUnknown",
    "EventsEnded",
    "Expired",
    "LetterUnknown",
    "Malformed",
    "NoReplyAsked",
    "NobodyThere",
    "NotRunning",
    "NotTaken",
    "Overloaded",
    "PayloadRefused",
    "Poison",
    "RegistrationRefused",
    "SoftLimitReached",
    "TooLarge",
    "TooManyWaiting",
    "WaitsForItself",
)


class AtomizerError(Exception):
    """The root of every exception that atomizer raises on purpose."""


class AtomFailed(AtomizerError):
    """
    An electron was answered with a failure.

    Attributes:
        failure: What went wrong, as data: kind, type, message, trace, attempts, node.
        atom_id: The atom that was asked.
        electron_id: The electron that failed.
        item: In `map()`, the item this electron was made of; otherwise None.
    """

    def __init__(self, failure: Failure, *, atom_id: str = "", electron_id: str = "") -> None:
        self.failure = failure
        self.atom_id = atom_id
        self.electron_id = electron_id
        self.item: object = None
        super().__init__(failure, atom_id, electron_id)
        for line in failure.earlier:
            self.add_note(line)
        if failure.trace:
            self.add_note(f"On node {failure.node}:\n{failure.trace.rstrip()}")

    def __str__(self) -> str:
        what = f"{self.failure.type}: {self.failure.message}" if self.failure.type else self.failure.message
        where = f" on {self.failure.node}" if self.failure.node else ""
        return f"atom {self.atom_id!r}, electron {self.electron_id!r}{where}: {what}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.failure, self.atom_id, self.electron_id, self.item)


def _rebuild(kind: type[AtomFailed], failure: Failure, atom_id: str, electron_id: str, item: object) -> AtomFailed:
    """Unpickle an `AtomFailed`, whose constructor takes keywords."""
    error = kind(failure, atom_id=atom_id, electron_id=electron_id)
    error.item = item
    return error


class AtomTimedOut(AtomFailed):
    """The atom ran over its limit or deadline, or no answer came until the deadline and the grace after it."""


class AtomCancelled(AtomFailed):
    """The electron was cancelled; `failure.ending` says whether its atom was stopped, killed or abandoned."""


class AtomUnknown(AtomFailed):
    """No atom of that id there; the message names the nearest ones."""


class PayloadRefused(AtomFailed):
    """The payload does not fit the atom's arguments; the atom was not called."""


class Expired(AtomFailed):
    """The electron came after its deadline; the atom was not called."""


class Poison(AtomFailed):
    """The electron was delivered more often than the poison limit without coming to an end."""


class RegistrationRefused(AtomizerError):
    """What was registered cannot be an atom or a conductor here; the message says why and what to do."""


class Malformed(AtomizerError):
    """
    Bytes that cannot be read as what they should be.

    Attributes:
        path: Where in the body, as in `$.timeout`; `$` is the whole body.
        reason: What is wrong there.
    """

    def __init__(self, reason: str, path: str = "$") -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason, path)

    def __str__(self) -> str:
        return f"{self.reason} - at `{self.path}`"


class NotRunning(AtomizerError):
    """The runtime is not open: it was not entered yet, or it has stopped."""


class LetterUnknown(AtomizerError):
    """No letter of that electron lies in that dead-letter place; the message names the nearest ones."""


class NoReplyAsked(AtomizerError):
    """The electron was sent with `Options(reply=False)`: there is no outcome to wait for."""


class EventsEnded(AtomizerError):
    """A stream of events has ended without the one that was waited for."""


class TooManyWaiting(AtomizerError):
    """
    More atoms of this node wait for children than `Settings.suspended` allows.

    Attributes:
        suspended: The limit that was met.
    """

    def __init__(self, suspended: int) -> None:
        self.suspended = suspended
        super().__init__(suspended)

    def __str__(self) -> str:
        return (
            f"{self.suspended} atoms of this node already wait for their children: "
            "raise Settings.suspended, or ask with fewer outstanding (map(…, limit=…))"
        )


class WaitsForItself(AtomizerError):
    """
    An atom asked for an electron that could only begin once that very atom has ended.

    Attributes:
        atom_id: The atom that was asked.
        concurrency: How many of its electrons run at once on this node; they all wait for this one already.
        circle: The atoms that wait for each other, each for the next and the last one for the first, where that is
            what was found: this one is among the first. Empty where the asker's own ancestors fill the gate.
    """

    def __init__(self, atom_id: str, concurrency: int, circle: tuple[str, ...] = ()) -> None:
        self.atom_id = atom_id
        self.concurrency = concurrency
        self.circle = circle
        super().__init__(atom_id, concurrency, circle)

    def __str__(self) -> str:
        once = "once" if self.concurrency == 1 else f"{self.concurrency} times"
        told = f" ({_told(self.circle)})" if self.circle else ""
        return (
            f"{self.atom_id!r} runs {once} at a time on this node, and what is asked here would wait for its asker"
            f"{told}: send it with detached=True, or let more of it run (concurrency=…)"
        )


def _told(circle: tuple[str, ...]) -> str:
    """Tell a circle of atoms, as in: 'x' waits for 'y', which waits for 'x'."""
    first, *rest = (repr(name) for name in (*circle, circle[0]))
    return f"{first} waits for {', which waits for '.join(rest)}"


class SoftLimitReached(AtomizerError):
    """
    Raised inside of an atom where it waits, and in a child process wherever it is, when it has run for its soft limit.

    It may catch this, save what it has, and return or raise in its own words. An atom that lets it through is answered
    as one that ran over its time. In a coroutine of this process it is an `asyncio.CancelledError` as well, so that
    task groups end their tasks as they do for any cancellation.

    Attributes:
        soft_limit: The limit, in seconds.
    """

    def __init__(self, soft_limit: float) -> None:
        self.soft_limit = soft_limit
        super().__init__(soft_limit)

    def __str__(self) -> str:
        return f"its soft limit of {self.soft_limit:g} s is reached: it must come to an end before its limit ends it"


class ConductorError(AtomizerError):
    """Something on the side of the transport."""


class ConductorUnknown(ConductorError):
    """No conductor answers to that URL scheme, or the package it needs is not there."""


class ConductorUnavailable(ConductorError):
    """
    The conductor cannot be reached, or refuses this node (credentials, a name in use, TLS).

    Attributes:
        permanent: Whether trying again is in vain.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(message)


class ConductorBroken(ConductorError):
    """The connection died. What was under way on it may or may not have arrived."""


class ConductorClosed(ConductorError):
    """We closed the connection, and it was used afterwards."""


class CapabilityMissing(ConductorError):
    """
    The transport cannot do what was asked of it.

    Attributes:
        conductor: The conductor's name.
        capability: What is missing.
    """

    def __init__(self, conductor: str, capability: str) -> None:
        self.conductor = conductor
        self.capability = capability
        super().__init__(conductor, capability)

    def __str__(self) -> str:
        return (
            f"conductor {self.conductor!r} has no capability {self.capability!r}: leave that option out, or use another"
        )


class NotTaken(ConductorError):
    """A frame was certainly not taken by the other side: sending it again makes no duplicate."""


class NobodyThere(NotTaken):
    """
    Nobody listens on that route.

    Attributes:
        route: The route's name.
    """

    def __init__(self, route: str) -> None:
        self.route = route
        super().__init__(route)

    def __str__(self) -> str:
        return f"nobody listens on {self.route!r}"


class Overloaded(NotTaken):
    """
    The route is full and stayed full.

    Attributes:
        route: The route's name.
        capacity: How many frames it holds; None if the transport does not say.
    """

    def __init__(self, route: str, capacity: int | None = None) -> None:
        self.route = route
        self.capacity = capacity
        super().__init__(route, capacity)

    def __str__(self) -> str:
        held = "" if self.capacity is None else f" ({self.capacity} frames)"
        return f"route {self.route!r} is full{held}: send fewer at a time, or start more nodes"


class TooLarge(NotTaken):
    """
    A body is over the limit of the transport, or a payload over that of the settings.

    Attributes:
        size_bytes: What it weighs.
        limit_bytes: What is allowed.
        limit: Which limit that is, and where it is set.
    """

    def __init__(self, size_bytes: int, limit_bytes: int, limit: str = "max_body_bytes of the conductor") -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        self.limit = limit
        super().__init__(size_bytes, limit_bytes, limit)

    def __str__(self) -> str:
        return (
            f"{self.size_bytes:,} bytes are over the limit of {self.limit_bytes:,} ({self.limit}): "
            "send a reference to the data, or raise that limit on both sides"
        )


class AtomizerBug(AtomizerError):
    """Something in atomizer itself is wrong. Please report it with the traceback."""


def nearest(wanted: str, known: Iterable[str], *, known_as: str = "registered here") -> str:
    """
    Say which of the known names a wanted one may have meant: the end of an error message.

    Args:
        wanted: The name that is not there.
        known: Those that are.
        known_as: What they are, in words that fit behind "nothing is".
    """
    from difflib import get_close_matches  # noqa: PLC0415  # slow to import, and only needed when something went wrong

    names = sorted(set(known))
    if not names:
        return f"nothing is {known_as}"
    tail = wanted.rpartition(".")[2]
    same_tail = [name for name in names if name.rpartition(".")[2] == tail]
    close = list(dict.fromkeys(same_tail + get_close_matches(wanted, names, n=3, cutoff=0.5)))[:3]
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{known_as}: {shown}" + (" …" if len(names) > 5 else "")
