"""Outbound: how a call becomes an electron, and the electron a frame that the other side has."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING

from msgspec import structs

from ..conductor import Capability, Frame, Lane, Route, Spread
from ..control import Cancel
from ..electron import Electron
from ..errors import CapabilityMissing, ConductorError, TooLarge
from ..events import ElectronSent
from ..options import NOTHING_SAID

if TYPE_CHECKING:
    from ..options import Options
    from ..payload import Payload
    from ..settings import Settings
    from .broadcast import Broadcast
    from .flight import Flight
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Outbound",)


class Outbound:
    """The way out of a node."""

    def __init__(self, node: str, *, settings: Settings, broadcast: Broadcast, tasks: Tasks) -> None:
        self._node = node
        self._settings = settings
        self._clock = settings.clock
        self._broadcast = broadcast
        self._tasks = tasks
        self._prefix = f"{settings.random.getrandbits(64):016x}-"
        self._counter = count(1)

    def new_id(self) -> str:
        """Make an electron id: random for this start, counted within it."""
        return self._prefix + str(next(self._counter))

    def deadline(self, options: Options, parent: Flight | None) -> float:
        """Decide when a new electron's life ends, on `monotonic()`: a child never outlives its parent."""
        own = inf if options.timeout is None else self._clock.monotonic() + options.timeout
        return own if parent is None else min(own, parent.deadline)

    def electron(
        self, electron_id: str, atom_id: str, payload: Payload, options: Options, parent: Flight | None, deadline: float
    ) -> Electron:
        """
        Make an electron of a call.

        Raises:
            TooLarge: The payload is over `Settings.max_payload_bytes`.
        """
        body, content_type = payload
        if len(body) > self._settings.max_payload_bytes:
            raise TooLarge(len(body), self._settings.max_payload_bytes)
        above = None if parent is None else parent.electron
        budget = None if deadline == inf else max(0.0, deadline - self._clock.monotonic())
        return Electron(
            id=electron_id,
            atom_id=atom_id,
            sender=self._node,
            payload=body,
            content_type=content_type,
            deadline_ns=None if budget is None else self._clock.utc_ns() + int(budget * 1e9),
            budget=budget,
            limit=None if options.limit == inf else options.limit,
            soft_limit=None if options.soft_limit == inf else options.soft_limit,
            copy_state=options.copy_state,
            parent="" if above is None or options.detached else above.id,
            trace="" if above is None else above.trace,
            reply=options.reply is not False,
        )

    def post_nowait(self, link: Link, electron: Electron, route: str, options: Options) -> bool:
        """Send an electron if that needs no waiting."""
        if options is not NOTHING_SAID:
            _check_capabilities(link, options)
        return link.send_nowait(self._frame(link, electron, route, options)) and self._sent(link, electron)

    async def post(self, link: Link, electron: Electron, route: str, options: Options, deadline: float) -> None:
        """
        Send an electron, and return once the other side has it.

        Raises:
            CapabilityMissing: The conductor cannot do what the options ask for.
            NobodyThere, TooLarge, Overloaded, ConductorBroken, ConductorUnavailable: As `Link.send`.
        """
        until = min(deadline, self._clock.monotonic() + self._settings.send_patience)
        frame = self._frame(link, electron, route, options)
        await link.send(frame, until, lambda: self._frame(link, self._renewed(electron, deadline), route, options))
        self._sent(link, electron)

    def _sent(self, link: Link, electron: Electron) -> bool:
        if self._broadcast.listening:
            self._broadcast.emit(
                ElectronSent, electron_id=electron.id, atom_id=electron.atom_id, conductor=link.name, attempt=1
            )
        return True

    def cancel(self, link: Link, electron_id: str) -> None:
        """Tell every node to stop an electron. The CONTROL lane may lose it, so nothing waits for it here."""
        codec = link.conductor.codec
        body = codec.encode_control(Cancel(electron_id=electron_id))
        frame = Frame(Route(Lane.CONTROL, spread=Spread.ALL), body, codec.content_type, electron_id)
        if not link.send_nowait(frame):
            self._tasks.start(self._send_control(link, frame), f"atomizer cancel {electron_id}")

    async def _send_control(self, link: Link, frame: Frame) -> None:
        try:
            await link.send(frame, self._clock.monotonic() + self._settings.cancel_grace)
        except ConductorError:
            return  # this lane may lose: the asker is answered by its own clock

    def _frame(self, link: Link, electron: Electron, route: str, options: Options) -> Frame:
        codec = link.conductor.codec
        return Frame(
            Route(Lane.WORK, route, options.node or ""),
            codec.encode_electron(electron),
            codec.content_type,
            electron.id,
            self._node if electron.reply else "",
            options.key or "",
            options.priority or 0,
            options.delay or 0.0,
        )

    def _renewed(self, electron: Electron, deadline: float) -> Electron:
        """Bring the budget of an electron up to now: it is sent again, later."""
        if electron.budget is None:
            return electron
        return structs.replace(electron, budget=max(0.0, deadline - self._clock.monotonic()))


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
