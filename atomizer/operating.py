"""Operating a runtime while it runs: looking how it is, pausing and draining it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .health import Health, Statistics, health_of, statistics_of

if TYPE_CHECKING:
    from ._core.broadcast import Broadcast
    from ._core.lifecycle import State
    from ._core.node import Node
    from .atom import Atom, Definition
    from .conductor import Conductor
    from .registry import Registration, Registry
    from .settings import Settings

__all__ = ("Operating",)


class Operating(ABC):
    """The ways to see how a runtime is, and to have it take nothing new for a while."""

    _name: str
    _state: State
    _settings: Settings
    _registry: Registry
    _broadcast: Broadcast
    _node: Node | None

    @abstractmethod
    def _open_node(self) -> Node:
        """Return the node of a runtime that is open; raises `NotRunning` for any other."""

    def statistics(self) -> Statistics:
        """Return the figures of this moment. Cheap."""
        return replace(
            statistics_of(self._node, self._settings),
            node=self._name,
            state=self._state.value,
            atoms=tuple(registration.definition.atom_id for registration in self._registry.registrations),
            events_dropped=self._broadcast.dropped,
        )

    def health(self) -> Health:
        """Judge whether this runtime can be relied on. Cheap. Ask again and again: some is seen from look to look."""
        return health_of(self.statistics(), self._settings)

    async def pause(self, item: Definition | Atom | type[Atom] | Conductor | str) -> None:
        """
        Take nothing new of an atom, or off a conductor, until `resume`. What is under way goes on.

        What is sent waits with the conductor, or goes to other nodes. Over new connections it stays paused. Returns
        once the conductors that are connected were told.

        Args:
            item: What was registered, an atom's id, or a conductor's name where no atom has that id. Atoms that share a
                route pause together.

        Raises:
            RegistrationRefused: It is not registered here.
            NotRunning: The runtime is not open.

        Cancellation: it is paused; a conductor that was not told yet is told with the next change.
        """
        node = self._open_node()
        await node.pausing.pause(self._found(node, item))

    async def resume(self, item: Definition | Atom | type[Atom] | Conductor | str | None = None) -> None:
        """
        Take up again what was paused. Returns once the conductors that are connected were told.

        Args:
            item: As for `pause`; None takes back a `drain`, and leaves paused what was paused by name.

        Raises:
            RegistrationRefused: It is not registered here.
            ValueError: It is an item, and everything is drained: take that back first.
            NotRunning: The runtime is not open.
        """
        node = self._open_node()
        await node.pausing.resume(None if item is None else self._found(node, item))

    def _found(self, node: Node, item: Definition | Atom | type[Atom] | Conductor | str) -> Registration | Conductor:
        """Find what is meant: a name may be a conductor's."""
        link = node.links.get(item) if isinstance(item, str) else None
        if link is not None and self._registry.find(str(item)) is None:
            return link.conductor
        return self._registry.found(item)

    async def drain(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # it does not raise, but answers
        """
        Take nothing new off any conductor, and wait until nothing is under way here.

        The runtime stays open and may still ask; `resume()` takes up again.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether nothing is under way any more, but for the atom that asks. False also if what is left waits for
            children that nobody else can run, or somebody resumed meanwhile.

        Raises:
            NotRunning: The runtime is not open.

        Cancellation: nothing new is taken all the same, until `resume()`.
        """
        return await self._open_node().pausing.drain(timeout)
