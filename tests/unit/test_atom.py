"""Atoms: what `@atom` and `Atom` make of functions and classes, how they are named, and what is refused."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atom, Bond, Electron, Options, RegistrationRefused, atom, atom_id
from atomizer.atom import definition_of
from atomizer.registry import default_registry

if TYPE_CHECKING:
    from pathlib import Path


@atom(route="tests.numbers", raises=(KeyError,), options=Options(limit=2.0, key="a"))
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@atom
def shout(text: str) -> str:
    """Make it loud."""
    return text.upper()


@atom(id="tests.ask")
async def ask(bond: Bond, question: str) -> str:
    """Ask for surroundings."""
    return question


class Toss(Atom, id="tests.Toss", route="tests.coins", raises=(KeyError,), options=Options(limit=2.0)):
    """Give bytes."""

    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        """Give the payload back."""
        return electron.payload


class Plain(Atom):
    """Say nothing about itself."""

    def process(self, conductor: Bond, electron: Electron) -> int:  # type: ignore[override]
        """Run in a thread."""
        return len(electron.payload)


@dataclass(slots=True)
class Slotted(Atom, id="tests.Slotted", share=True):
    """Be made twice: `slots=True` makes the class over again, without its keywords."""

    number: int = 0

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give the number."""
        return self.number


async def test_function_atom_is_still_its_function() -> None:
    """Called directly, no runtime is needed."""
    assert await add(1, 2) == 3
    assert shout("a") == "A"


def test_function_atom_looks_like_its_function() -> None:
    """Tools that look at functions find what they look for."""
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Add two numbers.", __name__)
    assert callable(add.__wrapped__)


def test_decorator_registers_nothing() -> None:
    """A definition is attached, and that is all."""
    assert add not in default_registry
    assert default_registry.find(add.atom_id) is None


def test_function_atom_is_described_as_it_was_said() -> None:
    """Every keyword of the decorator arrives in the definition."""
    definition = definition_of(add)

    assert definition.atom_id == f"{__name__}.add"
    assert definition.route == "tests.numbers"
    assert definition.raises == (KeyError,)
    assert definition.defaults == Options(limit=2.0, key="a")
    assert definition.is_async
    assert not definition.wants_bond


def test_function_atom_has_defaults_of_its_own_accord() -> None:
    """Without keywords the id comes from where the function is written, and the route from the id."""
    definition = definition_of(shout)

    assert definition.atom_id == definition.route == f"{__name__}.shout"
    assert definition.defaults == Options()
    assert not definition.is_async


def test_first_parameter_annotated_bond_asks_for_it() -> None:
    """Only the annotation counts."""
    assert definition_of(ask).wants_bond


def test_decorator_collects_what_is_said_in_steps() -> None:
    """A prepared decorator can be made more precise."""
    limited = atom(options=Options(limit=1.0), route="tests.slow")

    made = limited(id="tests.limited")(_one)

    assert (made.atom_id, made.route, made.defaults) == ("tests.limited", "tests.slow", Options(limit=1.0))


def test_decorator_refuses_keywords_it_does_not_know() -> None:
    """A function has no state to share."""
    decorator: Any = atom

    with pytest.raises(TypeError, match="share"):
        decorator(share=None)


def test_options_for_a_call_go_over_the_atoms_own() -> None:
    """What the call says counts more; of two limits the smaller."""
    called = add.options(limit=5.0, key="b", timeout=9.0)

    assert called.defaults == Options(limit=2.0, key="b", timeout=9.0)
    assert add.defaults == Options(limit=2.0, key="a")
    assert called.atom_id == add.atom_id


async def test_atom_with_options_is_still_its_function() -> None:
    """Options are for electrons; a direct call makes none."""
    assert await add.options(limit=1.0)(1, 2) == 3


