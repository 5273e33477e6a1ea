"""The main job: Monte Carlo π, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from contextlib import redirect_stderr
from math import pi
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread

import atomizer
from examples.montecarlo_pi.atoms import Chunk, Estimate, Landed, MonteCarlo, Order, toss
from examples.montecarlo_pi.convergence import plot, way_to
from examples.montecarlo_pi.picture import Picture

if TYPE_CHECKING:
    from pathlib import Path

    from atomizer.atom import Definition

DEMO = [sys.executable, "-m", "examples.montecarlo_pi"]

WITHOUT = """
import runpy, sys
sys.modules[sys.argv.pop(1)] = None
runpy.run_module("examples.montecarlo_pi", run_name="__main__", alter_sys=True)
"""


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, away from any terminal, in one child process unless told otherwise."""
    return subprocess.run(
        [*DEMO, "--processes", "1", *options], capture_output=True, text=True, timeout=50, check=False
    )


async def ask(order: Order, tossing: Definition = toss) -> Estimate:
    """Ask the spawner in a runtime of its own."""
    async with atomizer.Atomizer(MonteCarlo, tossing, settings=atomizer.Settings(processes=1)) as runtime:
        return await runtime.run(MonteCarlo, order)


def test_the_demo_prints_json_with_the_names_of_the_original() -> None:
    """Machine-readable, nothing drawn, and enough to run it again."""
    ended = run("--tosses", "500", "--seed", "3", "--json")
    result = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert list(result) == ["in", "tosses", "errors", "pi", "sigma", "seed", "chunk"]
    assert (result["tosses"], result["errors"], result["seed"], result["chunk"]) == (500, 0, 3, 500)
    assert result["pi"] == 4 * result["in"] / 500


def test_one_seed_has_one_answer_on_any_number_of_processes() -> None:
    """The digits do not depend on who throws which chunk, nor on which is done first."""
    options = ("--tosses", "3_000_001", "--chunk", "1e5", "--seed", "7", "--json")
    alone, together, again = (run(*options, "--processes", count) for count in ("1", "2", "2"))

    assert json.loads(alone.stdout)["tosses"] == 3_000_001
    assert alone.stdout == together.stdout == again.stdout


def test_another_seed_or_other_chunks_are_other_darts() -> None:
    """Chance depends on the seed, and on how the darts are cut into chunks."""
    options = ("--tosses", "200_000", "--json")
    first, other, cut = (run(*options, *more).stdout for more in (("--seed", "7"), ("--seed", "8"), ("--chunk", "9e4")))

    assert len({json.loads(stdout)["in"] for stdout in (first, other, cut)}) == 3


def test_a_drawn_seed_is_printed_and_repeats_the_run() -> None:
    """Whatever was seen can be seen again."""
    first = run("--tosses", "30000")
    seed = first.stdout.split("--seed ")[1].strip()

    assert run("--tosses", "30000", "--seed", seed).stdout == first.stdout
    assert run("--tosses", "30000").stdout != first.stdout


def test_the_demo_draws_lines_where_there_is_no_terminal() -> None:
    """The last picture is always drawn, and the estimate comes with its error band."""
    ended = run("--tosses", "1e6", "--seed", "1")

    assert "100%   π ≈ 3.14" in ended.stderr
    assert " ± 0.0016   " in ended.stderr
    assert ended.stderr.endswith(" tosses/s\n")
    assert "\x1b" not in ended.stderr
    assert ended.stdout.startswith("π ≈ 3.14")
    assert ended.stdout.endswith(" ± 0.0016 from 1,000,000 tosses with --seed 1\n")


