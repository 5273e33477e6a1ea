"""`atomizer events`: a fleet's events, line by line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

import atomizer
from atomizer import Atomizer, MemoryConductor, Settings
from atomizer._cli.complaint import NO_CONDUCTOR, USAGE, Complaint
from atomizer._cli.voice import Unwritable
from atomizer._cli.watching import Watch, watch
from atomizer.cli import main
from atomizer.testing.clock import all_blocked, current_clock, on_virtual_time
from tests.architecture.sources import ROOT


@atomizer.atom(id="tests.cli.halve")
async def halve(number: int) -> int:
    """Halve what is even."""
    if number % 2:
        raise ValueError(f"{number}\nis odd")
    return number // 2


def named(name: str) -> Settings:
    """Settings of a node by that name on the clock of this test."""
    return Settings(name=name, clock=current_clock())


async def watched(wanted: Watch, *numbers: int, as_json: bool = False) -> list[str]:
    """Watch a node that is asked to halve numbers, and return the lines."""
    hub, lines = MemoryConductor(name="shop"), list[str]()
    async with (
        Atomizer(halve, conductor=hub, settings=named("till-1")) as server,
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(watch(runtime, wanted, lines.append, as_json=as_json))
        await all_blocked()
        for number in numbers:
            await (await server.send(halve.options(id=f"e-{number}"), number)).properties()
        await asyncio.sleep(1.0)
        runtime.stop()
    return lines


@on_virtual_time
async def test_event_is_a_line_for_people() -> None:
    """When, where, and the text form; in one line, whatever an exception says."""
    lines = await watched(Watch(kinds=("completed", "failed")), 2, 3)

    completed, failed = lines
    assert completed == "2030-01-01 00:00:00Z till-1 [cid:shop | aid:tests.cli.halve | eid:e-2] electron completed"
    assert failed == (
        "2030-01-01 00:00:00Z till-1 atomizer error [cid:shop | aid:tests.cli.halve | eid:e-3] "
        "electron failed | internal: (builtins.ValueError: 3 is odd)"
    )


@on_virtual_time
async def test_event_is_an_object_for_machines() -> None:
    """With its kind and its number."""
    lines = await watched(Watch(kinds=("completed",)), 2, as_json=True)

    [said] = [json.loads(line) for line in lines]
    assert (said["kind"], said["node"], said["seq"], said["electron_id"]) == ("completed", "till-1", 1, "e-2")


@on_virtual_time
@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Watch(errors=True), ["e-3", "e-5"]),
        (Watch(kinds=("completed",)), ["e-2", "e-4"]),
        (Watch(electron="e-4", kinds=("completed", "failed")), ["e-4"]),
        (Watch(atom="tests.other"), []),
        (Watch(errors=True, most=1), ["e-3"]),
    ],
    ids=str,
)
async def test_only_what_is_asked_for_is_written(wanted: Watch, ids: list[str]) -> None:
    """By kind, atom, electron and number."""
    lines = await watched(wanted, 2, 3, 4, 5, as_json=True)

    assert [json.loads(line)["electron_id"] for line in lines] == ids


@on_virtual_time
async def test_node_that_only_watches_does_not_watch_itself() -> None:
    """What it does to see the others is nobody's question."""
    lines = await watched(Watch(), 2)

    assert lines
    assert not [line for line in lines if " looks " in line]


@on_virtual_time
async def test_line_that_cannot_be_written_ends_it() -> None:
    """As in `| head`: nobody is left to read the next one."""

    def say(line: str) -> None:
        raise Unwritable(BrokenPipeError())

    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("till-1")) as server,
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        watching = asyncio.get_running_loop().create_task(watch(runtime, Watch(), say, as_json=False))
        await all_blocked()
        await server.run(halve, 2)
        with pytest.raises(Unwritable):
            await watching


@on_virtual_time
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Watch(kinds=("fialed",)), "no kind of event is named 'fialed': did you mean 'failed'"),
        (Watch(errors=True, kinds=("failed",)), "--errors is everything that goes wrong"),
    ],
)
async def test_what_cannot_be_watched_is_wrong_usage(wanted: Watch, said: str) -> None:
    """With what was probably meant."""
    with pytest.raises(Complaint) as caught:
        await watch_alone(wanted)

    assert caught.value.exit_code == USAGE
    assert said in str(caught.value)


async def watch_alone(wanted: Watch) -> None:
    """Watch nobody."""
    async with Atomizer(settings=named("looks"), serve=False) as runtime:
        await watch(runtime, wanted, print, as_json=False)


def test_conductor_that_is_unknown_is_one_line() -> None:
    """As for every command."""
    ended = CliRunner().invoke(main, ["events", "--url", "memry://me:secret@x"])

    assert ended.exit_code == NO_CONDUCTOR
    assert "did you mean 'memory'?" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it(number: int) -> None:
    """It has done what it was told to, so that is no failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATOMIZER_")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert "electron failed" in line, errors
    assert process.returncode == 0, errors


PROGRAM = """
import asyncio, atomizer
from atomizer._cli.watching import Watch, watch

@atomizer.atom(id="tests.fail")
async def fail(): raise ValueError("no")

async def main():
    hub = atomizer.MemoryConductor()
    async with (
        atomizer.Atomizer(fail, conductor=hub) as server,
        atomizer.Atomizer(conductor=hub, serve=False) as runtime,
        asyncio.TaskGroup() as group,
    ):
        watching = watch(runtime, Watch(errors=True), lambda line: print(line, flush=True), as_json=False)
        group.create_task(watching)
        await asyncio.sleep(0)
        await (await server.send(fail)).properties()

asyncio.run(main())
"""


@on_virtual_time
async def test_what_was_lost_is_not_counted() -> None:
    """So many events were asked for, and that some are missing is none of them."""
    hub, lines = MemoryConductor(name="shop"), list[str]()
    looks = Settings(name="looks", clock=current_clock(), event_ring=2)
    async with (
        Atomizer(halve, conductor=hub, settings=named("till-1")) as server,
        Atomizer(conductor=hub, settings=looks, serve=False) as runtime,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(watch(runtime, Watch(kinds=("completed",), most=2), lines.append, as_json=True))
        await all_blocked()
        for number in range(0, 20, 2):  # in one batch, and the reader keeps two
            await server.run(halve, number)
        await asyncio.sleep(1.0)

    assert [json.loads(line)["kind"] for line in lines] == ["lost", "completed", "completed"]
