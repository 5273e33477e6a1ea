"""What a node takes of a connection that is new, or that brought what may be poison: on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import atomizer
from atomizer import Atomizer, Electron, Frame, FunctionAtom, Lane, MemoryConductor, Options, Retry, Route
from atomizer.testing.clock import all_blocked, on_virtual_time

from .wires import LastingHub, now, quick


class Runs:
    """What ran when."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.beside: dict[str, set[str]] = {}

    async def run(self, name: str, seconds: float) -> None:
        """Run for a while, and note beside whom."""
        self.now.add(name)
        for other in self.now:
            self.beside.setdefault(other, set()).update(self.now - {other})
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now.discard(name)


def watched(runs: Runs, name: str = "tests.watched") -> FunctionAtom[[str, float], None, ..., Any]:
    """Make an atom that notes beside whom it runs."""

    @atomizer.atom(id=name)
    async def each(name: str, seconds: float) -> None:
        await runs.run(name, seconds)

    return each


async def died_with(hub: MemoryConductor, *electrons: Electron) -> None:
    """Have a node take electrons and die with them; its routes stay, and they come again, counted."""
    routes = list(dict.fromkeys(Route(Lane.WORK, electron.atom_id) for electron in electrons))
    async with hub.connect() as node:
        for route in routes:
            await node.listen(route, len(electrons))
        for electron in electrons:
            body = hub.codec.encode_electron(electron)
            await node.send(Frame(Route(Lane.WORK, electron.atom_id), body, hub.codec.content_type, electron.id))
            await node.receive(Lane.WORK)
        hub.cut(node)


def electron(id: str, seconds: float, atom_id: str = "tests.watched") -> Electron:
    """Ask for a run, and for no answer."""
    return Electron(id=id, atom_id=atom_id, payload=b'{"name": "%s", "seconds": %g}' % (id.encode(), seconds))


@on_virtual_time
async def test_slow_atoms_fill_all_slots_in_the_first_second() -> None:
    """The credit doubles with what comes clean: it does not wait for the ends."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(atom, conductor=hub, settings=quick(name="node", slots=64)), asker:
        async with asyncio.TaskGroup() as group:
            for number in range(64):
                group.create_task(asker.run(atom, str(number), 1.0))
        took = now()

    assert took == pytest.approx(1.0)
    assert len(runs.beside["0"]) == 63


@on_virtual_time
async def test_what_a_dead_node_held_is_run_one_by_one() -> None:
    """I8: one of it may be what killed the node, and nothing else is to die with it again."""
    hub, runs = LastingHub(), Runs()
    names = ["a", "b", "c", "d"]
    await died_with(hub, *(electron(name, 1.0) for name in names))

    async with Atomizer(watched(runs), conductor=hub, settings=quick(name="node")) as node:
        await asyncio.sleep(10.0)
        completed = node.statistics().completed

    assert completed == 4
    assert runs.beside == {name: set() for name in names}


@on_virtual_time
async def test_nothing_runs_beside_what_may_be_poison_on_another_route() -> None:
    """I8: they share a process, and would die together."""
    hub, runs = LastingHub(), Runs()
    one, other = watched(runs, "tests.one"), watched(runs, "tests.other")
    await died_with(hub, electron("suspect", 5.0, "tests.one"), electron("too", 5.0, "tests.other"))
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(one, other, conductor=hub, settings=quick(name="node")), asker:
        await asker.run(other, "innocent", 1.0)

    assert runs.beside == {"suspect": set(), "too": set(), "innocent": set()}


@on_virtual_time
async def test_when_what_may_be_poison_is_settled_everything_else_is_taken() -> None:
    """The node is as fast as before."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)
    await died_with(hub, electron("suspect", 5.0))
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(atom, conductor=hub, settings=quick(name="node", slots=8)), asker:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(asker.run(atom, str(number), 1.0))
        took = now()

    assert took == pytest.approx(6.0)
    assert runs.beside["suspect"] == set()


