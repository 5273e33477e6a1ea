"""`atomizer.run`, for scripts."""

from __future__ import annotations

import traceback

import pytest

import atomizer


@atomizer.atom(id="tests.script.broken")
async def broken() -> None:
    """Fail."""
    raise ValueError("no arm")


def test_a_failure_comes_without_the_search_for_a_loop() -> None:
    """What the atom raised is all that went wrong."""
    with pytest.raises(atomizer.AtomFailed, match="no arm") as caught:
        atomizer.run(broken)

    told = "".join(traceback.format_exception(caught.value))
    assert "no running event loop" not in told
    assert "During handling" not in told


async def test_a_loop_that_runs_already_is_told_what_to_say() -> None:
    """Two loops in a thread cannot be."""
    with pytest.raises(RuntimeError, match=r"await runtime\.run\(atom") as caught:
        atomizer.run(broken)

    assert caught.value.__context__ is None
