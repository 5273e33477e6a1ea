"""How an atom says where it runs, and how many of it at once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

import atomizer
from atomizer import Atom, Bond, Electron, RegistrationRefused, Registry
from atomizer.atom import definition_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@atomizer.atom(id="tests.modes.square", isolation="process", concurrency=2)
def square(number: int) -> int:
    """Multiply a number by itself."""
    return number * number


@atomizer.atom(isolation="process")
def written_later(point: Point) -> int:
    """Take a type that is written further down."""
    return point.x


@atomizer.atom(isolation="process")
def bonded_later(bond: Surroundings) -> int:
    """Ask for a `Bond` by a name that is written further down."""
    return bond.attempt


Surroundings = Bond


class Point(Struct):
    """A type of the application's."""

    x: int = 0


def plain(number: int) -> int:
    """Be an atom under another name."""
    return number


renamed = atomizer.atom(isolation="process")(plain)


class Shelf:
    """A place for functions."""

    @staticmethod
    @atomizer.atom(isolation="process")
    def kept(number: int) -> int:
        """Be found inside of a class."""
        return number


def test_an_atom_says_where_it_runs_and_how_many_at_once() -> None:
    """As keywords of the decorator."""
    assert (square.isolation, square.concurrency) == ("process", 2)
    assert square.reference == f"{__name__}:square"


def test_an_atom_that_says_nothing_runs_here_and_as_often_as_there_are_slots() -> None:
    """Which costs its electrons nothing."""
    registration = Registry().register(atomizer.atom(id="tests.modes.nothing")(plain))

    assert (registration.definition.isolation, registration.definition.concurrency) == (None, None)
    assert not registration.takes_turns


def test_a_singleton_is_a_concurrency_of_one() -> None:
    """Said either way, or both."""
    decorators = (
        atomizer.atom(singleton=True),
        atomizer.atom(concurrency=1),
        atomizer.atom(singleton=True)(concurrency=1),
    )

    assert [decorator(id="tests.modes.one")(plain).concurrency for decorator in decorators] == [1, 1, 1]


def test_a_class_says_it_as_keywords() -> None:
    """Of that class alone: one that is derived from it has its own."""

    class Single(Atom, id="tests.modes.Single", singleton=True):
        async def process(self, conductor: Bond, electron: Electron) -> int:
            return 1

    class Derived(Single, id="tests.modes.Derived"):
        pass

    assert definition_of(Single).concurrency == 1
    assert definition_of(Derived).concurrency is None


def test_modes_stay_under_another_id_and_with_options() -> None:
    """They are the atom's, whatever it is called."""
    registration = Registry().register(square.options(limit=1.0), id="tests.modes.other")

    assert (registration.definition.isolation, registration.definition.concurrency) == ("process", 2)
    assert registration.takes_turns


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"isolation": "thread"}, 'isolation= is "process" or nothing'),
        ({"concurrency": 0}, "at least 1"),
        ({"concurrency": "2"}, "a number of electrons"),
        ({"concurrency": True}, "a number of electrons"),
        ({"concurrency": 2, "singleton": True}, "say one of them"),
    ],
)
def test_what_cannot_be_is_refused(said: dict[str, Any], message: str) -> None:
    """With what to say instead."""
    decorator: Any = atomizer.atom

    with pytest.raises(RegistrationRefused, match=message):
        decorator(id="tests.modes.refused", **said)(plain)


def test_a_class_atom_is_refused_in_a_child_process() -> None:
    """Its `process` gets a `Bond`."""
    isolated: Any = {"isolation": "process"}

    with pytest.raises(RegistrationRefused, match="write a function"):

        class Isolated(Atom, **isolated):
            pass


def test_a_bond_is_refused_in_a_child_process() -> None:
    """It works in the runtime's own process alone."""

    def asks(bond: Bond, number: int) -> int:
        return number

    asks.__qualname__ = "asks"

    with pytest.raises(RegistrationRefused, match="leave the Bond out"):
        atomizer.atom(isolation="process")(asks)


def test_a_bond_whose_name_is_found_late_is_refused_at_registration() -> None:
    """As soon as it can be told."""
    with pytest.raises(RegistrationRefused, match="leave the Bond out"):
        Registry().register(bonded_later)


@pytest.mark.parametrize("function", [lambda: 1, [lambda number: number][0]])
def test_a_function_without_a_name_is_refused_in_a_child_process(function: Callable[..., Any]) -> None:
    """Not even an id helps: the child finds it by its name."""
    with pytest.raises(RegistrationRefused, match="top of a module"):
        atomizer.atom(id="tests.modes.nameless", isolation="process")(function)


def test_a_local_function_is_refused_in_a_child_process() -> None:
    """The same."""

    def local() -> int:
        return 1

    with pytest.raises(RegistrationRefused, match="no child process finds it"):
        atomizer.atom(id="tests.modes.local", isolation="process")(local)


def test_an_atom_under_another_name_than_its_functions_is_refused_in_a_child_process() -> None:
    """The child would find the plain function."""
    with pytest.raises(RegistrationRefused, match="decorate the function where it is written"):
        Registry().register(renamed)


@pytest.mark.parametrize("item", [square, written_later, Shelf.kept])
def test_a_function_that_can_be_found_is_taken(item: Any) -> None:
    """At the top of a module, or in a class of one."""
    assert Registry().register(item).takes_turns


def test_what_was_typed_in_is_refused_in_a_child_process(tmp_path: Path) -> None:
    """A child imports files."""
    program = """
import atomizer

@atomizer.atom(id="typed.in", isolation="process")
def typed() -> int:
    return 1

try:
    atomizer.Registry().register(typed)
except atomizer.RegistrationRefused as error:
    print(error)
else:
    print("taken")
"""
    file = tmp_path / "program.py"
    file.write_text(program)

    def printed(*command: str) -> str:
        return subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    assert "a child process imports files" in printed("-c", program)
    assert printed(str(file)) == "taken"


def test_a_function_without_a_name_is_refused_at_once_for_a_child_process() -> None:
    """An id would not help: it is by its name that the child process finds it."""
    isolated: Any = {"isolation": "process"}
    with pytest.raises(RegistrationRefused, match="functions at the top of a module") as caught:
        atomizer.atom(**isolated)(lambda: 1)

    assert "id=" not in str(caught.value)
