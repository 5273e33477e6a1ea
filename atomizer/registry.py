"""
Registries: what is registered where, found by atom id.

Each runtime has one of its own. It begins with what is in the default registry, which `atomizer.register()` fills.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeAlias, overload

from .atom import Atom, FunctionAtom, is_class_atom
from .conductor import Conductor
from .definition import Definition
from .errors import RegistrationRefused, nearest
from .registration import Plain, Registration, described
from .state import Copied, Fresh, Shared, State, Stateless, StateRefused

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ("Registration", "Registry", "StateRefused", "default_registry", "register", "unregister")

Registrable: TypeAlias = Definition | Atom | type[Atom]
"""What can be registered as an atom: a function atom, a class atom, or an instance of one."""


class Registry:
    """
    Atoms by their id, and conductors by their name.

    Args:
        name: What messages call it.
        beside: A registry to begin with: what it holds now is here too, and gives way to the same atom registered here.

    Attributes:
        find: Returns the atom of an id, or None.
    """

    def __init__(self, *, name: str = "this registry", beside: Registry | None = None) -> None:
        self._name = name
        self._by_id: dict[str, Registration] = {}
        self._conductors: dict[str, Conductor] = {}
        if beside is not None:
            self._by_id.update((each.definition.atom_id, each.renewed()) for each in beside.registrations)
            self._conductors.update((each.name, each) for each in beside.conductors)
        self.find: Callable[[str], Registration | None] = self._by_id.get
        self._given_atoms = dict(self._by_id)
        self._given_conductors = dict(self._conductors)

    def __repr__(self) -> str:
        return f"<Registry {self._name!r}: {len(self._by_id)} atoms, {len(self._conductors)} conductors>"

    def __contains__(self, item: object) -> bool:
        """Say whether an atom or conductor is registered here, or an atom of that id."""
        if isinstance(item, str):
            return item in self._by_id
        if isinstance(item, Conductor):
            return self._conductors.get(item.name) is item
        return bool(self._ids_of(item))

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """The atoms, in the order in which they were registered."""
        return tuple(self._by_id.values())

    @property
    def conductors(self) -> tuple[Conductor, ...]:
        """The conductors, in the order in which they were registered."""
        return tuple(self._conductors.values())

    @overload
    def register(
        self,
        item: Registrable,
        *,
        id: str | None = None,
        route: str | None = None,
        share: bool | None = None,
        replace: bool = False,
    ) -> Registration: ...
    @overload
    def register(self, item: Conductor, *, replace: bool = False) -> Conductor: ...
    def register(
        self,
        item: Registrable | Conductor,
        *,
        id: str | None = None,
        route: str | None = None,
        share: bool | None = None,
        replace: bool = False,
    ) -> Registration | Conductor:
        """
        Add an atom or a conductor.

        Args:
            item: A function atom, a class atom, an instance of one, or a conductor; options for a call are left aside.
            id: Another atom id than its own; whoever asks for it must then ask by that id.
            route: Another route than its own.
            share: One instance serves all electrons; None means as its class says.
            replace: Take the place of what is registered under the same id or name.

        Raises:
            RegistrationRefused: It cannot be one, or its id or name is taken.
        """
        if isinstance(item, Conductor):
            if id is not None or route is not None or share is not None:
                raise RegistrationRefused(f"conductor {item.name!r}: id=, route= and share= are for atoms")
            return self._add_conductor(item, replace=replace)
        registration = self.prepare(item, id=id, route=route, share=share, replace=replace)
        self.add(registration)
        return registration

    def prepare(
        self,
        item: Registrable,
        *,
        id: str | None = None,
        route: str | None = None,
        share: bool | None = None,
        replace: bool = False,
    ) -> Registration:
        """
        Do all of `register` but the last step, `add`: an atom that must be opened first is added when it is open.

        Raises:
            RegistrationRefused: As `register`.
        """
        registration = _registration(_plain(item), id, route, share)
        self._refuse_duplicate(registration, replace=replace)
        return registration

    def add(self, registration: Registration) -> None:
        """Let an atom be found from now on, in place of any other of its id."""
        self._by_id[registration.definition.atom_id] = registration

    def unregister(self, item: Registrable | Conductor | str) -> Registration | Conductor:
        """
        Take away an atom or a conductor, and return what it was registered as.

        Args:
            item: What was registered, or an atom id.

        Raises:
            RegistrationRefused: It is not registered here, or under several ids.
        """
        found = self.found(item)
        if isinstance(found, Conductor):
            return self._conductors.pop(found.name)
        return self._by_id.pop(found.definition.atom_id)

    def found(self, item: Registrable | Conductor | str) -> Registration | Conductor:
        """
        Return what something is registered as.

        Raises:
            RegistrationRefused: It is not registered here, or under several ids.
        """
        if isinstance(item, Conductor):
            if self._conductors.get(item.name) is not item:
                raise RegistrationRefused(f"conductor {item.name!r} is not registered in {self._name}")
            return item
        return self._by_id[self._id_registered(item)]

    def miss(self, atom_id: str) -> str:
        """Say that there is no atom of an id, and what may have been meant."""
        return f"atom {atom_id!r} is not registered here; {nearest(atom_id, self._by_id)}{self._two_names(atom_id)}"

    def id_of(self, item: Registrable, *, id: str | None = None) -> str:
        """
        Return the atom id under which something is registered, or would be.

        Args:
            item: As in `register`.
            id: As in `register`.

        Raises:
            RegistrationRefused: It cannot be an atom.
        """
        return _definition(_plain(item), id, None).atom_id

    def _add_conductor(self, conductor: Conductor, *, replace: bool) -> Conductor:
        before = self._conductors.get(conductor.name)
        gives_way = before is conductor and self._given_conductors.get(conductor.name) is conductor
        if before is not None and not replace and not gives_way:
            raise RegistrationRefused(
                f"a conductor named {conductor.name!r} is already registered in {self._name}: "
                "give one of them another name, or say replace=True"
            )
        self._conductors[conductor.name] = conductor
        return conductor

    def _refuse_duplicate(self, registration: Registration, *, replace: bool) -> None:
        atom_id = registration.definition.atom_id
        before = self._by_id.get(atom_id)
        if before is not None and not replace and not self._gives_way(before, registration):
            raise RegistrationRefused(
                f"{atom_id!r} is already registered in {self._name}, as {described(before.item)}; "
                f"give {described(registration.item)} another id, or say replace=True"
            )

    def _gives_way(self, before: Registration, registration: Registration) -> bool:
        given = self._given_atoms.get(before.definition.atom_id)
        return before is given and before.origin is registration.origin

    def _ids_of(self, item: object) -> list[str]:
        """Return the ids under which an item is registered; for a class without any, those of its instances."""
        if isinstance(item, Definition):
            item = item.plain
        by_item = [id for id, registration in self._by_id.items() if registration.item is item]
        return by_item or [id for id, registration in self._by_id.items() if registration.origin is item]

    def _id_registered(self, item: Registrable | str) -> str:
        if isinstance(item, str):
            if item not in self._by_id:
                raise RegistrationRefused(self.miss(item))
            return item
        ids = self._ids_of(item)
        if len(ids) != 1:
            what = (
                f"registered as {', '.join(map(repr, ids))}: say which id" if ids else f"not registered in {self._name}"
            )
            raise RegistrationRefused(f"{described(_plain(item))} is {what}")
        return ids[0]

    def _two_names(self, atom_id: str) -> str:
        """Say what to do if an atom is there under a longer or shorter module path: one file, started in two ways."""
        for id in self._by_id:
            shorter, longer = sorted((id, atom_id), key=len)
            if "." in shorter and longer.endswith(f".{shorter}"):
                module = longer.rpartition(".")[0]
                return (
                    f" If {id!r} and {atom_id!r} are one function, its file was started as a script on one side and "
                    f"imported on the other: start it as `python -m {module}`"
                )
        return ""


def _registration(item: Plain, id: str | None, route: str | None, share: bool | None) -> Registration:
    definition = _definition(item, id, route)
    if not isinstance(item, FunctionAtom):
        definition.prepare()  # what is wrong with the class comes before what is wrong with its instances
        return Registration(item, definition, _state(item, share))
    if share is not None:
        raise RegistrationRefused(f"{definition.atom_id}: a function has no state: share= is for class atoms")
    return Registration(item, definition, Stateless())


def _definition(item: Plain, id: str | None, route: str | None) -> Definition:
    if isinstance(item, FunctionAtom):
        return item.named(id, route)
    return _class_of(item).__atom__.named(id, route)


def _state(item: Atom | type[Atom], share: bool | None) -> State:
    if _class_of(item).__atom__.said.share if share is None else share:
        return Shared(item)
    return Fresh(item) if isinstance(item, type) else Copied(item)


def _class_of(item: Atom | type[Atom]) -> type[Atom]:
    return item if isinstance(item, type) else type(item)


def _plain(item: object) -> Plain:
    """
    Return what an item is without options for a call.

    Raises:
        RegistrationRefused: It is no atom; the message says how to make it one.
    """
    if isinstance(item, Definition):
        return item.plain
    if isinstance(item, Atom) or is_class_atom(item):
        return item
    raise RegistrationRefused(f"{item!r} is neither atom nor conductor: {_advice(item)}")


def _advice(item: object) -> str:
    if inspect.isroutine(item):
        return "decorate it with @atomizer.atom"
    if isinstance(item, type):
        return "pass an instance" if issubclass(item, Conductor) else "derive it from atomizer.Atom"
    if isinstance(item, str):
        return "a URL is given as conductor=…, and an atom is registered as itself, not by its id"
    if isinstance(item, list | tuple):
        return "unpack it, as in Atomizer(*atoms)"
    return "register functions decorated with @atomizer.atom, classes derived from atomizer.Atom, and conductors"


default_registry: Registry = Registry(name="the default registry")
"""What every runtime begins with. Nothing is in it but what `register` put there."""


def register(
    item: Registrable | Conductor,
    *,
    id: str | None = None,
    route: str | None = None,
    share: bool | None = None,
    replace: bool = False,
) -> None:
    """
    Add an atom or a conductor to the default registry, with which every runtime made from then on begins.

    Args and raises: as `Registry.register`.
    """
    if isinstance(item, Conductor):
        default_registry.register(item, replace=replace)
    else:
        default_registry.register(item, id=id, route=route, share=share, replace=replace)


def unregister(item: Registrable | Conductor | str) -> None:
    """
    Take an atom or a conductor out of the default registry. A runtime that began with it keeps it.

    Args and raises: as `Registry.unregister`.
    """
    default_registry.unregister(item)
