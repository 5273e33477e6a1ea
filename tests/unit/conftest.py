"""What tests of the command line share: a project of its own for each, in a folder of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Project(Protocol):
    """Writes a project into the current folder."""

    def __call__(self, **files: str) -> Path:
        """Write files, named by their paths with `__` for a slash and without `.py`, and return the folder."""
        ...


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Make a project that is the current folder, and forget its modules afterwards."""

    def write(**files: str) -> Path:
        for name, code in files.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(code)
        return tmp_path

    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)  # put back with everything that is put before it
    monkeypatch.chdir(tmp_path)
    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
