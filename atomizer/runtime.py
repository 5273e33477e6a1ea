"""The runtime: atoms and conductors brought together, from `async with Atomizer(…)` to its end."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ._core.broadcast import Broadcast, EventStream
from ._core.flight import CURRENT
from ._core.lifecycle import Happening, State, move
from ._core.node import Node
from ._core.stopping import stopped_by_signals, to_its_end
from ._core.surrounding import bonds_within
from ._core.trace_context import tracing_by
from .asker import Asker
from .bond import Asking
from .bonded import RunningBond
from .conductor import Conductor
from .dead_letters import DeadLetters, Unclaimed
from .dead_place import Office
from .errors import NotRunning
from .events import AtomRegistered, AtomUnregistered, RuntimeStarted, RuntimeStopped, RuntimeStopping
from .first_conductor import conductors_of
from .node_name import new_name
from .observing import Observing, describe
from .operating import Operating
from .options import NOTHING_SAID, Options
from .registry import Registry, default_registry
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from ._core.flight import Flight
    from .atom import Atom, Definition
    from .bond import Bond
    from .handle import Handle
    from .inspection import NodeReport
    from .results import Results

__all__ = ("Atomizer", "EventStream")


class Atomizer(Asking, Observing, Operating):
    """
    A runtime: it takes electrons from its conductors, bonds them with its atoms, and asks for electrons elsewhere.

    .. code-block:: python

        async with atomizer.Atomizer(add) as runtime:
            print(await runtime.run(add, 1, 2))

    Args:
        registrations: Atoms and conductors, beside those of the default registry (`atomizer.register`).
        conductor: The conductor to use first, as an object or a URL. None means the first one registered, else
            `Settings.url` (`ATOMIZER_URL`), else one in memory of its own.
        settings: None means `Settings.from_env()`.
        options: How electrons of this runtime are treated where neither call nor atom says otherwise.
        serve: False only asks: no electron is taken.
        around: Returns an async context manager for each attempt of each atom: entered just before the atom's code, in
            its context and under its limits, and left after it, with what it raised. What the hook raises is the
            electron's failure, of kind `failed`; it cannot turn a failure into a result.
        trace: Returns the W3C traceparent that an electron sent now is to carry, or "" for none. It is asked for each
            electron that no atom sends, and with `around` for children too; these else carry their parent's.

    Raises:
        RegistrationRefused: Something registered cannot be an atom or a conductor here.
        ConductorUnknown: No conductor for that URL.
        ValueError: The settings are out of their range.
        TypeError: The settings are none, or `around` returns no context manager.
    """

    def __init__(
        self,
        *registrations: Definition | Atom | type[Atom] | Conductor,
        conductor: Conductor | str | None = None,
        settings: Settings | None = None,
        options: Options = NOTHING_SAID,
        serve: bool = True,
        around: Callable[[Bond], AbstractAsyncContextManager[object]] | None = None,
        trace: Callable[[], str] | None = None,
    ) -> None:
        self._settings = Settings.from_env() if settings is None else settings
        if not isinstance(self._settings, Settings):  # pyright: ignore[reportUnnecessaryIsInstance]  # who has no checker
            raise TypeError(f"settings= is an atomizer.Settings, as in Settings(slots=8), and not {settings!r}")
        self._registry = Registry(name="this runtime", beside=default_registry)
        for item in registrations:
            self._registry.register(item)
        self._alone = not (conductor or self._settings.url or self._registry.conductors)  # a hub of its own
        self._conductors = conductors_of(conductor, self._registry, self._settings)
        self._options = options
        self._serve = serve
        self._state = State.NEW
        self._name = self._settings.name or new_name(self._settings)
        self._broadcast = Broadcast(self._name, self._settings.clock)
        self._asked_to_stop = asyncio.Event()
        self._bonds = bonds_within(around, self._make_bond)
        self._tracing = tracing_by(trace, self._broadcast, for_children=around is not None)
        self._node: Node | None = None
        self._asker: Asker | None = None

    def __repr__(self) -> str:
        return f"<Atomizer {self._name!r} {self._state}, {len(self._registry.registrations)} atoms>"

    @property
    def name(self) -> str:
        """The name of this node."""
        return self._name

    async def __aenter__(self) -> Self:
        """
        Connect the conductors and begin to take electrons.

        Raises:
            ConductorUnavailable: A conductor was not ready within `Settings.connect_patience`, or refuses this node.
            NotRunning: The runtime was entered before: make another one.

        Cancellation: nothing stays open.
        """
        if self._state is not State.NEW:
            raise NotRunning(f"runtime {self._name!r} is {self._state}: it is entered once, make another one")
        self._state = move(self._state, Happening.ENTER)
        self._node = node = self._make_node()
        self._asker = self._make_asker(node)
        node.take_reply = self._asker.take_reply
        node.fleet.inspecting.describe = self._describer(self._settings.clock.utc_ns())
        try:
            await node.open(self._conductors)
        except BaseException:
            self._state = move(self._state, Happening.FAIL)
            await self._close(drain=False)
            raise
        self._state = move(self._state, Happening.READY)
        self._asker.is_open = True
        self._broadcast.emit(RuntimeStarted)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """
        Stop: take nothing new, let what is under way finish, give the rest back, close the conductors.

        After an error or a cancellation nothing is waited for: what is under way is given back at once.

        Raises:
            AtomizerBug: Something in atomizer itself went wrong meanwhile.

        Cancellation: is held up until everything is closed, for a bounded time.
        """
        self._state = move(self._state, Happening.LEAVE)
        self._open_asker().is_open = False
        self._broadcast.emit(RuntimeStopping)
        node = await self._close(drain=kind is None)
        if node.fault is not None and kind is None:
            raise node.fault

    async def serve(self, *, signals: bool = False) -> None:
        """
        Stay until somebody stops the runtime.

        Args:
            signals: Let SIGTERM and SIGINT stop it: the first time it returns, so that leaving `async with` lets what
                is under way finish; the second time the process ends at once, and what was not acknowledged comes
                again.

        Raises:
            AtomizerBug: Something in atomizer itself went wrong.
            NotRunning: The runtime is not open.

        Cancellation: leaves the runtime as it is.
        """
        node = self._open_node()
        with stopped_by_signals(self.stop) if signals else nullcontext():
            await self._asked_to_stop.wait()
        if node.fault is not None:
            raise node.fault

    def stop(self) -> None:
        """Ask the runtime to stop: `serve()` returns. Leaving `async with` does the rest."""
        self._asked_to_stop.set()

    async def register(
        self,
        item: Definition | Atom | type[Atom] | Conductor,
        *,
        id: str | None = None,
        route: str | None = None,
        share: bool | None = None,
        replace: bool = False,
    ) -> None:
        """
        Add an atom or a conductor to this runtime while it runs.

        Returns once its electrons are taken.

        Args:
            item: A function atom, a class atom, an instance of one, or a conductor.
            id: Another atom id than its own.
            route: Another route than its own.
            share: For an instance: this one object serves all electrons, instead of a copy for each.
            replace: Take the place of what is registered under the same id.

        Raises:
            RegistrationRefused: It cannot be an atom here, or its id is taken.
            ConductorUnavailable: The conductor was not ready within `Settings.connect_patience`.
            NotRunning: The runtime is not open.
        """
        node = self._open_node()
        if isinstance(item, Conductor):
            await self._register_conductor(node, item, replace=replace)
            return
        registration = self._registry.prepare(item, id=id, route=route, share=share, replace=replace)
        await registration.open()
        atom_id = registration.definition.atom_id
        before = self._registry.find(atom_id)
        self._registry.add(registration)
        await node.add_atom(registration)
        if before is not None:
            if before.definition.route != registration.definition.route:
                await node.leave_atom(before)
            node.retire_atom(before)
        self._broadcast.emit(AtomRegistered, atom_id=atom_id)

    async def unregister(self, item: Definition | Atom | type[Atom] | Conductor | str) -> None:
        """
        Take an atom or a conductor away while the runtime runs. What is under way finishes.

        Args:
            item: What was registered, or an atom's id.

        Raises:
            RegistrationRefused: It is not registered here.
            NotRunning: The runtime is not open.
        """
        node = self._open_node()
        found = self._registry.found(item)
        if isinstance(found, Conductor):
            self._registry.unregister(found)
            await node.remove_conductor(found.name)
            return
        await node.leave_atom(found)  # while it is still found: what has come already is answered
        self._registry.unregister(found.definition.atom_id)
        node.retire_atom(found)
        self._broadcast.emit(AtomUnregistered, atom_id=found.definition.atom_id)

    @property
    def dead_letters(self) -> DeadLetters:
        """The electrons that were given up on, to be looked at, replayed or dropped; `NotRunning` if it is not open."""
        return DeadLetters(self._office)

    @property
    def unclaimed(self) -> Unclaimed:
        """The properties that nobody took, to be looked at, taken or dropped; `NotRunning` if it is not open."""
        return Unclaimed(self._office)

    async def _register_conductor(self, node: Node, conductor: Conductor, *, replace: bool) -> None:
        self._registry.register(conductor, replace=replace)
        if conductor.name in node.links:
            await node.remove_conductor(conductor.name)
        try:
            await node.add_conductor(conductor)
        except BaseException:
            self._registry.unregister(conductor)
            raise

    def _run(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        return (self._asker or self._open_asker()).run(CURRENT.get(), atom, args, kwargs)

    def _send(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Handle[Any]]:
        return (self._asker or self._open_asker()).send(CURRENT.get(), atom, args, kwargs)

    def _map(self, atom: Any, items: Any, **kwargs: Any) -> Results[Any]:
        return (self._asker or self._open_asker()).map(CURRENT.get(), atom, items, **kwargs)

    def _make_node(self) -> Node:
        return Node(
            self._name,
            settings=self._settings,
            registry=self._registry,
            broadcast=self._broadcast,
            serve=self._serve,
            alone=self._alone,
            bonds=self._bonds,
            tracing=self._tracing,
            on_fault=self._asked_to_stop.set,
        )

    def _describer(self, since_ns: int) -> Callable[[], NodeReport]:
        return lambda: describe(self.statistics(), self.health(), serves=self._serve, since_ns=since_ns)

    def _make_asker(self, node: Node) -> Asker:
        return Asker(
            settings=self._settings,
            defaults=self._options,
            registry=self._registry,
            links=node.links,
            outbound=node.outbound,
            correlation=node.correlation,
            alarm=node.alarm,
            broadcast=self._broadcast,
            slots=node.slots,
            flying=node.flights.flying.keys(),
            check_open=self._check_open,
        )

    def _make_bond(self, flight: Flight) -> Bond:
        node, asker = self._node, self._asker
        assert node is not None  # noqa: S101  # flights are only on an entered runtime
        assert asker is not None  # noqa: S101
        return RunningBond(flight, asker=asker, settings=self._settings, tasks=node.tasks, loop=node.loop)

    async def _close(self, *, drain: bool) -> Node:
        node = self._node
        assert node is not None  # noqa: S101  # only an entered runtime is left
        closing = asyncio.Task(node.close(drain=drain), loop=node.loop, name=f"atomizer stop {self._name}")
        try:
            await to_its_end(closing, node.hurry)
        finally:
            self._state = move(self._state, Happening.DRAINED)
            self._broadcast.emit(RuntimeStopped)
            self._broadcast.end()
        return node

    def _check_open(self, parent: Flight | None) -> None:
        """Refuse to ask when not running; an atom that is under way may still ask while the runtime stops."""
        if self._state is State.RUNNING or (parent is not None and self._state is State.STOPPING):
            return
        hint = {
            State.NEW: "was not entered: write `async with atomizer.Atomizer(…) as runtime:`",
            State.STARTING: "is still starting",
            State.STOPPING: "is stopping, and takes nothing new",
            State.STOPPED: "has stopped: make another one",
        }[self._state]
        raise NotRunning(f"runtime {self._name!r} {hint}")

    @cached_property
    def _office(self) -> Office:
        return Office(
            node=self._open_node(),
            asker=self._open_asker(),
            settings=self._settings,
            registry=self._registry,
            broadcast=self._broadcast,
            check_open=self._check_open,
        )

    def _open_node(self) -> Node:
        self._check_open(None)
        assert self._node is not None  # noqa: S101  # open means entered
        return self._node

    def _open_asker(self) -> Asker:
        if self._asker is None:
            self._check_open(None)
        assert self._asker is not None  # noqa: S101  # or the check has raised
        return self._asker
