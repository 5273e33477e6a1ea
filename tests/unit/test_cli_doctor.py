"""`atomizer doctor`: what it finds, and what it says to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atomizer._cli.complaint import FINDING
from atomizer._cli.doctor import Check, Diagnosis, check_clock, check_install, check_needs, check_python, examine
from atomizer._cli.fields import wrong_variables
from atomizer._cli.installation import numbers
from atomizer._cli.machine import ClockReading, clock_jump, is_clock_synchronised
from atomizer.cli import main
from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def states(checks: list[Check]) -> list[tuple[str, str]]:
    """Return what was looked at, and how it was."""
    return [(check.name, check.state) for check in checks]


def distribution(folder: Path, metadata: str = "", files: str = "") -> PathDistribution:
    """Install a distribution without a file of its own."""
    place = folder / "atomizer_engine-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: atomizer-engine\nVersion: 1.0\n{metadata}")
    (place / "RECORD").write_text(files)
    return PathDistribution(place)


def test_dependency_that_is_there_and_new_enough_is_well() -> None:
    """All of them are on one line."""
    (check,) = check_needs(["click>=8.0", "msgspec"])

    assert check.state == "ok"
    assert check.text.startswith("click 8")


@pytest.mark.parametrize(
    ("requirement", "state", "text", "cure"),
    [
        ("click>=99.1", "finding", "click >= 99.1, and 8", "pip install --upgrade atomizer-engine"),
        ("not-there-at-all>=1", "finding", "not-there-at-all >= 1 is not installed", "pip install atomizer-engine"),
        ("nope>=1; extra == 'some'", "note", "some is not installed", "pip install 'atomizer-engine[some]'"),
        ("click>=99; extra == 'some'", "finding", "click >= 99", "pip install --upgrade 'atomizer-engine[some]'"),
        ("nope>=2 ; (sys_platform != 'win32') and extra == \"x-y\"", "note", "x-y is not", "[x-y]"),
    ],
)
def test_dependency_that_is_missing_or_too_old_is_found(requirement: str, state: str, text: str, cure: str) -> None:
    """An extra that was not asked for is only worth a note."""
    (check,) = check_needs([requirement])

    assert check.state == state
    assert text in check.text
    assert cure in check.cure


def test_extra_that_needs_several_is_noted_once() -> None:
    """One command installs all of them."""
    (check,) = check_needs(["nope>=1; extra == 'some'", "nor-this; extra == 'some'"])

    assert (check.name, check.text) == ("extras", "some is not installed")


@pytest.mark.parametrize(
    ("version", "expected"), [("10.0", [10]), ("10.0.0rc1", [10]), ("1.2.30.post1", [1, 2, 30]), ("", []), ("dev", [])]
)
def test_versions_are_compared_by_their_release_numbers(version: str, expected: list[int]) -> None:
    """Zeros at the end say nothing."""
    assert numbers(version) == expected


def test_files_that_are_gone_are_found(tmp_path: Path) -> None:
    """Half an installation imports, until it does not."""
    (tmp_path / "there.py").write_text("")

    check = check_install(distribution(tmp_path, files="there.py,,\natomizer/gone.py,,\n"))

    assert check.state == "finding"
    assert check.text == "1 of its files are gone, as atomizer/gone.py"
    assert "--force-reinstall" in check.cure


def test_program_that_was_not_installed_is_found() -> None:
    """Its dependencies and its conductors are then anybody's guess."""
    assert check_install(None).state == "finding"


def test_python_that_is_too_old_is_found(tmp_path: Path) -> None:
    """By what the metadata asks for."""
    (tmp_path / "old").mkdir()

    assert check_python(distribution(tmp_path, "Requires-Python: >=99.1\n")).state == "finding"
    assert check_python(distribution(tmp_path / "old", "Requires-Python: >=3.1\n")).state == "ok"
    assert check_python(None).state == "ok"


@pytest.mark.parametrize(
    ("jump", "resolution", "behind", "state"),
    [
        (0.0001, 1e-9, -100.0, "ok"),
        (0.5, 1e-9, -100.0, "finding"),
        (-0.5, 1e-9, -100.0, "finding"),
        (0.0, 0.05, -100.0, "finding"),
        (0.0, 1e-9, 3600.0, "finding"),
    ],
)
def test_clock_that_jumps_or_is_coarse_or_behind_is_found(
    jump: float, resolution: float, behind: float, state: str
) -> None:
    """Deadlines are moments in UTC."""
    assert check_clock(jump, resolution, behind=behind).state == state


