"""The test of the simulation: a runtime with a bug in it does not get through."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import atomizer
from atomizer.processors import usable_cpus

from .planted import BUGS, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = 500
"""The worlds that a bug is looked for in, until the first that breaks a promise."""
SOUND = 10
"""The worlds that a copy without a bug must get through: else any copy would look as if it had one."""
LONGEST = 120
"""Seconds that a search may take."""
TESTS = Path(__file__).parent

pytestmark = pytest.mark.timeout(600)  # the first one waits for whatever is before it in the queue


def test_a_copy_without_a_bug_breaks_no_promise(tmp_path: Path) -> None:
    """What the others show is the bug's doing."""
    copy(tmp_path)

    found = search(tmp_path, SOUND)

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_breaks_a_promise(name: str, searches: dict[str, Search]) -> None:
    """Some world tells, and by a broken promise: not by a program that does not run."""
    found = searches[name].result()

    assert (found.returncode, found.stdout[:27]) == (1, "python -m tests.simulation "), found.stderr


def test_the_seed_of_a_planted_bug_tells_it_again(tmp_path: Path) -> None:
    """The command that is printed reproduces what was found."""
    plant(BUGS["answers results alone"], copy(tmp_path))
    command, *violations = search(tmp_path, SEEDS).stdout.splitlines()

    again = run(tmp_path, *command.split()[1:])

    assert again.returncode == 1
    told = again.stdout.splitlines()[-len(violations) :]
    assert [line.strip() for line in told] == [line.strip() for line in violations]


def test_a_bug_that_has_no_place_any_more_is_told(tmp_path: Path) -> None:
    """The table is kept up with the runtime, or fails."""
    package = copy(tmp_path)
    bug = next(iter(BUGS.values()))
    plant(bug, package)

    with pytest.raises(LookupError, match="0 times"):
        plant(bug, package)


Search = Future[subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def searches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Search]]:
    """Look for all the bugs that are asked for, over every core."""
    named = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = [spec.params["name"] for spec in named if spec is not None and spec.params.get("name") in BUGS]
    threads = ThreadPoolExecutor(max(1, round(usable_cpus())))
    yield {name: threads.submit(search_for, name, tmp_path_factory.mktemp("planted")) for name in wanted}
    threads.shutdown(cancel_futures=True)


def search_for(name: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Plant a bug into a copy, and look for it."""
    plant(BUGS[name], copy(place))
    return search(place, SEEDS)


def copy(place: Path) -> Path:
    """Copy the package and the simulation, and return where the package is."""
    forget = shutil.ignore_patterns("__pycache__", "test_*")
    shutil.copytree(TESTS, place / "tests" / "simulation", ignore=forget)
    return Path(shutil.copytree(Path(atomizer.__file__).parent, place / "atomizer", ignore=forget))


def search(place: Path, seeds: int) -> subprocess.CompletedProcess[str]:
    """Let worlds live on a copy, until one breaks a promise."""
    return run(place, "-m", "tests.simulation", "--first", "--seeds", str(seeds))


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on a copy."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
