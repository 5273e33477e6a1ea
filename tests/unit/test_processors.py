"""How many processors a process may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atomizer.processors import usable_cpus

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("quota", "share"), [("50000 100000", 0.5), ("max 100000", None), ("", None)])
def test_processors_are_no_more_than_the_quota(tmp_path: Path, quota: str, share: float | None) -> None:
    """A container may be scheduled on all of them, and run on half of one."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)

    assert usable_cpus(file) == (share or usable_cpus(tmp_path / "none"))
