"""
Everything the project does to itself, as a script and as nox sessions.

    python3 noxfile.py demo [options]     set everything up, and run the π demo
    python3 noxfile.py [nox options]      set everything up, and run what CI runs
    python3 noxfile.py --help             show this, and set up nothing

The script needs Python 3.11 or newer with pip: not nox, and not `ensurepip`, which some systems leave out.
It keeps everything in `.venv`, from the locks in `requirements/`, and is quick when they have not changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
LOCKS = {
    "runtime": (),
    "demo": (),
    "test": ("test",),
    "dev": ("dev",),
    "bench": ("bench",),
    "minimums": ("test",),
}
"""The dependency groups in each lock, besides what the package itself needs."""
EXTRAS = {"demo": ("plot",), "dev": ("plot",)}
"""The package's extras that are in a lock too."""


def main(arguments: list[str]) -> int:
    """Do what the command line asks."""
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever runs this file has not read pyproject.toml
        sys.exit(f"atomizer needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    if arguments[:1] in (["--help"], ["-h"]):
        print((__doc__ or "").strip())
        return 0
    if arguments[:1] == ["demo"]:
        command = ["examples.montecarlo_pi", "--png", "pi.png", *arguments[1:]]
        python = environment("demo")
    else:
        command = ["nox", *arguments]
        python = environment("dev")
    try:
        return subprocess.run([python, "-m", *command], cwd=HERE, check=False).returncode
    except KeyboardInterrupt:  # the command was interrupted too, and has said so
        return 130


def environment(lock: str) -> str:
    """Bring `.venv` up to a lock where it is not yet, and return its Python. `dev` has all the others need."""
    with alone():
        return set_up(lock)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until nobody else sets `.venv` up, and keep others waiting."""
    with VENV.with_name(f"{VENV.name}.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another noxfile.py, which sets up {VENV.name}.", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def set_up(lock: str) -> str:
    """Make what is not there yet of a lock's environment, and return its Python."""
    python = VENV / "bin" / "python"
    wanted = fingerprint(lock)
    if not any(stamp(name) == fingerprint(name) for name in {lock, "dev"}):
        print(f"Setting up {VENV.name} from requirements/{lock}.txt (once).", flush=True)
        if Path(sys.prefix).resolve() != VENV:
            venv.create(VENV, clear=True, with_pip=False)
        at_import = ("--no-compile",) if lock == "demo" else ()  # most of a plotting library is never imported
        install(python, *at_import, "--require-hashes", "--requirement", f"requirements/{lock}.txt")
        if lock == "dev":
            install(python, "--no-deps", "--no-build-isolation", "--editable", ".")
        (VENV / f"{lock}.stamp").write_text(wanted)
    return str(python)


def stamp(lock: str) -> str:
    """Read what `.venv` was last made from."""
    path = VENV / f"{lock}.stamp"
    return path.read_text() if path.exists() else ""


def fingerprint(lock: str) -> str:
    """Name everything a set-up depends on: this Python, this place, the lock and the project's own metadata."""
    parts = [
        sys.version,
        str(HERE),
        *((HERE / name).read_text() for name in (f"requirements/{lock}.txt", "pyproject.toml")),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def install(python: str | Path, *what: str) -> None:
    """Install into another environment, with the pip of the one that runs this."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet", "install"]
    if subprocess.run([*pip, *what], cwd=HERE, check=False).returncode:
        sys.exit(f"noxfile.py: pip could not install {' '.join(what)}; what it says is above.")


if __name__ == "__main__":  # a script, with nothing installed yet: nox reads this file again from inside `.venv`
    sys.exit(main(sys.argv[1:]))

import nox  # noqa: E402

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "uvloop", "faults", "docs", "wheel", "minimums", "pythons", "demo"]

OTHER_PYTHONS = ("3.12", "3.13")
TESTS = ("unit", "property", "contract", "typing", "architecture", "examples", "benchmarks")
"""The folders of tests/ that make one run; faults/ and simulation/ are a run of their own."""


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and whether the news fragments can be read."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Both type checkers, and whether the public face is typed to the last name."""
    run(session, "mypy")
    run(session, "pyright")
    for package in ("atomizer", "conductors"):
        if any((HERE / package).rglob("[!_]*.py")):  # a package without a name in it has no completeness
            run(session, "pyright", "--ignoreexternal", "--verifytypes", package)


@nox.session
def tests(session: nox.Session) -> None:
    """Every test but the fault runs."""
    run(session, "pytest", *(session.posargs or present(TESTS)))


@nox.session
def uvloop(session: nox.Session) -> None:
    """Unit tests on uvloop; the contract tests run on every loop as it is."""
    run(session, "pytest", "--loop", "uvloop", *present(("unit",)))


@nox.session
def faults(session: nox.Session) -> None:
    """The fault runs: every step of the way, every way to fail there, and two thousand worlds of all of them."""
    run(session, "pytest", *present(("faults", "simulation")))


@nox.session(default=False)
def simulate(session: nox.Session) -> None:
    """Ten thousand worlds in which everything goes wrong, over every core; other numbers with `-- --seeds 100000`."""
    run(session, "tests.simulation", *session.posargs)


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """A thousand kills of child processes, in which nothing may be lost: some minutes."""
    tests = ("tests/faults/test_children.py", "tests/faults/test_limits.py")
    run(session, "pytest", *tests, "-k", "many_kills", env={"ATOMIZER_TEST_KILLS": "1000"})


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. Its blocks are run by tests/examples."""
    run(session, "sphinx", "-W", "--keep-going", "--quiet", "-b", "html", "docs", "docs/_build")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, look into it, and run the README's program from it, outside the checkout."""
    with tempfile.TemporaryDirectory() as place:
        built = build_wheel(session, place)
        look_into(session, built)
        python = make_environment(Path(place, "venv"), sys.executable, "runtime", built)
        program = Path(place, "program.py")
        program.write_text(readme_program())
        for folder in folders_named_conductors(Path(place)):
            shown = session.run(python, str(program), external=True, silent=True, env={"PYTHONPATH": str(folder)})
            if str(shown).strip() != "3":
                session.error(f"the README's program printed {shown!r} beside {sorted(folder.iterdir())}")


@nox.session
def minimums(session: nox.Session) -> None:
    """Unit and contract tests with the oldest dependencies that pyproject.toml allows."""
    try_wheel(session, sys.executable, "minimums")


@nox.session
def pythons(session: nox.Session) -> None:
    """Unit and contract tests on the newer Pythons, where they are found."""
    for version in OTHER_PYTHONS:
        python = find_python(version)
        if python is None:
            session.warn(f"Python {version} is not found here: not tried.")
        else:
            try_wheel(session, python, "test")


@nox.session
def demo(session: nox.Session) -> None:
    """The README's first command, in a fresh copy of the checkout."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "checkout")
        shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns(".*", "_build", "__pycache__"))
        command = ("noxfile.py", "demo", "--tosses", "2e8", "--seed", "1")
        with session.chdir(copy):
            session.run(base_python(), *command, external=True)
        if not (copy / "pi.png").exists():
            session.error("the demo wrote no pi.png")


@nox.session(venv_backend="virtualenv", default=False)
def bench(session: nox.Session) -> None:
    """Measure atomizer beside its peers, in an environment of its own: `nox -s bench -- --quick`."""
    session.install("--require-hashes", "--requirement", "requirements/bench.txt")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session(venv_backend="virtualenv", default=False)
def lock(session: nox.Session) -> None:
    """Write the locks again, from pyproject.toml and what the package index has today."""
    session.install("uv")
    for name, groups in LOCKS.items():
        lowest = ("--resolution", "lowest-direct") if name == "minimums" else ()
        chosen = [option for group in groups for option in ("--group", group)]
        chosen += [option for extra in EXTRAS.get(name, ()) for option in ("--extra", extra)]
        session.run(
            *("uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade"),
            *("--custom-compile-command", "nox -s lock", "--output-file", f"requirements/{name}.txt", *lowest, *chosen),
        )


def run(
    session: nox.Session, module: str, *arguments: str, silent: bool = False, env: dict[str, str] | None = None
) -> None:
    """Run a tool of `.venv`, as if that were activated."""
    python = environment("dev")
    path = os.pathsep.join([str(VENV / "bin"), os.environ["PATH"]])
    activated = {"VIRTUAL_ENV": str(VENV), "PATH": path, **(env or {})}
    session.run(python, "-m", module, *arguments, external=True, silent=silent, env=activated)


def present(folders: tuple[str, ...]) -> list[str]:
    """Return the paths of folders under tests/."""
    return [f"tests/{folder}" for folder in folders]


def build_wheel(session: nox.Session, place: str) -> Path:
    """Build the wheel with the build backend of `.venv`, and return it."""
    run(session, "hatchling", "build", "-t", "wheel", "-d", place, silent=True)
    return next(Path(place).glob("*.whl"))


def look_into(session: nox.Session, built: Path) -> None:
    """Refuse a wheel with other top-level names than ours, or without its types."""
    names = zipfile.ZipFile(built).namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    missing = {"atomizer/py.typed", "conductors/py.typed"}.difference(names)
    if packages != {"atomizer", "conductors"} or missing:
        session.error(f"the wheel holds {sorted(packages)}, and lacks {sorted(missing)}")


def make_environment(place: Path, python: str, lock: str, built: Path) -> str:
    """Make an environment elsewhere, with what a lock and a wheel say."""
    subprocess.run([python, "-m", "venv", "--without-pip", place], check=True)
    own = str(place / "bin" / "python")
    install(own, "--require-hashes", "--requirement", f"requirements/{lock}.txt")
    install(own, "--no-deps", str(built))
    return own


def try_wheel(session: nox.Session, python: str, lock: str) -> None:
    """Run the unit and contract tests against the wheel, outside the checkout."""
    with tempfile.TemporaryDirectory() as place:
        own = make_environment(Path(place, "venv"), python, lock, build_wheel(session, place))
        shutil.copytree(HERE / "tests", Path(place, "tests"), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "pyproject.toml", place)
        with session.chdir(place):
            session.run(own, "-m", "pytest", "--quiet", *present(("unit", "contract")), external=True)


def find_python(version: str) -> str | None:
    """Find a Python that runs, on the path or where pyenv keeps its own."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which(f"python{version}"), *map(str, kept.glob(f"{version}.*/bin/python"))]
    return next((python for python in candidates if python and runs(python)), None)


def runs(python: str) -> bool:
    """Say whether a Python is one, and not a signpost to a version that is switched off."""
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def base_python() -> str:
    """Return the Python that `.venv` was made from, which has a pip of its own."""
    return str(getattr(sys, "_base_executable", sys.executable))


def readme_program() -> str:
    """Return the first Python block of the README."""
    return (HERE / "README.md").read_text().split("```python\n")[1].split("```")[0]


def folders_named_conductors(place: Path) -> list[Path]:
    """Make the folders the program must run in: without, and with a user's own `conductors` of both kinds."""
    folders = [place / name for name in ("alone", "beside_a_folder", "beside_a_package")]
    for folder in folders:
        folder.mkdir()
    for folder in folders[1:]:
        (folder / "conductors").mkdir()
        (folder / "conductors" / "mine.py").touch()
    (folders[2] / "conductors" / "__init__.py").touch()
    return folders
