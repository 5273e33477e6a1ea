"""Settings are checked when they are made, and read from the environment in one place."""

from __future__ import annotations

import subprocess
import sys

import pytest

from atomizer import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("slots", 0), ("slots", "many"), ("processes", 1_025)),
        *(("grace", -1.0), ("grace", float("nan")), ("name", "two words")),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name(name: str, value: object) -> None:
    """Whoever gives a bad setting is told which."""
    with pytest.raises(ValueError, match=rf"Settings: .*\$\.{name}"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_a_password_in_the_url_is_not_shown() -> None:
    """Settings end up in logs."""
    assert "secret" not in repr(Settings(url="amqp://user:secret@host/"))


def read(**environment: str) -> str:
    """Read settings in a process with an environment of its own."""
    program = "import atomizer; s = atomizer.Settings.from_env(); print(s.url, s.slots, s.grace)"
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    return ended.stdout.strip() or ended.stderr.strip().rpartition("\n")[2]


def test_the_environment_is_read() -> None:
    """One variable for each field."""
    assert read(ATOMIZER_URL="memory://x", ATOMIZER_SLOTS="7", ATOMIZER_GRACE="1.5") == "memory://x 7 1.5"


def test_a_bad_variable_is_named() -> None:
    """With what its field takes."""
    assert "environment: Expected `int`, got `str` - at ATOMIZER_SLOTS" in read(ATOMIZER_SLOTS="many")
