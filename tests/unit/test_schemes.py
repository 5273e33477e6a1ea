"""Finding conductors by the scheme of a URL: ours, those of installed packages, and what stands in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import atomizer
from atomizer import ConductorUnknown, MemoryConductor, conductor_from_url

HOME = str(Path(next(iter(atomizer.__path__))).parent)

LOAD = """
from atomizer import ConductorUnknown
from atomizer.schemes import Home, load
try:
    load("amqp", Home("conductors.{module}", "AmqpConductor", "amqp"))
except ConductorUnknown as error:
    print(error)
"""


def run(folder: Path, code: str) -> str:
    """Run a program in a folder of its own, which is first on its import path, and give what it prints."""
    env = {**os.environ, "PYTHONPATH": HOME}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def install(folder: Path, *, entry: str, code: str, name: str = "acme") -> None:
    """Put a package there that offers a conductor, as pip would."""
    (folder / f"{name}.py").write_text(code)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[atomizer.conductors]\n{entry}\n")


def test_memory_is_found() -> None:
    """Whatever the case of its scheme."""
    assert isinstance(conductor_from_url("memory://"), MemoryConductor)
    assert isinstance(conductor_from_url("Memory://"), MemoryConductor)


def test_unknown_scheme_is_refused_with_the_known_ones() -> None:
    """The message says what there is."""
    with pytest.raises(ConductorUnknown, match=r"no conductor answers to carrier-pigeon://; .*memory://"):
        conductor_from_url("carrier-pigeon://roof")


@pytest.mark.parametrize("url", ["", "memory", "user:secret@host", "user:secret@host://vhost"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """Without repeating it: it may hold a password."""
    with pytest.raises(ConductorUnknown, match="begins with a scheme") as caught:
        conductor_from_url(url)
    assert "secret" not in str(caught.value)


def test_password_is_not_repeated() -> None:
    """Nor is anything else of a URL but its scheme."""
    with pytest.raises(ConductorUnknown) as caught:
        conductor_from_url("carrier-pigeon://user:secret@roof")
    assert "secret" not in str(caught.value)


def test_conductor_of_an_installed_package_is_found(tmp_path: Path) -> None:
    """By its entry point; it is imported only then."""
    code = "from atomizer import MemoryConductor\nclass Pigeon(MemoryConductor):\n    pass"
    install(tmp_path, entry="pigeon = acme:Pigeon", code=code)

    printed = run(tmp_path, "import sys, atomizer\nprint('acme' in sys.modules, atomizer.conductor_from_url('pigeon://'))")

    assert printed.startswith("False ")
    assert "Pigeon" in printed or "MemoryConductor" in printed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import not_there", "pigeon:// is offered by acme:Pigeon, which cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "pigeon:// is offered by acme:Pigeon, which cannot be imported: ZeroDivisionError"),
        ("class Pigeon: pass", "pigeon:// is offered by acme:Pigeon, which has no from_url"),
        ("class Pigeon:\n    from_url = int", "which is no Conductor"),
    ],
)
def test_broken_package_is_refused_by_name(tmp_path: Path, code: str, reason: str) -> None:
    """Whose fault it is stands in the message."""
    install(tmp_path, entry="pigeon = acme:Pigeon", code=code)
    program = (
        "import atomizer\n"
        "try:\n    atomizer.conductor_from_url('pigeon://' if {no_url} else 'pigeon://roof')\n"
        "except atomizer.ConductorUnknown as error:\n    print(error)"
    )

    printed = run(tmp_path, program.format(no_url=False))

    assert reason in printed
