"""The types say what comes back: both checkers accept one file, and refuse exactly the marked lines of another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import pytest
from msgspec import structs

from atomizer import Options
from atomizer.options import OptionFields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MARK = "  # refused"


def mypy() -> dict[str, set[int]]:
    """Have mypy look at both files, and give the lines with errors by file name."""
    command = ["mypy", "--strict", "--python-version=3.11", "--follow-imports=silent", "--output=json"]
    printed = run(*command, str(HERE / "accepted.py"), str(HERE / "refused.py"))
    errors = [json.loads(line) for line in printed.splitlines()]
    return by_file((error["file"], error["line"]) for error in errors if error["severity"] == "error")


def pyright() -> dict[str, set[int]]:
    """Have pyright look at both files, as strictly as it can, and give the lines with errors by file name."""
    printed = run("pyright", f"--pythonpath={sys.executable}", f"--project={HERE}", "--outputjson")
    errors = [error for error in json.loads(printed)["generalDiagnostics"] if error["severity"] == "error"]
    return by_file((error["file"], error["range"]["start"]["line"] + 1) for error in errors)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", [mypy, pyright])
def test_checker_accepts_what_it_must_and_refuses_what_it_must(check: Callable[[], dict[str, set[int]]]) -> None:
    """A line too many or too few is shown by its number."""
    lines = (HERE / "refused.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith(MARK)}

    errors = check()

    assert errors.pop("accepted.py", set()) == set()
    assert errors.pop("refused.py", set()) == marked
    assert errors == {}


def test_options_as_keywords_are_the_fields_of_options() -> None:
    """They are written twice, for the type checkers; the two lists must not part."""
    fields = {field.name: field.type for field in structs.fields(Options)}

    assert get_type_hints(OptionFields) == fields
    assert OptionFields.__required_keys__ == frozenset()


def run(module: str, *arguments: str) -> str:
    """Run a checker on its own; that it finds errors is what is wanted."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def by_file(errors: Iterable[tuple[str, int]]) -> dict[str, set[int]]:
    """Gather line numbers."""
    found: dict[str, set[int]] = {}
    for file, line in errors:
        found.setdefault(Path(file).name, set()).add(line)
    return found
