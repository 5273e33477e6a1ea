"""Estimate π on this machine: `python -m examples.montecarlo_pi --tosses 100000`."""

from __future__ import annotations

import sys

import anyio
import click
import msgspec

import atomizer
from atomizer.events import ElectronProgressed

from .atoms import Estimate, MonteCarlo, Order, Toss
from .picture import Picture


async def estimate(order: Order, picture: Picture | None) -> Estimate:
    """Ask the spawner, and draw its progress while it runs."""
    async with atomizer.Atomizer(MonteCarlo, Toss) as runtime:
        asked = await runtime.send(MonteCarlo, order)
        async for event in asked.events():
            if picture is not None and isinstance(event, ElectronProgressed):
                picture.draw(event.done, order.tosses, event.note)
        if picture is not None:
            picture.end()
        return await asked


@click.command()
@click.option("--tosses", default=100_000, show_default=True, help="How many darts to throw, one electron each.")
@click.option("--seed", type=int, help="Throw the same darts again.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and draw nothing.")
def main(tosses: int, seed: int | None, as_json: bool) -> None:
    """Estimate π by throwing darts."""
    try:
        result = anyio.run(estimate, Order(tosses, seed), None if as_json else Picture())
    except atomizer.AtomFailed as error:
        sys.exit(f"montecarlo_pi: {error.failure.message}")
    click.echo(msgspec.json.encode(result).decode() if as_json else f"{result} from {result.tosses:,} tosses")


if __name__ == "__main__":
    main()
