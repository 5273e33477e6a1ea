"""What runs where is told as data, by this node and by others, and nobody waits for an answer that was lost."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

import atomizer
from atomizer import Atomizer, Bond, Inspection, MemoryConductor, NodeReport, Options, Settings
from atomizer.codec import GO, MESSAGEPACK, NATIVE_JSON
from atomizer.conductor import Connection, Frame, Lane, Route, Spread
from atomizer.control import Inspect, Inspected, Ping, Pong
from atomizer.inspection import BondReport
from atomizer.testing.clock import VirtualClock, all_blocked, current_clock, on_virtual_time
from atomizer.trials import Trials

if TYPE_CHECKING:
    from atomizer.control import Control

EVERY_NODE = Route(Lane.CONTROL, spread=Spread.ALL)


@dataclass
class Hall:
    """What lets an atom of a test go on."""

    open: asyncio.Event = field(default_factory=asyncio.Event)


HALLS: dict[str, Hall] = {}


@atomizer.atom(id="tests.wait")
async def wait(bond: Bond, hall: str) -> str:
    """Wait until its hall is opened."""
    bond.progress(1, 4, "at the door")
    await HALLS[hall].open.wait()
    return hall


@atomizer.atom(id="tests.visit")
async def visit(bond: Bond, hall: str) -> str:
    """Have another wait, as a child."""
    return await bond.run(wait, hall)


@atomizer.atom(id="tests.one_by_one", route="tests.wait", singleton=True)
async def one_by_one(hall: str) -> None:
    """Wait in turn."""
    await HALLS[hall].open.wait()


@atomizer.atom(id="tests.stubborn")
async def stubborn(hall: str) -> None:
    """Do not stop when told to."""
    while not HALLS[hall].open.is_set():
        try:
            await HALLS[hall].open.wait()
        except asyncio.CancelledError:
            continue


def hall_of(name: str) -> Hall:
    """Make a hall that is closed."""
    HALLS[name] = hall = Hall()
    return hall


def named(name: str, **fields: object) -> Settings:
    """Settings of a node by that name on the clock of this test."""
    return structs.replace(Settings(name=name, clock=current_clock()), **fields)


def tell(connection: Connection, to: Route, control: Control) -> None:
    """Send a frame of the CONTROL lane, as another node would."""
    assert connection.send_nowait(Frame(to, MESSAGEPACK.encode_control(control), MESSAGEPACK.content_type, "q"))


@on_virtual_time
async def test_bond_is_seen_from_another_node_with_all_that_is_known_of_it() -> None:
    """What, where, since when, until when, which attempt, how far, and for whom."""
    hub, clock, hall = MemoryConductor(), current_clock(), hall_of("seen")
    async with (
        Atomizer(wait, visit, conductor=hub, settings=named("server")),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        began = clock.utc_ns()
        handle = await asker.send(visit.options(timeout=60.0), "seen")
        await all_blocked()
        found = await asker.inspect()
        hall.open.set()
        await handle

    parent, child = found.bonds
    assert found.nodes == ("asker", "server")
    assert (parent.electron_id, parent.atom_id, parent.state) == (handle.electron_id, "tests.visit", "suspended")
    assert (parent.sender, parent.parent, parent.progress) == ("asker", "", None)
    assert (child.atom_id, child.state, child.attempt) == ("tests.wait", "running", 1)
    assert (child.parent, child.sender, child.node) == (handle.electron_id, "server", "server")
    assert child.conductor == hub.name
    assert parent.since_ns == child.since_ns == began
    assert parent.deadline_ns == pytest.approx(began + 60_000_000_000, abs=1_000)
    assert child.deadline == parent.deadline
    assert str(child.progress) == "1 of 4, at the door"


@on_virtual_time
async def test_answers_are_gathered_for_a_second() -> None:
    """Nobody knows how many nodes there are, so nothing ends the wait sooner, and nothing makes it longer."""
    hub, clock = MemoryConductor(), current_clock()
    async with (
        Atomizer(wait, conductor=hub, settings=named("server")),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        began = clock.monotonic()
        await asker.nodes()
        after_nodes = clock.monotonic()
        await asker.inspect(seconds=0.25)
        after_inspect = clock.monotonic()

    assert after_nodes - began == pytest.approx(1.0)
    assert after_inspect - after_nodes == pytest.approx(0.25)


@on_virtual_time
async def test_one_node_that_is_asked_alone_ends_the_wait_with_its_answer() -> None:
    """And the others are not asked; nor is anybody where it is this very node."""
    hub, clock, hall = MemoryConductor(), current_clock(), hall_of("alone")
    async with (
        Atomizer(wait, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        handle = await asker.send(wait, "alone")
        await all_blocked()
        began = clock.monotonic()
        there = await asker.inspect(node="server")
        here = await server.inspect(node="server")
        took = clock.monotonic() - began
        hall.open.set()
        await handle

    assert there.nodes == here.nodes == ("server",)
    assert [bond.electron_id for bond in there.bonds] == [bond.electron_id for bond in here.bonds]
    assert took == 0.0


@on_virtual_time
async def test_node_that_does_not_exist_is_waited_for_no_longer_than_said() -> None:
    """A question may be lost: its asker gets what there is, which is nothing."""
    clock = current_clock()
    async with Atomizer(wait, conductor=MemoryConductor(), settings=named("asker")) as asker:
        began = clock.monotonic()
        found = await asker.inspect(node="nowhere", seconds=3.0)
        took = clock.monotonic() - began

    assert found == Inspection(bonds=(), nodes=())
    assert took == pytest.approx(3.0)


@on_virtual_time
async def test_one_electron_is_found_among_many() -> None:
    """By its id, on whichever node it is; who does not have it says so."""
    hub, hall = MemoryConductor(), hall_of("many")
    async with (
        Atomizer(wait, conductor=hub, settings=named("one", slots=3)),
        Atomizer(wait, conductor=hub, settings=named("two", slots=3)),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        handles = [await asker.send(wait, "many") for _ in range(6)]
        await all_blocked()
        found = [await asker.inspect(handle.electron_id) for handle in handles]
        nothing = await asker.inspect("never sent")
        hall.open.set()
        for handle in handles:
            await handle

    assert [bond.electron_id for each in found for bond in each.bonds] == [handle.electron_id for handle in handles]
    assert {bond.node for each in found for bond in each.bonds} == {"one", "two"}
    assert nothing.bonds == ()
    assert nothing.nodes == ("asker", "one", "two")


@on_virtual_time
async def test_electron_that_waits_for_its_turn_is_seen_to_wait() -> None:
    """A singleton takes one at a time."""
    hall = hall_of("turn")
    async with Atomizer(wait, one_by_one, settings=named("n")) as runtime:  # on a route without a bound
        handles = [await runtime.send(one_by_one, "turn") for _ in range(3)]
        await all_blocked()
        found = await runtime.inspect()
        hall.open.set()
        for handle in handles:
            await handle

    assert [bond.state for bond in found.bonds] == ["running", "waiting", "waiting"]


@on_virtual_time
async def test_abandoned_atom_is_still_seen() -> None:
    """It holds its slot, so whoever looks for what holds it must find it."""
    hall = hall_of("left")
    async with Atomizer(stubborn, settings=named("n", cancel_grace=0.5)) as runtime:
        handle = await runtime.send(stubborn.options(limit=1.0), "left")
        await handle.properties()
        found = await runtime.inspect()
        [report] = await runtime.nodes()
        hall.open.set()
        await all_blocked()
        after = await runtime.inspect()

    assert [(bond.electron_id, bond.state) for bond in found.bonds] == [(handle.electron_id, "abandoned")]
    assert report.abandoned == 1
    assert after.bonds == ()


@on_virtual_time
async def test_electron_between_two_attempts_is_seen_to_be_retried() -> None:
    """With the attempt that it waits for; what the attempt before told is forgotten when that one begins."""
    hall, attempts = hall_of("retry"), 0

    @atomizer.atom(id="tests.at_last", options=Options(retry=atomizer.Retry(attempts=2, backoff=5.0, jitter=0.0)))
    async def at_last(bond: Bond) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            bond.progress(9, 10)
            raise OSError("not yet")
        await hall.open.wait()

    async with Atomizer(at_last, settings=named("n")) as runtime:
        handle = await runtime.send(at_last)
        await all_blocked()
        [held] = (await runtime.inspect()).bonds
        await asyncio.sleep(6.0)
        [again] = (await runtime.inspect()).bonds
        hall.open.set()
        await handle

    assert (held.state, held.attempt) == ("retrying", 2)
    assert (again.state, again.attempt, again.progress) == ("running", 2, None)
    assert again.since == held.since


@on_virtual_time
async def test_electron_that_came_twice_is_seen_once() -> None:
    """The second delivery joins the first, and is no bond."""
    hub, hall = MemoryConductor(), hall_of("twice")
    async with (
        Atomizer(wait, conductor=hub, settings=named("n")) as runtime,
        hub.connect() as stranger,
    ):
        again = Trials(again=True)  # its sender says so
        electron = atomizer.Electron(id="one", atom_id="tests.wait", payload=b'"twice"', trials=again)
        body = MESSAGEPACK.encode_electron(electron)
        for _ in range(2):
            assert stranger.send_nowait(Frame(Route(Lane.WORK, "tests.wait"), body, MESSAGEPACK.content_type, "one"))
            await all_blocked()
        found = await runtime.inspect()
        hall.open.set()

    assert [bond.electron_id for bond in found.bonds] == ["one"]


@on_virtual_time
async def test_newest_progress_is_what_is_seen() -> None:
    """Also where nobody waits for the electron, so that it is told nowhere else; a long line is cut."""
    told = asyncio.Event()

    @atomizer.atom(id="tests.tell", options=Options(reply=False))
    async def tell_it(bond: Bond) -> None:
        bond.progress(1, 10)
        bond.progress(2, 10, "é\udc80" + "x" * 1_000)
        await told.wait()

    async with Atomizer(tell_it, settings=named("n")) as runtime:
        await runtime.send(tell_it)
        await all_blocked()
        [bond] = (await runtime.inspect()).bonds
        told.set()

    assert (bond.done, bond.total) == (2.0, 10.0)
    assert bond.note == "é?" + "x" * 254


@on_virtual_time
async def test_progress_that_is_no_number_is_left_out() -> None:
    """It could not travel; the rest can."""
    told = asyncio.Event()

    @atomizer.atom(id="tests.tell_nan", options=Options(reply=False))
    async def tell_nan(bond: Bond) -> None:
        bond.progress(float("nan"), 10, "lost")
        await told.wait()

    hub = MemoryConductor()
    async with (
        Atomizer(tell_nan, conductor=hub, settings=named("n")),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        await asker.send(tell_nan)
        await all_blocked()
        [bond] = (await asker.inspect()).bonds
        told.set()

    assert bond.progress is None
    assert bond.note == "lost"


@on_virtual_time
async def test_nodes_say_where_they_are_and_what_they_do() -> None:
    """This one too, without the wire."""
    hub, clock, hall = MemoryConductor(), current_clock(), hall_of("nodes")
    began = clock.utc_ns()
    async with (
        Atomizer(wait, visit, conductor=hub, settings=named("server", slots=4)),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        handle = await asker.send(visit, "nodes")
        await all_blocked()
        me, server = await asker.nodes()
        hall.open.set()
        await handle

    assert (me.node, me.serves, me.outstanding, me.atoms) == ("asker", False, 1, ())
    assert (server.node, server.serves, server.state) == ("server", True, "running")
    assert (server.slots, server.running, server.suspended, server.outstanding) == (4, 1, 1, 1)
    assert set(server.atoms) == {"tests.wait", "tests.visit"}
    assert (server.host, server.pid) == (socket.gethostname(), os.getpid())
    assert server.since_ns == began
    assert server.conductors == {hub.name: "ready"}
    assert server.ok
    assert server.python


@on_virtual_time
async def test_node_says_what_it_takes_nothing_of() -> None:
    """So that whoever wonders why nothing comes sees it from afar."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, visit, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        await server.pause(visit)
        _, report = await asker.nodes()

    assert report.paused == ("tests.visit",)


