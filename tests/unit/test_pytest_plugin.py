"""The fixtures: what they give a user's test, what fails it, and that they open nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

pytest_plugins = ("pytester",)

ATOMS = """
import atomizer, asyncio, pytest
from atomizer import Atomizer, Frame, Lane, MemoryConductor, Route, Settlement
from atomizer.testing import FaultKind, Plan, Step, current_clock, on_virtual_time

@atomizer.atom(id="plugin.nap")
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
"""


class Suite:
    """A user's project, whose tests are run in a pytest of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def run(self, tests: str, *arguments: str, ini: str = "asyncio_mode = auto") -> pytest.RunResult:
        """Run tests with the plugin, whether or not this Python has it installed."""
        self._pytester.makepyfile(ATOMS + tests)
        self._pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}")
        without = [f"-pno:{name}" for name in ("atomizer", "randomly", "sybil", "timeout", "cacheprovider")]
        return self._pytester.runpytest_inprocess(*without, "-patomizer.testing.pytest_plugin", *arguments)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    """Make a project."""
    return Suite(pytester)


def test_settings_let_an_hour_pass_on_the_virtual_clock(suite: Suite) -> None:
    """With one decorator, and no plugin for async tests."""
    result = suite.run("""
def test_nap(atomizer_settings, atomizer_clock):
    @on_virtual_time
    async def an_hour():
        async with Atomizer(nap, settings=atomizer_settings) as runtime:
            await runtime.run(nap.options(limit=7200), 3600)
        assert atomizer_clock.monotonic() == 3600.0 == current_clock().monotonic()
        assert atomizer_clock.utc_ns() == current_clock().utc_ns()
        with atomizer_clock.holding():
            assert await asyncio.to_thread(int) == 0

    an_hour()
""")

    result.assert_outcomes(passed=1)


def test_settings_draw_by_the_name_of_the_test(suite: Suite) -> None:
    """The same test has the same chance in every run, another one has another."""
    tests = """
@pytest.mark.parametrize("number", [1, 2])
def test_chance(atomizer_settings, number):
    print("drawn", number, atomizer_settings.random.random())
"""
    first, again = (drawn(suite.run(tests, "-s")) for _ in range(2))

    assert first == again
    assert first[0].split()[-1] != first[1].split()[-1]


def drawn(result: pytest.RunResult) -> list[str]:
    """Return what the tests of a project have drawn."""
    return [line[line.index("drawn") :] for line in result.outlines if "drawn" in line]


def test_clock_says_how_to_get_a_virtual_loop_where_there_is_none(suite: Suite) -> None:
    """The fixture can be asked for anywhere; reading it cannot."""
    result = suite.run("""
async def test_on_an_ordinary_loop(atomizer_clock):
    atomizer_clock.monotonic()
""")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not on a VirtualLoop: put the test on one with `on_virtual_time`*"])


def test_option_puts_tests_on_virtual_time_but_for_those_marked(suite: Suite) -> None:
    """One line in pytest's settings; a test that needs the wall's clock says so."""
    result = suite.run(
        """
async def test_on_virtual_time(atomizer_settings, atomizer_clock):
    async with Atomizer(nap, settings=atomizer_settings) as runtime:
        await runtime.run(nap, 3600)
    assert atomizer_clock.monotonic() == 3600.0

@pytest.mark.real_time
async def test_on_real_time():
    with pytest.raises(RuntimeError):
        current_clock()
""",
        "--strict-markers",
        ini="asyncio_mode = auto\natomizer_virtual_time = true",
    )

    result.assert_outcomes(passed=2)


def test_option_gives_way_to_a_hook_of_the_project(suite: Suite, pytester: pytest.Pytester) -> None:
    """Whoever says it himself is not overruled."""
    pytester.makeconftest("""
import asyncio
def pytest_asyncio_loop_factories(config, item):
    return {"own": asyncio.new_event_loop}
""")

    result = suite.run(
        """
async def test_on_the_projects_own_loop():
    with pytest.raises(RuntimeError):
        current_clock()
""",
        ini="asyncio_mode = auto\natomizer_virtual_time = true",
    )

    result.assert_outcomes(passed=1)


def test_option_without_pytest_asyncio_is_refused(suite: Suite) -> None:
    """Tests that silently run on another clock would be worse."""
    result = suite.run("def test_nothing(): pass", "-pno:asyncio", ini="atomizer_virtual_time = true")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*atomizer_virtual_time is for pytest-asyncio 1.4 or newer*"])


