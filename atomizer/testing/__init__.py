"""
The public test kit: what a conductor's author and an application's tests need.

Its names are loaded when they are asked for. Two modules are none of them, for what they import may not be installed:
`atomizer.testing.strategies`, which needs hypothesis, and `atomizer.testing.pytest_plugin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bench import Bench, Check, CheckFailed
    from .clock import VirtualClock, VirtualLoop, all_blocked, current_clock, on_virtual_time, run
    from .conductor_checks import conductor_checks
    from .drills import Drill, DrillFailed, Fault, run_drills
    from .faults import FaultyConductor
    from .ledger import Ledger
    from .plan import FaultKind, Plan, Step
    from .record import RecordingConductor
    from .running_clock import RunningClock

__all__ = (
    "Bench",
    "Check",
    "CheckFailed",
    "Drill",
    "DrillFailed",
    "Fault",
    "FaultKind",
    "FaultyConductor",
    "Ledger",
    "Plan",
    "RecordingConductor",
    "RunningClock",
    "Step",
    "VirtualClock",
    "VirtualLoop",
    "all_blocked",
    "conductor_checks",
    "current_clock",
    "on_virtual_time",
    "run",
    "run_drills",
)

if not TYPE_CHECKING:
    from .._on_first_use import load_on_first_use

    load_on_first_use(
        __name__,
        ("bench", "plan", "clock", "running_clock", "ledger", "record", "faults", "conductor_checks", "drills"),
    )
