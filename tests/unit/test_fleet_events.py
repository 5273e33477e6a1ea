"""A stream follows the events of a whole fleet, and what is told of them steers nothing."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, Event, MemoryConductor, Settings
from atomizer._core.event_batches import ERRORS, FLEET, batch_id
from atomizer.codec import MESSAGEPACK
from atomizer.conductor import Conductor, Connection, Frame, Lane, Route, Spread
from atomizer.control import Interest
from atomizer.events import ElectronCompleted, ElectronFailed, EventsLost, RuntimeFaulted
from atomizer.testing.clock import all_blocked, current_clock, on_virtual_time
from tests.contract.wrapped import Passing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

EVERY_NODE = Route(Lane.CONTROL, spread=Spread.ALL)
A_MOMENT = 0.05


@atomizer.atom(id="tests.halve")
async def halve(number: int) -> int:
    """Halve what is even."""
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@atomizer.atom(id="tests.nap")
async def nap() -> None:
    """Sleep for a second."""
    await asyncio.sleep(1.0)


@atomizer.atom(id="tests.fail")
async def fail() -> None:
    """Fail."""
    raise ValueError("as always")


def named(name: str, **fields: Any) -> Settings:
    """Settings of a node by that name on the clock of this test."""
    return Settings(name=name, clock=current_clock(), **fields)


async def read(stream: atomizer.EventStream) -> list[Event]:
    """Read what is there by now."""
    await asyncio.sleep(A_MOMENT)
    found: list[Event] = []
    while (event := stream.read_nowait()) is not None:
        found.append(event)
    return found


def of(node: str, events: Iterable[Event]) -> list[str]:
    """Name the kinds of what happened on a node."""
    return [event.kind for event in events if event.node == node]


def batches(connection: Connection) -> list[list[str]]:
    """Name what has come to a listener, batch by batch."""
    found: list[list[str]] = []
    while (delivery := connection.receive_nowait(Lane.EVENT)) is not None:
        found.append([event.kind for event in MESSAGEPACK.decode_events(delivery.body)])
    return found


def say(connection: Connection, interest: Interest) -> None:
    """Tell every node what somebody is interested in."""
    body = MESSAGEPACK.encode_control(interest)
    assert connection.send_nowait(Frame(EVERY_NODE, body, MESSAGEPACK.content_type, interest.follower))


def publish(connection: Connection, route: Route, id: str, *events: Event) -> None:
    """Send a batch, as another node would."""
    body = MESSAGEPACK.encode_events(events)
    assert connection.send_nowait(Frame(route, body, MESSAGEPACK.content_type, id))


class Fate:
    """What becomes of what a connection is given on the EVENT lane."""

    def __init__(self) -> None:
        self.sent = 0
        self.open = asyncio.Event()
        self.open.set()
        self.lost: set[int] = set()
        self.error: Exception | None = None


class Way(Conductor):
    """A way to a hub on whose EVENT lane things go wrong."""

    def __init__(self, hub: MemoryConductor, fate: Fate) -> None:
        self.name, self.codec, self.capabilities = "way", hub.codec, hub.capabilities
        self.hub, self.fate = hub, fate

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection, None]:
        async with self.hub.connect() as inner:
            yield OnTheWay(inner, self.fate)


class OnTheWay(Passing):
    """A connection of it. Everything else goes through."""

    def __init__(self, inner: Connection, fate: Fate) -> None:
        super().__init__(inner)
        self.fate = fate

    async def send(self, frame: Frame) -> None:
        if frame.to.lane is Lane.EVENT:
            self.fate.sent += 1
            number = self.fate.sent
            await self.fate.open.wait()
            if self.fate.error is not None:
                raise self.fate.error
            if number in self.fate.lost:
                return
        await super().send(frame)


@on_virtual_time
async def test_follower_sees_what_happens_on_another_node_and_on_its_own_once() -> None:
    """Those of a node in the order in which they happened, without a gap."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events()
        await all_blocked()
        for number in (2, 4):
            await asker.run(halve, number)
        found = await read(events)

    assert of("asker", found) == ["sent", "answered"] * 2
    assert of("server", found) == ["received", "admitted", "bonded", "completed"] * 2
    assert [event.seq for event in found if event.node == "server"] == list(range(1, 9))
    assert len({(event.node, event.seq) for event in found}) == len(found) == 12


