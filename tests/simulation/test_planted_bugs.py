"""The test of the matrix: a runtime with a bug in it does not get through."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import atomizer

from .planted import BUGS, plant

SEEDS = "0:300"
"""The worlds that a bug is looked for in, until the first that breaks a promise."""
SOUND = "0:10"
"""The worlds that a copy without a bug must get through: else any copy would look as if it had one."""
TESTS = Path(__file__).parent


def test_a_copy_without_a_bug_breaks_no_promise(tmp_path: Path) -> None:
    """What the others show is the bug's doing."""
    copy(tmp_path)

    replayed = replay(tmp_path, SOUND)

    assert (replayed.returncode, replayed.stdout) == (0, "")


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_breaks_a_promise(name: str, tmp_path: Path) -> None:
    """Some world tells, and by a broken promise: not by a program that does not run."""
    plant(BUGS[name], copy(tmp_path))

    replayed = replay(tmp_path, SEEDS)

    assert (replayed.returncode, replayed.stdout[:6]) == (1, "world "), replayed.stderr


def test_a_bug_that_has_no_place_any_more_is_told(tmp_path: Path) -> None:
    """The table is kept up with the runtime, or fails."""
    package = copy(tmp_path)
    bug = next(iter(BUGS.values()))
    plant(bug, package)

    with pytest.raises(LookupError, match="0 times"):
        plant(bug, package)


def copy(place: Path) -> Path:
    """Copy the package and the worlds, and return where the package is."""
    forget = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TESTS, place / "tests" / "faults", ignore=forget)
    return Path(shutil.copytree(Path(atomizer.__file__).parent, place / "atomizer", ignore=forget))


def replay(place: Path, seeds: str) -> subprocess.CompletedProcess[str]:
    """Let worlds live on a copy."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.replay", seeds],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
