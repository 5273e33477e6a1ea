"""Answering: how an outcome goes back. The reply is confirmed first, and only then is the delivery settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conductor import Frame, Lane, Route, Settlement
from ..errors import ConductorError, NobodyThere
from ..events import ElectronRequeued, PropertiesUnclaimed
from .disposition import Verdict

if TYPE_CHECKING:
    from ..properties import Properties
    from ..settings import Settings
    from .flight import Flight
    from .outcome import Outcomes
    from .report import Report

__all__ = ("Answers",)

_REQUEUE = Settlement.REQUEUE  # looked up on its class, a member costs as much as making a struct
_MOST_ROUTES = 1_000


class Answers:
    """The way back from a node."""

    def __init__(self, settings: Settings, outcomes: Outcomes, report: Report) -> None:
        self._monotonic = settings.clock.monotonic
        self._patience = settings.send_patience
        self._outcomes = outcomes
        self._report = report
        self._routes: dict[str, Route] = {}

    def _conclude_nowait(self, flight: Flight, verdict: Verdict) -> Verdict | None:
        """Send the reply and then settle, as far as that needs no waiting. Returns what is left to do."""
        link = flight.link
        if verdict.reply is not None:
            connection = link.connection
            try:
                if connection is None or not connection.send_nowait(self._frame(flight, verdict.reply)):
                    return verdict
            except ConductorError:
                return verdict  # `conclude` meets the same, and says so
        is_settled = link.settle_nowait(flight.connection, flight.delivery, verdict.settlement)
        return None if is_settled else Verdict(None, verdict.settlement)

    async def conclude(self, flight: Flight, verdict: Verdict) -> None:
        """Send what is to be sent, each confirmed, and then settle."""
        left = self._conclude_nowait(flight, verdict)
        if left is None:
            return
        settlement = _REQUEUE  # the honest answer until we know better
        try:
            if left.reply is not None:
                await self._send(flight, self._frame(flight, left.reply))
            settlement = left.settlement
        except ConductorError as error:  # no confirm: the electron comes again, here or elsewhere
            self._report.tell(ElectronRequeued, flight, reason=str(error))
        finally:
            await flight.link.settle(flight.connection, flight.delivery, settlement)

    def _frame(self, flight: Flight, properties: Properties) -> Frame:
        link, reply_to = flight.link, flight.delivery.reply_to
        codec = link.codec
        body = codec.encode_reply(properties)
        if len(body) > link.most_bytes:
            body = codec.encode_reply(self._outcomes.too_large_to_carry(flight, len(body)))
        return Frame(self.route_to(reply_to), body, codec.content_type, flight.delivery.id)

    async def _send(self, flight: Flight, frame: Frame) -> None:
        try:
            await flight.link.send(frame, self._monotonic() + self._patience)
        except NobodyThere as error:
            self._report.tell(PropertiesUnclaimed, flight, error=str(error))

    def route_to(self, reply_to: str) -> Route:
        """Return the route to a node. It is made once: its hash is kept with it."""
        route = self._routes.get(reply_to)
        if route is None:
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[reply_to] = route = Route(Lane.REPLY, reply_to)
        return route
