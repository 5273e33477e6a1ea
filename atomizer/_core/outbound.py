"""Outbound: how a call becomes an electron, and the electron a frame that the other side has."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, structs

from ..annotations import Reader
from ..conductor import Capability, Frame, Lane, Route, Spread
from ..control import Cancel
from ..electron import Electron
from ..errors import CapabilityMissing, ConductorError, TooLarge
from ..events import ElectronSent
from ..options import NOTHING_SAID, Options
from ..payload import Bind
from ..retry import to_travel
from ..trials import NONE_SO_FAR, Trials

if TYPE_CHECKING:
    from ..payload import Payload
    from ..settings import Settings
    from .broadcast import Broadcast
    from .flight import Flight
    from .supervision import Link
    from .tasks import Tasks
    from .trace_context import Tracing

__all__ = ("EVERY_NODE", "Address", "Outbound", "Target", "address")


class Target(Protocol):
    """An atom as its asker sees it."""

    atom_id: str
    route: str
    defaults: Options
    raises: tuple[type[BaseException], ...]
    kept: tuple[Options, Address] | None

    @property
    def bind(self) -> Bind:
        """What makes a payload of the call's arguments."""
        ...

    @property
    def read(self) -> Reader:
        """What reads the result as the atom's declared type."""
        ...


class Address(Struct, eq=False):
    """
    What is the same for all electrons of one atom with the same options.

    Attributes:
        atom_id: The atom.
        route: Where they go.
        options: How they are treated.
        bind: Makes a payload of the call's arguments.
        read: Reads the result.
        is_plain: Nothing is said of them but, perhaps, a timeout.
        raises: The exceptions that come as themselves.
        timeout: Seconds for their whole life; None for no end.
        has_reply: Somebody waits for their properties.
    """

    atom_id: str
    route: Route
    options: Options
    bind: Bind
    read: Reader
    raises: tuple[type[BaseException], ...]
    timeout: float | None
    is_plain: bool
    has_reply: bool


def address(target: Target, options: Options) -> Address:
    """Work out what is the same for all electrons of one atom with the same options."""
    is_plain = options is NOTHING_SAID or options == Options(timeout=options.timeout)
    return Address(
        atom_id=target.atom_id,
        route=Route(Lane.WORK, target.route, options.node or ""),
        options=options,
        bind=target.bind,
        read=target.read,
        raises=target.raises,
        timeout=None if options.timeout == inf else options.timeout,
        is_plain=is_plain,
        has_reply=options.reply is not False,
    )


