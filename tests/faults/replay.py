"""
Let worlds live again: `python -m tests.faults.replay 17` tells what happened to world 17, and which promises it broke.

With a range, as in `python -m tests.faults.replay 0:500`, it stops at the first world that breaks one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .worlds import World, live

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(arguments: list[str]) -> int:
    """Let the worlds of some seeds live, and return 1 if one of them breaks a promise."""
    for argument in arguments:
        first, _, end = argument.partition(":")
        for seed in range(int(first), int(end or first) + (not end)):
            world = live(seed)
            if not end:
                tell(world)
            if world.violations:
                print(f"world {seed}:", *world.violations, sep="\n  ")
                return 1
    return 0


def tell(world: World) -> None:
    """Tell what happened to a world, in order."""
    print(world, *world.asks, *world.accidents, sep="\n  ")
    for at, electron_id, what in sorted(rows(world), key=lambda row: row[0]):
        print(f"{at:9.3f} {electron_id:24} {what}")


def rows(world: World) -> Iterator[tuple[float, str, str]]:
    """Give what went over a world's wires: when, whose, and what."""
    for fault in world.plan.injected:
        yield fault.at, fault.electron_id, f"FAULT {fault.kind} at {fault.step} {fault.nth}"
    for sent in world.ledger.sent:
        yield sent.at, sent.id, f"sent {sent.route} over {sent.connection}, {sent.outcome} {sent.error}"
    for received in world.ledger.received:
        yield received.at, received.id, f"received {received.route} over {received.connection}"
    for settled in world.ledger.settled:
        how = f"{settled.outcome} {settled.error}"
        yield settled.at, settled.id, f"{settled.settlement.value} over {settled.connection}, {how}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
