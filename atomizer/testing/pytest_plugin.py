"""
Fixtures for tests of atoms, which pytest has wherever atomizer is installed.

They open nothing: no runtime, no connection, no event loop. A test opens its runtimes in its own body.

.. code-block:: python

    async def test_add(atomizer_settings, atomizer_recording_conductor):
        conductor = atomizer_recording_conductor()
        async with Atomizer(add, conductor=conductor, settings=atomizer_settings) as runtime:
            assert await runtime.run(add, 1, 2) == 3

With `atomizer_virtual_time = true` in pytest's settings, pytest-asyncio runs every test on a `VirtualLoop`, but for
those that are marked `real_time`.

Whoever has atomizer loads this module with every run of pytest, so it imports the rest of the kit when a fixture is
asked for, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Mapping

    from ..conductor import Conductor
    from ..settings import Settings
    from .faults import FaultyConductor
    from .plan import Plan
    from .record import RecordingConductor
    from .running_clock import RunningClock

__all__ = (
    "MakeFaultyConductor",
    "MakeRecordingConductor",
    "atomizer_clock",
    "atomizer_faulty_conductor",
    "atomizer_recording_conductor",
    "atomizer_settings",
)


@pytest.fixture
def atomizer_clock() -> RunningClock:
    """
    The clock of the virtual loop that the test runs on.

    Reading it raises `RuntimeError` on any other loop; the message says how to get a virtual one.
    """
    from .running_clock import RunningClock  # noqa: PLC0415  # as all of the kit, here and below: see the top

    return RunningClock()


@pytest.fixture
def atomizer_settings(atomizer_clock: RunningClock, request: pytest.FixtureRequest) -> Settings:
    """Settings on the virtual clock, whose chance is the test's own: the same in every run, whatever runs before."""
    from random import Random  # noqa: PLC0415

    from ..settings import Settings  # noqa: PLC0415

    return Settings(clock=atomizer_clock, random=Random(request.node.nodeid))


class MakeFaultyConductor(Protocol):
    """Makes conductors that fail by plan."""

    def __call__(
        self, plan: Plan | int | None = None, inner: Conductor | None = None, *, sink: bool = False
    ) -> FaultyConductor:
        """
        Make one.

        Args:
            plan: What goes wrong, or the seed of it; None means a plan of the test's own.
            inner: The conductor that does the work; None means one in memory.
            sink: As `FaultyConductor` takes it.
        """
        ...


@pytest.fixture
def atomizer_faulty_conductor(request: pytest.FixtureRequest) -> MakeFaultyConductor:
    """What makes conductors that fail by plan. A test that fails shows what was injected, to be done again."""
    plans = request.node.stash.setdefault(_PLANS, [])

    def make(plan: Plan | int | None = None, inner: Conductor | None = None, *, sink: bool = False) -> FaultyConductor:
        from ..memory import MemoryConductor  # noqa: PLC0415
        from .faults import FaultyConductor, Plan  # noqa: PLC0415

        if plan is None:
            plan = _seed_of(f"{request.node.nodeid} {len(plans)}")
        if isinstance(plan, int):
            plan = Plan.from_seed(plan)
        plans.append(plan)
        return FaultyConductor(inner or MemoryConductor(), plan, sink=sink)

    return make


class MakeRecordingConductor(Protocol):
    """Makes conductors that keep a ledger."""

    def __call__(self, inner: Conductor | None = None) -> RecordingConductor:
        """
        Make one.

        Args:
            inner: The conductor that does the work; None means one in memory.
        """
        ...


@pytest.fixture
def atomizer_recording_conductor(request: pytest.FixtureRequest) -> MakeRecordingConductor:
    """What makes conductors that keep a ledger. A test whose ledgers show a violation has failed."""
    recording = request.node.stash.setdefault(_RECORDING, [])

    def make(inner: Conductor | None = None) -> RecordingConductor:
        from ..memory import MemoryConductor  # noqa: PLC0415
        from .record import RecordingConductor  # noqa: PLC0415

        conductor = RecordingConductor(inner or MemoryConductor())
        recording.append(conductor)
        return conductor

    return make


_PLANS = pytest.StashKey["list[Plan]"]()
_RECORDING = pytest.StashKey["list[RecordingConductor]"]()


def _seed_of(name: str) -> int:
    from random import Random  # noqa: PLC0415

    return Random(name).getrandbits(32)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose ledgers show a violation, and show what was injected into one that fails."""
    try:
        result = yield
        violations = _violations(item)
        if violations:
            pytest.fail("\n  ".join(("the discipline of the ledger was broken:", *violations)), pytrace=False)
    except BaseException:
        _show_faults(item)
        raise
    return result


def _violations(item: pytest.Item) -> list[str]:
    return [sentence for each in item.stash.get(_RECORDING, ()) for sentence in each.ledger.violations()]


def _show_faults(item: pytest.Item) -> None:
    for plan in item.stash.get(_PLANS, ()):
        again = ", ".join(f"(Step.{each.step.name}, {each.nth}, FaultKind.{each.kind.name})" for each in plan.injected)
        item.add_report_section("call", "faults", f"{plan!r}, again: Plan.at({again})")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a project put its tests on virtual time."""
    parser.addini(
        "atomizer_virtual_time", "have pytest-asyncio run tests on a virtual loop", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """
    Put the tests of pytest-asyncio on virtual time, if that is asked for.

    Raises:
        pytest.UsageError: There is no pytest-asyncio that could.
    """
    config.addinivalue_line("markers", "real_time: with atomizer_virtual_time, run this test on an ordinary loop")
    if not config.getini("atomizer_virtual_time"):
        return
    if not hasattr(config.hook, "pytest_asyncio_loop_factories"):
        raise pytest.UsageError("atomizer_virtual_time is for pytest-asyncio 1.4 or newer: install it, or leave it out")
    config.pluginmanager.register(_VirtualTime(), "atomizer_virtual_time")


class _VirtualTime:
    """What says to pytest-asyncio which loop a test is to have."""

    @pytest.hookimpl(trylast=True)
    def pytest_asyncio_loop_factories(self, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Name one kind of loop. A hook in the project's own conftest.py comes first."""
        from asyncio import new_event_loop  # noqa: PLC0415

        from .clock import VirtualLoop  # noqa: PLC0415

        return {"virtual": VirtualLoop} if item.get_closest_marker("real_time") is None else {"real": new_event_loop}
