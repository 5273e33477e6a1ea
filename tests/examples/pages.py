"""
How the blocks of a page of documentation are run.

- A ``python`` block runs in the page's own module, after the blocks above it. What it prints stands in a ``text`` block
  straight beneath it. A block that begins with ``>>>`` is a doctest.
- A ``python`` block whose first line is a comment with a file's name, like ``# first.py``, is written to that file, and
  not run: a command further down does that.
- Each ``$`` line of a ``console`` block runs in the page's own folder. The lines after it are what it prints, if there
  are any.

An ellipsis (…) in what is printed stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sybil import Document
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

if TYPE_CHECKING:
    from collections.abc import Collection

    from sybil import Example

__all__ = ("commands_of", "languages_of", "run_page")

ROOT = Path(__file__).resolve().parents[2]

_FILE_NAME = re.compile(r"# (\w+\.py)\n")
_SHOWN_BENEATH = re.compile(r"\s*```text\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^\s*```(.*)$", re.MULTILINE)


def run_page(path: Path, folder: Path, not_run: Collection[str] = ()) -> None:
    """Run every block of a page, with its files in `folder`; the first that does not do what it shows raises."""
    document = Document.parse(str(path), PythonCodeBlockParser(), CodeBlockParser("console", lambda _: None))
    module = ModuleType(path.stem.lower().replace("-", "_"))
    document.namespace = module.__dict__
    sys.modules[module.__name__] = module  # atoms and structs of the page are looked up here
    try:
        for example in document.examples():
            _run_block(example, folder, not_run)
    finally:
        del sys.modules[module.__name__]


def _run_block(example: Example, folder: Path, not_run: Collection[str]) -> None:
    language = example.region.lexemes.get("arguments")
    file_name = _FILE_NAME.match(str(example.parsed))
    if language == "console":
        _run_commands(example, folder, not_run)
    elif language == "python" and file_name:
        (folder / file_name[1]).write_text(example.parsed)
    elif language == "python":
        _run_python(example)
    else:
        example.evaluate()


def _run_python(example: Example) -> None:
    with redirect_stdout(StringIO()) as printed:
        example.evaluate()
    beneath = _SHOWN_BENEATH.match(example.document.text, example.end)
    _compare(example, printed.getvalue(), beneath[1] if beneath else "")


def _run_commands(example: Example, folder: Path, not_run: Collection[str]) -> None:
    for command, shown in _commands(example.parsed):
        if command not in not_run:
            printed = _run_command(command, folder)
            _compare(example, printed, shown or printed)


def _run_command(command: str, folder: Path) -> str:
    """Run a command as a reader would, who has the environment of these tests and stands in `folder`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, f"`{command}` ended with {done.returncode}: {done.stderr}"
    return done.stdout


def _compare(example: Example, printed: str, shown: str) -> None:
    pattern = re.escape(shown.strip()).replace("…", ".*")
    same = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    assert same, f"{example.path}:{example.line} prints\n{printed}\nand the page shows\n{shown or '(nothing)'}"


def commands_of(path: Path) -> list[str]:
    """Return the commands in a page's console blocks."""
    return [command for block in _CONSOLE.findall(path.read_text()) for command, _ in _commands(block)]


def _commands(block: str) -> list[tuple[str, str]]:
    """Split a console block into its commands, each with what it shows beneath."""
    found = []
    for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = entry.partition("\n")
        found.append((command.strip(), shown))
    return found


def languages_of(path: Path) -> list[str]:
    """Return the language of each block of a page."""
    return _FENCE.findall(path.read_text())[::2]
