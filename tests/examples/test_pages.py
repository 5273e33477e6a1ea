"""Every block of the documentation does what the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.examples.pages import ROOT, commands_of, languages_of, run_page

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted([*ROOT.glob("*.md"), *(path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts)])

RUN = {"python", "console"}
SHOWN = {"json", "text", "toml", "{eval-rst}", "{note}", "{toctree}", "{warning}"}
"""Languages and directives of blocks that are something to look at."""

NOT_RUN = {
    "python3 noxfile.py": "it is what runs these tests",
    "python3 noxfile.py --list": "it would set up an environment of its own",
    "python3 noxfile.py -s tests -- tests/unit -k slots": "it is a part of what runs these tests",
    "python3 noxfile.py demo": "the nox session `demo` runs it, in a fresh copy",
    "python3 noxfile.py -s kills": "it ends two thousand processes, which takes minutes",
    "python3 noxfile.py -s simulate -- --seeds 10000": "it takes minutes, and tests/simulation does a part of it",
    "python3 noxfile.py -s bench": "it measures for minutes, and needs an environment of its own",
    "python3 noxfile.py -s bench -- --quick queue alone": "it measures, and needs an environment of its own",
    "python3 noxfile.py -s lock": "it needs a package index, and writes the locks",
    "python -m atomizer run shop --conductor memory://shop --name till-1 --slots 8": "it serves until stopped",
    "towncrier build --version X.Y.Z": "it writes the changelog",
}
"""Every command of the documentation that is not run here, with the reason."""


def name_of(path: Path) -> str:
    """Name a test after the page it runs."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_page_does_what_it_shows(path: Path, tmp_path: Path) -> None:
    """Every Python block runs, every command runs, and what they print is what the page shows."""
    run_page(path, tmp_path, NOT_RUN)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_page_has_only_blocks_that_are_known(path: Path) -> None:
    """A block is run, or is of a kind that is only looked at, so none is left out by its name."""
    unknown = set(languages_of(path)) - RUN - SHOWN

    assert not unknown


def test_commands_that_are_not_run_are_still_on_a_page() -> None:
    """The list of commands that are not run holds no more than it must."""
    commands = {command for path in PAGES for command in commands_of(path)}

    assert set(NOT_RUN) <= commands


def test_page_that_shows_something_else_fails(tmp_path: Path) -> None:
    """A page is refused when a block prints what it does not show."""
    page = tmp_path / "wrong.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")

    with pytest.raises(AssertionError, match=r"prints\n2\n\nand the page shows\n3"):
        run_page(page, tmp_path)


def test_page_whose_command_fails_fails(tmp_path: Path) -> None:
    """A page is refused when one of its commands ends with an error."""
    page = tmp_path / "wrong.md"
    page.write_text("```console\n$ exit 3\n```\n")

    with pytest.raises(AssertionError, match="`exit 3` ended with 3"):
        run_page(page, tmp_path)


def test_file_of_a_page_is_run_by_its_command(tmp_path: Path) -> None:
    """A block that names a file is what the command beneath it runs."""
    page = tmp_path / "right.md"
    page.write_text("```python\n# two.py\nprint(__name__, 2)\n```\n\n```console\n$ python two.py\n__main__ …\n```\n")

    run_page(page, tmp_path)

    assert (tmp_path / "two.py").exists()
