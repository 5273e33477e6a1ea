"""Registries: what is registered, under which id, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import atomizer
from atomizer import Atom, Bond, Electron, MemoryConductor, Options, RegistrationRefused, Registry, atom
from atomizer.registry import default_registry


@atom(id="tests.add", route="tests.numbers")
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@atom(id="tests.ask")
async def ask(bond: Bond, question: str) -> str:
    """Use the bond."""
    return f"{bond}:{question}"


@atom(id="tests.length")
def length(text: str) -> int:
    """Run in a thread."""
    return len(text)


class Count(Atom, id="tests.Count"):
    """Hold a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def process(self, conductor: Bond, electron: Electron) -> int:
        """Give it."""
        return self.number


class Toss(Atom, id="tests.Toss"):
    """Give the payload back."""

    async def process(self, conductor: Bond, electron: Electron) -> bytes:
        """Give it."""
        return electron.payload


ELECTRON = Electron(id="1", atom_id="tests.x", payload=b"abc")
BOND: Any = "the bond"


def test_registered_atom_is_found_by_its_id() -> None:
    """And nothing else is."""
    registry = Registry()

    registration = registry.register(add)

    assert registry.find("tests.add") is registration
    assert registry.find("tests.ad") is None
    assert registry.registrations == (registration,)
    assert (add in registry, "tests.add" in registry, ask in registry) == (True, True, False)


def test_registration_has_the_definition_of_its_atom() -> None:
    """Id and route are those of the atom."""
    registration = Registry().register(add)

    assert registration.definition.atom_id == "tests.add"
    assert registration.definition.route == "tests.numbers"


def test_registration_may_have_another_id_and_route() -> None:
    """The atom keeps its own."""
    registry = Registry()

    renamed = registry.register(add, id="tests.plus")
    rerouted = registry.register(ask, id="tests.tell", route="tests.talk")

    assert (renamed.definition.atom_id, renamed.definition.route) == ("tests.plus", "tests.numbers")
    assert (rerouted.definition.atom_id, rerouted.definition.route) == ("tests.tell", "tests.talk")
    assert (add.atom_id, ask.route) == ("tests.add", "tests.ask")


def test_route_follows_the_id_where_none_was_said() -> None:
    """For functions and classes alike."""
    registry = Registry()

    assert registry.register(ask, id="tests.tell").definition.route == "tests.tell"
    assert registry.register(Toss, id="tests.Coin").definition.route == "tests.Coin"


async def test_registration_calls_a_function() -> None:
    """With its arguments."""
    registration = Registry().register(add)

    assert registration.instance(None) is None
    assert await registration.call(None, BOND, ELECTRON, (1, 2), {}) == 3


async def test_registration_calls_a_function_with_its_bond() -> None:
    """In front of its arguments."""
    registration = Registry().register(ask)

    assert await registration.call(None, BOND, ELECTRON, (), {"question": "why"}) == "the bond:why"


async def test_registration_calls_a_class() -> None:
    """With the bond and the electron."""
    registration = Registry().register(Toss)

    assert await registration.call(registration.instance(None), BOND, ELECTRON, (), {}) == b"abc"


def test_registration_makes_a_call_for_a_thread() -> None:
    """Without arguments: they are in it."""
    registration = Registry().register(length)

    assert registration.thunk(None, BOND, ELECTRON, ("abc",), {})() == 3


def test_registering_options_for_a_call_registers_the_atom() -> None:
    """Options are for who asks."""
    registry = Registry()

    registration = registry.register(add.options(limit=1.0))
    registry.register(Toss.options(limit=1.0))

    assert registration.item is add
    assert registration.definition.defaults == Options()
    assert (add in registry, add.options(limit=2.0) in registry, Toss in registry) == (True, True, True)


def test_instance_is_registered_under_the_id_of_its_class_or_another() -> None:
    """Two instances of one class need two ids."""
    registry = Registry()

    registry.register(Count(1))
    registry.register(Count(2), id="tests.Count.two")

    assert [each.definition.atom_id for each in registry.registrations] == ["tests.Count", "tests.Count.two"]


