"""Targets on the command line: what they stand for, and what is said where they stand for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import atomizer
from atomizer._cli.complaint import BAD_TARGET, USAGE, Complaint
from atomizer._cli.targets import collect, registry_of
from atomizer.registry import default_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.unit.conftest import Project

SHOP = """
import atomizer

@atomizer.atom
async def total(lines: list[int]) -> int: ...

quick_total = total.options(limit=1.0)

class Parent(atomizer.Atom): ...

class Till(Parent):
    async def process(self, conductor, electron): ...

till = Till()
hub = atomizer.MemoryConductor("hub")
everything = [total, till, hub]
"""


@pytest.fixture(autouse=True)
def _clean_registry() -> Iterator[None]:
    """Take out of the default registry what a target put there."""
    before = default_registry.registrations
    yield
    for registration in set(default_registry.registrations) - set(before):
        atomizer.unregister(registration.definition.atom_id)


def ids(*targets: str) -> list[str]:
    """Name the atoms that targets stand for."""
    return [each.definition.atom_id for each in registry_of(collect(targets)).registrations]


def complaint(*targets: str) -> Complaint:
    """Return what is said of targets that cannot be used."""
    with pytest.raises(Complaint) as raised:
        registry_of(collect(targets))
    return raised.value


def test_module_stands_for_every_atom_it_defines(project: Project) -> None:
    """Functions and classes; neither base classes, nor instances, nor the same atom with options."""
    project(shop__atoms=SHOP)

    assert ids("shop.atoms") == ["shop.atoms.total", "shop.atoms.Till"]


def test_module_does_not_stand_for_what_it_imports(project: Project) -> None:
    """An atom is served where it is defined; the message says which module that is."""
    project(shop__atoms=SHOP, front="from shop.atoms import total")

    found = complaint("front")

    assert found.exit_code == BAD_TARGET
    assert str(found) == "front holds no atoms: it imports some; name their own module: shop.atoms"


def test_module_stands_for_what_it_registered_as_it_said(project: Project) -> None:
    """An instance in the default registry is not replaced by its class."""
    project(till=SHOP + "\natomizer.register(till, id='till')\n")

    assert sorted(ids("till")) == ["till", "till.total"]


def test_module_that_registers_what_others_define_is_a_target(project: Project) -> None:
    """A module may be nothing but a list of what to register."""
    project(shop__atoms=SHOP, serve="import atomizer, shop.atoms as s\natomizer.register(s.total)\n")

    assert ids("serve") == ["shop.atoms.total"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("total", ["goods.total"]),
        ("quick_total", ["goods.total"]),
        ("Till", ["goods.Till"]),
        ("till", ["goods.Till"]),
        ("everything", ["goods.total", "goods.Till"]),
    ],
)
def test_name_in_a_module_stands_for_what_it_is(project: Project, name: str, expected: Sequence[str]) -> None:
    """An atom, a class, an instance, or a list."""
    project(goods=SHOP)

    assert ids(f"goods:{name}") == expected


def test_conductor_is_a_target_beside_atoms(project: Project) -> None:
    """It is served on; alone it serves nothing."""
    project(goods=SHOP)

    assert [type(item).__name__ for item in collect(["goods:hub", "goods:total"])] == [
        "MemoryConductor",
        "FunctionAtom",
    ]
    assert "there are conductors and no atoms" in str(complaint("goods:hub"))


def test_same_atom_twice_is_one(project: Project) -> None:
    """Targets may overlap."""
    project(goods=SHOP)

    assert ids("goods", "goods:total") == ["goods.total", "goods.Till"]


def test_two_atoms_of_one_id_are_refused(project: Project) -> None:
    """The registry says which."""
    project(goods=SHOP, bads="import atomizer\n@atomizer.atom(id='goods.total')\ndef other(): ...\n")

    found = complaint("goods", "bads")

    assert found.exit_code == BAD_TARGET
    assert "'goods.total' is already registered" in str(found)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop.atom", "did you mean 'shop.atoms'"),
        ("shpo", "did you mean 'shop'"),
        ("shop.atoms.total", "shop.atoms.total is no module, but in module shop.atoms: type shop.atoms:total"),
        ("shop.atoms:totl", "shop.atoms has no 'totl'; did you mean 'total'"),
        ("shop", "it is a package; name one of its modules: shop.atoms"),
        ("plain", "decorate a function with @atomizer.atom"),
        ("plain:f", "decorate it with @atomizer.atom"),
        ("plain:C", "derive it from atomizer.Atom"),
        ("plain:bad", "neither atom nor conductor"),
    ],
)
def test_target_that_holds_no_atoms_is_refused_with_what_to_type(project: Project, target: str, said: str) -> None:
    """With the folder that was looked in, and near names."""
    project(shop__atoms=SHOP, plain="def f(): ...\nclass C: ...\nbad = {}\n")

    found = complaint(target)

    assert found.exit_code == BAD_TARGET
    assert said in str(found)


def test_module_that_is_not_there_is_told_with_the_folder(project: Project) -> None:
    """Most often the command was typed in another folder."""
    folder = project(shop=SHOP)

    assert f"there is no module 'sale', looked for in {folder} first" in str(complaint("sale"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("\nimport nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all' ({file}, line 2)"),
        ("1 / 0", "ZeroDivisionError: division by zero ({file}, line 1)"),
        ("def f(:", "SyntaxError: invalid syntax (wrong.py, line 1)"),
        ("raise ValueError('a\\nb')", "ValueError: a ({file}, line 1)"),
        ("import sys\nsys.exit(1)", "wrong ends the program when it is imported ({file}, line 2)"),
        ("import atomizer\n@atomizer.atom\ndef f(*a): yield a", "RegistrationRefused: wrong.f yields"),
    ],
)
def test_module_that_cannot_be_imported_is_told_by_its_own_line(project: Project, code: str, said: str) -> None:
    """No traceback: which file, which line, which error."""
    folder = project(wrong=code)

    found = complaint("wrong")

    assert found.exit_code == BAD_TARGET
    assert said.format(file=folder / "wrong.py") in str(found)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop/atoms.py", "which is a file: type shop.atoms"),
        ("./shop.py:total", "which is a file: type shop:total"),
        ("shop:", "as in shop.atoms or shop.atoms:add"),
        (".shop", "as in shop.atoms or shop.atoms:add"),
        ("shop:a:b", "as in shop.atoms or shop.atoms:add"),
    ],
)
def test_target_written_wrongly_is_wrong_usage(target: str, said: str) -> None:
    """With how it is written."""
    found = complaint(target)

    assert found.exit_code == USAGE
    assert said in str(found)
