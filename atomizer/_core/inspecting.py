"""Inspecting: what runs at this node, for others who ask, and what runs at the others, for who asks here."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import structs

from ..conductor import Frame, Lane, Route
from ..control import Inspect, Inspected, Ping, Pong
from ..events import RuntimeFaulted
from ..inspection import Inspection, NodeReport
from .bond_report import bonded, report_on
from .outbound import EVERY_NODE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..control import Control
    from ..settings import Settings
    from .broadcast import Broadcast
    from .flight import Flight
    from .outbound import Outbound
    from .supervision import Link

__all__ = ("Inspecting",)

MOST_BONDS = 1_000
"""Reported in one answer: what a reader takes of MessagePack has at most 50,000 parts, and these have half of that."""
MOST_ATOMS = 1_000
"""Named in one answer."""
_MOST_ANSWERS = 10_000  # nodes that one question is answered by; more is nobody's fleet
_MOST_ON_THEIR_WAY = 64  # frames that wait to be sent; beyond that an answer is lost, as this lane may


class Inspecting:
    """
    Questions from node to node, and their answers: both may be lost, so nothing waits for one longer than it said.

    Args:
        links: The conductors, as they are at any moment.
        flying: Everything under way here, the oldest first.
        reaches_others: Says whether there may be other nodes at all.

    Attributes:
        describe: Reports on this node. To be set before it is opened.
    """

    describe: Callable[[], NodeReport]

    def __init__(
        self,
        node: str,
        *,
        settings: Settings,
        links: Mapping[str, Link],
        flying: Collection[Flight],
        outbound: Outbound,
        broadcast: Broadcast,
        reaches_others: Callable[[], bool],
    ) -> None:
        self._node = node
        self._clock = settings.clock
        self._links = links
        self._flying = flying
        self._outbound = outbound
        self._broadcast = broadcast
        self._reaches_others = reaches_others
        self._questions: dict[str, _Question] = {}

    # Asking

    async def nodes(self, seconds: float) -> tuple[NodeReport, ...]:
        """Ask every node how it is, and return what has come back after some seconds, by name."""
        question = self._new_question()
        answers = await self._ask(question, Ping(asker=self._node, question=question.id), seconds)
        reports = {node: answer.report for node, answer in answers.items() if isinstance(answer, Pong)}
        reports[self._node] = self.describe()
        return tuple(reports[node] for node in sorted(reports))

    async def inspect(self, electron_id: str, node: str, seconds: float) -> Inspection:
        """
        Ask what is under way.

        Args:
            electron_id: The one to look for; empty means all.
            node: The one to ask; empty means every node.
            seconds: How long to wait for answers; one node's ends the wait.
        """
        answers: dict[str, Inspected] = {}
        if node in ("", self._node):
            answers[self._node] = self._inspected("", electron_id, None)
        if node != self._node:
            question = self._new_question(node)
            asked = Inspect(asker=self._node, question=question.id, electron_id=electron_id)
            said = await self._ask(question, asked, seconds)
            answers |= {name: answer for name, answer in said.items() if isinstance(answer, Inspected)}
        return Inspection(
            bonds=tuple(bond for name in sorted(answers) for bond in answers[name].bonds),
            nodes=tuple(sorted(answers)),
            left_out=sum(answer.left_out for answer in answers.values()),
        )

    def _new_question(self, node: str = "") -> _Question:
        return _Question(self._outbound.new_id(), node)

    async def _ask(self, question: _Question, asked: Ping | Inspect, seconds: float) -> dict[str, Pong | Inspected]:
        """Put a question to one node or to all, over every conductor, and return who has answered in time."""
        if seconds <= 0 or not self._reaches_others():
            return {}
        to = Route(Lane.CONTROL, question.node) if question.node else EVERY_NODE
        self._questions[question.id] = question
        try:
            for link in tuple(self._links.values()):
                self._tell(link, to, asked, question.id, seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await question.is_answered.wait()
        finally:
            del self._questions[question.id]
        return question.answers

    def _tell(self, link: Link, to: Route, control: Control, id: str, seconds: float | None = None) -> None:
        body = link.codec.encode_control(control)
        self._outbound.tell(link, Frame(to, body, link.codec.content_type, id, expires_in=seconds))

    # Answering

    def take(self, link: Link, control: Ping | Pong | Inspect | Inspected) -> None:
        """Take a question or an answer of another node. Never raises, never waits."""
        if isinstance(control, Pong):
            self._take_answer(control.report.node, control)
        elif isinstance(control, Inspected):
            self._take_answer(control.node, control)
        elif control.asker != self._node and self._outbound.telling < _MOST_ON_THEIR_WAY:
            try:
                answer = self._pong(control) if isinstance(control, Ping) else self._fitting(control, link)
                self._tell(link, Route(Lane.CONTROL, control.asker), answer, control.question)
            except ValueError as error:  # a name of something here is no text
                self._broadcast.emit(RuntimeFaulted, conductor=link.name, error=f"a question went unanswered: {error}")

    def _take_answer(self, node: str, answer: Pong | Inspected) -> None:
        question = self._questions.get(answer.question)
        if question is not None and len(question.answers) < _MOST_ANSWERS:
            question.answers[node] = answer
            if node == question.node:
                question.is_answered.set()

    def _pong(self, ping: Ping) -> Pong:
        report = self.describe()
        named, left_out = report.atoms[:MOST_ATOMS], len(report.atoms[MOST_ATOMS:])
        bounded = structs.replace(report, atoms=named, atoms_left_out=left_out, paused=report.paused[:MOST_ATOMS])
        return Pong(question=ping.question, report=bounded)

    def _fitting(self, inspect: Inspect, link: Link) -> Inspected:
        """Answer with as much as a conductor takes in one frame."""
        most = MOST_BONDS
        answer = self._inspected(inspect.question, inspect.electron_id, most)
        while answer.bonds and len(link.codec.encode_control(answer)) > link.most_bytes:
            most //= 2
            answer = self._inspected(inspect.question, inspect.electron_id, most)
        return answer

    def _inspected(self, question: str, electron_id: str, most: int | None) -> Inspected:
        now, utc_ns = self._clock.monotonic(), self._clock.utc_ns()
        flights = bonded(self._flying, electron_id)
        bonds = tuple(report_on(flight, self._node, now=now, utc_ns=utc_ns) for flight in flights[:most])
        return Inspected(question=question, node=self._node, bonds=bonds, left_out=len(flights) - len(bonds))


class _Question:
    """
    What is being asked.

    Attributes:
        id: What its answers repeat.
        node: Who is asked; empty means everybody.
        answers: What has come back, by node.
        is_answered: Set when nothing more is to come.
    """

    def __init__(self, id: str, node: str) -> None:
        self.id = id
        self.node = node
        self.answers: dict[str, Pong | Inspected] = {}
        self.is_answered = asyncio.Event()
