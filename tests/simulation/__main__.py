"""
Let worlds live.

    python -m tests.simulation                    ten thousand of them, over every core
    python -m tests.simulation --seeds 500        the first five hundred
    python -m tests.simulation --seeds 500:1000   the five hundred after those
    python -m tests.simulation 17                 one, as it lived before, and all that happened in it

It returns 1 if one of them breaks a promise, and says how to let that one live again.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from time import monotonic
from typing import Any

from .course import course
from .matrix import table
from .seeds import live_all, replay_command
from .world import live


def main(arguments: list[str]) -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=argparse.SUPPRESS,
    )
    parser.add_argument("seed", nargs="*", type=int, help="a world whose course is to be told")
    parser.add_argument("--seeds", type=_range, default=range(10_000), help="how many worlds, or from where to where")
    parser.add_argument(
        "--first",
        action="store_true",
        help="in this process alone, and no further than the first that breaks a promise",
    )
    options = parser.parse_args(arguments)
    if options.seed:
        return tell(options.seed)
    return find_first(options.seeds) if options.first else live_through(options.seeds)


def tell(seeds: list[int]) -> int:
    """Tell the course of worlds."""
    worlds = [live(seed) for seed in seeds]
    for world in worlds:
        print(*course(world), sep="\n")
    return int(any(world.violations for world in worlds))


def find_first(seeds: range) -> int:
    """Go on to the first world that breaks a promise."""
    for seed in seeds:
        if violations := live(seed).violations:
            print(replay_command(seed), *violations, sep="\n  ")
            return 1
    return 0


def live_through(seeds: range) -> int:
    """Let all of them live, and draw the fault matrix."""
    began, hits, count, broken = monotonic(), Counter[Any](), 0, 0
    for lived in live_all(seeds):
        hits += lived.hits
        count += 1
        if lived.violations:
            broken += 1
            print(lived, flush=True)
        if count % 1_000 == 0:
            print(f"{count:,} worlds, {monotonic() - began:.0f} s", flush=True)
    print(*table(hits), sep="\n")
    print(f"{count:,} worlds in {monotonic() - began:.0f} s: {hits.total():,} faults; {broken} worlds broke a promise")
    return int(broken > 0)


def _range(text: str) -> range:
    """Read `500` or `500:1000`."""
    first, colon, end = text.partition(":")
    return range(int(first), int(end)) if colon else range(int(first))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
