"""`atomizer dead`: what lies there, as people and machines read it; and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from atomizer import Atomizer, DeadLetter, Failure, MemoryConductor
from atomizer._cli.complaint import FINDING, NO_CONDUCTOR, USAGE
from atomizer._cli.dead import Chosen, replay_letters
from atomizer.cli import main

from .atoms import add, fail
from .letters import UNCLAIMED_ROUTE, ids_lying, lay, letter, unclaimed

if TYPE_CHECKING:
    from click.testing import Result

URL = "memory://tests-cli-dead"

FAILED = Failure(
    kind="failed", type="shop.Sold", message="all 3\n\x1b[31mgone", trace="Traceback\n  in buy\n", node="n1"
)


@pytest.fixture(autouse=True)
def hub() -> MemoryConductor:
    """Make the hub of this file's URL, and empty it."""
    MemoryConductor._shared.pop("tests-cli-dead", None)
    return MemoryConductor.from_url(URL)


def laid(hub: MemoryConductor, *letters: DeadLetter | bytes, **more: Any) -> None:
    """Lay letters down, on a loop that is gone when the command runs."""
    asyncio.run(lay(hub, *letters, **more))


def dead(*arguments: str) -> Result:
    """Type a command."""
    return CliRunner().invoke(main, ["dead", *arguments, "--conductor", URL])


def test_letters_are_a_table_for_people(hub: MemoryConductor) -> None:
    """One line each, whatever stands in them, and no payload."""
    laid(hub, letter("e1", failures=(FAILED,), attempts=3, died_ns=10**18), letter("e2", "shop.buy", reason="poison"))

    ended = dead("list")

    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        "died                  electron  atom       reason  tried  last failure",
        "2001-09-09 01:46:40Z  e1        tests.add  failed  3      Sold: all 3 \\x1b[31mgone (n1)",
        "                      e2        shop.buy   poison  1",
    ]
    assert ended.stderr.startswith("note: the conductor is in the memory of this process")


def test_a_long_failure_is_cut_in_the_table(hub: MemoryConductor) -> None:
    """The rest is where one letter is shown."""
    laid(hub, letter("e1", failures=(Failure(kind="failed", message="x" * 200),)))

    assert dead("list").stdout.endswith(f"{'x' * 71}…\n")


def test_letters_are_objects_for_machines(hub: MemoryConductor) -> None:
    """With everything but what is in them."""
    laid(hub, letter("e1", failures=(FAILED,), died_ns=10**18), letter("e2"))

    ended = dead("list", "--json", "--limit", "1")

    [said] = json.loads(ended.stdout)
    assert said["electron_id"] == "e1"
    assert said["failures"][0]["message"] == "all 3\n\x1b[31mgone"
    assert said["died"] == "2001-09-09T01:46:40+00:00"
    assert said["died_ns"] == 10**18
    assert said["size_bytes"] > 0
    assert "body" not in said
    of_memory, of_limit = (json.loads(line) for line in ended.stderr.splitlines())
    assert of_memory["kind"] == "note"
    assert of_limit == {"kind": "note", "text": "the oldest 1; there may be more (--limit)"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "e1\n"),
        (("--limit", "1"), "the oldest 1; there may be more (--limit)\n"),
        (("--atom", "shop.buy"), "nothing of that lies there\n"),
        (("--unclaimed",), "nothing lies there\n"),
    ],
)
def test_what_is_listed_can_be_chosen(hub: MemoryConductor, arguments: tuple[str, ...], said: str) -> None:
    """And it is said where there may be more."""
    laid(hub, letter("e1"), letter("e2"))

    ended = dead("list", *arguments)

    assert ended.exit_code == 0
    assert said.strip() in ended.stdout


def test_a_letter_is_shown_with_its_payload(hub: MemoryConductor) -> None:
    """And with each failure and its traceback."""
    laid(hub, letter("e1", failures=(FAILED,), attempts=3, route="shop"))

    shown = dead("show", "e1")

    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert "electron_id   e1" in lines
    assert "route         shop" in lines
    assert "failure 1     Sold: all 3 \\x1b[31mgone (n1)" in lines
    assert "    in buy" in lines
    assert shown.stdout.endswith('payload       application/json\n{\n  "a": 1,\n  "b": 2\n}\n')


