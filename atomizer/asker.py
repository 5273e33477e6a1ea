"""The asker: how a call on a runtime or a bond becomes an electron, and its properties a result."""

from __future__ import annotations

import asyncio
import weakref
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from ._core.event_filter import EventFilter
from ._core.outbound import Target, address
from ._core.turns import refuse_waiting_for_itself
from .annotations import reader_of
from .atom import FunctionAtom, definition_of
from .bounds import bounds_of
from .codec import CODECS, codec_for
from .errors import (
    AtomFailed,
    AtomUnknown,
    ConductorError,
    ConductorUnavailable,
    ConductorUnknown,
    Malformed,
    NobodyThere,
    NoReplyAsked,
    PayloadRefused,
    nearest,
)
from .events import ElectronProgressed, ElectronSent, PropertiesReceived, PropertiesUnclaimed
from .failure import Failure, FailureKind
from .handle import Handle, wait_lending
from .options import NOTHING_SAID, Options
from .payload import bind_payload
from .properties import Progress, Properties
from .results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ._core.alarm import Alarm
    from ._core.broadcast import Broadcast, EventStream
    from ._core.correlation import Correlation, Expecting
    from ._core.flight import Flight
    from ._core.outbound import Address, Outbound
    from ._core.slots import Slots
    from ._core.supervision import Link
    from .annotations import Reader
    from .conductor import Delivery, Frame
    from .electron import Electron
    from .payload import Bind
    from .registry import Registry
    from .settings import Settings

__all__ = ("Asker",)


