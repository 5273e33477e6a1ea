"""
Let worlds live again: `python -m tests.faults.replay 17` tells what happened to world 17, and which promises it broke.

With a range, as in `python -m tests.faults.replay 0:500`, it stops at the first world that breaks one.
"""

from __future__ import annotations

import sys

from .worlds import World, live


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
    faults = [
        (fault.at, f"FAULT {fault.kind} at {fault.step} {fault.nth}, {fault.electron_id}")
        for fault in world.plan.injected
    ]
    rows = [
        *((row.at, f"sent {row.route} {row.id} over {row.connection}: {row.outcome} {row.error}") for row in world.ledger.sent),
        *((row.at, f"received {row.route} {row.id} over {row.connection}") for row in world.ledger.received),
        *((row.at, f"{row.settlement.value} {row.route} {row.id} over {row.connection}: {row.outcome} {row.error}") for row in world.ledger.settled),
    ]  # fmt: skip
    for at, line in sorted([*faults, *rows], key=lambda entry: entry[0]):
        print(f"{at:9.3f} {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