class Outbound:
    """
    The way out of a node.

    Attributes:
        telling: How many frames of the CONTROL lane are being sent.
    """

    def __init__(
        self, node: str, *, settings: Settings, broadcast: Broadcast, tasks: Tasks, tracing: Tracing | None
    ) -> None:
        self._node = node
        self._settings = settings
        self._most_bytes = settings.max_payload_bytes
        self._monotonic = settings.clock.monotonic
        self._utc_ns = settings.clock.utc_ns
        self._broadcast = broadcast
        self._tasks = tasks
        self._tracing = tracing
        prefix = f"{settings.random.getrandbits(64):016x}-"
        self._prefix = prefix
        self.telling: int = 0
        self._next = count(1).__next__

    def new_id(self) -> str:
        """Make an electron id: random for this start, counted within it."""
        return f"{self._prefix}{self._next()}"

    def outgoing(
        self, link: Link, electron_id: str, to: Address, payload: Payload, parent: Flight | None
    ) -> tuple[Frame, Electron, float]:
        """
        Make an electron of a call, and its frame.

        Returns:
            Them, and when its life ends on `monotonic()`: a child never outlives its parent.

        Raises:
            TooLarge: The payload is over `Settings.max_payload_bytes`.
            CapabilityMissing: The conductor cannot do what the options ask for.
        """
        body, codec = payload.body, link.codec
        if len(body) > self._most_bytes:
            raise TooLarge(len(body), self._most_bytes, "Settings.max_payload_bytes")
        budget, deadline, deadline_ns = to.timeout, inf, None
        if parent is not None:
            budget = self._budget(to, parent)
        if budget is not None:
            deadline = self._monotonic() + budget
            deadline_ns = self._utc_ns() + int(budget * 1e9)
        electron = Electron(
            id=electron_id,
            atom_id=to.atom_id,
            sender=self._node,
            payload=body,
            content_type=payload.content_type,
            deadline_ns=deadline_ns,
            budget=budget,
        )
        if parent is None and to.is_plain and self._tracing is None:
            body = codec.encode_electron(electron)
            return Frame(to.route, body, codec.content_type, electron_id, self._node), electron, deadline
        electron = structs.replace(electron, **_said(to.options, parent, self._tracing))
        return self.frame(link, electron, to), electron, deadline

    def frame(self, link: Link, electron: Electron, to: Address) -> Frame:
        """
        Make the frame of an electron.

        Raises:
            CapabilityMissing: The conductor cannot do what the options ask for.
        """
        options, codec = to.options, link.codec
        _check_capabilities(link, options)
        return Frame(
            to.route,
            codec.encode_electron(electron),
            codec.content_type,
            electron.id,
            self._node if to.has_reply else "",
            options.key or "",
            options.priority or 0,
            options.delay or 0.0,
        )

    async def post(self, link: Link, electron: Electron, to: Address, deadline: float) -> None:
        """
        Send an electron, and return once the other side has it.

        Raises:
            NobodyThere, TooLarge, Overloaded, ConductorBroken, ConductorUnavailable: As `Link.send`.
        """
        until = min(deadline, self._monotonic() + self._settings.send_patience)
        frame = self.frame(link, electron, to)
        await link.send(frame, until, lambda: self.frame(link, self._renewed(electron, deadline), to))
        if self._broadcast.routine:
            self.tell_sent(link, electron)

    def cancel(self, link: Link, electron_id: str) -> None:
        """Tell every node to stop an electron. The CONTROL lane may lose it, so nothing waits for it here."""
        codec = link.conductor.codec
        body = codec.encode_control(Cancel(electron_id=electron_id))
        self.tell(link, Frame(EVERY_NODE, body, codec.content_type, electron_id))

    def tell(self, link: Link, frame: Frame) -> None:
        """Send a frame of the CONTROL lane, which may lose it. Never waits."""
        if not link.send_nowait(frame):
            self.telling += 1
            self._tasks.start(self._tell(link, frame), f"atomizer control {frame.id}")

    async def _tell(self, link: Link, frame: Frame) -> None:
        try:
            await link.send(frame, self._monotonic() + self._settings.cancel_grace)
        except ConductorError:
            return  # this lane may lose: whoever asked is answered by its own clock
        finally:
            self.telling -= 1

    def _budget(self, to: Address, parent: Flight) -> float | None:
        """Decide how long a child may live: never longer than its parent, unless it is detached."""
        if to.options.detached or parent.deadline == inf:
            return to.timeout
        left = max(0.0, parent.deadline - self._monotonic())
        return left if to.timeout is None else min(left, to.timeout)

    def _renewed(self, electron: Electron, deadline: float) -> Electron:
        """Bring the budget of an electron up to now, and say that it is sent again: it may be there already."""
        budget = None if electron.budget is None else max(0.0, deadline - self._monotonic())
        trials = structs.replace(electron.trials or NONE_SO_FAR, again=True)
        return structs.replace(electron, budget=budget, trials=trials)

    def tell_sent(self, link: Link, electron: Electron) -> None:
        """Tell whoever listens that the other side has an electron."""
        self._broadcast.tell(ElectronSent, 0, electron.id, electron.atom_id, link.name, 1)


EVERY_NODE = Route(Lane.CONTROL, spread=Spread.ALL)
"""Where every node listens."""


def _said(options: Options, parent: Flight | None, tracing: Tracing | None) -> dict[str, Any]:
    """Return what an electron carries of its options, of its parent, and of the moment."""
    said: dict[str, Any] = {
        "limit": None if options.limit == inf else options.limit,
        "soft_limit": None if options.soft_limit == inf else options.soft_limit,
        "copy_state": options.copy_state,
        "reply": options.reply is not False,
        "trials": _trials(options),
    }
    above = None if parent is None else parent.electron
    if above is not None:
        said["trace"] = above.trace
        said["parent"] = "" if options.detached else above.id
    if tracing is not None:
        said["trace"] = tracing.carried(above)
    return said


def _trials(options: Options) -> Trials | None:
    """Return what an electron carries of its failure mode, and of an id that may be asked for again."""
    if options.retry is None and options.id is None:
        return None
    return Trials(mode=None if options.retry is None else to_travel(options.retry), again=options.id is not None)


def _check_capabilities(link: Link, options: Options) -> None:
    """
    Refuse what the conductor cannot do.

    Raises:
        CapabilityMissing: With the name of what is missing.
    """
    asked = (
        (options.node, Capability.NODE),
        (options.key, Capability.KEY),
        (options.priority, Capability.PRIORITY),
        (options.delay, Capability.DELAY),
    )
    for value, capability in asked:
        if value and capability not in link.conductor.capabilities:
            raise CapabilityMissing(link.name, capability.value)
