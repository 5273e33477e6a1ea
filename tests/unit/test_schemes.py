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
    load("amqp", Home({module!r}, "AmqpConductor", {extra!r}))
except ConductorUnknown as error:
    print(error)
"""

PIGEON = """
from atomizer import MemoryConductor
class Pigeon(MemoryConductor):
    @classmethod
    def from_url(cls, url):
        return cls()
"""


def test_memory_is_found() -> None:
    """Whatever the case of its scheme."""
    assert isinstance(conductor_from_url("memory://"), MemoryConductor)
    assert isinstance(conductor_from_url("Memory://"), MemoryConductor)


def test_unknown_scheme_is_refused_with_the_known_ones() -> None:
    """The message says what there is."""
    with pytest.raises(ConductorUnknown, match=r"no conductor answers to carrier-pigeon://; registered here: 'memory'"):
        conductor_from_url("carrier-pigeon://roof")
    with pytest.raises(ConductorUnknown, match="did you mean 'memory'"):
        conductor_from_url("memry://")


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
    """By its entry point."""
    install(tmp_path, entry="pigeon = acme:Pigeon", code=PIGEON)

    assert run(tmp_path, made_of("pigeon://roof")) == "made Pigeon\n"


def test_installed_packages_are_not_imported_before_they_are_asked_for(tmp_path: Path) -> None:
    """Each has a price, and may be broken."""
    install(tmp_path, entry="pigeon = acme:Pigeon", code="1 / 0")

    assert run(tmp_path, made_of("memory://")) == "made MemoryConductor\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import not_there", "pigeon:// is offered by acme:Pigeon, which cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "pigeon:// is offered by acme:Pigeon, which cannot be imported: ZeroDivisionError"),
        ("class Pigeon: pass", "pigeon:// is offered by acme:Pigeon, which has no from_url"),
        ("class Pigeon:\n    from_url = len", "which is no Conductor"),
    ],
)
def test_broken_package_is_refused_by_name(tmp_path: Path, code: str, reason: str) -> None:
    """Whose fault it is stands in the message."""
    install(tmp_path, entry="pigeon = acme:Pigeon", code=code)

    assert reason in run(tmp_path, made_of("pigeon://roof"))


def test_two_packages_of_one_scheme_are_refused_by_name(tmp_path: Path) -> None:
    """Which one answers would be a matter of chance."""
    install(tmp_path, entry="pigeon = acme:Pigeon", code=PIGEON)
    install(tmp_path, entry="pigeon = birds:Pigeon", code=PIGEON, name="birds")

    printed = run(tmp_path, made_of("pigeon://roof"))

    assert "several packages answer to pigeon://: acme:Pigeon, birds:Pigeon" in printed


@pytest.mark.parametrize(
    ("files", "in_the_way"),
    [
        pytest.param({"conductors/__init__.py": ""}, "conductors", id="a package"),
        pytest.param({"conductors/__init__.py": "", "conductors/amqp.py": ""}, "conductors", id="one with that module"),
        pytest.param({"conductors/__init__.py": "1 / 0"}, "conductors", id="a broken package"),
        pytest.param({"conductors.py": ""}, "conductors.py", id="a module"),
    ],
)
def test_folder_in_the_way_is_named_with_the_cure(tmp_path: Path, files: dict[str, str], in_the_way: str) -> None:
    """Python alone would only say that our module does not exist."""
    write(tmp_path, files)

    printed = run(tmp_path, LOAD.format(module="conductors.amqp", extra=""))

    assert f"{tmp_path / in_the_way} is in its way" in printed
    assert "rename that, or import it as part of a package of yours" in printed


def test_folder_without_init_is_not_in_the_way(tmp_path: Path) -> None:
    """Ours is found, and theirs is not: Python prefers a package to a bare folder, wherever they are."""
    write(tmp_path, {"conductors/mine.py": ""})

    printed = run(tmp_path, "import conductors; print(conductors.__file__)")
    failed = run(tmp_path, "try:\n    import conductors.mine\nexcept ImportError as error:\n    print(error)")

    assert printed.strip() == str(Path(HOME) / "conductors" / "__init__.py")
    assert failed.strip() == "No module named 'conductors.mine'"


@pytest.mark.parametrize("files", [{"conductors/__init__.py": ""}, {"conductors/mine.py": ""}])
def test_memory_works_beside_a_folder_of_that_name(tmp_path: Path, files: dict[str, str]) -> None:
    """It lives elsewhere."""
    write(tmp_path, files)

    assert run(tmp_path, made_of("memory://")) == "made MemoryConductor\n"


@pytest.mark.parametrize(
    ("extra", "cure"), [("amqp", "pip install 'atomizer-engine[amqp]'"), ("", "pip install atomizer-engine")]
)
def test_missing_package_of_somebody_else_is_named_with_the_cure(tmp_path: Path, extra: str, cure: str) -> None:
    """What is missing, and how it is installed."""
    write(tmp_path, {"carrier.py": "import not_there"})

    printed = run(tmp_path, LOAD.format(module="carrier", extra=extra))

    assert f"amqp:// cannot be had: No module named 'not_there'; {cure}" in printed


def test_missing_module_of_ours_is_no_missing_extra(tmp_path: Path) -> None:
    """Installing an extra would not bring it back."""
    printed = run(tmp_path, LOAD.format(module="atomizer.not_there", extra="amqp"))

    assert "No module named 'atomizer.not_there'; the installation is not whole" in printed


def made_of(url: str) -> str:
    """Write a program that makes a conductor, and says what it is or why not."""
    return (
        "import atomizer\n"
        f"try:\n    print('made', type(atomizer.conductor_from_url({url!r})).__name__)\n"
        "except atomizer.ConductorUnknown as error:\n    print(error)"
    )


def write(folder: Path, files: dict[str, str]) -> None:
    """Lay out a project."""
    for name, code in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)


def install(folder: Path, *, entry: str, code: str, name: str = "acme") -> None:
    """Put a package there that offers a conductor, as pip would."""
    metadata = f"{name}-1.0.dist-info"
    write(
        folder,
        {
            f"{name}.py": code,
            f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{metadata}/entry_points.txt": f"[atomizer.conductors]\n{entry}\n",
        },
    )


def run(folder: Path, code: str) -> str:
    """Run a program in a folder of its own, which is first on its import path, and give what it prints."""
    env = {**os.environ, "PYTHONPATH": HOME}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
