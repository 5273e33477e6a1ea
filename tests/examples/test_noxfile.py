"""The script that sets everything up, before there is anything."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def copy_of_the_script(folder: Path) -> Path:
    """Put the script into a folder with what it reads, and without an environment."""
    (folder / "requirements").mkdir()
    for name in ("noxfile.py", "pyproject.toml", "requirements/dev.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder / "noxfile.py"


def set_up(script: Path) -> None:
    """Leave what a set-up would: a Python that says what it was called with, and a stamp."""
    found = spec_from_file_location("noxfile_of_a_copy", script)
    assert found is not None
    assert found.loader is not None
    noxfile = module_from_spec(found)
    found.loader.exec_module(noxfile)
    python = script.with_name(".venv") / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "ran $*"\n')
    python.chmod(0o755)
    (script.with_name(".venv") / "dev.stamp").write_text(noxfile.fingerprint("dev"))


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_sets_up_nothing(tmp_path: Path, option: str) -> None:
    """Who asks what a script does has not yet asked it to do so."""
    script = copy_of_the_script(tmp_path)

    ended = subprocess.run(
        [sys.executable, str(script), option], capture_output=True, text=True, timeout=30, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "python3 noxfile.py demo" in ended.stdout
    assert not list(tmp_path.glob(".venv*"))


def test_a_second_set_up_waits_for_the_first(tmp_path: Path) -> None:
    """It would wipe what the first one is about to fill; afterwards there is nothing left to do."""
    script = copy_of_the_script(tmp_path)
    with (tmp_path / ".venv.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = subprocess.Popen([sys.executable, str(script), "-s", "lint"], stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        said = second.stdout.readline()
        set_up(script)
    rest, _ = second.communicate(timeout=30)

    assert said == "Waiting for another noxfile.py, which sets up .venv.\n"
    assert (second.returncode, rest) == (0, "ran -m nox -s lint\n")