@on_virtual_time
async def test_runtime_with_a_hub_of_its_own_waits_for_nobody() -> None:
    """There is nobody else, and it knows that."""
    clock = current_clock()
    async with Atomizer(wait, settings=named("n")) as runtime:
        began = clock.monotonic()
        nodes, found = await runtime.nodes(), await runtime.inspect()
        took = clock.monotonic() - began

    assert [report.node for report in nodes] == ["n"]
    assert found == Inspection(bonds=(), nodes=("n",))
    assert took == 0.0


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
async def test_seconds_that_are_no_span_of_time_are_refused(seconds: float) -> None:
    """Nobody waits for ever."""
    async with Atomizer(wait) as runtime:
        with pytest.raises(ValueError, match="no span of time"):
            await runtime.nodes(seconds=seconds)
        with pytest.raises(ValueError, match="no span of time"):
            await runtime.inspect(seconds=seconds)


async def test_runtime_that_is_not_open_cannot_look() -> None:
    """As with everything that asks."""
    runtime = Atomizer(wait)

    with pytest.raises(atomizer.NotRunning):
        await runtime.nodes()
    with pytest.raises(atomizer.NotRunning):
        await runtime.inspect()


@pytest.mark.parametrize("codec", [MESSAGEPACK, NATIVE_JSON, GO], ids=lambda codec: codec.content_type)
@pytest.mark.parametrize("most_bytes", [10_000, 8 * 1024 * 1024])
async def test_answer_of_a_full_node_fits_into_a_frame_and_says_what_is_left_out(
    codec: object, most_bytes: int
) -> None:
    """I10: 1,200 electrons under way are told by the oldest of them, and a count of the others."""
    hub, hall = MemoryConductor(), hall_of("full")
    hub.codec = codec  # type: ignore[assignment]  # one of three
    async with (
        Atomizer(wait, conductor=hub, settings=Settings(name="server", slots=1_200)) as server,
        Atomizer(conductor=hub, settings=Settings(name="asker"), serve=False) as asker,
    ):
        handles = [await asker.send(wait, "full") for _ in range(1_200)]
        while server.statistics().running < 1_200:
            await asyncio.sleep(0)
        hub.max_body_bytes, server._open_node().links[hub.name].most_bytes = most_bytes, most_bytes
        found = await asker.inspect(node="server", seconds=20.0)
        hall.open.set()
        for handle in handles:
            await handle

    ids = [bond.electron_id for bond in found.bonds]
    body = codec.encode_control(Inspected(question="q", node="server", bonds=found.bonds))  # type: ignore[attr-defined]
    assert ids == [handle.electron_id for handle in handles[: len(ids)]]
    assert len(ids) + found.left_out == 1_200
    assert 0 < len(ids) <= 1_000
    assert (len(ids) == 1_000) == (most_bytes > 10_000)
    assert len(body) <= most_bytes


