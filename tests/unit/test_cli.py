"""The command line as a whole: its help, its exit codes, and what it hides."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from atomizer._cli.complaint import BAD_TARGET, FINDING, INTERRUPTED, NO_CONDUCTOR, UNWRITABLE, USAGE, Complaint
from atomizer._cli.voice import Voice
from atomizer.cli import EXIT_CODES, main

ROOT = Path(__file__).resolve().parents[2]
CODES = (0, FINDING, USAGE, BAD_TARGET, NO_CONDUCTOR, UNWRITABLE, INTERRUPTED)


def test_script_is_the_command_line() -> None:
    """What is installed as `atomizer` is what is tested here."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["atomizer"].partition(":")

    assert getattr(import_module(module), name) is main


def test_module_runs_as_the_script_does() -> None:
    """`python -m atomizer` is for where the script is not on the path."""
    ended = subprocess.run(
        [sys.executable, "-m", "atomizer", "--version"], capture_output=True, text=True, timeout=30, check=False
    )

    assert ended.returncode == 0
    assert ended.stdout.startswith("atomizer ")
    assert ended.stderr == ""


def test_help_has_every_command_and_every_exit_code() -> None:
    """What a script may rely on is where a user looks first."""
    shown = CliRunner().invoke(main, ["--help"]).output

    assert all(f"  {name}" in shown for name in ("run", "atoms", "bench", "doctor", "nodes", "inspect", "events"))
    assert all(f"  {code} " in shown for code in (*CODES, 143))
    assert all(line.strip() in shown for line in EXIT_CODES.splitlines() if line != "\b")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu", "shop"], "there is no command 'rnu'; did you mean 'run'?"),
        (["run"], "Missing argument 'TARGET...'"),
        (["atoms", "shop", "--jsn"], "No such option"),
        (["run", "shop", "--slots", "0"], "0 is not in the range x>=1"),
        (["bench", "--size", "7"], "7 is not in the range x>=8"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], said: str) -> None:
    """In one line, with what was wrong with it."""
    ended = CliRunner().invoke(main, arguments)

    assert ended.exit_code == USAGE
    assert said in ended.stderr
    assert ended.stderr.startswith("atomizer: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


@pytest.mark.parametrize("command", [(), ("doctor",)])
def test_help_has_a_short_name(command: tuple[str, ...]) -> None:
    """It is what many type first."""
    short, long = (CliRunner().invoke(main, [*command, option]) for option in ("-h", "--help"))

    assert short.exit_code == 0
    assert short.output == long.output


def test_no_command_at_all_is_answered_with_the_help() -> None:
    """Nothing was wrong with it yet."""
    assert "Exit codes:" in CliRunner().invoke(main, []).output


def test_url_with_a_password_is_not_repeated() -> None:
    """Neither by the command nor by what it calls."""
    ended = CliRunner().invoke(main, ["bench", "--conductor", "nowhere://me:secret@host/"])

    assert ended.exit_code == NO_CONDUCTOR
    assert "nowhere://me:***@host/: no conductor answers to nowhere://" in ended.stderr
    assert "secret" not in ended.output


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["run", "--help"], ["atoms", "tests.unit.atoms:add"], ["doctor"]]
)
def test_output_that_cannot_be_written_is_said_in_one_line(arguments: list[str]) -> None:
    """Its disk may be full."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "atomizer", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == UNWRITABLE
    assert ended.stderr == "atomizer: standard output cannot be written: No space left on device\n"


def test_reader_that_has_enough_is_told_nothing() -> None:
    """As of `| head`."""
    ours, theirs = os.pipe()
    os.close(ours)

    ended = subprocess.run(
        [sys.executable, "-m", "atomizer", "--version"], stdout=theirs, stderr=subprocess.PIPE, timeout=30, check=False
    )
    os.close(theirs)

    assert (ended.returncode, ended.stderr) == (UNWRITABLE, b"")


def test_voice_goes_on_without_what_cannot_be_written(tmp_path: Path) -> None:
    """And counts it; a closed file raises in another way."""
    closed = (tmp_path / "log").open("w")
    closed.close()
    said: list[str] = []
    voice = Voice(said.append, lambda line: print(line, file=closed))

    voice.note("lost")
    voice.say("kept")

    assert (said, voice.unwritten) == (["kept"], 1)


def test_complaint_is_one_line() -> None:
    """Whatever it is made of."""
    assert str(Complaint("a\n  b", exit_code=FINDING)) == "a b"


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e400", "1e300"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("nodes", "--seconds"),
        ("inspect", "--seconds"),
        ("bench", "--seconds"),
        ("dead", "replay", "x", "--timeout"),
        ("run", "nothing", "--grace"),
    ],
    ids=str,
)
def test_seconds_that_are_no_span_of_time_are_wrong_usage(arguments: tuple[str, ...], seconds: str) -> None:
    """One line, and no traceback."""
    ended = CliRunner().invoke(main, [*arguments, seconds])

    assert ended.exit_code == USAGE
    assert ended.stderr.startswith("atomizer: Invalid value for")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("inspect", "x" * 257), ("inspect", "--node", ""), ("events", "--atom", ""), ("events", "--electron", "x" * 257)],
    ids=str,
)
def test_id_that_nothing_can_have_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Nobody is asked for it."""
    ended = CliRunner().invoke(main, [*arguments, "--conductor", "memory://tests-cli"])

    assert ended.exit_code == USAGE
    assert "1 to 256 characters" in ended.stderr
