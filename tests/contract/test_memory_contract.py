"""The in-memory conductor keeps every promise of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atomizer.memory import MemoryConductor
from atomizer.testing.conductor_checks import Bench, Check, conductor_checks

if TYPE_CHECKING:
    from atomizer.conductor import Connection


class MemoryBench(Bench):
    """A hub of its own for each check."""

    quiet = 0.0  # nothing here takes more than turns of the loop

    def __init__(self) -> None:
        self._conductor = MemoryConductor()
        self._small = MemoryConductor("small", capacity=5)

    def conductor(self) -> MemoryConductor:
        return self._conductor

    def small(self) -> MemoryConductor:
        return self._small

    async def cut(self, connection: Connection) -> None:
        self._conductor.cut(connection)
        self._small.cut(connection)


@pytest.mark.parametrize("check", conductor_checks(), ids=str)
async def test_memory_conductor_keeps_its_promise(check: Check) -> None:
    """Each check of the contract passes."""
    await check.run(MemoryBench())