@on_virtual_time
async def test_nodes_that_follow_each_other_see_the_same() -> None:
    """A node hears its own batches too, and passes them over."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("one")) as one,
        Atomizer(conductor=hub, settings=named("two"), serve=False) as two,
    ):
        streams = [one.fleet_events(), two.fleet_events()]
        await all_blocked()
        await two.run(halve, 2)
        first, second = [await read(stream) for stream in streams]

    assert sorted(first, key=lambda event: (event.node, event.seq)) == sorted(
        second, key=lambda event: (event.node, event.seq)
    )
    assert len(first) == 6


@on_virtual_time
async def test_nothing_is_published_while_nobody_is_interested() -> None:
    """And no event is built: the first that somebody hears of has the first number."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
    ):
        await stranger.listen(FLEET, 1)
        await stranger.listen(ERRORS, 1)
        await server.run(halve, 2)
        await asyncio.sleep(60.0)
        before = batches(stranger)
        events = server.events()
        await server.run(halve, 2)
        first = await anext(events)

    assert before == []
    assert first.seq == 1


@on_virtual_time
async def test_what_goes_wrong_is_published_always() -> None:
    """Nobody has said anything, and still it is there for who listens."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        errors, of_another = asker.fleet_errors(), asker.fleet_errors(atom="tests.other")
        await all_blocked()
        await (await server.send(halve, 2)).properties()
        await (await server.send(halve, 3)).properties()
        found = await read(errors)
        nothing = await read(of_another)

    assert [(event.node, event.kind, event.inner) for event in found] == [
        ("server", "failed", "builtins.ValueError: 3 is odd")
    ]
    assert nothing == []


@on_virtual_time
async def test_follower_of_errors_asks_for_nothing() -> None:
    """Nodes publish for it no more than they do anyway."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("asker")) as asker,
    ):
        await stranger.listen(EVERY_NODE, 1)
        errors = asker.fleet_errors()
        await asyncio.sleep(60.0)
        said = stranger.receive_nowait(Lane.CONTROL)
        await errors.aclose()

    assert said is None


@on_virtual_time
async def test_runtime_with_a_hub_of_its_own_publishes_nothing() -> None:
    """There is nobody to hear it; whoever follows it there sees its own."""
    async with Atomizer(halve, settings=named("n")) as runtime:
        listening = runtime._broadcast.listening
        events = runtime.fleet_events()
        await runtime.run(halve, 2)
        found = await read(events)

    assert not listening
    assert of("n", found) == ["sent", "received", "admitted", "bonded", "completed", "answered"]


@on_virtual_time
async def test_node_that_starts_later_is_followed_within_ten_seconds() -> None:
    """Whoever follows says so again and again."""
    hub = MemoryConductor()
    async with Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker:
        events = asker.fleet_events()
        await asyncio.sleep(25.0)
        async with Atomizer(halve, conductor=hub, settings=named("late")) as late:
            await asyncio.sleep(10.0)
            await late.run(halve, 2)
            found = await read(events)

    assert "completed" in of("late", found)


@on_virtual_time
async def test_node_that_stops_tells_its_last_events() -> None:
    """What has happened until its conductors are closed."""
    hub = MemoryConductor()
    async with Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker:
        async with Atomizer(halve, conductor=hub, settings=named("server")) as server:
            events = asker.fleet_events()
            await all_blocked()
            await server.run(halve, 2)
        found = await read(events)

    assert of("server", found)[-1] == "stopping"


@on_virtual_time
@pytest.mark.parametrize("leaves", ["closed", "forgotten"])
async def test_publishing_stops_when_the_follower_has_left(leaves: str) -> None:
    """At once, if it says so: then nothing is built for it any more."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events()
        await all_blocked()
        while_followed = server._broadcast.routine
        if leaves == "closed":
            await events.aclose()
        del events
        gc.collect()
        await all_blocked()
        after = server._broadcast.routine, asker._broadcast.routine
        readers = dict(asker._open_node().fleet.following._readers)

    assert while_followed
    assert after == (False, False)
    assert readers == {}


@on_virtual_time
async def test_publishing_stops_half_a_minute_after_the_follower_has_died() -> None:
    """Without a word."""
    hub = MemoryConductor()
    async with Atomizer(halve, conductor=hub, settings=named("server")) as server:
        async with hub.connect() as stranger:
            say(stranger, Interest(follower="dead/1", seconds=30.0))
            await all_blocked()
        await asyncio.sleep(29.0)
        while_remembered = server._broadcast.routine
        await asyncio.sleep(2.0)
        after = server._broadcast.routine

    assert while_remembered
    assert not after


@on_virtual_time
async def test_follower_that_stays_goes_on_being_told() -> None:
    """Its interest ends every thirty seconds, and is said again every ten."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed")
        for _ in range(10):
            await asyncio.sleep(20.0)
            await server.run(halve, 2)
        found = await read(events)

    assert of("server", found) == ["completed"] * 10
    assert not any(isinstance(event, EventsLost) for event in found)


