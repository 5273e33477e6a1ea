"""What the simulation prints when it is done."""

from __future__ import annotations

import pytest

MATRIX = pytest.StashKey[list[str]]()
"""The table of the fault matrix."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print how often each fault happened at each step."""
    if rows := config.stash.get(MATRIX, None):
        terminalreporter.section("fault matrix: how often each fault happened at each step")
        for row in rows:
            terminalreporter.line(row)
