"""Public names are loaded when the first of them is asked for, and nobody notices but the clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

import atomizer


def python(program: str) -> str:
    """Run a program in a Python of its own, and return what it printed, or the last line of its error."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    "first",
    [
        "import atomizer",
        "from atomizer.registry import Registry; import atomizer",
        "import atomizer.atom, atomizer",
        "import atomizer; atomizer.Atomizer",
        "from atomizer import *; import atomizer",
    ],
)
def test_decorator_is_not_its_module_whatever_was_loaded_first(first: str) -> None:
    """`atomizer.atom` is a module too, and Python puts a module into its package when it has loaded it."""
    assert python(f"{first}; print(type(atomizer.atom).__name__)") == "AtomDecorator"


def test_module_is_there_without_being_imported() -> None:
    """`atomizer.events` needs no import of its own."""
    assert python("import atomizer; print(atomizer.events.ElectronSent.__name__)") == "ElectronSent"


def test_name_that_is_not_there_is_an_attribute_error_with_a_hint() -> None:
    """A slip is shown as it is for any module."""
    said = python("import atomizer; atomizer.Atomiser")

    assert said == "AttributeError: module 'atomizer' has no attribute 'Atomiser'. Did you mean: 'Atomizer'?"


def test_import_of_a_name_that_is_not_there_is_an_import_error() -> None:
    """It names the package, as for any module."""
    assert python("from atomizer import Atomiser").startswith(
        "ImportError: cannot import name 'Atomiser' from 'atomizer'"
    )


def test_who_looks_at_the_package_loads_nothing() -> None:
    """Debuggers and documentation tools ask every module for names that begin with underscores."""
    assert python("import atomizer, sys; hasattr(atomizer, '__wrapped__'); print('msgspec' in sys.modules)") == "False"


def test_missing_dependency_is_named_where_it_is_needed() -> None:
    """An import error inside stays what it is, and is no missing attribute."""
    said = python("import sys; sys.modules['msgspec'] = None; import atomizer; hasattr(atomizer, 'Atomizer')")

    assert said == "ModuleNotFoundError: import of msgspec halted; None in sys.modules"


def test_dir_has_every_public_name() -> None:
    """Completion works before anything is loaded."""
    listed = python("import atomizer; print(*dir(atomizer))").split()

    assert set(atomizer.__all__) <= set(listed)
    assert listed == sorted(listed)
