"""Observing: what a runtime sees of its fleet, the nodes that its conductors reach."""

from __future__ import annotations

import os
import platform
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ._core.event_batches import ERRORS, FLEET
from ._core.event_filter import ERROR_KINDS
from .distribution import installed_version
from .handle import wait_lending
from .inspection import NodeReport
from .telling import Telling, checked_id, filter_of, id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._core.broadcast import EventStream
    from ._core.node import Node
    from .atom import Atom, Definition
    from .events import Event
    from .health import Health, Statistics
    from .inspection import Inspection
    from .telling import ElectronOrId

__all__ = ("Observing", "describe")


class Observing(Telling, ABC):
    """The ways to see what happens, and what is under way: on this node, and on all that its conductors reach."""

    def fleet_events(
        self,
        *,
        kinds: type[Event] | str | Iterable[type[Event] | str] | None = None,
        atom: Definition | type[Atom] | str | None = None,
        electron: ElectronOrId | None = None,
        buffer: int | None = None,
    ) -> EventStream:
        """
        Open a stream of what happens on this node and on every other that its conductors reach, from about now on.

        The nodes are told what is followed, and publish it as long as it is; a node that starts later joins in within
        ten seconds. Those of one node come in the order in which they happened. What was lost on the way, or because a
        node could not send it in time, is told by an `EventsLost` with that node's name.

        Args:
            kinds: As for `events`.
            atom: As for `events`.
            electron: As for `events`.
            buffer: As for `events`.

        Raises:
            NotRunning: The runtime is not open.
            ValueError: As for `events`.
            TypeError: As for `events`.
        """
        following = self._open_node().fleet.following
        return following.follow(FLEET, filter_of(kinds, atom, electron), self._room(buffer), wait_lending)

    def fleet_errors(
        self,
        *,
        atom: Definition | type[Atom] | str | None = None,
        electron: ElectronOrId | None = None,
        buffer: int | None = None,
    ) -> EventStream:
        """
        Open a stream of everything that goes wrong on this node and on every other that its conductors reach.

        Nodes publish that always: nothing has to be asked for, and nothing is missed of a node that has just started.

        Args:
            atom: As for `events`.
            electron: As for `events`.
            buffer: As for `events`.

        Raises:
            NotRunning: The runtime is not open.
            ValueError: As for `errors`.
            TypeError: As for `errors`.
        """
        following = self._open_node().fleet.following
        return following.follow(ERRORS, filter_of(ERROR_KINDS, atom, electron), self._room(buffer), wait_lending)

    async def nodes(self, *, seconds: float = 1.0) -> tuple[NodeReport, ...]:
        """
        Ask every node that a conductor of this runtime reaches how it is, and gather the answers for a while.

        This node is among them. One that is too busy to answer in time is missing, and so is one whose answer was
        lost: ask again.

        Args:
            seconds: How long answers are gathered; 0 gives this node alone, at once. Where this runtime has no
                conductor but one in memory of its own, nobody is waited for.

        Returns:
            One report for each node, by name.

        Raises:
            NotRunning: The runtime is not open.
            ValueError: The seconds are no span of time.
            TypeError: They are no number.
        """
        return await self._open_node().fleet.inspecting.nodes(_span(seconds))

    async def inspect(
        self, electron: ElectronOrId | None = None, *, node: str | None = None, seconds: float = 1.0
    ) -> Inspection:
        """
        Ask the nodes what they have under way: which electron, since when, in which state, with which progress.

        An electron that no node has taken yet is nowhere to be seen.

        Args:
            electron: The one electron to look for, by its handle or its id; None means all.
            node: The one node to ask; its answer ends the wait. None means every node.
            seconds: As for `nodes`.

        Raises:
            NotRunning: The runtime is not open.
            ValueError: The seconds are no span of time, or an id or a name is too long, or empty.
            TypeError: What should be an electron, a name or a number is something else.
        """
        electron_id = "" if electron is None else id_of(electron)
        asked = checked_id("node", node)
        return await self._open_node().fleet.inspecting.inspect(electron_id, asked, _span(seconds))

    @abstractmethod
    def _open_node(self) -> Node: ...


def _span(seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"seconds= is how long answers are gathered, a number, and not {seconds!r}")
    if not 0.0 <= seconds <= _LONGEST:
        raise ValueError(f"seconds= is how long answers are gathered, and {seconds!r} is no span of time")
    return seconds


_LONGEST = 1e9  # seconds, thirty years: beyond it clocks and timers overflow


def describe(statistics: Statistics, health: Health, *, serves: bool, since_ns: int) -> NodeReport:
    """
    Report on the node of this process.

    Args:
        statistics: Its figures.
        health: What they amount to.
        serves: Whether it takes electrons.
        since_ns: When it was opened, in UTC nanoseconds since 1970.
    """
    return NodeReport(
        node=statistics.node,
        state=statistics.state,
        since_ns=since_ns,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=installed_version(),
        python=platform.python_version(),
        serves=serves,
        slots=statistics.slots,
        running=statistics.running,
        waiting=statistics.waiting,
        suspended=statistics.suspended,
        abandoned=statistics.abandoned,
        outstanding=statistics.outstanding,
        completed=statistics.completed,
        failed=statistics.failed,
        atoms=statistics.atoms,
        conductors=statistics.conductors,
        ok=health.ok,
        reasons=health.reasons,
        paused=statistics.paused,
    )
