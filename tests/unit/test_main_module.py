"""Atoms of a program's main module, in its child processes."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import asyncio, sys
from contextvars import copy_context
from atomizer._core.children.processes import Processes
from atomizer._core.tasks import Tasks

class Mine(Exception): ...

def argue() -> str:
    return f"{__name__} {__package__!r} {sys.argv[1:]}"

def fail() -> None:
    raise Mine("own")

async def main() -> None:
    loop = asyncio.get_running_loop()
    processes = Processes(
        loop, "tests", most=1, calls_each=0, memory_each=0, max_payload_bytes=1_000,
        tasks=Tasks(loop, copy_context(), print),
    )
    process = await processes.take()
    for name in ("argue", "fail", "argue"):
        body, _, failure = await process.call(f"__main__:{name}", b"", "application/json")
        print(body.decode() if failure is None else f"{failure.type}: {failure.message}")
    print(failure.trace if failure else "")
    process.give_back()
    await processes.close(5)

"""
GUARDED = PROGRAM + 'if __name__ == "__main__":\n    asyncio.run(main())\n'


def run(*command: str, folder: Path, program: str | None = None) -> str:
    """Run Python, and return what it printed; nothing goes to the standard error."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        input=program,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize("guard", ['if __name__ == "__main__":\n    asyncio.run(main())'])
def test_a_script_with_a_guard_is_loaded_under_another_name(tmp_path: Path, guard: str) -> None:
    """With the program's arguments; and its own exceptions keep their names."""
    (tmp_path / "script").write_text(PROGRAM + guard)

    printed = run("script", "-x", folder=tmp_path)

    argued = "\"__mp_main__ '' ['-x']\"\n"
    assert printed == f"{argued}__main__.Mine: own\n{argued}\n"


def test_a_module_with_a_guard_finds_its_neighbours(tmp_path: Path) -> None:
    """`python -m package.module` may import relatively, in the child process too."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "near.py").write_text("near = True\n")
    (package / "module.py").write_text("from .near import near\n" + GUARDED)

    printed = run("-W", "error", "-m", "package.module", folder=tmp_path)

    assert printed.startswith("\"__mp_main__ 'package' []\"\n__main__.Mine: own\n")


@pytest.mark.parametrize(
    "start",
    [
        "asyncio.run(main())",
        "import anyio; anyio.run(main)",
        "import uvloop; uvloop.run(main())",
        "asyncio.new_event_loop().run_until_complete(main())",
        "import atomizer; asyncio.run(main()) if __name__ == '__main__' else atomizer.run('tests.nothing')",
    ],
)
def test_a_program_without_a_guard_is_shown_the_guard(tmp_path: Path, start: str) -> None:
    """It is not started again, and says so once for each call."""
    (tmp_path / "script.py").write_text(PROGRAM + start)

    printed = run("script.py", folder=tmp_path)

    assert printed.count('put what starts it under a guard:\n\nif __name__ == "__main__":\n    anyio.run(main)\n') == 3


def test_the_advice_of_another_case_is_left_out(tmp_path: Path) -> None:
    """`atomizer.run` says what helps where a loop runs, and none does here."""
    (tmp_path / "script.py").write_text(
        PROGRAM + "import atomizer; asyncio.run(main()) if __name__ == '__main__' else atomizer.run('tests.nothing')"
    )

    printed = run("script.py", folder=tmp_path)

    assert "and one is running here. If the module starts the program whenever it is loaded" in printed
    assert "async with" not in printed


def test_an_atom_under_the_guard_is_told_of_the_guard(tmp_path: Path) -> None:
    """It is there in the program, and not in its child processes."""
    program = PROGRAM + 'if __name__ == "__main__":\n    def argue() -> None: ...\n    asyncio.run(main())\n'
    (tmp_path / "script.py").write_text(program.replace("def argue() -> str", "def elsewhere() -> str"))

    printed = run("script.py", folder=tmp_path)

    assert "the program's main module has no 'argue' when a child process loads it" in printed
    assert 'an atom is written outside of `if __name__ == "__main__":`, above it' in printed


ATOM = """
import atomizer
@atomizer.atom
def add(): ...
print(atomizer.atom_id(add))
try:
    atomizer.register(atomizer.atom(isolation="process")(add.__wrapped__))
except atomizer.RegistrationRefused as error:
    print(error)
"""


@pytest.mark.parametrize("start", ["piped in", "typed in", "packed"])
def test_an_atom_in_no_file_is_refused_when_it_is_registered(tmp_path: Path, start: str) -> None:
    """Not when it is called; and its id names no file that there is not."""
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", ATOM)
    command = {"piped in": ["-"], "typed in": ["-c", ATOM], "packed": ["program.zip"]}[start]

    printed = run(*command, folder=tmp_path, program=ATOM)

    assert printed.splitlines()[0] == "__main__.add"
    assert "add was typed in, piped in or packed into an archive, and a child process imports files" in printed


def test_a_main_module_that_cannot_be_loaded_is_answered(tmp_path: Path) -> None:
    """With its own error, and where it was raised; it is not loaded again for the next call."""
    (tmp_path / "script.py").write_text(
        'if __name__ != "__main__":\n    print("loaded")\n    import missing\n' + GUARDED
    )

    printed = run("script.py", folder=tmp_path)

    told = "ModuleNotFoundError: __main__:argue cannot be loaded in a child process: No module named 'missing'"
    assert printed.count("loaded\n") == 1
    assert printed.count(told) == 2
    assert 'script.py", line 3, in <module>' in printed


def test_a_program_in_no_file_is_answered(tmp_path: Path) -> None:
    """What is typed in cannot be loaded elsewhere."""
    printed = run("-", folder=tmp_path, program=GUARDED)

    told = "the program is in no file of its own, so no child process can load it: write its atoms in a module"
    assert printed.count(told) == 3
