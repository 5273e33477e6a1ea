"""
The in-memory conductor: the default, and the reference that other transports are held against.

It walks the real road, bytes included: what passes here passes on a broker. One `MemoryConductor` is one hub, which
lives and dies with its process; `memory://name` is a hub that the whole process shares.

- A route exists from its first `listen` until its last listener leaves cleanly; a cut keeps it. Of what then still
  waits, WORK and DEAD are kept for a later listener, and the rest is dropped.
- A route holds `capacity` frames. Beyond that `send` waits, in order; CONTROL and EVENT lose the oldest instead. What
  is given back always fits.
- With `Spread.ALL` and `Spread.LATEST` each listener has copies of its own, and they end with it.
- REJECT drops: there are no dead letters of the transport's own.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from .codec import MESSAGEPACK
from .conductor import Capability, Conductor, Connection, Durability
from .memory_connection import MemoryConnection
from .memory_hub import Hub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .codec import Codec

__all__ = ("MemoryConductor", "MemoryConnection")

_CAPACITY = 10_000


class MemoryConductor(Conductor):
    """
    A transport inside this process: one object is one hub.

    A hub belongs to one event loop while it has connections. What waits in it outlives them, and the loop.

    Args:
        name: The cid of events, and what `Options(conductor=…)` means.
        capacity: How many frames a route holds.
        codec: How bodies are written; MessagePack if not given.
        max_body_bytes: The largest body it takes.

    Raises:
        ValueError: `capacity` is less than 1.
    """

    capabilities: frozenset[Capability] = frozenset(Capability)
    durability = Durability.PROCESS

    _shared: ClassVar[dict[str, MemoryConductor]] = {}  # by the name in their URLs

    def __init__(
        self,
        name: str = "memory",
        *,
        capacity: int = _CAPACITY,
        codec: Codec | None = None,
        max_body_bytes: int = Conductor.max_body_bytes,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"conductor {name!r}: a route holds at least 1 frame, so capacity cannot be {capacity}")
        self.name = name
        self.capacity = capacity
        self.codec: Codec = codec or MESSAGEPACK
        self.max_body_bytes = max_body_bytes
        self._hub = Hub(capacity)

    @classmethod
    def from_url(cls, url: str) -> MemoryConductor:
        """
        Return the hub of a URL: `memory://`, `memory://name`, `memory://name?capacity=100`.

        The same name is the same hub, everywhere in the process; the empty name is a name too.

        Raises:
            ValueError: It is no such URL, has an unknown parameter, or asks for another capacity than the hub has.
        """
        name, capacity = _read_url(url)
        conductor = MemoryConductor._shared.get(name)
        if conductor is None:
            conductor = MemoryConductor(name or "memory", capacity=capacity or _CAPACITY)
            MemoryConductor._shared[name] = conductor
        if capacity not in (None, conductor.capacity):
            raise ValueError(f"{url}: this hub is in use with capacity={conductor.capacity}; leave the parameter out")
        return conductor

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[MemoryConnection, None]:
        """
        Open one connection. It is ready at once, and closed at once.

        Raises:
            ConductorUnavailable: The hub has connections on another event loop.
        """
        connection = MemoryConnection(self.name, self._hub, self.max_body_bytes)
        try:
            yield connection
        finally:
            connection.close()

    def cut(self, connection: Connection | None = None) -> None:
        """
        Let a connection die as if its wire were cut; without one, all of them at once.

        What they have not settled comes again, counted and marked. A connection that is dead already stays so.
        """
        if connection is None:
            self._hub.part(*self._hub.members, died=True)
        elif isinstance(connection, MemoryConnection) and connection in self._hub.members:
            self._hub.part(connection, died=True)

    def __repr__(self) -> str:
        return f"<MemoryConductor {self.name!r} {self._hub}>"


def _read_url(url: str) -> tuple[str, int | None]:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415  # slow to import, and only needed for a URL

    parts = urlsplit(url)
    if parts.scheme != "memory" or parts.fragment:
        raise ValueError(f"{url!r} is no URL of an in-memory conductor: memory://name?capacity=10000")
    capacity = None
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key != "capacity":
            raise ValueError(f"{url}: there is no parameter {key!r}; known: 'capacity'")
        if not value.isdecimal() or int(value) < 1:
            raise ValueError(f"{url}: capacity is a number of frames, at least 1, and not {value!r}")
        capacity = int(value)
    return (parts.netloc + parts.path).rstrip("/"), capacity
