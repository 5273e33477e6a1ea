"""The convergence plot: how the estimate closes in on π, as a PNG."""

# pyright: reportUnknownMemberType=false
# matplotlib leaves its keywords without types

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
"""The beginning of the way lies inside of the first chunks: about so many darts are thrown once more to see it."""
_STEPS = 1500
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
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_estimate(above, tosses, 4 * inside / tosses)
    _draw_distance(below, tosses, np.abs(4 * inside / tosses - pi))
    above.set_title(f"{estimate}  from {estimate.tosses - estimate.errors:,} tosses, seed {estimate.seed}")
    figure.savefig(png, format="png", pil_kwargs={"optimize": True})


def way_to(estimate: Estimate) -> list[tuple[int, int]]:
    """Return tosses and how many of them landed inside, from the first hundred to the last."""
    beginning = [] if estimate.errors else _beginning(estimate)
    seen = beginning[-1][0] if beginning else 0
    return beginning + [point for point in estimate.curve if point[0] > seen]


def _beginning(estimate: Estimate) -> list[tuple[int, int]]:
    whole_chunks = _THROWN_AGAIN - _THROWN_AGAIN % min(estimate.chunk, _THROWN_AGAIN)
    last = min(estimate.tosses, whole_chunks)
    sizes = [min(estimate.chunk, last - begin) for begin in range(0, last, estimate.chunk)]
    first = max(1, min(100, last // 100))
    marks = sorted({round(first * (last / first) ** (step / _STEPS)) for step in range(_STEPS + 1)})
    return list(zip(marks, running_counts(marks, sizes, estimate.seed), strict=True))


def _draw_estimate(axes: Axes, tosses: Numbers, estimates: Numbers) -> None:
    _draw_bands(axes, tosses, estimates)
    axes.set_ylabel("running estimate")
    axes.legend(loc="upper right", frameon=False, ncols=2)
    _draw_bands(axes.inset_axes((0.52, 0.12, 0.46, 0.34)), *_last_hundredfold(tosses, estimates))


def _last_hundredfold(tosses: Numbers, estimates: Numbers) -> tuple[Numbers, Numbers]:
    late = tosses >= tosses[-1] / 100
    return tosses[late], estimates[late]


def _draw_bands(axes: Axes, tosses: Numbers, estimates: Numbers) -> None:
    sigma = _SIGMA_OF_ONE / np.sqrt(tosses)
    for times in (2, 1):
        low, high = pi - times * sigma, pi + times * sigma
        axes.fill_between(tosses, low, high, color=_BANDS[times - 1], linewidth=0, label=f"π ± {times}σ")
    axes.axhline(pi, color=_LINE, linewidth=1.2, label="π")
    axes.plot(tosses, estimates, color=_INK, linewidth=1.2, label="estimate")
    axes.set(xscale="log", xlim=(tosses[0], max(tosses[-1], 2 * tosses[0])))
    axes.ticklabel_format(axis="y", useOffset=False)


def _draw_distance(axes: Axes, tosses: Numbers, distances: Numbers) -> None:
    sigma = _SIGMA_OF_ONE / np.sqrt(tosses)
    bottom = sigma[-1] / 20
    axes.fill_between(tosses, sigma, 2 * sigma, color=_BANDS[1], linewidth=0)
    axes.fill_between(tosses, bottom, sigma, color=_BANDS[0], linewidth=0)
    axes.plot(tosses, np.maximum(distances, bottom), color=_INK, linewidth=1.0)
    axes.set(yscale="log", ylim=(bottom, 4 * sigma[0]), xlabel="tosses", ylabel="distance from π")
    axes.annotate("one digit more takes a hundred times the tosses", (0.99, 0.92), xycoords="axes fraction", ha="right")
