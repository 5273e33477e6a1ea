"""Ways to a hub that go wrong as planned, on virtual time, and what tests of them share."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import atomizer
from atomizer import Durability, Lane, MemoryConductor, Route, Settings
from atomizer.testing.clock import current_clock
from atomizer.testing.faults import FaultKind, FaultyConductor, Plan, Step
from atomizer.testing.record import RecordingConductor

if TYPE_CHECKING:
    from atomizer import Event, EventStream
    from atomizer.testing.ledger import Sent

__all__ = (
    "SLACK", "WAIT", "WORK", "LastingHub", "always", "depth", "double", "faulty", "heard", "now", "quick", "tries",
    "wait",
)  # fmt: skip

SLACK = 0.001


@atomizer.atom(id="tests.double")
async def double(number: int) -> int:
    """Double a number, a second later."""
    await asyncio.sleep(1.0)
    return 2 * number


@atomizer.atom(id="tests.wait")
async def wait() -> None:
    """Wait until told to stop."""
    await asyncio.sleep(1_000_000)


WORK = Route(Lane.WORK, double.atom_id)
WAIT = Route(Lane.WORK, wait.atom_id)


class LastingHub(MemoryConductor):
    """A hub that says it survives the end of any node, as a broker does: connections to it begin slowly."""

    durability = Durability.BROKER


def quick(**given: Any) -> Settings:
    """Make settings for virtual time."""
    return Settings(clock=current_clock(), random=Random(1), **given)


def faulty(plan: Plan, hub: MemoryConductor | None = None) -> RecordingConductor:
    """Make a way to a hub that goes wrong as planned, and is recorded."""
    return RecordingConductor(FaultyConductor(hub or MemoryConductor(), plan))


def always(step: Step, kind: FaultKind, *, since: int = 1) -> Plan:
    """Make a plan in which one step goes wrong every time."""
    return Plan(lambda at, nth: kind if at is step and nth >= since else None, limit=1_000_000)


def now() -> float:
    """Tell the time."""
    return current_clock().monotonic()


def tries(wire: RecordingConductor, route: Route) -> list[Sent]:
    """List what was sent on a route, or tried to be."""
    return [row for row in wire.ledger.sent if row.route == route]


async def heard(stream: EventStream, kind: type[Event]) -> Event:
    """Wait for the next event of a kind."""
    async for event in stream:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the stream has ended without {kind.__name__}")


async def depth(hub: MemoryConductor, route: Route) -> int:
    """Count what waits on a route of a hub."""
    async with hub.connect() as connection:
        return connection.depth(route)