class Asker:
    """
    Asks on behalf of one runtime, and hands out what comes back.

    Attributes:
        is_open: The runtime runs: nothing need be checked.
    """

    def __init__(  # noqa: PLR0913  # everything it takes to ask, by name
        self,
        *,
        settings: Settings,
        defaults: Options,
        registry: Registry,
        links: dict[str, Link],
        outbound: Outbound,
        correlation: Correlation,
        alarm: Alarm,
        broadcast: Broadcast,
        slots: Slots,
        flying: Collection[Flight],
        check_open: Callable[[Flight | None], None],
    ) -> None:
        self.is_open = False
        self._settings = settings
        self._clock = settings.clock
        self._grace = settings.grace
        self._bounds = bounds_of(settings)
        self._defaults = defaults
        self._registry = registry
        self._links = links
        self._outbound = outbound
        self._new_id = outbound.new_id
        self._correlation = correlation
        self._alarm = alarm
        self._broadcast = broadcast
        self._slots = slots
        self._flying = flying
        self._check_open = check_open
        self._expecting = correlation.expecting
        alarm.watch(self._expecting.values(), self._give_up)

    async def run(self, parent: Flight | None, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Ask and wait. Cancellation: cancels the electron."""
        handle = await self.send(parent, atom, args, kwargs, is_run=True)
        try:
            return await handle
        except asyncio.CancelledError:
            handle.abort()
            raise

    async def send(  # noqa: C901  # every electron comes here
        self,
        parent: Flight | None,
        atom: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        is_run: bool = False,
    ) -> Handle[Any]:
        """
        Ask, and return once the other side has the electron.

        Args:
            is_run: The asker will do nothing but wait for it, so it may be flown here and now.
        """
        if parent is not None or not self.is_open:
            parent = self._checked(parent)
        kept = atom.kept if type(atom) is FunctionAtom else None
        to = kept[1] if kept is not None and kept[0] is self._defaults else self._address(atom, kwargs)
        electron_id = to.options.id or self._new_id()
        try:
            payload = to.bind(args, kwargs)
        except ValueError as error:
            raise _refused(electron_id, to.atom_id, error) from error
        link = self.link(to.options, parent)
        frame, electron, deadline = self._outbound.outgoing(link, electron_id, to, payload, parent)
        handle: Handle[Any] = Handle(electron_id, to.atom_id, self, to.read, to.raises, parent, link)
        if parent is not None or not to.is_plain:
            self._prepare(handle, to)
        if to.has_reply:  # expected before it is sent: a reply may come before `send_nowait` returns
            if self._expecting.setdefault(electron_id, handle) is not handle:
                handle.disown()
                raise ValueError(f"electron {electron_id!r} is outstanding already: await its first handle")
            if deadline < inf:
                handle.due = due = deadline + self._grace
                if due < self._alarm.next:
                    self._alarm.wake_by(due)
        try:
            connection = link.connection
            is_flown = is_run and self._is_flown_at_once(handle, link, frame, to)
            is_sent = is_flown or (connection is not None and connection.send_nowait(frame))
        except ConductorError:
            is_sent = is_flown = False  # `_post` meets it again, and sees it through
        except BaseException:
            self._forget(handle)
            raise
        if not is_sent:
            await self._post(handle, link, electron, to, deadline)
        elif self._broadcast.routine and not is_flown:
            self._broadcast.tell(ElectronSent, 0, electron_id, to.atom_id, link.name, 1)
        return handle

    def map(
        self,
        parent: Flight | None,
        atom: Any,
        items: Any,
        *,
        result: Any = None,
        limit: int | None = None,
        ordered: bool = False,
    ) -> Results[Any]:
        """Ask once for each item, a bounded number at a time."""
        by_id = {"result": result} if result is not None else {}

        async def send(item: Any) -> Handle[Any]:
            try:
                return await self.send(parent, atom, (item,), dict(by_id))
            except AtomFailed as error:  # not sent at all: a failure like any other to who reads the results
                return _failed_at_once(error, self)

        most = 2 * self._settings.slots if limit is None else limit
        return Results(items, send, limit=most, ordered=ordered, flight=parent, patience=self._settings.cancel_grace)

    # What comes back

    def take_reply(self, delivery: Delivery) -> None:
        """Hand a reply to whoever waits for it. Never raises, never waits."""
        try:
            codec = CODECS.get(delivery.content_type) or codec_for(delivery.content_type)
            reply = codec.decode_reply(delivery.body, self._bounds)
        except Malformed as error:
            self._take_malformed(delivery, error)
            return
        if type(reply) is Properties:
            handle = self._expecting.pop(reply.electron_id, None)
            if handle is None:
                self._tell_unclaimed(reply)
                return
            if self._broadcast.routine:
                self._broadcast.tell(PropertiesReceived, 0, handle.electron_id, handle.atom_id, "", reply.attempt)
            handle.resolve(reply)  # after its last event: whoever follows it reads to the end
        elif isinstance(reply, Progress):
            self._take_progress(reply)

    def _take_malformed(self, delivery: Delivery, error: Malformed) -> None:
        self._broadcast.emit(PropertiesUnclaimed, electron_id=delivery.id, error=f"malformed: {error}")
        handle = self._correlation.take(delivery.id)
        if handle is not None:  # nothing better will come: whoever waits would wait for ever
            handle.resolve(_failed(handle, FailureKind.MALFORMED, f"the reply could not be read: {error}"))

    def _tell_unclaimed(self, properties: Properties) -> None:
        electron_id, atom_id, attempt = properties.electron_id, properties.atom_id, properties.attempt
        why = {"error": "this node does not wait for them (any more)"}
        self._broadcast.tell(PropertiesUnclaimed, 0, electron_id, atom_id, "", attempt, why)

    def _take_progress(self, progress: Progress) -> None:
        handle = self._correlation.find(progress.electron_id)
        if handle is None:
            return
        handle.advance(progress)
        if self._broadcast.listening:
            self._broadcast.emit(
                ElectronProgressed,
                electron_id=progress.electron_id,
                atom_id=handle.atom_id,
                done=progress.done,
                total=progress.total,
                note=progress.note,
            )

    # What a handle asks for

    def cancel(self, handle: Handle[Any]) -> None:
        """Tell every node to stop an electron; without an answer from any it counts as cancelled after a while."""
        if handle.link is None:
            return  # it was never sent
        self._outbound.cancel(handle.link, handle.electron_id)
        if handle.done:
            return  # sent with reply=False: nobody waits for an answer
        handle.is_cancelled = True
        patience = 2 * self._settings.cancel_grace + self._settings.confirm_timeout
        self._give_up_by(handle, self._clock.monotonic() + patience)

    def follow(self, handle: Handle[Any]) -> EventStream:
        """Open the events of one electron, until its outcome is here."""
        ring = self._settings.event_ring
        stream = self._broadcast.stream(ring, EventFilter(electron_id=handle.electron_id), wait_lending)
        still_read = weakref.ref(stream)

        def end(_: Handle[Any]) -> None:
            if (left := still_read()) is not None:
                left.end()

        handle.when_done(end)
        return stream

    # The way of a call

    def _check_wait(self, owner: Flight, to: Address) -> None:
        """Make sure that an atom may wait for what it asks, and that the wait can end."""
        if not owner.lends:
            self._slots.check_room()
        asked = self._registry.find(to.atom_id)
        if asked is not None and asked.takes_turns and to.has_reply:
            refuse_waiting_for_itself(asked.definition, owner, self._flying)

    def _checked(self, parent: Flight | None) -> Flight | None:
        """Return the atom that asks, if it is not over, and make sure that it may."""
        if parent is not None and parent.is_over:
            parent = None
        if not self.is_open:
            self._check_open(parent)
        return parent

    def _address(self, atom: Any, kwargs: dict[str, Any]) -> Address:
        """Work out what is the same for all electrons of an atom. It is kept with it, for whoever asks again."""
        target: Target = self._by_id(atom, kwargs) if isinstance(atom, str) else definition_of(atom)
        if target.kept is not None and target.kept[0] is self._defaults:
            return target.kept[1]
        to = address(target, target.defaults.over(self._defaults))
        target.kept = (self._defaults, to)
        return to

    def _by_id(self, atom_id: str, kwargs: dict[str, Any]) -> Target:
        registration = self._registry.find(atom_id)
        route = atom_id if registration is None else registration.definition.route
        result, options = kwargs.pop("result", None), kwargs.pop("options", None)
        return AtomById(atom_id, route, result, options or NOTHING_SAID)

    def _is_flown_at_once(self, handle: Handle[Any], link: Link, frame: Frame, to: Address) -> bool:
        """Fly an electron here and now, if it is a plain one."""
        is_plain = to.is_plain and handle.parent is None
        return is_plain and link.at_once is not None and link.at_once(frame, to.atom_id)

    def _prepare(self, handle: Handle[Any], to: Address) -> None:
        """Do what is not needed for every electron, before it is expected."""
        if not to.has_reply:
            why = f"electron {handle.electron_id!r} was sent with reply=False: no outcome comes back"
            handle.fail(NoReplyAsked(why))
        if handle.parent is not None and not to.options.detached:
            self._check_wait(handle.parent, to)
            handle.adopt()

    def link(self, options: Options, parent: Flight | None) -> Link:
        """Choose the conductor: the one named, the parent's, or the first."""
        if options.conductor is not None:
            link = self._links.get(options.conductor)
            if link is None:
                raise ConductorUnknown(
                    f"no conductor named {options.conductor!r} here: {nearest(options.conductor, self._links)}"
                )
            return link
        if parent is not None and self._links.get(parent.link.name) is parent.link:
            return parent.link
        for link in self._links.values():
            return link
        raise ConductorUnavailable("this runtime has no conductor (any more): register one before asking")

    async def _post(self, handle: Handle[Any], link: Link, electron: Electron, to: Address, deadline: float) -> None:
        try:
            await wait_lending(lambda: self._outbound.post(link, electron, to, deadline), handle.parent)
        except NobodyThere as error:
            self._forget(handle)
            raise self._unknown(electron, to, link) from error
        except asyncio.CancelledError:
            self._forget(handle)
            self._outbound.cancel(link, electron.id)
            raise
        except BaseException:
            self._forget(handle)
            raise

    def _forget(self, handle: Handle[Any]) -> None:
        self._take_out(handle)
        handle.disown()

    def _take_out(self, handle: Expecting) -> None:
        """Take out this very handle: by now its id may stand for another request."""
        if self._correlation.find(handle.electron_id) is handle:
            self._correlation.take(handle.electron_id)

    def _give_up_by(self, handle: Handle[Any], when: float) -> None:
        """Answer a handle at a moment, if nobody else has: at the earlier one, if it has a moment already."""
        handle.due = min(handle.due, when)
        self._alarm.wake_by(handle.due)

    def _give_up(self, handle: Expecting) -> None:
        self._take_out(handle)
        if handle.is_cancelled:
            message = "it was cancelled, and no node has answered: whoever takes it now refuses it"
            handle.resolve(_failed(handle, FailureKind.CANCELLED, message))
        else:
            message = "no answer came until its deadline and the grace after it (Settings.grace)"
            handle.resolve(_failed(handle, FailureKind.NO_ANSWER, message))

    def _unknown(self, electron: Electron, to: Address, link: Link) -> AtomUnknown:
        where = f" on node {to.options.node!r}" if to.options.node else ""
        message = f"nobody takes electrons for it on conductor {link.name!r}{where}; {self._registry.miss(to.atom_id)}"
        failure = Failure(kind=FailureKind.UNKNOWN_ATOM, message=message)
        return AtomUnknown(failure, atom_id=to.atom_id, electron_id=electron.id)


class AtomById:
    """An atom that its asker knows by id alone: one payload, and a result of whatever type the asker says."""

    raises: tuple[type[BaseException], ...] = ()

    def __init__(self, atom_id: str, route: str, result: Any, options: Options) -> None:
        self.atom_id = atom_id
        self.route = route
        self.defaults = options
        self.kept: tuple[Options, Address] | None = None
        self._result = result

    @property
    def bind(self) -> Bind:
        """What encodes the payload: `bytes` as they are, anything else as JSON, and nothing as nothing."""
        return partial(bind_payload, self.atom_id)

    @property
    def read(self) -> Reader:
        """What reads the result as the type the asker said, if it said one."""
        return reader_of(Any if self._result is None else self._result)


def _refused(electron_id: str, atom_id: str, error: ValueError) -> PayloadRefused:
    failure = Failure(kind=FailureKind.PAYLOAD_REFUSED, message=f"it was not sent: {error}")
    return PayloadRefused(failure, atom_id=atom_id, electron_id=electron_id)


def _failed(handle: Expecting, kind: FailureKind, message: str) -> Properties:
    """Make the outcome of an electron that no node has told."""
    failure = Failure(kind=kind, message=message)
    return Properties(electron_id=handle.electron_id, atom_id=handle.atom_id, failure=failure)


def _failed_at_once(error: AtomFailed, desk: Asker) -> Handle[Any]:
    handle: Handle[Any] = Handle(error.electron_id, error.atom_id, desk, Properties.value)
    handle.resolve(Properties(electron_id=error.electron_id, atom_id=error.atom_id, failure=error.failure))
    return handle
