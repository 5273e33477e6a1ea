"""The wires of a world: each is one runtime's way to the hub, keeps a ledger, and can be pulled out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from atomizer.errors import ConductorUnavailable
from atomizer.testing.record import RecordingConductor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atomizer import Conductor, Connection
    from atomizer.testing.record import Ledger

__all__ = ("Wire",)


class Wire(RecordingConductor):
    """A wire that keeps a ledger."""

    def __init__(self, inner: Conductor, ledger: Ledger) -> None:
        super().__init__(inner, ledger)
        self._is_out = False

    @property
    def is_open(self) -> bool:
        """Whether somebody still has a connection."""
        return bool(self._live)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """Connect, unless the wire is pulled out."""
        if self._is_out:
            raise ConductorUnavailable("the wire is pulled out")
        async with super().connect() as connection:
            if self._is_out:  # meanwhile
                self.cut(connection)
            yield connection

    def pull(self) -> None:
        """Cut what there is, and let nothing new be."""
        self._is_out = True
        self.cut()

    def plug(self) -> None:
        """Let the next attempt to connect work again."""
        self._is_out = False
