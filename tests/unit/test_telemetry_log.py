"""One line of a log for each electron."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

import atomizer
from atomizer import Atomizer, Bond, Settings
from atomizer.events import (
    AtomAbandoned,
    ConductorLost,
    ElectronBonded,
    ElectronCompleted,
    ElectronReceived,
    ElectronRequeued,
    ElectronRetried,
    EventsLost,
    LoopBlocked,
)
from atomizer.telemetry import _Lines, line_logger, log_electrons
from atomizer.testing.clock import current_clock, on_virtual_time

from .atoms import add, double, fail, hang

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Line = tuple[str, str, dict[str, Any]]


class Recording:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def info(self, event: str, /, **fields: Any) -> None:
        """Keep a line."""
        self.lines.append(("info", event, fields))

    def warning(self, event: str, /, **fields: Any) -> None:
        """Keep a line."""
        self.lines.append(("warning", event, fields))

    def error(self, event: str, /, **fields: Any) -> None:
        """Keep a line."""
        self.lines.append(("error", event, fields))


async def logged(runtime: Atomizer, ask: Callable[[], Awaitable[object]], **options: Any) -> list[Line]:
    """Log what a runtime does while it is asked, to its end."""
    logger = Recording()
    async with asyncio.TaskGroup() as group:
        group.create_task(log_electrons(runtime, logger, **options))
        async with runtime:
            await ask()
    return logger.lines


def log_of(*events: atomizer.Event) -> list[Line]:
    """Log events that nobody need make happen."""
    lines = _Lines()
    return [(line.level, line.text, line.fields) for event in events if (line := lines.of(event)) is not None]


@atomizer.atom(id="logged.sleep")
async def sleep(seconds: float) -> str:
    """Take its time."""
    await asyncio.sleep(seconds)
    return "what it returned"


@on_virtual_time
async def test_electron_that_completes_is_one_line() -> None:
    """With where, what, which attempt, and how long; and nothing of what it carried or returned."""
    runtime = Atomizer(sleep, settings=Settings(clock=current_clock(), name="till-1"))
    lines = await logged(runtime, lambda: runtime.run(sleep.options(id="7"), 3.0))

    ids = {"node": "till-1", "conductor": "memory", "atom_id": "logged.sleep", "electron_id": "7", "attempt": 1}
    assert lines == [("info", "electron completed", {**ids, "outcome": "completed", "seconds": 3.0})]


@on_virtual_time
async def test_each_way_to_end_is_one_line_with_its_own_level() -> None:
    """Failed, refused, cancelled, over its time."""
    runtime = Atomizer(add, fail, hang, settings=Settings(clock=current_clock()))

    async def ask() -> None:
        for atom, payload in (("tests.fail", "seven"), ("tests.add", {"a": "one"}), ("tests.nobody", 1)):
            with pytest.raises(atomizer.AtomFailed):
                await runtime.run(atom, payload)
        with pytest.raises(atomizer.AtomTimedOut):
            await runtime.run(hang.options(limit=2.0))
        handle = await runtime.send(hang)
        await asyncio.sleep(1)
        await handle.cancel()
        await handle.properties()

    lines = await logged(runtime, ask)

    assert [(level, said["outcome"], said.get("failure"), said.get("seconds")) for level, _, said in lines] == [
        ("error", "failed", "failed", 0.0),
        ("error", "refused", "payload_refused", 0.0),
        ("error", "failed", "timed_out", 2.0),
        ("info", "cancelled", None, 1.0),
    ]
    assert lines[0][2]["error"] == "builtins.ValueError: seven"
    assert lines[3][2]["ending"] == "stopped"


@on_virtual_time
async def test_attempt_that_is_tried_again_is_a_line_of_its_own() -> None:
    """With the pause until then."""

    @atomizer.atom(id="logged.second_time", options=atomizer.Options(retry=atomizer.Retry(attempts=3)))
    async def second_time(bond: Bond) -> int:
        if bond.attempt < 2:
            raise ConnectionError("token=geheim")
        return bond.attempt

    runtime = Atomizer(second_time, settings=Settings(clock=current_clock()))
    lines = await logged(runtime, lambda: runtime.run(second_time))

    assert [(level, said["outcome"], said["attempt"]) for level, _, said in lines] == [
        ("warning", "retried", 1),
        ("info", "completed", 2),
    ]
    assert lines[0][2]["error"] == "builtins.ConnectionError: token=***"
    assert lines[0][2]["pause"] > 0


async def test_no_line_has_a_payload_a_result_or_a_traceback() -> None:
    """Whatever became of the electron."""
    runtime = Atomizer(add, double, fail)

    async def ask() -> None:
        await runtime.run(double, 123456789)
        for payload in ({"a": 123456789, "b": "x"}, "123456789"):
            with pytest.raises(atomizer.AtomFailed):
                await runtime.run("tests.add", payload)
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(fail, "said")

    text = str(await logged(runtime, ask))

    assert text.count("outcome") == 4
    assert "123456789" not in text
    assert "246913578" not in text
    assert "Traceback" not in text


async def test_what_an_atom_raised_is_masked_and_one_line() -> None:
    """Its author may have put anything into it."""
    runtime = Atomizer(fail)

    async def ask() -> None:
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(fail, "no way to amqp://me:geheim@host/\nlevel=info token=geheim \x1b[2J")

    [(_, _, said)] = await logged(runtime, ask)

    assert said["error"] == ("builtins.ValueError: no way to amqp://me:***@host/\\nlevel=info token=*** \\x1b[2J")


def test_ids_are_one_line_too() -> None:
    """They come from anywhere."""
    [(_, _, said)] = log_of(ElectronCompleted(electron_id="1\nforged", atom_id="a\x1b[0m"))

    assert (said["electron_id"], said["atom_id"]) == ("1\\nforged", "a\\x1b[0m")


def test_every_other_error_is_a_line_and_nothing_else_is() -> None:
    """A conductor that broke, an atom that would not stop."""
    lines = log_of(
        ElectronReceived(electron_id="1"),
        ConductorLost(conductor="amqp", error="amqp://me:geheim@host is away"),
        AtomAbandoned(electron_id="1", error="told to stop: timed_out"),
        ElectronRequeued(electron_id="2", reason="this node stops"),
        ElectronRetried(electron_id="3", attempt=2, failure="failed", error="ValueError: x", pause=0.5),
        LoopBlocked(seconds=0.3, coroutine="shop.total", file="shop.py", line=7),
    )

    assert [(level, text) for level, text, _ in lines] == [
        ("error", "conductor lost"),
        ("error", "atom abandoned: it does not end when it is cancelled"),
        ("warning", "electron given back"),
        ("warning", "electron failed, and is tried again"),
        ("error", "event loop blocked"),
    ]
    assert lines[0][2]["error"] == "amqp://me:***@host is away"
    assert [said.get("kind") for *_, said in lines] == ["disconnected", "abandoned", None, None, "blocked"]
    assert lines[2][2]["reason"] == "this node stops"
    assert lines[3][2]["pause"] == 0.5
    assert (lines[4][2]["file"], lines[4][2]["line"], lines[4][2]["seconds"]) == ("shop.py", 7, 0.3)


def test_lost_events_are_told_and_what_they_began_is_forgotten() -> None:
    """The ends may be among what was lost, and nothing may grow for it."""
    lines = log_of(
        ElectronBonded(electron_id="1"),
        EventsLost(dropped=3),
        ElectronCompleted(electron_id="1"),
    )

    assert lines[0][:2] == ("warning", EventsLost(dropped=3).message)
    assert lines[0][2]["dropped"] == 3
    assert "seconds" not in lines[1][2]


class Slow(Recording):
    """A logger that stands still until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.stands = threading.Event()
        self.may_go_on = threading.Event()

    def info(self, event: str, /, **fields: Any) -> None:
        """Keep a line, after a while."""
        self.stands.set()
        assert self.may_go_on.wait(30)
        super().info(event, **fields)


