"""The repository itself: what no file of it may say, what the locks hold, and what a skipped test means on CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT, files

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED_GROUPS = {
    "runtime": [],
    "test": ["test"],
    "dev": [group for group in PROJECT["dependency-groups"] if group != "bench"],
    "bench": ["bench"],
    "minimums": ["test"],
}
LOCKED_EXTRAS = {"demo": ["plot"], "dev": ["plot"]}
LOCKS = sorted({*LOCKED_GROUPS, *LOCKED_EXTRAS})

INDEX = re.compile(r"\bpypi[.]|[p]ythonhosted|://[^\s)\"']*/simple\b|(?:index-url|find-links)[ =]\S")
MACHINE_PATH = re.compile(r"(?<![\w.:/*\]])/(?:home|Users|root|work|opt|mnt|srv|private)/\w")


@pytest.mark.parametrize("pattern", [INDEX, MACHINE_PATH], ids=["package index", "path of a machine"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    """The repository names no package index and no place on somebody's machine: both are the reader's own."""
    found = [f"{path.relative_to(ROOT)}: {hit.group()}" for path in files() for hit in pattern.finditer(text_of(path))]

    assert not found


def text_of(path: Path) -> str:
    """Read a file; one that is not text says nothing."""
    return path.read_bytes().decode("utf-8", errors="ignore")


@pytest.mark.parametrize("name", LOCKS)
def test_lock_covers_what_it_is_for(name: str) -> None:
    """Each lock pins every dependency of the package, and of its groups and extras, at a version they allow."""
    pinned = pins(name)
    wanted = [*PROJECT["project"]["dependencies"]]
    wanted += [r for group in LOCKED_GROUPS.get(name, []) for r in requirements(group)]
    wanted += [r for extra in LOCKED_EXTRAS.get(name, []) for r in PROJECT["project"]["optional-dependencies"][extra]]

    uncovered = [requirement for requirement in wanted if not covers(pinned, requirement)]

    assert not uncovered, "write the locks again: nox -s lock"


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_a_hash_for_every_pin(name: str) -> None:
    """What is installed is what was locked, byte for byte."""
    entries = re.split(r"\n(?=[a-z])", (ROOT / "requirements" / f"{name}.txt").read_text())[1:]

    unhashed = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]

    assert entries
    assert not unhashed


def test_minimums_are_the_lower_bounds_of_the_package() -> None:
    """The lock of the oldest dependencies pins exactly what pyproject.toml calls the oldest."""
    pinned = pins("minimums")

    newer = [wanted for wanted in PROJECT["project"]["dependencies"] if not is_lower_bound(pinned, wanted)]

    assert not newer, "write the locks again: nox -s lock"


def pins(lock: str) -> dict[str, list[str]]:
    """Read which versions a lock pins, by distribution; one that differs between Pythons has several."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / f"requirements/{lock}.txt").read_text(), re.M
    ):
        found.setdefault(name, []).append(version)
    return found


def requirements(group: str) -> list[str]:
    """List a dependency group's requirements, with those of the groups it includes."""
    own = PROJECT["dependency-groups"][group]
    nested = [requirements(entry["include-group"]) for entry in own if not isinstance(entry, str)]
    return [entry for entry in own if isinstance(entry, str)] + [entry for inner in nested for entry in inner]


def parts_of(requirement: str) -> tuple[str, list[int]]:
    """Split `name[extra]>=1.2; marker` into the name and the numbers of its lower bound."""
    parts = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9.]+)", requirement)
    assert parts is not None, f"{requirement} has no lower bound"
    return parts[1].lower(), numbers(parts[2])


def numbers(version: str) -> list[int]:
    """Return a version's numbers without the zeros at its end, so that 10.0 and 10.0.0 are the same."""
    found = [int(number) for number in re.findall(r"\d+", version)]
    while found and found[-1] == 0:
        found.pop()
    return found


def covers(pinned: dict[str, list[str]], requirement: str) -> bool:
    """Say whether a lock pins what a requirement asks for."""
    name, lowest = parts_of(requirement)
    return name in pinned and all(numbers(version) >= lowest for version in pinned[name])


def is_lower_bound(pinned: dict[str, list[str]], requirement: str) -> bool:
    """Say whether a lock pins exactly the lower bound of a requirement."""
    name, lowest = parts_of(requirement)
    return [numbers(version) for version in pinned.get(name, [])] == [lowest]


SKIPPING = """
import pytest

def test_skips():
    pytest.skip("no broker here")

@pytest.mark.may_skip_on_ci("there is no such machine")
def test_may_skip():
    pytest.skip("no such machine here")

@pytest.mark.xfail
def test_is_known_to_fail():
    assert not "yet"
"""


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 skipped, 1 xfailed"), ("", "2 skipped, 1 xfailed")])
def test_skip_fails_on_ci_only(ci: str, outcome: str, tmp_path: Path) -> None:
    """Where CI is set, a test that skips without leave has failed; elsewhere it has skipped."""
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False, env={**os.environ, "CI": ci}
    )

    assert f"= {outcome} in " in done.stdout
