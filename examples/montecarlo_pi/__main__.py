"""Estimate π on all cores of this machine: `python -m examples.montecarlo_pi --tosses 2e9 --png pi.png`."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path

import anyio
import click
import msgspec

import atomizer
from atomizer.events import ElectronProgressed

from .atoms import Estimate, MonteCarlo, Order, toss
from .picture import Picture

_MOST = 10**14


class Count(click.ParamType[int]):
    """A whole number that may be large: 2000000, 2_000_000 or 2e6."""

    name = "count"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number, and refuse what is none."""
        number = _number(str(value))
        if number is None:
            self.fail(f"{value!r} is not a whole number: write 2000000, 2_000_000 or 2e6", param, ctx)
        if number > _MOST:
            self.fail(f"{value} is too many: beyond {_MOST:.0e} the lattice the darts land on would show", param, ctx)
        return number


def _number(text: str) -> int | None:
    try:
        number = Decimal(text)
        return int(number) if number == int(number) else None
    except (InvalidOperation, OverflowError, ValueError):  # no number, infinite, and none that can be compared
        return None


@click.command()
@click.option("--tosses", type=Count(), default="5e9", show_default=True, help="How many darts to throw.")
@click.option("--processes", type=click.IntRange(min=1), help="How many processes throw; by default one for each core.")
@click.option("--seed", type=click.IntRange(min=0), help="Throw the same darts again; by default a seed is drawn.")
@click.option("--chunk", type=Count(), help="Darts in each electron; by default it follows from --tosses.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Plot how it converges into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and draw nothing.")
def main(
    tosses: int, processes: int | None, seed: int | None, chunk: int | None, png: Path | None, as_json: bool
) -> None:
    """Estimate π by throwing darts. The same seed gives the same digits on any number of processes."""
    _check_first(png)
    if chunk is not None and chunk < 1:
        raise click.BadParameter(f"a chunk has at least one dart, not {chunk}", param_hint="--chunk")
    order = Order(tosses, seed, chunk, curve=png is not None)
    try:
        result = anyio.run(estimate, order, processes, None if as_json else Picture())
    except atomizer.AtomFailed as error:
        sys.exit(f"montecarlo_pi: {error.failure.message}")
    _tell(result, png, as_json)
    if result.errors:
        sys.exit(f"montecarlo_pi: {result.errors:,} tosses failed and are not counted: {result.failure}")


def _tell(result: Estimate, png: Path | None, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(msgspec.structs.replace(result, curve=())))
    elif landed := result.tosses - result.errors:
        click.echo(f"{result} from {landed:,} tosses with --seed {result.seed}")
    if png is not None and result.curve:
        _plot(result, png)
        if not as_json:
            click.echo(f"{png} shows how it came closer")


async def estimate(order: Order, processes: int | None, picture: Picture | None) -> Estimate:
    """Ask the spawner, and draw its progress while it runs."""
    settings = atomizer.Settings(processes=processes or 0)
    async with atomizer.Atomizer(MonteCarlo, toss, settings=settings) as runtime:
        asked = await runtime.send(MonteCarlo, order)
        async for event in asked.events():
            if picture is not None and isinstance(event, ElectronProgressed):
                picture.draw(event.done, order.tosses, event.note)
        if picture is not None:
            picture.end()
        return await asked


def _plot(result: Estimate, png: Path) -> None:
    from .convergence import plot  # noqa: PLC0415  # it needs matplotlib

    try:
        plot(result, png)
    except OSError as error:
        sys.exit(f"montecarlo_pi: the plot cannot be written to {png}: {error.strerror}")


def _check_first(png: Path | None) -> None:
    """Say what is missing now, and not after a thousand million tosses."""
    missing = [package for package in ("numpy", *(["matplotlib"] if png else [])) if find_spec(package) is None]
    if missing:
        sys.exit(f"montecarlo_pi: {' and '.join(missing)} is not installed: pip install 'atomizer-engine[plot]'")
    if png is not None and not png.absolute().parent.is_dir():
        sys.exit(f"montecarlo_pi: there is no folder {png.parent} for {png.name}: make it, or name another file")


if __name__ == "__main__":
    main()
