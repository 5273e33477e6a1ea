"""Observing: what a runtime sees of its fleet, the nodes that its conductors reach."""

from __future__ import annotations

import os
import platform
import socket
from abc import ABC, abstractmethod
from math import inf
from typing import TYPE_CHECKING

from .distribution import installed_version
from .inspection import NodeReport

if TYPE_CHECKING:
    from ._core.node import Node
    from .health import Health, Statistics
    from .inspection import Inspection

__all__ = ("Observing", "describe")


class Observing(ABC):
    """The ways to look at other nodes, and to be looked at by them. They may be lost: nobody waits for an answer."""

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
        """
        return await self._open_node().inspecting.nodes(_span(seconds))

    async def inspect(
        self, electron_id: str | None = None, *, node: str | None = None, seconds: float = 1.0
    ) -> Inspection:
        """
        Ask the nodes what they have under way: which electron, since when, in which state, with which progress.

        An electron that no node has taken yet is nowhere to be seen.

        Args:
            electron_id: The one electron to look for; None means all.
            node: The one node to ask; its answer ends the wait. None means every node.
            seconds: As for `nodes`.

        Raises:
            NotRunning: The runtime is not open.
            ValueError: The seconds are no span of time.
        """
        return await self._open_node().inspecting.inspect(electron_id or "", node or "", _span(seconds))

    @abstractmethod
    def _open_node(self) -> Node: ...


def _span(seconds: float) -> float:
    if not 0.0 <= seconds < inf:
        raise ValueError(f"seconds= is how long answers are gathered, and {seconds!r} is no span of time")
    return seconds


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
    )