def test_without_the_option_tests_are_as_they_were(suite: Suite) -> None:
    """Who has atomizer installed has no other loops, and no other names of tests."""
    result = suite.run(
        """
async def test_as_ever():
    with pytest.raises(RuntimeError):
        current_clock()
""",
        "-v",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_as_ever PASSED*"])


VIOLATING = """
@on_virtual_time
async def acknowledge_too_early(conductor):
    async with conductor.connect() as connection:
        await connection.listen(Route(Lane.WORK, "add"), 1)
        await connection.send(Frame(Route(Lane.WORK, "add"), b"", "text/plain", "e1", reply_to="asker"))
        await connection.settle(await connection.receive(Lane.WORK), Settlement.ACK)
"""


def test_violation_in_a_ledger_fails_the_test(suite: Suite) -> None:
    """It has failed, and is no error of a fixture; whoever keeps the discipline passes."""
    result = suite.run(
        VIOLATING
        + """
def test_wrong(atomizer_recording_conductor):
    acknowledge_too_early(atomizer_recording_conductor())

@on_virtual_time
async def ask(conductor, settings):
    async with Atomizer(nap, conductor=conductor, settings=settings) as runtime:
        assert await runtime.run(nap, 1.0) == 1.0
    assert conductor.ledger.settled

def test_right(atomizer_recording_conductor, atomizer_settings):
    ask(atomizer_recording_conductor(MemoryConductor("mine")), atomizer_settings)
"""
    )

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*'e1' of 'work:add' was acknowledged before its answer was confirmed*"])


def test_violation_does_not_hide_why_a_test_failed(suite: Suite) -> None:
    """What the test says itself comes first."""
    result = suite.run(
        VIOLATING
        + """
def test_wrong_twice(atomizer_recording_conductor):
    acknowledge_too_early(atomizer_recording_conductor())
    raise AssertionError("its own reason")
"""
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: its own reason*"])


def test_faults_of_a_test_that_failed_are_shown_to_be_done_again(suite: Suite) -> None:
    """A plan is given, or a seed, or is the test's own; what it injected stands in the report."""
    result = suite.run("""
@on_virtual_time
async def ask(conductor, settings):
    async with Atomizer(nap, conductor=conductor, settings=settings) as runtime:
        return [await runtime.run(nap, 1.0) for _ in range(5)]

def test_shown(atomizer_faulty_conductor, atomizer_settings):
    conductor = atomizer_faulty_conductor(Plan.at((Step.SEND_WORK, 2, FaultKind.DELAY)), MemoryConductor("mine"))
    ask(conductor, atomizer_settings)
    assert conductor.name != "mine"

def test_seed(atomizer_faulty_conductor, atomizer_settings):
    by_seed = [atomizer_faulty_conductor(7) for _ in range(2)]
    assert [ask(each, atomizer_settings) for each in by_seed] == [[1.0] * 5] * 2
    assert [each.plan.hits for each in by_seed] == [by_seed[0].plan.hits] * 2

def test_own(atomizer_faulty_conductor, atomizer_settings):
    first, second = atomizer_faulty_conductor(), atomizer_faulty_conductor(sink=True)
    assert ask(first, atomizer_settings) == ask(second, atomizer_settings)
    assert first.plan.injected != second.plan.injected
""")

    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        ["* faults *", "<Plan: 1 of at most 1 faults, * steps>, again: Plan.at((Step.SEND_WORK, 2, FaultKind.DELAY))"]
    )


def test_plugin_and_kit_load_nothing_before_they_are_asked() -> None:
    """What is loaded before a tool that measures coverage has begun is not measured; and nobody pays for nothing."""
    program = "import atomizer.testing.pytest_plugin, sys; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30, cwd=ROOT
    )

    loaded = done.stdout.split()
    assert {name for name in loaded if name.startswith("atomizer")} == {
        *("atomizer", "atomizer._on_first_use", "atomizer.testing", "atomizer.testing.pytest_plugin")
    }
    assert not {"anyio", "hypothesis", "msgspec"}.intersection(loaded)


def test_kit_needs_neither_pytest_nor_hypothesis() -> None:
    """All its names but the fixtures and the strategies."""
    program = (
        "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None\n"
        "from atomizer.testing import *\n"
        "import atomizer.testing\n"
        "print(run_drills.__name__, conductor_checks.__name__, len(atomizer.testing.__all__))\n"
        "import atomizer.testing.strategies"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30, cwd=ROOT
    )

    assert done.stdout.split()[:2] == ["run_drills", "conductor_checks"]
    assert "needs hypothesis: pip install 'atomizer-engine[testing]'" in done.stderr
