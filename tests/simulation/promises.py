"""The promises that are checked while a world lives, when it is at rest, and at its end."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from atomizer import Lane, events
from atomizer.testing.record import Outcome

from .asks import BUSY
from .atoms import MOST_RUNS, ROUTES, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atomizer import Atomizer, EventStream

    from .letters import Letters
    from .stranger import Stranger
    from .world import World

__all__ = ("Promises",)

LATE_TO_SETTLE = "left unsettled"
"""What a fault may do inside: a settlement that it delays comes after the end of the connection."""


class Promises:
    """Looks at a world, and accuses whoever breaks a promise."""

    def __init__(self, world: World, odd: Stranger, read: Letters) -> None:
        self._world = world
        self._odd = odd
        self._read = read

    async def look_on(self) -> None:
        """I10: look now and then, while everything goes wrong, whether all that may grow stays bounded."""
        for _ in range(8):
            await asyncio.sleep(BUSY / 4)
            for runtime in self._runtimes():
                self._check_bounds(runtime)

    def check_rest(self) -> None:
        """Look whether everything is as if nothing had been."""
        world = self._world
        for runtime in self._runtimes():
            figures = runtime.statistics()
            restless = {
                name: number
                for name in ("running", "waiting", "suspended", "abandoned", "outstanding")
                if (number := getattr(figures, name))
            }
            if restless:
                world.accuse(f"I10: {runtime!r} is not at rest: {restless}")
            self._check_bounds(runtime)
        for number in world.owed - world.done_in_silence - self._read.numbers_of_silent():
            world.accuse(f"I1: {silent.atom_id}({number}) was accepted and not done")
        self._odd.check()
        self._check_queues()

    async def check_end(self) -> None:
        """Look at what is left when every runtime has ended."""
        world = self._world
        self._check_queues()
        world.violations.extend(world.ledger.violations())
        inside = (sentence for sentence in world.inner_ledger.violations() if LATE_TO_SETTLE not in sentence)
        world.violations.extend(f"on the hub: {sentence}" for sentence in inside)
        for asker in world.askers:
            await asker.check_end()
        for stream, buffer in world.streams:
            await self._check_stream(stream, buffer)
        self._check_starts()
        self._check_accepted()

    async def _check_stream(self, stream: EventStream, buffer: int) -> None:
        """I10: look whether it has kept too much, and whether it tells of a fault of the runtime's own."""
        ring: Any = stream._ring
        if (kept := len(ring._kept)) > buffer:
            self._world.accuse(f"I10: a stream kept {kept} events, and was to keep {buffer}")
        async for event in stream:
            if isinstance(event, events.RuntimeFaulted):
                self._world.accuse(f"{event.node}: {event}")

    def _check_starts(self) -> None:
        """I3: nothing runs more often than it is delivered, and tried where it is."""
        received = Counter(row.id for row in self._world.ledger.received if row.route.lane is Lane.WORK)
        for (id, atom_id), times in self._world.starts.items():
            most = received[id] * MOST_RUNS.get(atom_id, 1)
            if times > most:
                self._world.accuse(f"I3: {id} was delivered {received[id]} times, and run {times} times")

    def _check_accepted(self) -> None:
        """I1: whatever was accepted has an answer that was confirmed, or lies among the dead letters."""
        world, read = self._world, self._read
        sent = [row for row in world.ledger.sent if row.outcome is Outcome.DONE]
        accepted = dict.fromkeys(row.id for row in sent if row.route.lane is Lane.WORK and row.reply_to)
        answered = {row.id for row in sent if row.is_answer}
        for id in sorted(world.given_up - read.dead.keys()):
            world.accuse(f"I1: {id} was given up on, and is not among the dead letters")
        for id in accepted:
            if id not in answered and id not in read.dead and id not in read.unclaimed:
                world.accuse(f"I1: {id} was accepted, and there is no trace of it")

    def _check_queues(self) -> None:
        for route in ROUTES:
            if depth := self._odd.depth(route):
                self._world.accuse(f"I1: {depth} electrons are left on {route}")

    def _check_bounds(self, runtime: Atomizer) -> None:
        node = runtime._node
        assert node is not None
        remembered = len(node.flights._cancelled)
        if remembered > self._world.remember:
            self._world.accuse(f"I10: {runtime!r} remembers {remembered} ids")

    def _runtimes(self) -> Iterator[Atomizer]:
        for each in (*self._world.askers, *self._world.nodes):
            yield each.runtime
