"""The main job: Monte Carlo π, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

import atomizer
from examples.montecarlo_pi.atoms import Estimate, MonteCarlo, Order, Toss

DEMO = [sys.executable, "-m", "examples.montecarlo_pi"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, away from any terminal."""
    return subprocess.run([*DEMO, *options], capture_output=True, text=True, timeout=50, check=False)


def test_the_demo_prints_json_with_the_names_of_the_original() -> None:
    """Machine-readable, and nothing drawn."""
    ended = run("--tosses", "500", "--json")
    result = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert list(result) == ["in", "tosses", "errors", "pi"]
    assert (result["tosses"], result["errors"]) == (500, 0)
    assert result["pi"] == 4 * result["in"] / 500


def test_a_seed_makes_the_demo_repeatable() -> None:
    """The order in which the tosses come back does not matter."""
    first, second, other = (run("--tosses", "300", "--json", "--seed", seed).stdout for seed in ("7", "7", "8"))

    assert first == second
    assert first != other


def test_the_demo_draws_lines_where_there_is_no_terminal() -> None:
    """The last picture is always drawn, and the estimate comes with its error band."""
    ended = run("--tosses", "1000", "--seed", "1")

    assert "100%   π ≈ 3." in ended.stderr
    assert "tosses/s" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert ended.stdout.startswith("π ≈ 3.")
    assert ended.stdout.endswith(" from 1,000 tosses\n")


def test_the_demo_draws_one_live_line_in_a_terminal() -> None:
    """The same line is drawn again and again."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*DEMO, "--tosses", "2000"], stdout=subprocess.PIPE, stderr=theirs)
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


async def test_a_toss_needs_no_payload() -> None:
    """As the original's nodes send it."""
    async with atomizer.Atomizer(Toss) as runtime:
        landed = await runtime.run(Toss)

    assert landed.value in (0, 1)


async def test_failed_tosses_are_counted_and_not_guessed() -> None:
    """The spawner goes on without them."""

    class Broken(atomizer.Atom, id="montecarlopi.Toss"):
        async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> object:
            raise RuntimeError("no arm")

    async with atomizer.Atomizer(MonteCarlo, Broken) as runtime:
        estimate = await runtime.run(MonteCarlo, Order(5))

    assert estimate == Estimate(inside=0, tosses=5, errors=5, pi=0.0)