async def test_slow_logger_holds_up_nobody_and_is_told_what_it_missed() -> None:
    """I10, I12: the oldest lines are dropped and counted."""
    logger, runtime = Slow(), Atomizer(add, double)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(log_electrons(runtime, logger, buffer=2))
            async with runtime:
                await runtime.run(add, 0, 0)
                await asyncio.to_thread(logger.stands.wait, 30)
                results = [await runtime.run(double, number) for number in range(10)]
                while runtime.statistics().completed < 11:
                    await asyncio.sleep(0)
            logger.may_go_on.set()
    finally:
        logger.may_go_on.set()

    dropped = [said["dropped"] for level, _, said in logger.lines if level == "warning"]
    written = [text for level, text, _ in logger.lines if level == "info"]
    assert results == list(range(0, 20, 2))
    assert len(written) + sum(dropped) == 11
    assert dropped == [8]


class Broken(Recording):
    """A logger whose disk is full."""

    def info(self, event: str, /, **fields: Any) -> None:
        """Raise."""
        raise OSError("the disk is full")


async def test_what_the_logger_raises_comes_as_it_is() -> None:
    """To whoever awaits the log: nothing is swallowed, and no electron hears of it."""
    runtime = Atomizer(add)
    logging = log_electrons(runtime, Broken())
    async with runtime:
        assert await runtime.run(add, 1, 2) == 3
        with pytest.raises(OSError, match="the disk is full"):
            await logging
        assert await runtime.run(add, 1, 2) == 3