def test_class_without_an_id_is_registered_under_a_given_one() -> None:
    """So a local class can be registered too."""

    class Local(Atom):
        """Be local."""

        async def process(self, conductor: Bond, electron: Electron) -> None:
            """Do nothing."""

    registry = Registry()

    assert registry.register(Local, id="tests.Local").definition.atom_id == "tests.Local"
    assert registry.register(Local(), id="tests.local").definition.atom_id == "tests.local"
    with pytest.raises(RegistrationRefused, match="id="):
        registry.register(Local)


def test_id_of_says_the_id_without_registering() -> None:
    """As `register` would have it."""
    registry = Registry()

    assert registry.id_of(add) == "tests.add"
    assert registry.id_of(Count(1), id="tests.one") == "tests.one"
    assert registry.registrations == ()


def test_taken_id_is_refused_with_both_names() -> None:
    """Nobody is silently replaced."""
    registry = Registry(name="this runtime")
    registry.register(add)

    with pytest.raises(RegistrationRefused) as caught:
        registry.register(Toss, id="tests.add")

    message = str(caught.value)
    assert f"function {__name__}.add" in message
    assert f"class {__name__}.Toss" in message
    assert "this runtime" in message
    assert "replace=True" in message


def test_same_atom_twice_is_refused() -> None:
    """It is a mistake more often than not."""
    registry = Registry()
    registry.register(add)

    with pytest.raises(RegistrationRefused, match=r"tests\.add"):
        registry.register(add)


def test_replace_takes_the_place() -> None:
    """Said so, it is no mistake."""
    registry = Registry()
    registry.register(add)

    registration = registry.register(Toss, id="tests.add", replace=True)

    assert registry.registrations == (registration,)


def test_unregister_takes_an_atom_or_an_id() -> None:
    """And gives back what was registered."""
    registry = Registry()
    first, second, third = registry.register(add), registry.register(ask), registry.register(Count(1))

    removed = [registry.unregister(each) for each in (add, "tests.ask", Count)]

    assert removed == [first, second, third]
    assert registry.registrations == ()


def test_unregister_refuses_what_is_not_there() -> None:
    """With the nearest names."""
    registry = Registry(name="this runtime")
    registry.register(add)

    with pytest.raises(RegistrationRefused, match=r"did you mean 'tests\.add'"):
        registry.unregister("tests.addd")
    with pytest.raises(RegistrationRefused, match="ask is not registered in this runtime"):
        registry.unregister(ask)


def test_unregister_asks_which_of_several() -> None:
    """Guessing would take the wrong one."""
    registry = Registry()
    registry.register(Count(1))
    registry.register(Count(2), id="tests.two")

    with pytest.raises(RegistrationRefused, match=r"'tests\.Count', 'tests\.two': say which id"):
        registry.unregister(Count)


def test_miss_names_the_nearest() -> None:
    """What was probably meant."""
    registry = Registry()
    registry.register(add)

    assert registry.miss("tests.sdd") == "atom 'tests.sdd' is not registered here; did you mean 'tests.add'?"


@pytest.mark.parametrize(("there", "asked"), [("app.tasks.add", "tasks.add"), ("tasks.add", "app.tasks.add")])
def test_miss_explains_two_module_names_of_one_file(there: str, asked: str) -> None:
    """A script knows itself by a shorter name than those who import it."""
    registry = Registry()
    registry.register(add, id=there)

    message = registry.miss(asked)

    assert f"{there!r}" in message
    assert "python -m app.tasks" in message


def test_miss_of_an_empty_registry_says_so() -> None:
    """There is nothing to mean."""
    assert "nothing is registered here" in Registry().miss("tests.add")


@pytest.mark.parametrize(
    ("item", "advice"),
    [
        (len, "decorate it with @atomizer.atom"),
        (lambda: None, "decorate it with @atomizer.atom"),
        (int, "derive it from atomizer.Atom"),
        ("memory://", "conductor="),
        (3, "neither atom nor conductor"),
    ],
)
def test_what_is_no_atom_is_refused(item: Any, advice: str) -> None:
    """With the way to make it one."""
    with pytest.raises(RegistrationRefused, match=advice):
        Registry().register(item)


