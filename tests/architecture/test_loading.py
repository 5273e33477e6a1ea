"""What `import atomizer` loads, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

LOADED_LATE = (
    *("aio_pika", "aiormq", "conductors", "uvloop"),
    *("click", "matplotlib", "numpy", "pytest", "rich", "structlog"),
)


def python(program: str) -> list[str]:
    """Run a program in a Python of its own, and return what it printed, by words."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.split()


def test_import_loads_no_transport_and_nothing_heavy() -> None:
    """Who imports atomizer pays for no broker's library, no command line, no logging and no numbers."""
    loaded = python("import atomizer, sys; print(*{name.split('.')[0] for name in sys.modules})")

    assert not set(LOADED_LATE).intersection(loaded)


def test_import_starts_nothing() -> None:
    """Importing opens no event loop and no thread, and configures no logging."""
    started = python(
        "import atomizer, logging, threading, asyncio.events as events\n"
        "print(threading.active_count(), len(logging.getLogger().handlers), events._get_running_loop())"
    )

    assert started == ["1", "0", "None"]
