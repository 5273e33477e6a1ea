"""`atomizer run`: a process that serves until it is told to stop, and says what goes wrong in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Project

WORKS = """
import asyncio, os, signal
import atomizer

HUB = "memory://works"

async def is_told_to_stop():
    while signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        await asyncio.sleep(0)

@atomizer.atom
async def stop(times: int) -> str:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGTERM)
        await is_told_to_stop()
    for _ in range(100):
        await asyncio.sleep(0)
    print("finished", flush=True)
    return "ok"

@atomizer.atom
async def fail() -> None:
    raise ValueError("no\\nway to amqp://me:secret@host/")

class Asker(atomizer.Atom, share=True):
    "Asks the other atoms, as soon as they are served."

    async def open(self) -> None:
        self.asking = asyncio.get_running_loop().create_task(self.ask())

    async def ask(self) -> None:
        async with atomizer.Atomizer(conductor=HUB, serve=False) as runtime:
            await (await runtime.send(fail)).properties()
            print("answered", await runtime.run(stop, int(os.environ["TIMES"])), flush=True)

    async def process(self, conductor: atomizer.Bond, electron: atomizer.Electron) -> None: ...
"""
IDLE = """
import atomizer

@atomizer.atom
def wait() -> None: ...
"""


def command(*arguments: str) -> list[str]:
    """Return the command line of a worker."""
    return [sys.executable, "-m", "atomizer", "run", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which atomizer is found, and nothing is said of its settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOMIZER_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a worker to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_signal_lets_what_runs_finish(project: Project) -> None:
    """The atom that is running when SIGTERM comes is answered, and the process has done what it was told to."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", "--name", "till-1", TIMES="1")

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "ready: node till-1, conductor works (ready), 3 atoms: works.stop, works.fail, works.Asker",
        "finished",
        "answered ok",
        "stopped: node till-1, completed 1, failed 1",
    ]


def test_second_signal_ends_the_process_at_once(project: Project) -> None:
    """As the system does it: 143 in a shell."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", TIMES="2")

    assert ended.returncode == -signal.SIGTERM
    assert "ready: " in ended.stdout
    assert "finished" not in ended.stdout


def test_errors_are_lines_and_urls_in_them_are_masked(project: Project) -> None:
    """One line for each, whatever the atom's exception says."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", TIMES="1")
    note, error = ended.stderr.splitlines()

    assert note.startswith("note: the conductor is in the memory of this process, so nobody else can reach these atoms")
    assert error.startswith("atomizer error [cid:works | aid:works.fail | eid:")
    assert error.endswith("(builtins.ValueError: no way to amqp://me:***@host/)")


