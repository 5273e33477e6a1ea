"""What `import atomizer` loads, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED_LATE = (
    *("aio_pika", "aiormq", "conductors", "uvloop"),
    *("click", "hypothesis", "matplotlib", "numpy", "opentelemetry", "pytest", "rich", "structlog"),
)


def python(program: str) -> list[str]:
    """Run a program in a Python of its own, and return what it printed, by words."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.split()


@pytest.mark.parametrize("program", ["import atomizer", "import atomizer; atomizer.Atomizer"])
def test_import_loads_no_transport_and_nothing_heavy(program: str) -> None:
    """Who imports atomizer pays for no broker's library, no command line, no logging and no numbers."""
    loaded = python(f"import sys; {program}; print(*{{name.split('.')[0] for name in sys.modules}})")

    assert not set(LOADED_LATE).intersection(loaded)


def test_import_loads_nothing_of_atomizer_before_a_name_is_asked_for() -> None:
    """The import itself costs next to nothing, whatever atomizer becomes."""
    loaded = python("import atomizer, sys; print(*sys.modules)")

    assert {name for name in loaded if name.startswith("atomizer")} == {"atomizer", "atomizer._on_first_use"}
    assert not {"asyncio", "anyio", "msgspec"}.intersection(loaded)


def test_first_name_loads_nothing_that_few_programs_need() -> None:
    """What is slow to import and seldom used is imported where it is used."""
    loaded = python(
        "import anyio, asyncio, msgspec, sys\n"
        "before = set(sys.modules)\n"
        "import atomizer\n"
        "atomizer.Atomizer\n"
        "print(*set(sys.modules) - before)"
    )

    assert not {"difflib", "importlib.metadata", "pathlib", "traceback", "urllib.parse"}.intersection(loaded)


def test_module_of_atoms_loads_no_event_loop_in_a_child_process() -> None:
    """Every child process pays for its start, and plain functions need no loop."""
    loaded = python(
        "import atomizer._core.children.program, sys\n"
        "import atomizer\n"
        "@atomizer.atom(id='tests.add', isolation='process', options=atomizer.Options(limit=1.0))\n"
        "def add(a: int) -> int: return a\n"
        "assert issubclass(atomizer.SoftLimitReached, Exception)\n"
        "print(*sys.modules)"
    )

    assert not {"anyio", "asyncio", "atomizer.runtime", "concurrent.futures"}.intersection(loaded)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["bench", "--help"], ["doctor", "--help"]])
def test_help_loads_click_and_no_runtime(arguments: list[str]) -> None:
    """`--help` is there at once: it loads no event loop, no codec and none of the commands."""
    loaded = python(
        "import sys\n"
        "from atomizer.cli import main\n"
        f"main({arguments}, standalone_mode=False)\n"
        "print('loaded', *sys.modules)"
    )
    ours = {name for name in loaded[loaded.index("loaded") :] if name.startswith("atomizer")}

    assert ours == {
        *("atomizer", "atomizer._on_first_use", "atomizer.cli", "atomizer._cli"),
        *("atomizer._cli.complaint", "atomizer._cli.voice", "atomizer.masking"),
    }
    assert not {"asyncio", "anyio", "importlib.metadata", "json", "msgspec", "socket"}.intersection(loaded)


@pytest.mark.parametrize("program", ["import atomizer", "import atomizer; atomizer.Atomizer"])
def test_import_starts_nothing(program: str) -> None:
    """Importing opens no event loop and no thread, and configures no logging."""
    started = python(
        f"{program}\n"
        "import logging, threading, asyncio.events as events\n"
        "print(threading.active_count(), len(logging.getLogger().handlers), events._get_running_loop())"
    )

    assert started == ["1", "0", "None"]
