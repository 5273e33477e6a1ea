"""
The promises of the conductor contract, each as one named check that any conductor can be held to.

A conductor's author implements `Bench` and runs every check on it; with pytest that is

.. code-block:: python

    @pytest.mark.parametrize("check", conductor_checks(), ids=str)
    async def test_my_conductor_keeps_its_promises(check):
        await check.run(MyBench())

Nothing here needs pytest. A check waits within `Bench.patience`, and sleeps only to show that nothing comes.
"""

from __future__ import annotations

from . import (
    _check_capabilities,
    _check_death,
    _check_lanes,
    _check_life,
    _check_receiving,
    _check_sending,
    _check_settling,
)
from .bench import Bench, Check, CheckFailed

__all__ = ("Bench", "Check", "CheckFailed", "conductor_checks")


def conductor_checks() -> tuple[Check, ...]:
    """Return all checks. One that does not apply to a bench's capabilities holds by itself; see `Check.applies_to`."""
    return (
        *_check_life.CHECKS,
        *_check_receiving.CHECKS,
        *_check_settling.CHECKS,
        *_check_sending.CHECKS,
        *_check_lanes.CHECKS,
        *_check_death.CHECKS,
        *_check_capabilities.CHECKS,
    )