def test_options_for_a_call_are_checked() -> None:
    """A value out of its range, or a word that is no option, is refused at once."""
    with pytest.raises(ValueError, match="Options.limit"):
        add.options(limit=-1)
    with pytest.raises(TypeError, match="timeot"):
        add.options(timeot=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_function_atom_is_pickled_by_reference() -> None:
    """The other side has the same module, and so the same atom."""
    assert pickle.loads(pickle.dumps(add)) is add  # noqa: S301  # its own bytes


def test_atom_with_options_is_pickled_with_them() -> None:
    """Options travel; the function does not."""
    called = add.options(limit=1.0)

    copy = pickle.loads(pickle.dumps(called))  # noqa: S301  # its own bytes

    assert copy.plain is add
    assert copy.defaults == called.defaults


def test_class_atom_is_described_as_it_was_said() -> None:
    """Every class keyword arrives in the definition."""
    definition = definition_of(Toss)

    assert (definition.atom_id, definition.route) == ("tests.Toss", "tests.coins")
    assert definition.raises == (KeyError,)
    assert definition.defaults == Options(limit=2.0)
    assert definition.is_async
    assert definition.wants_bond


def test_class_atom_has_defaults_of_its_own_accord() -> None:
    """Without keywords the id comes from where the class is written; a plain `process` runs in a thread."""
    definition = definition_of(Plain)

    assert definition.atom_id == definition.route == f"{__name__}.Plain"
    assert not definition.is_async


def test_class_keywords_are_not_inherited() -> None:
    """Two classes of one id would be a mistake nobody made."""

    class Heads(Toss, id="tests.Heads"):
        """Derive."""

    assert (definition_of(Heads).route, definition_of(Heads).raises) == ("tests.Heads", ())


def test_class_keywords_survive_a_class_that_is_made_over_again() -> None:
    """`@dataclass(slots=True)` copies the class, and cannot know its keywords."""
    assert definition_of(Slotted).atom_id == "tests.Slotted"
    assert Slotted.__atom__.said.share


def test_class_atom_with_options_is_pickled_with_them() -> None:
    """As for functions."""
    called = Toss.options(limit=1.0, key="b")

    copy = pickle.loads(pickle.dumps(called))  # noqa: S301  # its own bytes

    assert copy.plain is Toss
    assert copy.defaults == called.defaults == Options(limit=1.0, key="b")


def test_atom_id_knows_every_form() -> None:
    """A function atom, with or without options, a class, its instance, and an id."""
    ids = [atom_id(each) for each in (ask, ask.options(limit=1.0), Toss, Toss.options(limit=1.0), Toss(), "tests.x")]

    assert ids == ["tests.ask", "tests.ask", "tests.Toss", "tests.Toss", "tests.Toss", "tests.x"]


def test_definition_of_an_instance_says_what_to_ask_for() -> None:
    """An instance is registered; its class or its id is asked for."""
    with pytest.raises(TypeError, match=r"registration.*Toss"):
        definition_of(Toss())


@pytest.mark.parametrize(("thing", "advice"), [(len, "@atomizer.atom"), (3, "function or class atom")])
def test_definition_of_something_else_says_what_can_be_asked_for(thing: object, advice: str) -> None:
    """The message shows the next step."""
    with pytest.raises(TypeError, match=advice):
        definition_of(thing)


def test_local_function_needs_an_id() -> None:
    """No other node could find it."""

    async def local() -> None:
        """Be local."""

    with pytest.raises(RegistrationRefused, match=r"local.*id="):
        atom(local)
    assert atom(id="tests.local")(local).atom_id == "tests.local"


def test_lambda_needs_an_id() -> None:
    """It has no name."""
    with pytest.raises(RegistrationRefused, match="id="):
        atom(_NAMELESS)
    assert atom(id="tests.nameless")(_NAMELESS).atom_id == "tests.nameless"


def test_function_without_a_module_needs_an_id() -> None:
    """Code that was run from a string may have none."""
    scope: dict[str, Any] = {"__name__": None}
    exec("def f(): pass", scope)  # noqa: S102  # the only way to have one

    with pytest.raises(RegistrationRefused, match=r"no module.*id="):
        atom(scope["f"])


@pytest.mark.parametrize("wrong", ["", "x" * 257])
def test_atom_id_has_a_length_that_travels(wrong: str) -> None:
    """An electron could not carry it."""
    with pytest.raises(RegistrationRefused, match="1 to 256"):
        atom(id=wrong)(_one)


def test_local_class_needs_an_id_when_it_is_asked_for() -> None:
    """Not before: a base class needs none."""

    class Local(Toss):
        """Be local."""

    with pytest.raises(RegistrationRefused, match=r"local.*id="):
        definition_of(Local)


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        pytest.param(add, "is an atom already", id="an atom"),
        pytest.param(Toss, "is a class", id="a class"),
        pytest.param(len, "no plain function", id="a builtin"),
        pytest.param(functools.partial(shout, "a"), "no plain function", id="a partial"),
        pytest.param(Slotted.process, "is a method", id="a method"),
    ],
)
def test_decorator_refuses_what_is_no_plain_function(thing: Any, reason: str) -> None:
    """The message says what it is instead."""
    with pytest.raises(RegistrationRefused, match=reason):
        atom(id="tests.refused")(thing)


