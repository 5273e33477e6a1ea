"""The nodes of a drill that serve the same atoms, one after another: when one crashes, the next takes over."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import ConductorUnavailable
from .faults import FaultyConductor
from .record import RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from ..conductor import Connection
    from ..memory import MemoryConductor
    from ..runtime import Atomizer
    from .ledger import Ledger
    from .plan import Plan

__all__ = ("Nodes",)


class Nodes:
    """
    The nodes that serve some atoms, one at a time.

    Args:
        open_node: Makes the runtime of a node that has its way to the hub over a conductor.
        hub: Where that way leads.
        plan: What goes wrong on it.
        ledger: Where to write down what goes over it.
        is_crash: Says whether the death of a connection, which just came to pass, is the crash of its node.
    """

    def __init__(
        self,
        open_node: Callable[[RecordingConductor], Atomizer],
        *,
        hub: MemoryConductor,
        plan: Plan,
        ledger: Ledger,
        is_crash: Callable[[], bool],
    ) -> None:
        self._open_node = open_node
        self._hub = hub
        self._plan = plan
        self._ledger = ledger
        self._is_crash = is_crash
        self._ready = asyncio.Event()
        self._is_left = asyncio.Event()
        self._is_over = asyncio.Event()
        self._wire: Wire
        self._runtime: Atomizer

    async def live(self) -> None:
        """Serve until left, over all crashes."""
        try:
            while not self._is_left.is_set():
                self._wire = wire = Wire(self._hub, self._plan, self._connection_died)
                await self._live_once(wire, RecordingConductor(wire, self._ledger))
        finally:
            self._is_over.set()

    async def ready(self) -> None:
        """Wait until a node is there."""
        await self._ready.wait()

    @property
    def is_idle(self) -> bool:
        """Whether a node is there, and nothing is under way on it."""
        if not self._ready.is_set():
            return False
        figures = self._runtime.statistics()
        return not (figures.running or figures.waiting or figures.suspended)

    def crash(self) -> None:
        """Let the node that is there be gone: it can do nothing more on the hub, whatever its atoms do."""
        if not self._wire.is_gone.is_set():
            self._wire.is_gone.set()
            self._wire.cut()

    async def leave(self) -> None:
        """Let the node that is there finish what is under way, and wait for its end."""
        self._is_left.set()
        await self._is_over.wait()

    async def _live_once(self, wire: Wire, conductor: RecordingConductor) -> None:
        try:
            async with self._open_node(conductor) as self._runtime:
                self._ready.set()
                await self._until_left(wire, conductor)
        except _Crashed:
            pass  # the next one takes over
        except ConductorUnavailable:  # it was gone before it was there
            if not wire.is_gone.is_set():
                raise
        finally:
            self._ready.clear()

    async def _until_left(self, wire: Wire, conductor: RecordingConductor) -> None:
        """
        Wait until this is left.

        Raises:
            _Crashed: The node is gone before.
        """
        await _first(wire.is_gone, self._is_left)
        if wire.is_gone.is_set():
            conductor.cut()  # which is no news to the wire, but to the ledger
            raise _Crashed

    def _connection_died(self) -> None:
        if self._is_crash():
            self.crash()


class Wire(FaultyConductor):
    """
    The way of one runtime to the hub, which ends with it.

    Args:
        hub: Where it leads.
        plan: What goes wrong on it.
        on_death: Called when a connection has died of that.

    Attributes:
        is_gone: Set when the runtime has crashed.
    """

    def __init__(self, hub: MemoryConductor, plan: Plan, on_death: Callable[[], None]) -> None:
        super().__init__(hub, plan, cut=self._let_die, sink=True)  # a reply meets the plan where it is sent
        self.is_gone = asyncio.Event()
        self._hub = hub
        self._on_death = on_death

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """
        Open a connection that meets the plan.

        Raises:
            ConductorUnavailable: The runtime has crashed.
        """
        if self.is_gone.is_set():
            raise ConductorUnavailable("this node has crashed", permanent=True)
        async with super().connect() as connection:
            yield connection

    def _let_die(self, connection: Connection) -> None:
        self._hub.cut(connection)
        self._on_death()


class _Crashed(Exception):
    """What a runtime is left with, so that it waits for nothing."""


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of some events is set."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(event.wait(), name="drill waits") for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