@on_virtual_time
async def test_only_what_somebody_wants_travels() -> None:
    """By kind, by atom and by electron; each of two followers gets its own."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, nap, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        await stranger.listen(FLEET, 1)
        completed = asker.fleet_events(kinds=ElectronCompleted, atom=halve)
        one = asker.fleet_events(electron="the one")
        await all_blocked()
        await server.run(nap)
        await server.run(halve, 2)
        await server.run(halve.options(id="the one"), 2)
        found = [await read(completed), await read(one)]
        travelled = [kind for batch in batches(stranger) for kind in batch]

    assert of("server", found[0]) == ["completed"] * 2
    assert of("server", found[1]) == ["sent", "received", "admitted", "bonded", "completed", "answered"]
    assert sorted(travelled) == sorted(["completed", *of("server", found[1])])


@on_virtual_time
async def test_follower_that_leaves_takes_nothing_from_another() -> None:
    """What is published narrows to what is still wanted."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        everything, completed = asker.fleet_events(), asker.fleet_events(kinds="completed")
        await all_blocked()
        await server.run(halve, 2)
        await everything.aclose()
        await server.run(halve, 4)
        found = await read(completed)
        before = await read(everything)
        routine = server._broadcast.routine

    assert of("server", found) == ["completed", "completed"]
    assert of("server", before) == []  # it left before they were on their way
    assert routine


@on_virtual_time
async def test_many_events_travel_in_few_frames() -> None:
    """What comes in the same moment goes together."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
    ):
        await stranger.listen(FLEET, 1)
        say(stranger, Interest(follower="s", seconds=30.0, kinds=("completed",)))
        await all_blocked()
        for _ in range(600):
            await server.run(halve, 2)
        await asyncio.sleep(1.0)
        sizes = [len(batch) for batch in batches(stranger)]

    assert sum(sizes) == 600
    assert max(sizes) <= 256
    assert len(sizes) <= 6


@on_virtual_time
async def test_batch_lost_on_the_way_is_told_with_its_size() -> None:
    """The next one shows how many events are missing, and on which node."""
    hub, fate = MemoryConductor(), Fate()
    async with (
        Atomizer(halve, conductor=Way(hub, fate), settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed")
        await all_blocked()
        fate.lost.add(2)
        for many in (1, 3, 1):
            for _ in range(many):
                await server.run(halve, 2)
            await asyncio.sleep(1.0)
        found = await read(events)

    assert of("server", found) == ["completed", "lost", "completed"]
    assert isinstance(found[1], EventsLost)
    assert found[1].dropped == 3
    assert found[2].seq == found[0].seq + 4


@on_virtual_time
async def test_conductor_that_hangs_holds_no_electron_up_and_what_it_costs_is_counted() -> None:
    """I12: the ring drops the oldest, and the follower is told how many."""
    hub, fate, clock = MemoryConductor(), Fate(), current_clock()
    async with (
        Atomizer(halve, nap, conductor=Way(hub, fate), settings=named("server", event_ring=16)) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed")
        await all_blocked()
        await server.run(halve, 0)
        [first] = await read(events)
        fate.open.clear()
        began = clock.monotonic()
        for _ in range(100):
            await server.run(halve, 2)
        await server.run(nap)
        took = clock.monotonic() - began
        fate.open.set()
        await asyncio.sleep(10.0)
        await server.run(halve, 0)
        found = await read(events)
        fine = server.health()

    lost = sum(event.dropped for event in found if isinstance(event, EventsLost))
    assert first.kind == "completed"
    assert took == pytest.approx(1.0)
    assert fine
    assert lost > 0
    assert lost + of("server", found).count("completed") == 102


@on_virtual_time
@pytest.mark.parametrize(
    "error",
    [atomizer.ConductorBroken("no power"), atomizer.TooLarge(9, 1, "x"), ValueError("its author forgot to translate")],
    ids=lambda error: type(error).__name__,
)
async def test_conductor_that_refuses_events_is_no_event(error: Exception) -> None:
    """I12: nothing is told of telling, or it would never end; electrons go on as before."""
    hub, fate = MemoryConductor(), Fate()
    async with Atomizer(halve, conductor=Way(hub, fate), settings=named("server")) as server:
        fate.error = error
        local = server.errors()
        for _ in range(3):
            await (await server.send(halve, 1)).properties()
            await asyncio.sleep(1.0)
        answered = await server.run(halve, 4)
        await asyncio.sleep(60.0)
        told = await read(local)
        fine = server.health()

    assert fate.sent == 3
    assert [event.kind for event in told] == ["failed"] * 3
    assert answered == 2
    assert fine


@on_virtual_time
async def test_following_goes_on_over_a_broken_connection() -> None:
    """It listens again on the next one, and says again what it wants."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events, errors = asker.fleet_events(kinds="completed"), asker.fleet_errors()
        await all_blocked()
        hub.cut(server._open_node().links[hub.name].connection)
        await asyncio.sleep(5.0)
        first = await read(errors)
        hub.cut()
        await asyncio.sleep(5.0)
        await server.run(halve, 2)
        found, second = await read(events), await read(errors)

    assert of("server", first) == ["disconnected"]  # told once it was connected again
    assert of("asker", second) == ["disconnected"]
    assert of("server", found) == ["completed"]