def test_decorator_refuses_generators() -> None:
    """An atom has one result."""
    with pytest.raises(RegistrationRefused, match=r"_count yields.*list"):
        atom(_count)
    with pytest.raises(RegistrationRefused, match=r"_acount yields.*list"):
        atom(_acount)


def test_decorator_refuses_a_bond_that_is_not_first() -> None:
    """The type checker refuses to call it; so it is refused where it is written."""
    with pytest.raises(RegistrationRefused, match=r"'bond': Bond must be the first parameter"):
        atom(_late_bond)
    with pytest.raises(RegistrationRefused, match=r"'bond': Bond must be the first parameter"):
        atom(_named_bond)


def test_late_bond_by_a_name_of_further_down_is_refused_when_it_is_prepared() -> None:
    """It cannot be told before."""
    hidden = definition_of(_hidden_bond)

    with pytest.raises(RegistrationRefused, match="Bond must be the first parameter"):
        hidden.prepare()


@pytest.mark.parametrize("raises", [KeyError, (KeyError, 3), [KeyError]])
def test_raises_is_a_tuple_of_exception_types(raises: Any) -> None:
    """The message shows the form."""
    with pytest.raises(RegistrationRefused, match=r"raises=\(MyError,\)"):
        atom(id="tests.raises", raises=raises)(_one)


def test_an_electron_id_cannot_be_said_of_all_electrons() -> None:
    """They would all be one request."""
    with pytest.raises(RegistrationRefused, match=r"Options\.id is for one call"):
        atom(id="tests.same", options=Options(id="1"))(_one)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["app/tasks.py"], "tasks.add", id="a script"),
        pytest.param(["-m", "app.tasks"], "app.tasks.add", id="a module"),
        pytest.param(["-m", "app"], "app.__main__.add", id="a package"),
        pytest.param(["-c", "{code}"], "__main__.add", id="typed in"),
    ],
)
def test_id_of_what_runs_as_main_is_how_others_import_it(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """`__main__` means another module on every node."""
    code = "import atomizer\n@atomizer.atom\ndef add(a: int) -> int: return a\nprint(atomizer.atom_id(add))"
    (tmp_path / "app").mkdir()
    for name in ("__init__.py", "tasks.py", "__main__.py"):
        (tmp_path / "app" / name).write_text("" if name == "__init__.py" else code)
    home = str(next(iter(atomizer.__path__))).rpartition("/")[0]

    command = [sys.executable, *(each.format(code=code) for each in arguments)]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": home}, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == expected, done.stderr


def _one(n: int) -> int:
    return n


_NAMELESS = lambda: None  # noqa: E731  # a function without a name is what is tried


def _count() -> Any:
    yield 1


async def _acount() -> Any:
    yield 1


async def _late_bond(a: int, bond: Bond) -> None: ...


async def _named_bond(*, bond: Bond) -> None: ...


@atom
async def _hidden_bond(a: int, bond: BondOfFurtherDown) -> None: ...


BondOfFurtherDown = Bond
