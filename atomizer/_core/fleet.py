"""The fleet: what a node has to do with the others that its conductors reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..control import Cancel, Interest
from .following import Following
from .inspecting import Inspecting
from .publishing import Publishing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..control import Control
    from ..settings import Settings
    from .alarm import Alarm
    from .broadcast import Broadcast
    from .flight import Flight
    from .outbound import Outbound
    from .supervision import Link
    from .tasks import Tasks

__all__ = ("Fleet",)


class Fleet:
    """
    A node among others: it asks and answers, and tells and hears what happens.

    Attributes:
        inspecting: Questions and answers.
        publishing: What it tells the others.
        following: What it hears of them.
    """

    def __init__(  # noqa: PLR0913  # what its three parts need, by name
        self,
        node: str,
        *,
        settings: Settings,
        links: Mapping[str, Link],
        flying: Collection[Flight],
        outbound: Outbound,
        broadcast: Broadcast,
        alarm: Alarm,
        tasks: Tasks,
        reaches_others: Callable[[], bool],
    ) -> None:
        self._node = node
        self.inspecting: Inspecting = Inspecting(
            node,
            settings=settings,
            links=links,
            flying=flying,
            outbound=outbound,
            broadcast=broadcast,
            reaches_others=reaches_others,
        )
        self.publishing: Publishing = Publishing(
            settings=settings, broadcast=broadcast, alarm=alarm, tasks=tasks, reaches_others=reaches_others
        )
        self.following: Following = Following(
            node, settings=settings, links=links, outbound=outbound, broadcast=broadcast, tasks=tasks
        )

    def take(self, link: Link, control: Control) -> None:
        """Do what another node asks for, but for a cancel. Never raises, never waits."""
        if isinstance(control, Interest):
            if control.follower.rpartition("/")[0] != self._node:  # its own events come to it without the wire
                self.publishing.hear(link, control)
        elif not isinstance(control, Cancel):
            self.inspecting.take(link, control)

    def join(self, link: Link) -> None:
        """Take up a conductor."""
        self.publishing.join(link)
        self.following.join(link)

    async def leave(self, link: Link, seconds: float) -> None:
        """Let go of a conductor, within so many seconds."""
        self.following.leave(link)
        await self.publishing.leave(link, seconds)

    async def close(self, seconds: float) -> None:
        """Let go of all of them, within so many seconds. What is under way to the others is sent first."""
        self.following.close()
        await self.publishing.close(seconds)