async def test_node_with_very_many_atoms_names_the_first_of_them() -> None:
    """An answer is bounded, whatever is registered."""
    hub = MemoryConductor()
    atoms = [atomizer.atom(id=f"tests.many.{number}")(one_by_one.__wrapped__) for number in range(1_100)]
    async with (
        Atomizer(*atoms, conductor=hub, settings=Settings(name="server")),
        Atomizer(conductor=hub, settings=Settings(name="a"), serve=False) as asker,
    ):
        _, server = await asker.nodes(seconds=0.2)

    assert len(server.atoms) == 1_000
    assert server.atoms_left_out == 100


@on_virtual_time
async def test_hostile_answers_are_harmless() -> None:
    """An answer to nothing, twice, too late, to another's question, or without end changes nothing."""
    hub = MemoryConductor()
    bond = BondReport(electron_id="invented", node="server")
    async with (
        hub.connect() as stranger,
        Atomizer(wait, conductor=hub, settings=named("asker")) as asker,
    ):
        errors = asker.errors()
        await stranger.listen(EVERY_NODE, 1)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(asker.inspect())
            asked = MESSAGEPACK.decode_control((await stranger.receive(Lane.CONTROL)).body)
            assert isinstance(asked, Inspect)
            to_asker = Route(Lane.CONTROL, "asker")
            tell(stranger, to_asker, Inspected(question="another", node="x", bonds=(bond,)))
            tell(stranger, to_asker, Pong(question=asked.question, report=NodeReport(node="y")))
            tell(stranger, to_asker, Pong(question="", report=NodeReport(node="y")))
            tell(stranger, to_asker, Inspected(question=asked.question, node="z"))
            tell(stranger, to_asker, Inspected(question=asked.question, node="z", bonds=(bond, bond)))
        tell(stranger, to_asker, Inspected(question=asked.question, node="late", bonds=(bond,)))
        await all_blocked()
        again = await asker.inspect()
        fine = asker.health().ok
    faults = [event async for event in errors]

    assert looking.result() == Inspection(bonds=(bond, bond), nodes=("asker", "z"))
    assert again == Inspection(bonds=(), nodes=("asker",))
    assert fine
    assert faults == []