def test_machines_get_json_lines(project: Project) -> None:
    """Both streams, line by line."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", "--json", "--set", "name=till-2", TIMES="1")
    ready, stopped = (json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{"))
    note, error = (json.loads(line) for line in ended.stderr.splitlines())

    assert ready == {
        "state": "ready",
        "node": "till-2",
        "conductors": {"works": "ready"},
        "atoms": ["works.stop", "works.fail", "works.Asker"],
    }
    assert stopped == {"state": "stopped", "node": "till-2", "completed": 1, "failed": 1, "unwritten": 0}
    assert note["kind"] == "note"
    assert (error["kind"], error["atom_id"], error["node"]) == ("failed", "works.fail", "till-2")
    assert error["error"] == "builtins.ValueError: no\nway to amqp://me:***@host/"


def test_log_is_a_line_for_each_electron_on_standard_error(project: Project) -> None:
    """Those that completed too, for people, with nothing secret; what it says of itself stays as it is."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", "--name", "till-3", "--log", "console", TIMES="1")
    note, failed, completed = ended.stderr.splitlines()

    assert "[warning  ] the conductor is in the memory of this process" in note
    assert "[error    ] electron failed " in failed
    assert "amqp://me:***@host/" in failed
    assert "[info     ] electron completed " in completed
    assert "atom_id=works.stop " in completed
    assert "outcome=completed" in completed
    assert ended.stdout.splitlines()[-1] == "stopped: node till-3, completed 1, failed 1"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_log_is_json_lines_for_machines(project: Project, more: list[str]) -> None:
    """All of standard error is, whatever standard output is."""
    folder = project(works=WORKS)

    ended = run(folder, "works", "--conductor", "memory://works", "--log", "json", *more, TIMES="1")
    note, failed, completed = (json.loads(line) for line in ended.stderr.splitlines())

    assert note["level"] == "warning"
    assert (failed["level"], failed["outcome"], failed["failure"]) == ("error", "failed", "failed")
    assert (completed["level"], completed["atom_id"], completed["outcome"]) == ("info", "works.stop", "completed")
    assert completed["seconds"] > 0
    assert ended.stdout.splitlines()[0].startswith('{"state": "ready"' if more else "ready: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_worker_that_said_it_is_ready_takes_signals(project: Project, number: int) -> None:
    """Whoever starts it may stop it from that line on."""
    folder = project(idle=IDLE)
    with subprocess.Popen(
        command("idle:wait"), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.send_signal(number)
        said, errors = process.communicate(timeout=30)

    assert ready.startswith("ready: ")
    assert process.returncode == 0, errors
    assert said.startswith("stopped: ")


@pytest.mark.parametrize(
    ("arguments", "variables", "exit_code", "said"),
    [
        (["idel"], {}, 3, "did you mean 'idle'?"),
        (["idle", "--set", "slot=3"], {}, 2, "--set: there is no setting 'slot'; did you mean 'slots'"),
        (["idle", "--set", "slots=0"], {}, 2, "--set slots: Expected `int` >= 1, and it is '0'"),
        (["idle", "--set", "slots"], {}, 2, "--set takes FIELD=VALUE, as in --set slots=8, and not 'slots'"),
        (["idle", "--name", "two words"], {}, 2, "at `$.name`"),
        (["idle"], {"ATOMIZER_SLOTS": "x"}, 2, "environment: Expected `int`, got `str` - at ATOMIZER_SLOTS"),
        (["idle", "--conductor", "memry://"], {}, 4, "no conductor answers to memry://; did you mean 'memory'?"),
        (["idle", "--conductor", "memory://x?y=1"], {}, 4, "there is no parameter 'y'; known: 'capacity'"),
        (["idle"], {"ATOMIZER_URL": "nowhere://me:secret@x"}, 4, "nowhere://me:***@x: no conductor answers"),
        (["refuses"], {}, 4, "no power"),
        (["cannot_open"], {}, 3, "an atom could not be opened: OSError: no such model"),
        (["cannot_bind"], {}, 3, "cannot_bind.add: parameter 'it' is of type Nowhere"),
    ],
)
def test_mistake_is_one_line_and_an_exit_code(
    project: Project, arguments: list[str], variables: dict[str, str], exit_code: int, said: str
) -> None:
    """No traceback, no secret, and what to do next."""
    folder = project(
        idle=IDLE,
        refuses="""
import atomizer

class Refusing(atomizer.Conductor):
    name, codec = "refusing", atomizer.codec.MESSAGEPACK

    def connect(self):
        raise atomizer.ConductorUnavailable("no power", permanent=True)

atomizer.register(Refusing())

@atomizer.atom
def wait() -> None: ...
""",
        cannot_open="""
import atomizer

class Model(atomizer.Atom, share=True):
    async def open(self): raise OSError("no such model")
    async def process(self, conductor, electron): ...
""",
        cannot_bind="""
from __future__ import annotations
import atomizer

@atomizer.atom
def add(it: Nowhere) -> None: ...
""",
    )

    ended = run(folder, *arguments, **variables)
    lines = [line for line in ended.stderr.splitlines() if not line.startswith(("note: ", "atomizer error "))]

    assert (ended.returncode, len(lines)) == (exit_code, 1), ended.stderr
    assert lines[0].startswith("atomizer: ")
    assert said in lines[0]
    assert "secret" not in ended.stderr


def test_worker_that_still_connects_can_be_interrupted(project: Project) -> None:
    """Ctrl-C ends it with 130, and no traceback."""
    folder = project(
        never="""
import contextlib, anyio, atomizer

class Never(atomizer.Conductor):
    name, codec = "never", atomizer.codec.MESSAGEPACK

    @contextlib.asynccontextmanager
    async def connect(self):
        print("connecting", flush=True)
        await anyio.sleep_forever()
        yield

atomizer.register(Never())

@atomizer.atom
def wait() -> None: ...
"""
    )
    with subprocess.Popen(
        command("never"), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert errors == "atomizer: interrupted\n"


@pytest.mark.parametrize("broken", ["stdout", "stderr", "both"])
def test_worker_that_nobody_reads_goes_on(project: Project, broken: str) -> None:
    """What it says steers nothing: it serves until it is told to stop, and has then done what it was told to."""
    folder = project(works=WORKS)
    ours, theirs = os.pipe()
    os.close(ours)
    ended = subprocess.run(
        command("works", "--conductor", "memory://works"),
        cwd=folder,
        env=environment(TIMES="1"),
        timeout=30,
        check=False,
        stdout=theirs if broken in ("stdout", "both") else subprocess.PIPE,
        stderr=theirs if broken in ("stderr", "both") else subprocess.PIPE,
    )
    os.close(theirs)

    assert ended.returncode == 0
    if broken == "stdout":
        assert b"aid:works.fail" in ended.stderr
    if broken == "stderr":
        assert b"answered ok" in ended.stdout
        assert b", 2 lines could not be written" in ended.stdout