@on_virtual_time
async def test_node_that_two_conductors_reach_is_followed_once() -> None:
    """On the first that brought something; on the other, when that one is gone."""
    first, second = MemoryConductor(name="first"), MemoryConductor(name="second")
    async with (
        Atomizer(halve, first, second, settings=named("server")) as server,
        Atomizer(first, second, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed")
        await all_blocked()
        for _ in range(3):
            await server.run(halve, 2)
        found = await read(events)
        await asker.unregister(first)
        for _ in range(2):
            await server.run(halve, 2)
        later = await read(events)

    assert of("server", found) == ["completed"] * 3
    assert of("server", later) == ["completed"] * 2


@on_virtual_time
async def test_node_that_has_left_a_conductor_is_followed_on_the_other() -> None:
    """Once it has been silent there for a while."""
    first, second = MemoryConductor(name="first"), MemoryConductor(name="second")
    async with (
        Atomizer(halve, first, second, settings=named("server")) as server,
        Atomizer(first, second, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed")
        await all_blocked()
        await server.run(halve, 2)
        before = await read(events)
        await server.unregister(first)
        await asyncio.sleep(6.0)
        await server.run(halve, 4)
        after = await read(events)

    assert of("server", before) == ["completed"]
    assert of("server", after) == ["completed"]


@on_virtual_time
async def test_stream_that_is_opened_again_at_once_goes_on() -> None:
    """Leaving a topic does not overtake coming back to it."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        first = asker.fleet_errors()
        await all_blocked()
        await first.aclose()
        second = asker.fleet_errors()
        await all_blocked()
        await (await server.send(halve, 1)).properties()
        found = await read(second)

    assert of("server", found) == ["failed"]


@on_virtual_time
async def test_conductor_that_is_registered_later_is_followed_too() -> None:
    """Also one beside a hub of its own: from then on there are others."""
    hub = MemoryConductor(name="hub")
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(fail, settings=named("asker")) as asker,
        hub.connect() as stranger,
    ):
        events = asker.fleet_events()
        await stranger.listen(ERRORS, 1)
        await asker.register(hub)
        await asyncio.sleep(A_MOMENT)
        await server.run(halve, 2)
        await (await asker.send(fail)).properties()
        found = await read(events)
        travelled = batches(stranger)

    assert "completed" in of("server", found)
    assert travelled == [["failed"]]


@on_virtual_time
async def test_reader_that_never_reads_keeps_a_bounded_number() -> None:
    """I10: of the whole fleet together; what was dropped is told when it reads."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds="completed", buffer=5)
        await all_blocked()
        for _ in range(100):
            await server.run(halve, 2)
        found = await read(events)
        with pytest.raises(ValueError, match="at least 1 event"):
            asker.fleet_events(buffer=0)

    assert [event.kind for event in found] == ["lost", *["completed"] * 5]
    assert events.dropped == 95


@on_virtual_time
async def test_stream_of_a_fleet_ends_with_its_runtime() -> None:
    """After the last event of its own node."""
    hub = MemoryConductor()
    async with (
        Atomizer(halve, conductor=hub, settings=named("server")),
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        events = asker.fleet_events(kinds=["stopped", "stopping"])
        await all_blocked()
    found = [event async for event in events]

    assert of("asker", found) == ["stopping", "stopped"]


async def test_runtime_that_is_not_open_follows_nobody() -> None:
    """It has no conductor yet to follow anybody on."""
    runtime = Atomizer(halve)

    with pytest.raises(atomizer.NotRunning):
        runtime.fleet_events()
    with pytest.raises(atomizer.NotRunning):
        runtime.fleet_errors()


@on_virtual_time
async def test_batches_that_are_bad_are_passed_over_and_told_as_missing() -> None:
    """Whatever a stranger publishes, nothing here ends, and what is good is read."""
    hub = MemoryConductor()
    good = [ElectronFailed(node="x", seq=number, error=str(number)) for number in range(1, 6)]
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("asker")) as asker,
    ):
        errors, faults = asker.fleet_errors(), asker.errors()
        await all_blocked()
        publish(stranger, ERRORS, batch_id("r", 1), good[0])
        assert stranger.send_nowait(Frame(ERRORS, b"\xc1", MESSAGEPACK.content_type, batch_id("r", 2)))
        assert stranger.send_nowait(Frame(ERRORS, b"[]", "text/plain", batch_id("r", 3)))
        publish(stranger, ERRORS, batch_id("r", 4))
        publish(stranger, ERRORS, batch_id("r", 4), good[3])
        publish(stranger, ERRORS, batch_id("r", 4), good[3])
        publish(stranger, ERRORS, "no place", good[4])
        publish(stranger, ERRORS, batch_id("mine", 1), ElectronFailed(node="asker", error="not mine"))
        found, told = await read(errors), await read(faults)
        fine = asker.health()

    assert [(event.kind, event.seq) for event in found] == [("failed", 1), ("lost", 0), ("failed", 4), ("failed", 5)]
    assert isinstance(found[1], EventsLost)
    assert (found[1].node, found[1].dropped) == ("x", 2)
    assert told == []
    assert fine


@on_virtual_time
async def test_interests_without_number_are_bounded_and_end() -> None:
    """I10: whoever is interested under a thousand names makes a node remember a few hundred, for two minutes."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
    ):
        for number in range(1_000):
            say(stranger, Interest(follower=str(number), seconds=1e10, kinds=("completed", "tomorrow")))
        await all_blocked()
        publishing = server._open_node().fleet.publishing
        remembered = len(publishing._interested)
        tasks = len(publishing._fleet)
        await asyncio.sleep(121.0)
        left, routine = len(publishing._interested), server._broadcast.routine

    assert (remembered, tasks) == (256, 1)
    assert (left, routine) == (0, False)


@on_virtual_time
async def test_control_that_cannot_be_read_is_told_and_harms_nothing() -> None:
    """As an error of this node, and nothing more."""
    hub = MemoryConductor()
    async with (
        hub.connect() as stranger,
        Atomizer(halve, conductor=hub, settings=named("server")) as server,
    ):
        errors = server.errors()
        for body in (b"", b"\x81\xa7control\xa8interest", MESSAGEPACK.encode_events([])):
            assert stranger.send_nowait(Frame(EVERY_NODE, body, MESSAGEPACK.content_type, "c"))
        await all_blocked()
        answered = await server.run(halve, 2)
        told = await read(errors)

    assert answered == 1
    assert [type(event) for event in told] == [RuntimeFaulted] * 3


@on_virtual_time
async def test_errors_are_published_without_their_secrets() -> None:
    """Whoever reads the errors of a fleet need not be who may know what is in them."""

    @atomizer.atom(id="tests.leak")
    async def leak() -> None:
        raise ValueError("401\nfor Authorization: Bearer GEHEIM")

    hub = MemoryConductor()
    async with (
        Atomizer(leak, conductor=hub, settings=named("server")) as server,
        Atomizer(conductor=hub, settings=named("asker"), serve=False) as asker,
    ):
        followed = asker.fleet_errors()
        await all_blocked()
        await (await server.send(leak)).properties()
        [event] = await read(followed)

    assert isinstance(event, ElectronFailed)
    assert event.error == "builtins.ValueError: 401\nfor Authorization: ***"