@on_virtual_time
async def test_questions_without_number_are_answered_one_each_and_leave_nothing_behind() -> None:
    """Whoever floods a node with questions gets answers for it, and the node does its work."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(wait, conductor=hub, settings=named("server")) as server,
    ):
        hall_of("flood").open.set()
        mine = Route(Lane.CONTROL, "stranger")
        await stranger.listen(mine, 1)
        for number in range(500):
            tell(stranger, EVERY_NODE, Ping(asker="stranger", question=str(number)))
            tell(stranger, EVERY_NODE, Ping(asker="server", question=str(number)))  # it does not answer itself
        answered = await server.run(wait, "flood")
        await all_blocked()
        answers = [await stranger.receive(Lane.CONTROL) for _ in range(500)]
        more = stranger.receive_nowait(Lane.CONTROL)

    assert answered == "flood"
    assert len({MESSAGEPACK.decode_control(answer.body).question for answer in answers}) == 500  # type: ignore[union-attr]
    assert more is None


def test_bond_report_says_when_in_utc() -> None:
    """As a `datetime`, for who wants one."""
    report = BondReport(electron_id="i", since_ns=1_500_000_000)

    assert report.since.isoformat() == "1970-01-01T00:00:01.500000+00:00"
    assert report.deadline is None
    assert NodeReport(node="n", since_ns=1_500_000_000).since == report.since


def test_clock_of_these_tests_is_virtual() -> None:
    """So that nothing here waits for the wall's."""
    assert isinstance(on_virtual_time(_clock)(), VirtualClock)


