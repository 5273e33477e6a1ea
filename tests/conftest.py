"""What all tests share: the event loop, the depth of property tests, and what a skipped test means."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    Reporting = Generator[None, pytest.TestReport, pytest.TestReport]
    CollectReporting = Generator[None, pytest.CollectReport, pytest.CollectReport]

ON_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if ON_CI else "desk")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller choose the event loop."""
    parser.addoption("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="event loop of the async tests")


def pytest_asyncio_loop_factories(config: pytest.Config) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give the async tests the event loop that was asked for."""
    if config.getoption("--loop") == "asyncio":
        return {"asyncio": asyncio.new_event_loop}
    import uvloop  # noqa: PLC0415  # not there on every platform

    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Reporting:
    """On CI, a test that skips without leave has failed: what is not tried there is tried nowhere."""
    report = yield
    if ON_CI and report.skipped and not hasattr(report, "wasxfail") and not item.get_closest_marker("may_skip_on_ci"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped on CI, and is not marked `may_skip_on_ci`: {reason_of(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> CollectReporting:
    """On CI, a whole module that skips has failed too."""
    report = yield
    if ON_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skipped on CI: {reason_of(report)}"
    return report


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Say why a test was skipped, in the words of the skip."""
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
