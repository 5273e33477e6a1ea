"""The convergence plot: how the estimate closes in on π, as a PNG."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .darts import running_counts

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from .atoms import Estimate

    Numbers: TypeAlias = NDArray[np.float64]

__all__ = ("plot", "way_to")

_THROWN_AGAIN = 2**26
"""The beginning of the way lies inside of the first chunks: so many darts at most are thrown once more to see it."""
_SIGMA_OF_ONE = sqrt(pi * (4 - pi))
_INK, _LINE, _BANDS = "#14213d", "#d1495b", ("#9cc6ee", "#d6e8f8")


def plot(estimate: Estimate, png: Path) -> None:
    """
    Draw how an estimate came about, with the error bands that theory gives for as many tosses.

    Args:
        estimate: The estimate, with its curve.
        png: Where to write to.

    Raises:
        OSError: It cannot be written.
    """
    tosses, inside = np.array(way_to(estimate), dtype=np.float64).T
    figure = Figure(figsize=(8, 5.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 4))
    _draw_estimate(above, tosses, 4 * inside / tosses)
    _draw_distance(below, tosses, np.abs(4 * inside / tosses - pi))
    above.set_title(f"{estimate}  from {estimate.tosses - estimate.errors:,} tosses, seed {estimate.seed}")
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})


def way_to(estimate: Estimate) -> list[tuple[int, int]]:
    """Return tosses and how many of them landed inside, from the first hundred to the last."""
    chunks = range(0 if estimate.errors else min(estimate.tosses, _THROWN_AGAIN) // estimate.chunk or 1)
    sizes = [min(estimate.chunk, estimate.tosses - chunk * estimate.chunk) for chunk in chunks]
    again = min(sum(sizes), _THROWN_AGAIN)
    marks = sorted({round(again / 1.01**step) for step in range(2000)} - set(range(min(100, again))))
    beginning = list(zip(marks, running_counts(marks, sizes, estimate.seed), strict=True)) if marks else []
    return beginning + [point for point in estimate.curve if point[0] > again]


def _draw_estimate(axes: Axes, tosses: Numbers, estimates: Numbers) -> None:
    sigma = _SIGMA_OF_ONE / np.sqrt(tosses)
    for times in (2, 1):
        low, high = pi - times * sigma, pi + times * sigma
        axes.fill_between(tosses, low, high, color=_BANDS[times - 1], linewidth=0, label=f"π ± {times}σ")
    axes.axhline(pi, color=_LINE, linewidth=1.2, label="π")
    axes.plot(tosses, estimates, color=_INK, linewidth=1.2, label="estimate")
    axes.set(xscale="log", xlim=(tosses[0], tosses[-1]), ylabel="running estimate")
    axes.legend(loc="upper right", frameon=False, ncols=2)


def _draw_distance(axes: Axes, tosses: Numbers, distances: Numbers) -> None:
    sigma = _SIGMA_OF_ONE / np.sqrt(tosses)
    bottom = sigma[-1] / 20
    axes.fill_between(tosses, sigma, 2 * sigma, color=_BANDS[1], linewidth=0)
    axes.fill_between(tosses, bottom, sigma, color=_BANDS[0], linewidth=0)
    axes.plot(tosses, np.maximum(distances, bottom), color=_INK, linewidth=1.0)
    axes.set(yscale="log", ylim=(bottom, 4 * sigma[0]), xlabel="tosses", ylabel="distance from π")
    axes.text(0.99, 0.95, "σ: one digit more costs a hundred times the tosses", transform=axes.transAxes, ha="right", va="top")