def test_share_is_refused_for_a_function() -> None:
    """It has no state."""
    with pytest.raises(RegistrationRefused, match="no state"):
        Registry().register(add, share=True)


def test_class_without_process_is_refused() -> None:
    """The message says what is missing."""

    class Empty(Atom, id="tests.Empty"):
        """Lack everything."""

    with pytest.raises(RegistrationRefused, match=r"Empty is abstract: write its process"):
        Registry().register(Empty)
    with pytest.raises(RegistrationRefused, match=r"Atom is abstract"):
        Registry().register(Atom)


def test_class_with_another_process_is_refused() -> None:
    """It is called with a bond and an electron."""

    class Other(Atom, id="tests.Other"):
        """Take something else."""

        async def process(self) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            """Take nothing."""

    with pytest.raises(RegistrationRefused, match=r"process\(self, conductor: Bond, electron: Electron\)"):
        Registry().register(Other)


def test_class_that_yields_is_refused() -> None:
    """An atom has one result."""

    class Stream(Atom, id="tests.Stream"):
        """Yield."""

        async def process(self, conductor: Bond, electron: Electron) -> Any:
            """Yield."""
            yield 1

    with pytest.raises(RegistrationRefused, match=r"process yields.*list"):
        Registry().register(Stream)


def test_conductor_is_registered_by_its_name() -> None:
    """Beside the atoms."""
    registry = Registry()
    conductor = MemoryConductor("tests")

    assert registry.register(conductor) is conductor
    assert registry.conductors == (conductor,)
    assert conductor in registry
    assert registry.unregister(conductor) is conductor
    assert conductor not in registry


def test_conductor_of_a_taken_name_is_refused() -> None:
    """`Options(conductor=…)` means one of them."""
    registry = Registry(name="this runtime")
    registry.register(MemoryConductor("tests"))
    other = MemoryConductor("tests")

    with pytest.raises(RegistrationRefused, match=r"'tests' is already registered in this runtime"):
        registry.register(other)
    assert registry.register(other, replace=True) is other
    assert registry.conductors == (other,)


def test_conductor_takes_no_keywords_of_atoms() -> None:
    """They would do nothing."""
    registry: Any = Registry()

    with pytest.raises(RegistrationRefused, match="are for atoms"):
        registry.register(MemoryConductor("tests"), id="tests.x")


def test_unregister_refuses_a_conductor_that_is_not_there() -> None:
    """Another one of its name is not it."""
    registry = Registry()
    registry.register(MemoryConductor("tests"))

    with pytest.raises(RegistrationRefused, match="'tests' is not registered"):
        registry.unregister(MemoryConductor("tests"))


def test_registry_begins_with_what_is_in_another() -> None:
    """What comes later is each one's own."""
    default, conductor = Registry(), MemoryConductor("tests")
    default.register(add)
    default.register(conductor)

    own = Registry(beside=default)
    own.register(Toss)
    default.register(ask)

    assert [each.definition.atom_id for each in own.registrations] == ["tests.add", "tests.Toss"]
    assert own.conductors == (conductor,)
    assert Toss not in default


def test_registry_takes_the_same_atom_in_place_of_the_one_it_began_with() -> None:
    """Named at construction and by default: it is one atom."""
    default, conductor = Registry(), MemoryConductor("tests")
    default.register(add)
    default.register(Count(1))
    default.register(conductor)
    own = Registry(beside=default)

    registrations = (own.register(add), own.register(Count(2)))
    own.register(conductor)

    assert own.registrations == registrations
    assert own.conductors == (conductor,)


def test_registry_refuses_another_atom_in_place_of_the_one_it_began_with() -> None:
    """And the same atom a second time."""
    default = Registry()
    default.register(add)
    own = Registry(beside=default)

    with pytest.raises(RegistrationRefused, match=r"tests\.add"):
        own.register(Toss, id="tests.add")
    own.register(add)
    with pytest.raises(RegistrationRefused, match=r"tests\.add"):
        own.register(add)


def test_default_registry_is_filled_by_explicit_calls() -> None:
    """And emptied by them."""
    atomizer.register(add)
    found = default_registry.find("tests.add")
    atomizer.unregister(add)

    assert found is not None
    assert found.item is add
    assert add not in default_registry