async def _clock() -> VirtualClock:
    return current_clock()


@pytest.mark.parametrize("electron", ["", "x" * 257])
async def test_what_can_be_the_id_of_no_electron_is_not_asked_for(electron: str) -> None:
    """What a node asks for that others cannot read is told by each of them as a fault."""
    hub = MemoryConductor()
    async with (
        Atomizer(wait, conductor=hub),
        Atomizer(conductor=hub, serve=False) as asker,
    ):
        faults = asker.fleet_errors()
        for look in (lambda: asker.inspect(electron, seconds=0.01), lambda: asker.inspect(node=electron, seconds=0.01)):
            with pytest.raises(ValueError, match="1 to 256 characters"):
                await look()
        with pytest.raises(ValueError, match="electron= is an id of 1 to 256 characters"):
            asker.fleet_events(electron=electron)
        with pytest.raises(ValueError, match="atom= is an id of 1 to 256 characters"):
            asker.events(atom=electron)

    assert faults.unread == 0


async def test_what_is_no_electron_at_all_is_a_mistake_in_types() -> None:
    """And so is what is no node, and no number of seconds."""
    wrong: tuple[dict[str, Any], ...] = ({"electron": 3}, {"node": 3}, {"seconds": "1"}, {"seconds": True})
    async with Atomizer(wait) as runtime:
        for asked in wrong:
            with pytest.raises(TypeError, match=f"{next(iter(asked))}= is "):
                await runtime.inspect(**asked)


@on_virtual_time
async def test_electron_may_be_named_by_its_handle() -> None:
    """Whoever has sent it need not take its id out."""
    hall_of("handle")
    async with Atomizer(wait, settings=Settings(clock=current_clock())) as runtime:
        handle = await runtime.send(wait, "handle")
        followed = runtime.events(electron=handle)
        await all_blocked()
        found = await runtime.inspect(handle, seconds=0)
        await handle.cancel()

    assert [bond.electron_id for bond in found.bonds] == [handle.electron_id]
    assert followed.unread > 0