def test_jump_is_what_utc_went_further_than_the_clock_that_is_never_set() -> None:
    """In seconds; below zero is back."""
    before = ClockReading(utc_ns=10_000_000_000, monotonic_ns=5_000_000_000)

    assert clock_jump(before, ClockReading(10_200_000_000, 5_200_000_000)) == 0.0
    assert clock_jump(before, ClockReading(9_200_000_000, 5_200_000_000)) == -1.0


def test_synchronised_clock_is_only_told_where_it_is_known(tmp_path: Path) -> None:
    """No mark is no news."""
    (tmp_path / "mark").touch()

    assert is_clock_synchronised(tmp_path / "mark") is True
    assert is_clock_synchronised(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ATOMIZER_SLOTS": "8", "ATOMIZER_NAME": "till", "SLOTS": "x"}, []),
        ({"ATOMIZER_SLOTS": "x"}, ["ATOMIZER_SLOTS: Expected `int`, got `str`, and it is 'x'"]),
        ({"ATOMIZER_SLOTS": "0"}, ["ATOMIZER_SLOTS: Expected `int` >= 1, and it is '0'"]),
        ({"ATOMIZER_slots": "1"}, ["ATOMIZER_slots is no setting; did you mean 'ATOMIZER_SLOTS'"]),
        ({"ATOMIZER_CLOCK": "x"}, ["ATOMIZER_CLOCK is no setting"]),
        ({"ATOMIZER_SLOTS": "x", "ATOMIZER_GRACE": "-1"}, ["ATOMIZER_GRACE: Expected", "ATOMIZER_SLOTS: Expected"]),
    ],
)
def test_every_wrong_variable_is_named(variables: Mapping[str, str], said: list[str]) -> None:
    """Not the first alone, and near names for those that mean nothing."""
    found = wrong_variables(variables)

    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("url", "state", "said"),
    [
        (None, "note", "none is named"),
        ("memory://doctor", "ok", "memory://doctor connected and left in"),
        ("memory://doctor?x=1", "finding", "memory://doctor?x=1: there is no parameter 'x'"),
        ("nowhere://me:secret@host", "finding", "nowhere://me:***@host: no conductor answers to nowhere://"),
    ],
)
def test_conductor_is_connected_and_left(
    monkeypatch: pytest.MonkeyPatch, url: str | None, state: str, said: str
) -> None:
    """If one is named. Its secrets are not shown."""
    monkeypatch.delenv("ATOMIZER_URL", raising=False)

    last = examine(url).checks[-1]

    assert (last.name, last.state) == ("conductor", state)
    assert last.text.startswith(said)


def test_folder_in_the_way_of_our_conductors_is_found(tmp_path: Path) -> None:
    """A project's own `conductors` hides the one that is installed."""
    (tmp_path / "conductors").mkdir()
    (tmp_path / "conductors" / "__init__.py").write_text("")

    ended = subprocess.run(
        [sys.executable, "-m", "atomizer", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == FINDING
    assert f"{tmp_path / 'conductors'} is imported in its place" in ended.stdout
    assert "→ rename that" in ended.stdout


def test_missing_dependency_is_found_and_does_not_end_the_doctor() -> None:
    """It looks before it needs anything that may be missing."""
    program = (
        "import sys; sys.modules.update(msgspec=None, anyio=None)\n"
        "from atomizer._cli.doctor import check_needs, examine, examine_with\n"
        "print(examine_with(list(check_needs(['not-there-at-all>=1'])), None).for_people())"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "not-there-at-all >= 1 is not installed" in ended.stdout
    assert "not tried while something is missing" in ended.stdout


def test_command_ends_with_1_when_something_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """And shows everything it looked at, masked."""
    monkeypatch.setenv("ATOMIZER_URL", "nowhere://me:secret@host")
    monkeypatch.setenv("ATOMIZER_SLOTS", "x")

    ended = CliRunner().invoke(main, ["doctor", "--json"])
    read = json.loads(ended.stdout)

    assert ended.exit_code == FINDING
    assert read["ok"] is False
    assert {check["name"] for check in read["checks"] if check["state"] == "finding"} >= {"settings", "conductor"}
    assert "secret" not in ended.output


def test_diagnosis_is_well_with_notes() -> None:
    """A note is worth knowing, and no reason to fail."""
    well = Diagnosis([Check("a", "ok", "fine"), Check("b", "note", "by the way", "do this")])

    assert well.is_well
    assert well.for_people().splitlines() == [
        "ok       a             fine",
        "note     b             by the way",
        "                       → do this",
    ]
    assert not Diagnosis([*well.checks, Check("c", "finding", "oh")]).is_well
