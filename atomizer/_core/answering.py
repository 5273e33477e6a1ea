"""
Answering: how an outcome leaves a node.

What is to be sent, the reply, the dead letter or a copy for the others, is confirmed first; only then is the delivery
settled, and with it those that joined it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..conductor import Capability, Frame, Lane, Route, Settlement
from ..envelope import DEAD, UNCLAIMED
from ..errors import ConductorBroken, ConductorError, NobodyThere, Overloaded, TooLarge
from ..events import DeadLetterHeld, ElectronDead, ElectronRequeued, PropertiesUnclaimed
from ..trials import NONE_SO_FAR
from .answered import stage_of
from .disposition import dispose
from .lending import lending_if_there_is_room
from .letters import letter_of, to_fit, unclaimed_letter

if TYPE_CHECKING:
    from ..electron import Electron
    from ..envelope import DeadLetter
    from ..properties import Properties
    from ..settings import Settings
    from .answered import Answered
    from .disposition import Verdict
    from .flight import Flight
    from .outcome import Outcomes
    from .report import Report

__all__ = ("Answers",)

_REQUEUE = Settlement.REQUEUE  # looked up on its class, a member costs as much as making a struct
_MOST_ROUTES = 1_000


class Answers:
    """The way back from a node."""

    def __init__(self, settings: Settings, outcomes: Outcomes, report: Report, answered: Answered) -> None:
        self._monotonic = settings.clock.monotonic
        self._patience = settings.send_patience
        self._outcomes = outcomes
        self._report = report
        self._answered = answered
        self._routes: dict[str, Route] = {}

    async def conclude(self, flight: Flight, verdict: Verdict) -> None:
        """Send what is to be sent, each confirmed, and then settle."""
        left = self._conclude_nowait(flight, verdict)
        if left is None:
            return
        settlement = _REQUEUE  # the honest answer until we know better
        try:
            left = await self._send_all(flight, left)
            settlement = left.settlement
            self._remember(flight, left)
        except ConductorError as error:  # no confirm: the electron comes again, here or elsewhere
            self._report.tell(ElectronRequeued, flight, reason=str(error))
        finally:
            await self._settle(flight, left, settlement)

    def route_to(self, reply_to: str) -> Route:
        """Return the route to a node. It is made once: its hash is kept with it."""
        route = self._routes.get(reply_to)
        if route is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[reply_to] = route = Route(Lane.REPLY, reply_to)
        return route

    def _conclude_nowait(self, flight: Flight, verdict: Verdict) -> Verdict | None:
        """Send the reply and then settle, as far as that needs no waiting. Returns what is left to do."""
        link = flight.link
        if verdict.reply is not None:
            connection = link.connection
            try:
                if connection is None or not connection.send_nowait(self._reply(flight, verdict.reply)):
                    return verdict
            except ConductorError:
                return verdict  # `conclude` meets the same, and says so
        left = replace(verdict, reply=None)
        if left.letter is not None or left.copy is not None or flight.joined is not None:
            return left
        self._remember(flight, left)
        is_settled = link.settle_nowait(flight.connection, flight.delivery, left.settlement)
        return None if is_settled else left

    async def _send_all(self, flight: Flight, verdict: Verdict) -> Verdict:
        """Send what a verdict says. Returns it, or the one in its place: a copy too large for the route is given up."""
        if verdict.reply is not None:
            await self._send_reply(flight, self._reply(flight, verdict.reply))
        if verdict.letter is not None:
            await self._bury(flight, DEAD, letter_of(flight, verdict.letter))
        if verdict.copy is not None:
            try:
                await self._send_copy(flight, verdict.copy, verdict.delay)
            except TooLarge:
                if verdict.outcome is None:  # the node stops: the electron goes back as it came
                    raise
                return await self._send_all(flight, dispose(verdict.outcome, flight.delivery.reply_to))
        return verdict

    async def _settle(self, flight: Flight, verdict: Verdict, settlement: Settlement) -> None:
        """Settle a delivery, and then those that joined it while it was under way."""
        try:
            await flight.link.settle(flight.connection, flight.delivery, settlement)
        finally:
            await self._settle_joined(flight, verdict, settlement)

    async def _settle_joined(self, flight: Flight, verdict: Verdict, settlement: Settlement) -> None:
        """
        Settle those that joined a delivery.

        Cancellation: those that are left are given back.
        """
        answered = {"", flight.delivery.reply_to}
        try:
            while flight.joined:
                first = flight.joined[0]
                how = await self._settlement_of(first, verdict, settlement, answered)
                answered.add(first.delivery.reply_to)
                flight.joined = [each for each in flight.joined if each is not first]  # others have come or gone
                await first.link.settle(first.connection, first.delivery, how)
        finally:
            while flight.joined:
                first, *flight.joined = flight.joined
                await first.link.settle(first.connection, first.delivery, _REQUEUE)

    async def _settlement_of(
        self, joined: Flight, verdict: Verdict, settlement: Settlement, answered: set[str]
    ) -> Settlement:
        """Decide how to settle what joined. Another node that asked for the same has its reply too, before."""
        reply, copy, electron = verdict.outcome, verdict.copy, joined.electron
        if copy is not None and electron is not None and stage_of(electron) >= stage_of(copy):
            return _REQUEUE  # it is further on than what goes on in the place of the one it joined
        if settlement is _REQUEUE or joined.delivery.reply_to in answered:
            return settlement
        if reply is None or copy is not None:  # whoever is answered in the end, this node is not
            return _REQUEUE
        try:
            await self._send_reply(joined, self._reply(joined, reply))
        except ConductorError as error:
            self._report.tell(ElectronRequeued, joined, reason=str(error))
            return _REQUEUE
        return settlement

    def _remember(self, flight: Flight, verdict: Verdict) -> None:
        electron = flight.electron
        if electron is None:
            return
        if verdict.copy is not None:
            self._answered.add_copy(electron, verdict.copy, flight.delivery.reply_to)
        elif verdict.outcome is not None:
            self._answered.add(electron, verdict.outcome)

    def _reply(self, flight: Flight, properties: Properties) -> Frame:
        link, reply_to = flight.link, flight.delivery.reply_to
        codec = link.codec
        body = codec.encode_reply(properties)
        if len(body) > link.most_bytes:
            body = codec.encode_reply(self._outcomes.too_large_to_carry(flight, len(body)))
        return Frame(self.route_to(reply_to), body, codec.content_type, flight.delivery.id)

    async def _send_reply(self, flight: Flight, frame: Frame) -> None:
        """Send a reply. If nobody is there to take it, it lies with the unclaimed ones from then on."""
        try:
            await flight.link.send(frame, self._until())
        except NobodyThere as error:
            self._report.tell(PropertiesUnclaimed, flight, error=str(error))
            await self._bury(flight, UNCLAIMED, unclaimed_letter(flight, frame))

    async def _bury(self, flight: Flight, place: str, letter: DeadLetter) -> None:
        """Send a dead letter to its place. A place that is full holds up what is to lie there, and nothing else."""
        link = flight.link
        letter = replace(letter, node=self._outcomes.node, died_ns=self._outcomes.now_ns())
        body, content_type = to_fit(letter, link.codec, link.most_bytes)
        frame = Frame(Route(Lane.DEAD, place), body, content_type, letter.electron_id)
        if not link.send_nowait(frame):
            await lending_if_there_is_room(flight, lambda: self._wait_to_bury(flight, frame))
        self._report.tell(ElectronDead, flight, reason=letter.reason, error=_why(letter))

    async def _wait_to_bury(self, flight: Flight, frame: Frame) -> None:
        """Send a dead letter as long as its electron is held: to give it back would be to run it again, in vain."""
        link = flight.link
        while True:
            try:
                await link.send(frame, self._until())
            except (ConductorBroken, Overloaded) as error:
                if flight.connection is not link.connection:
                    raise
                self._report.tell(DeadLetterHeld, flight, error=str(error))
            else:
                return

    async def _send_copy(self, flight: Flight, electron: Electron, delay: float) -> None:
        """Send an electron that goes on in the place of the one that came. Sent again, it says that it may be there."""
        link, flight.copy = flight.link, electron
        again = replace(electron, trials=replace(electron.trials or NONE_SO_FAR, again=True))
        frame = self._copy(flight, electron, delay)
        if not link.send_nowait(frame):  # a route that is full has room when what runs there can go on
            await lending_if_there_is_room(
                flight, lambda: link.send(frame, self._until(), lambda: self._copy(flight, again, delay))
            )

    def _copy(self, flight: Flight, electron: Electron, delay: float) -> Frame:
        """Make the frame of a copy: to where the one that came was sent, with the time that is left of it now."""
        link, delivery = flight.link, flight.delivery
        if electron.budget is not None:
            electron = replace(electron, budget=max(0.0, flight.deadline - self._monotonic()))
        body, capabilities = link.codec.encode_electron(electron), link.conductor.capabilities
        if len(body) > link.most_bytes and electron.trials is not None:  # it came, and what has grown is what is told
            body = link.codec.encode_electron(replace(electron, trials=replace(electron.trials, failures=())))
        return Frame(
            delivery.route,
            body,
            link.codec.content_type,
            delivery.id,
            delivery.reply_to,
            delivery.key if Capability.KEY in capabilities else "",
            delivery.priority if Capability.PRIORITY in capabilities else 0,
            delay,
        )

    def _until(self) -> float:
        return self._monotonic() + self._patience


def _why(letter: DeadLetter) -> str:
    """Tell the last thing that went wrong with what is given up on."""
    if not letter.failures:
        return ""
    last = letter.failures[-1]
    return f"{last.type}: {last.message}" if last.type else last.message