async def test_log_that_is_cancelled_listens_no_more() -> None:
    """And events cost nothing again."""
    async with Atomizer(add) as runtime:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(log_electrons(runtime, Recording()))
            await runtime.run(add, 1, 2)
            task.cancel()
        del task, group
        gc.collect()

        assert not runtime._broadcast.listening


async def test_without_a_logger_structlogs_own_is_used() -> None:
    """As the application has configured it."""
    runtime = Atomizer(add)
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(log_electrons(runtime))
            async with runtime:
                await runtime.run(add, 1, 2)

    assert [(line["log_level"], line["event"], line["atom_id"]) for line in lines] == [
        ("info", "electron completed", "tests.add")
    ]


@pytest.mark.parametrize("style", ["console", "json"])
async def test_line_logger_writes_finished_lines_and_configures_nothing(style: Any) -> None:
    """Structlog's configuration is the application's."""
    before = structlog.get_config()
    lines: list[str] = []
    runtime = Atomizer(add, fail)
    async with asyncio.TaskGroup() as group:
        group.create_task(log_electrons(runtime, line_logger(lines.append, style)))
        async with runtime:
            await runtime.run(add, 1, 2)
            await (await runtime.send(fail, "seven")).properties()

    assert structlog.get_config() == before
    assert len(lines) == 2
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    if style == "json":
        first, second = (json.loads(line) for line in lines)
        assert (first["level"], first["event"], first["outcome"]) == ("info", "electron completed", "completed")
        assert (second["level"], second["failure"]) == ("error", "failed")
        assert first["timestamp"].endswith("Z")
    else:
        assert "electron completed" in lines[0]
        assert "error=builtins.ValueError: seven" in lines[1].replace("'", "")


def test_log_without_room_for_a_line_is_refused() -> None:
    """It could only count."""
    with pytest.raises(ValueError, match="buffer=0"):
        log_electrons(Atomizer(), buffer=0).close()


@pytest.mark.parametrize("logger", [logging.getLogger("x"), logging.LoggerAdapter(logging.getLogger("x"))], ids=str)
def test_logger_that_takes_no_fields_is_refused(logger: Any) -> None:
    """Before the first line is to be written."""
    with pytest.raises(TypeError, match="as any logger of structlog's"):
        log_electrons(Atomizer(add), logger)