@on_virtual_time
async def test_what_was_given_back_in_order_is_taken_at_full_speed() -> None:
    """It comes again, but nothing died of it."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker:
        async with Atomizer(atom, conductor=hub, settings=quick(name="first", grace=0.0)):
            handles = [await asker.send(atom, str(number), 1.0) for number in range(8)]
            await all_blocked()
        async with Atomizer(atom, conductor=hub, settings=quick(name="second")):
            for handle in handles:
                await handle

    assert now() == pytest.approx(1.0)


@on_virtual_time
async def test_children_of_what_may_be_poison_come() -> None:
    """What is lent comes on top, however deep: a spawner that came again does not wait for ever."""

    @atomizer.atom(id="tests.deep")
    async def deep(bond: atomizer.Bond, depth: int) -> int:
        return 0 if depth == 0 else 1 + await bond.run(deep, depth - 1)

    hub = LastingHub()
    suspect = Electron(id="suspect", atom_id="tests.deep", payload=b"12")
    await died_with(hub, suspect)

    async with Atomizer(deep, conductor=hub, settings=quick(name="node", slots=2)) as node:
        await asyncio.sleep(1.0)
        completed = node.statistics().completed

    assert completed == 13


@on_virtual_time
async def test_an_abandoned_atom_that_may_be_poison_holds_nothing_once_it_is_answered() -> None:
    """Its delivery is settled, though its atom still runs."""
    runs, over = Runs(), asyncio.Event()
    hub = LastingHub()

    @atomizer.atom(id="tests.stubborn")
    async def stubborn() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    atom = watched(runs)
    await died_with(hub, Electron(id="suspect", atom_id="tests.stubborn", limit=1.0))
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with Atomizer(stubborn, atom, conductor=hub, settings=quick(name="node", cancel_grace=2.0)) as node, asker:
        await asker.run(atom, "next", 1.0)
        abandoned = node.statistics().abandoned
        over.set()

    assert (abandoned, now()) == (1, pytest.approx(4.0, abs=0.1))


@on_virtual_time
async def test_each_new_connection_begins_slowly() -> None:
    """Also that of a node that goes on: what it held comes again, and joins what still runs or is run by itself."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(atom, conductor=hub, settings=quick(name="node")) as node:
        handles = [await asker.send(atom, str(number), 3.0) for number in range(8)]
        await all_blocked()
        hub.cut()
        await asyncio.sleep(1.0)
        late = await asker.send(atom, "late", 1.0)
        for handle in [*handles, late]:
            await handle
        ready = node.statistics().conductors

    assert ready == {"memory": "ready"}
    assert runs.beside["late"] == set()


@on_virtual_time
async def test_a_runtime_alone_on_its_own_hub_starts_at_full_speed() -> None:
    """Nothing in it can have been out before."""
    runs = Runs()
    atom = watched(runs)

    async with Atomizer(atom, settings=quick(slots=4)) as runtime:
        handles = [await runtime.send(atom, str(number), 1.0) for number in range(4)]
        for handle in handles:
            await handle

    assert now() == pytest.approx(1.0)


@on_virtual_time
async def test_a_hub_that_dies_with_this_process_starts_at_full_speed() -> None:
    """What a process did not survive, such a hub did not either. So who leaves at once has done what it sent."""

    @atomizer.atom(id="tests.note", options=Options(reply=False))
    async def note(number: int) -> None:
        """Note a number."""

    async with Atomizer(note, conductor=MemoryConductor(), settings=quick(name="node", slots=8)) as node:
        for number in range(5):
            await node.send(note, number)

    assert node.statistics().completed == 5


@on_virtual_time
async def test_what_comes_again_and_still_runs_here_holds_nothing_back() -> None:
    """Its process lives: only its connection broke."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)
    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)

    async with asker, Atomizer(atom, conductor=hub, settings=quick(name="node", slots=8)) as node:
        long = await asker.send(atom, "long", 3600.0)
        await all_blocked()
        hub.cut()
        await asyncio.sleep(1.0)
        began = now()
        async with asyncio.TaskGroup() as group:
            for number in range(7):
                group.create_task(asker.run(atom, str(number), 1.0))
        took = now() - began
        free = node.statistics().free
        await long

    assert (took, free) == (pytest.approx(1.0), 7)


@on_virtual_time
async def test_what_may_be_poison_runs_by_itself_while_another_waits_for_its_next_attempt() -> None:
    """A slot that is lent for a pause lets nothing in: nobody waits for children."""
    hub, runs = LastingHub(), Runs()
    atom = watched(runs)

    @atomizer.atom(id="tests.retried", options=Options(reply=False, retry=Retry(attempts=9, backoff=9.0, jitter=0.0)))
    async def retried() -> None:
        raise ValueError

    asker = Atomizer(conductor=hub, settings=quick(name="asker"), serve=False)
    async with Atomizer(retried, conductor=hub, settings=quick(name="node")) as node, asker:
        await asker.send(retried)
        await asyncio.sleep(1.0)
        suspended = node.statistics().suspended
        await died_with(hub, electron("suspect", 5.0))
        await node.register(atom)
        await asyncio.sleep(1.0)
        await asker.run(atom, "innocent", 1.0)

    assert suspended == 1
    assert runs.beside == {"suspect": set(), "innocent": set()}