def test_a_letter_is_shown_to_machines(hub: MemoryConductor) -> None:
    """With the electron in it; what is not there has an entry too."""
    laid(hub, letter("e1"))

    shown = dead("show", "e1", "e3", "--json")

    entry, missing = json.loads(shown.stdout)
    assert shown.exit_code == FINDING
    assert entry["electron"]["payload"] == {"a": 1, "b": 2}
    assert entry["electron"]["sender"] == "gone"
    assert missing == {"error": missing["error"]}
    assert "did you mean 'e1'?" in missing["error"]


def test_bytes_are_shown_by_their_length(hub: MemoryConductor) -> None:
    """What says it is JSON and is not is bytes too; base64 has an end."""
    raw = {"content_type": "application/octet-stream"}
    laid(hub, letter("e1", payload=bytes(1_000), electron=raw), letter("e2", payload=b"{"))

    people, machines = dead("show", "e1"), dead("show", "e1", "e2", "--json")

    assert "payload       application/octet-stream, 1,000 bytes\n  AAAA" in people.stdout
    assert people.stdout.endswith("A\n  …\n")
    first, second = (entry["electron"]["payload"] for entry in json.loads(machines.stdout))
    assert (first["size_bytes"], len(first["base64"])) == (1_000, 1_336)
    assert second == {"size_bytes": 1, "base64": "ew=="}


def test_what_is_no_letter_is_shown_as_bytes(hub: MemoryConductor) -> None:
    """To people and to machines."""
    laid(hub, b"\xc1")

    people, machines = dead("show", "mangled"), dead("show", "mangled", "--json")

    assert "reason        unreadable" in people.stdout
    assert people.stdout.endswith("1 bytes\n  wQ==\n")
    [entry] = json.loads(machines.stdout)
    assert entry["electron"]["body"] == "wQ=="


def test_unclaimed_results_are_shown_and_dropped(hub: MemoryConductor) -> None:
    """They are no electrons, so they are not replayed."""
    laid(hub, unclaimed("e1", b"[3]"), to=UNCLAIMED_ROUTE)

    listed, shown = dead("list", "--unclaimed"), dead("show", "--unclaimed", "e1", "--json")
    replayed = dead("replay", "--unclaimed", "e1")
    dropped = dead("drop", "--unclaimed", "e1")

    assert "unclaimed" in listed.stdout
    assert json.loads(shown.stdout)[0]["properties"]["result"] == [3]
    assert replayed.exit_code == USAGE
    assert (dropped.exit_code, dropped.stdout) == (0, "1 dropped\n")
    assert asyncio.run(ids_lying(hub, UNCLAIMED_ROUTE)) == []


def test_letters_are_dropped(hub: MemoryConductor) -> None:
    """By their ids, or all of an atom; what is not there does not keep the others."""
    laid(hub, letter("e1"), letter("e1"), letter("e2"), letter("e3", "shop.buy"), letter("e4", "shop.buy"))

    by_id = dead("drop", "e1", "e9", "--json")
    by_atom = dead("drop", "--all", "--atom", "shop.buy")

    said = json.loads(by_id.stdout)
    assert (by_id.exit_code, said["dropped"], len(said["errors"])) == (FINDING, 2, 1)
    assert (by_atom.exit_code, by_atom.stdout) == (0, "2 dropped\n")
    assert asyncio.run(ids_lying(hub)) == ["e2"]


@pytest.mark.parametrize("command", ["drop", "replay"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say the ids of electrons, or --all, and not both"),
        (("e1", "--all"), "say the ids of electrons, or --all, and not both"),
        (("e1", "--atom", "shop.buy"), "choose among --all, and not among ids"),
    ],
)
def test_nothing_is_done_to_letters_by_mistake(
    hub: MemoryConductor, command: str, arguments: tuple[str, ...], said: str
) -> None:
    """All means all, and has to be said."""
    laid(hub, letter("e1"))

    ended = dead(command, *arguments)

    assert (ended.exit_code, ended.stdout) == (USAGE, "")
    assert said in ended.stderr
    assert asyncio.run(ids_lying(hub)) == ["e1"]


