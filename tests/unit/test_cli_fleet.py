"""`atomizer nodes` and `atomizer inspect`: a fleet as its nodes see themselves."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

import atomizer
from atomizer import Atomizer, Bond, MemoryConductor, Settings
from atomizer._cli.complaint import FINDING, NO_CONDUCTOR
from atomizer._cli.fleet import bonds_of, nodes_of
from atomizer._cli.visiting import at_runtime
from atomizer._cli.voice import Voice
from atomizer.cli import main
from atomizer.testing.clock import all_blocked, current_clock, on_virtual_time


@atomizer.atom(id="tests.cli.wait")
async def wait(bond: Bond) -> None:
    """Wait until cancelled."""
    bond.progress(1, 4, "at\nthe door")
    await asyncio.Event().wait()


def named(name: str) -> Settings:
    """Settings of a node by that name on the clock of this test."""
    return Settings(name=name, clock=current_clock())


@on_virtual_time
async def test_nodes_are_a_table_for_people() -> None:
    """One line for each, and the one that only looks is not among them."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub, settings=named("till-1")),
        Atomizer(conductor=hub, settings=named("shop"), serve=False),
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        found = await nodes_of(runtime, 1.0, as_json=False)

    heading, asker, till = (line.split("  ") for line in found.text.splitlines())
    assert found.is_sound
    assert [cell for cell in heading if cell][:2] == ["node", "state"]
    assert [cell for cell in till if cell][:3] == ["till-1", "running", "2030-01-01 00:00:00Z"]
    assert till[-1] == "ok"
    assert "only asks" in [cell.strip() for cell in asker]
    assert "looks" not in found.text


@on_virtual_time
async def test_node_that_is_paused_says_so_beside_its_state() -> None:
    """It runs, and takes nothing of something."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub, settings=named("till-1")) as server,
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        await server.pause(wait)
        found = await nodes_of(runtime, 1.0, as_json=False)

    assert "running, 1 paused" in found.text


@on_virtual_time
async def test_nodes_are_whole_reports_for_machines() -> None:
    """Fields that have their default too."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub, settings=named("till-1")),
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        found = await nodes_of(runtime, 1.0, as_json=True)

    [report] = json.loads(found.text)
    assert set(report) == set(atomizer.NodeReport.__struct_fields__)
    assert (report["node"], report["atoms"], report["failed"]) == ("till-1", ["tests.cli.wait"], 0)


@on_virtual_time
async def test_electrons_under_way_are_a_table_for_people() -> None:
    """With their progress in one line, whatever the atom said."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub, settings=named("till-1")),
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        nothing = await bonds_of(runtime, None, None, 1.0, as_json=False)
        handle = await runtime.send(wait.options(timeout=60.0))
        await all_blocked()
        found = await bonds_of(runtime, None, None, 1.0, as_json=False)
        await handle.cancel()
        missing = await bonds_of(runtime, "never", None, 1.0, as_json=False)

    heading, bond, said = found.text.splitlines()
    assert nothing[:2] == ("1 node answered: nothing is under way", True)
    assert heading.split() == [
        *("electron", "atom", "node", "state", "since", "deadline", "attempt", "progress", "parent")
    ]
    assert bond.split("  ")[0] == handle.electron_id
    assert "1 of 4, at the door" in bond
    assert "2030-01-01 00:01:01Z" in bond
    assert said == "1 node answered: 1 under way"
    assert missing[:2] == ("1 node answered: none has never", False)


@on_virtual_time
async def test_electrons_under_way_are_whole_reports_for_machines() -> None:
    """And the nodes that answered, so that none is not taken for nobody."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub, settings=named("till-1")),
        Atomizer(conductor=hub, settings=named("looks"), serve=False) as runtime,
    ):
        handle = await runtime.send(wait)
        await all_blocked()
        found = await bonds_of(runtime, handle.electron_id, "till-1", 1.0, as_json=True)
        await handle.cancel()

    said = json.loads(found.text)
    assert (said["nodes"], said["left_out"]) == (["till-1"], 0)
    assert set(said["bonds"][0]) == set(atomizer.BondReport.__struct_fields__)
    assert (said["bonds"][0]["note"], said["bonds"][0]["deadline_ns"]) == ("at\nthe door", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nodes"], "no node answered within 0.1 s\n"),
        (["nodes", "--json"], "[]\n"),
        (["inspect"], "0 nodes answered: nothing is under way\n"),
        (["inspect", "host-1"], "0 nodes answered: none has host-1\n"),
    ],
)
@pytest.mark.parametrize("spelling", ["--conductor", "--url"])
def test_nobody_there_is_a_finding(arguments: list[str], said: str, spelling: str) -> None:
    """In the memory of a process of its own nobody is, and that is noted."""
    ended = CliRunner().invoke(main, [*arguments, "--seconds", "0.1", spelling, "memory://tests-cli-fleet"])

    assert ended.exit_code == FINDING
    assert ended.stdout == said
    assert "the conductor is in the memory of this process" in ended.stderr


@pytest.mark.parametrize("command", ["nodes", "inspect"])
def test_conductor_that_is_unknown_is_one_line(command: str) -> None:
    """As for every command."""
    ended = CliRunner().invoke(main, [command, "--url", "memry://me:secret@x"])

    assert ended.exit_code == NO_CONDUCTOR
    assert "did you mean 'memory'?" in ended.stderr
    assert "secret" not in ended.stderr


def test_name_in_the_environment_is_left_to_the_node_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks from the shell of a node must not be taken for that node."""
    monkeypatch.setenv("ATOMIZER_NAME", "till-1")

    async def name_of(runtime: Atomizer) -> str:
        return runtime.name

    name = at_runtime("memory://tests-cli-fleet", name_of, Voice(print, print))

    assert name != "till-1"