def test_the_demo_draws_one_live_line_in_a_terminal() -> None:
    """The same line is drawn again and again."""
    ours, theirs = pty.openpty()
    command = [*DEMO, "--tosses", "1e6", "--chunk", "1e4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    out, _ = process.communicate(timeout=50)
    os.close(ours)

    assert process.returncode == 0
    assert drawn.count(b"\r\x1b[K") > 50
    assert "█" in drawn.decode()
    assert b"tosses" in out


@pytest.mark.parametrize("columns", [80, 40])
def test_the_live_line_fits_the_terminal(columns: int) -> None:
    """A line that is too long could not be drawn again: the terminal would scroll."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stderr(terminal):
        Picture().draw(4.9e9, 5e9, "π ≈ 3.141592 ± 0.000023")
        frame = _read(ours).decode().removeprefix("\r\x1b[K")
    os.close(ours)

    assert len(frame) == columns - 1
    assert " 98%   π ≈ 3.14" in frame
    assert ("█" in frame) == (columns == 80)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


@pytest.mark.parametrize("tosses", [0, -5])
def test_the_demo_refuses_less_than_one_toss(tosses: int) -> None:
    """One line that says what is wrong, and an exit code."""
    ended = run("--tosses", str(tosses))

    assert ended.returncode == 1
    assert ended.stderr == f"montecarlo_pi: it takes at least one toss, not {tosses}\n"


@pytest.mark.parametrize("tosses", ["many", "1.5", "nan", "inf"])
def test_the_demo_refuses_what_is_no_whole_number(tosses: str) -> None:
    """It says what can be written instead."""
    ended = run("--tosses", tosses)

    assert ended.returncode == 2
    assert f"'{tosses}' is not a whole number: write 2000000, 2_000_000 or 2e6" in ended.stderr


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [("--tosses", "1e15", "beyond 1e+14 the lattice"), ("--chunk", "0", "at least one dart, not 0")],
)
def test_the_demo_refuses_numbers_out_of_range(option: str, value: str, why: str) -> None:
    """More tosses than the estimate can be honest about, and chunks with nothing in them."""
    ended = run(option, value)

    assert ended.returncode == 2
    assert why in ended.stderr


@pytest.mark.parametrize("package", ["numpy", "matplotlib"])
def test_the_demo_says_how_to_install_what_is_missing(package: str) -> None:
    """Before anything is thrown."""
    command = [sys.executable, "-c", WITHOUT, package, "--tosses", "1000", "--png", "pi.png"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"montecarlo_pi: {package} is not installed: pip install 'atomizer-engine[plot]'\n"


def test_the_demo_needs_no_matplotlib_for_the_picture_in_the_terminal() -> None:
    """It is for the plot alone."""
    command = [sys.executable, "-c", WITHOUT, "matplotlib", "--tosses", "1000"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    assert ended.returncode == 0, ended.stderr


def test_the_demo_looks_for_the_folder_of_the_plot_before_it_throws(tmp_path: Path) -> None:
    """A mistyped name costs no minutes."""
    ended = run("--tosses", "1e14", "--png", str(tmp_path / "nowhere" / "pi.png"))

    assert ended.returncode == 1
    assert f"there is no folder {tmp_path / 'nowhere'} for pi.png" in ended.stderr


def test_the_demo_writes_the_plot(tmp_path: Path) -> None:
    """A picture of the right size, with bands, the line of π and the estimate's own in it."""
    png = tmp_path / "pi.png"
    ended = run("--tosses", "1e6", "--seed", "2", "--png", str(png))
    colours = imread(png)[:, :, :3] * 255
    share = {name: float(np.all(np.abs(colours - rgb) < 24, axis=2).mean()) for name, rgb in COLOURS.items()}

    assert ended.returncode == 0, ended.stderr
    assert colours.shape == (560, 800, 3)
    assert share["band of 1σ"] > 0.1
    assert share["band of 2σ"] > 0.03
    assert share["estimate"] > 0.001
    assert np.mean(colours[:, :, 0] - colours[:, :, 1] > 40) > 0.0005  # the red line of π, where nothing hides it
    assert 0.3 < share["paper"] < 0.8


COLOURS = {
    "band of 1σ": (0x9C, 0xC6, 0xEE),
    "band of 2σ": (0xD6, 0xE8, 0xF8),
    "estimate": (0x14, 0x21, 0x3D),
    "paper": (0xFF, 0xFF, 0xFF),
}


@pytest.mark.parametrize("tosses", [1, 2, 150])
async def test_a_few_tosses_can_be_plotted_too(tosses: int, tmp_path: Path) -> None:
    """An axis with nothing on it is no reason to complain."""
    plot(await ask(Order(tosses, seed=3, curve=True)), tmp_path / "pi.png")

    assert imread(tmp_path / "pi.png").shape[:2] == (560, 800)


async def test_the_plotted_way_leads_from_the_first_tosses_to_the_estimate() -> None:
    """What is thrown again for the beginning, and what the spawner counted, are one way."""
    estimate = await ask(Order(70_000_001, seed=5, chunk=9_000_001, curve=True))
    way = way_to(estimate)
    tosses = [point[0] for point in way]

    assert (tosses[0], way[-1]) == (100, (estimate.tosses, estimate.inside))
    assert tosses == sorted(set(tosses))
    assert {point for point in estimate.curve if point[0] <= 7 * 9_000_001} & set(way)
    assert all(abs(4 * inside / thrown - pi) < 5 * 1.65 / thrown**0.5 for thrown, inside in way)


async def test_chunks_add_up_when_they_do_not_divide_the_tosses() -> None:
    """The last chunk has the rest, and every dart is counted once."""
    order = Order(1_000_003, seed=11, chunk=250_000)
    chunks = [Chunk(order.size(number), number, 11) for number in range(order.chunks)]

    estimate = await ask(order)

    assert [chunk.tosses for chunk in chunks] == [250_000] * 4 + [3]
    assert estimate.tosses == 1_000_003
    assert estimate.inside == sum(toss(chunk).value for chunk in chunks)


@pytest.mark.parametrize(("tosses", "chunk"), [(1, 1), (65_536, 65_536), (65_537, 65_536), (2 * 10**9, 15_625_000)])
def test_the_size_of_a_chunk_follows_from_the_tosses(tosses: int, chunk: int) -> None:
    """And from nothing else, so that the same command gives the same answer on every machine."""
    order = Order(tosses)

    assert order.size(0) == chunk
    assert sum(order.size(number) for number in range(order.chunks)) == tosses


async def test_a_toss_needs_no_payload() -> None:
    """As the original's nodes send it: one dart."""
    async with atomizer.Atomizer(toss) as runtime:
        landed = await runtime.run("montecarlopi.Toss", result=Landed)

    assert landed.value in (0, 1)


async def test_failed_tosses_are_counted_and_not_guessed() -> None:
    """The spawner goes on without them, and tells why."""

    @atomizer.atom(id="montecarlopi.Toss")
    async def broken(chunk: Chunk) -> Landed:
        if chunk.chunk in (0, 3):
            raise RuntimeError("no arm")
        return Landed(1)

    estimate = await ask(Order(9, seed=1, chunk=2, curve=True), broken)

    assert (estimate.tosses, estimate.errors, estimate.inside) == (9, 4, 3)
    assert estimate.pi == 4 * 3 / 5
    assert estimate.failure == "no arm"
    assert way_to(estimate) == [(2, 1), (4, 2), (5, 3)]


async def test_one_toss_has_no_error_band() -> None:
    """It says nothing of how far off it is, and no band of 0 is claimed."""

    @atomizer.atom(id="montecarlopi.Toss")
    async def lucky(chunk: Chunk) -> Landed:
        return Landed(chunk.tosses)

    assert str(await ask(Order(1), lucky)) == "π ≈ 4.00000"


async def test_no_estimate_is_made_of_nothing() -> None:
    """When every toss fails, zero is said to come from no toss."""

    @atomizer.atom(id="montecarlopi.Toss")
    async def broken(chunk: Chunk) -> Landed:
        raise RuntimeError("no arm")

    estimate = await ask(Order(5), broken)

    assert (estimate.tosses, estimate.errors, estimate.pi, estimate.sigma) == (5, 5, 0.0, 0.0)