@pytest.mark.parametrize("which", [("e1", "e9"), ("--all",)])
def test_a_replay_that_nobody_takes_is_told(hub: MemoryConductor, which: tuple[str, ...]) -> None:
    """The letter stays, and the exit code says that not all is done."""
    laid(hub, letter("e1"))

    ended = dead("replay", *which)

    assert ended.exit_code == FINDING
    assert ended.stdout.startswith("e1  not sent: atom 'tests.add', electron 'e1': nobody takes electrons of route")
    assert asyncio.run(ids_lying(hub)) == ["e1"]


def test_a_replay_of_nothing_is_no_fault() -> None:
    """There may just be no letters."""
    ended = dead("replay", "--all")

    assert (ended.exit_code, ended.stdout) == (0, "nothing lies there\n")


async def test_a_replay_is_told_with_what_came_of_it(hub: MemoryConductor) -> None:
    """Sent, where nobody waits; else its result or its failure."""
    await lay(hub, letter("e1"), letter("e2", "tests.fail", b'"no"'), letter("e3"), letter("e4"))

    async with Atomizer(add, fail, conductor=hub) as runtime:
        waited = await replay_letters(runtime, Chosen(ids=("e1", "e2")), 60.0, wait=True, json=False)
        sent = await replay_letters(runtime, Chosen(ids=("e3", "e3")), None, wait=False, json=False)
        machines = await replay_letters(runtime, Chosen(every=True), None, wait=True, json=True)

    assert waited[:2] == ("e1  completed: 3\ne2  failed: builtins.ValueError: no", False)
    assert sent[:2] == ("e3  sent again, to tests.add", True)
    told = {each["electron_id"]: each for each in json.loads(machines.text)}
    assert told["e4"] == {"electron_id": "e4", "atom_id": "tests.add", "state": "completed", "result": 3}
    assert told["e2"]["state"] == "failed"  # it went back there, and is replayed once more
    assert set(told) == {"e2", "e4"}


def test_a_conductor_that_is_not_there_is_told() -> None:
    """As by every other command."""
    unknown = CliRunner().invoke(main, ["dead", "list", "--conductor", "carrier-pigeon://loft"])
    foreign = CliRunner().invoke(main, ["dead", "lst"])

    assert unknown.exit_code == NO_CONDUCTOR
    assert (foreign.exit_code, "did you mean 'list'?" in foreign.stderr) == (USAGE, True)


async def test_a_conductor_that_cannot_be_reached_is_told(hub: MemoryConductor) -> None:
    """Here it belongs to another event loop."""
    async with hub.connect():
        ended = await asyncio.to_thread(dead, "list")

    assert ended.exit_code == NO_CONDUCTOR
    assert ended.stderr.splitlines()[-1].startswith("atomizer: conductor 'tests-cli-dead' is failed: ")


@pytest.mark.parametrize("command", [("list",), ("list", "--unclaimed"), ("replay", "--all"), ("drop", "--all")])
def test_reason_that_no_letter_has_is_wrong_usage(command: tuple[str, ...]) -> None:
    """Else nothing would be found, and that be taken for good news."""
    ended = dead(*command, "--reason", "fialed")

    assert ended.exit_code == USAGE
    assert "no letter lies anywhere for the reason 'fialed'; did you mean 'failed'" in ended.stderr


@pytest.mark.parametrize("reason", ["failed", "poison", "unclaimed", "unreadable"])
def test_reason_that_a_letter_may_have_is_taken(reason: str) -> None:
    """Also where none lies."""
    assert dead("list", "--reason", reason).exit_code == 0


@pytest.mark.parametrize("option", [("--atom", "a"), ("--reason", "failed")], ids=str)
@pytest.mark.parametrize("command", ["drop", "replay"])
def test_choice_among_all_needs_all(command: str, option: tuple[str, str]) -> None:
    """It is said which word is missing."""
    ended = dead(command, *option)

    assert ended.exit_code == USAGE
    assert f"{option[0]} needs --all" in ended.stderr
