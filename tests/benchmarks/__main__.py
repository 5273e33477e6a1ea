"""
Measure atomizer beside its peers: `python -m tests.benchmarks [rows …]`.

Ratios are what counts: every figure is taken right after its baseline, in the same process, and the median of the
rounds is shown. It ends with 1 if a case has failed; with `--check` also if there is a floor that no round of its row
has reached. A floor that some rounds miss shows as short, and is for somebody to look at: it may be the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from tests.benchmarks.counting import WAYS, counts
from tests.benchmarks.profile import profile
from tests.benchmarks.report import lines, machine, table
from tests.benchmarks.rounds import FAILED, measure_here, run_rounds
from tests.benchmarks.rows import ROWS
from tests.benchmarks.sampling import Effort

__all__ = ()


def main(arguments: list[str]) -> int:
    """Do what the command line asks."""
    if arguments[:1] == ["--one"]:  # a case of a round, in a process of its own
        sys.stdout.buffer.write(measure_here(*arguments[1:]))
        return 0
    asked = read(arguments)
    if asked.counts:
        print(counted())
        return 0
    rows = [row for row in ROWS if row.name in (asked.rows or [row.name])]
    effort = Effort(electrons=asked.electrons, quick=asked.quick, loop=asked.loop, before=asked.before)
    if asked.profile:
        profile({row.case for row in rows}, effort)
        return 0
    seen = run_rounds(dict.fromkeys(row.case for row in rows), asked.rounds, effort, tell)
    report = lines(rows, seen)
    print(f"{table(report)}\n\n{machine(asked.rounds, effort)}")
    if asked.json is not None:
        written = {"machine": machine(asked.rounds, effort), "rows": report, "samples": seen}
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(written)))
    return int(FAILED in seen.values() or (asked.check and any(line.missed for line in report)))


def read(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    names = [row.name for row in ROWS]
    parser.add_argument("rows", nargs="*", help=f"which rows of the table; all if none is named: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="how many rounds (default 5, with --quick 3)")
    parser.add_argument(
        "--electrons", type=int, help="how many electrons in a round (default 50000, with --quick 10000)"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, for a first look")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="whose event loop")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another tree of atomizer, for the row `before`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there too")
    parser.add_argument("--check", action="store_true", help="end with 1 if no round of a row has reached its floor")
    parser.add_argument(
        "--profile", action="store_true", help="show where the time of these rows goes, and measure nothing"
    )
    parser.add_argument("--counts", action="store_true", help="count calls, tasks, futures …, and measure nothing")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.rows) - set(names):
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    asked.rounds = asked.rounds or (3 if asked.quick else 5)
    asked.electrons = asked.electrons or (10_000 if asked.quick else 50_000)
    asked.before = "" if asked.before is None else str(asked.before.resolve())
    return asked


def counted() -> str:
    """Write what an electron costs in things that are counted; `test_counts` has the limits."""
    seen = {way: counts(way) for way in WAYS}
    names = sorted({name for one in seen.values() for name in one})
    rows = ("".join(f"| {one.get(name, 0):.3f} " for one in seen.values()) for name in names)
    head = f"| for each electron | {' | '.join(seen)} |\n|{'---|' * (len(seen) + 1)}"
    return "\n".join([head, *(f"| {name} {row}|" for name, row in zip(names, rows, strict=True))])


def tell(line: str) -> None:
    """Show how far it is, beside the report."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
