"""Events go to whoever listens, and steer nothing."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import atomizer
from atomizer import Atomizer, EventsEnded, EventStream, MemoryConductor, Settings, SystemClock, events
from atomizer._core.broadcast import Broadcast
from atomizer._core.event_filter import ERROR_KINDS, EventFilter, Kinds, kinds_of
from atomizer.events import (
    ElectronBonded,
    ElectronCompleted,
    ElectronFailed,
    ElectronProgressed,
    ElectronReceived,
    ElectronSent,
    Event,
    EventsLost,
    RuntimeStarted,
)
from atomizer.testing.clock import current_clock, on_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS = EventFilter(kinds=ERROR_KINDS)


@atomizer.atom(id="tests.echo")
async def echo(text: str) -> str:
    """Give back what it got."""
    return text


@atomizer.atom(id="tests.echo_later")
async def echo_later(text: str) -> str:
    """Give back what it got, after a turn of the loop."""
    await asyncio.sleep(0)
    return text


@atomizer.atom(id="tests.spawns")
async def spawns(bond: atomizer.Bond, text: str) -> str:
    """Have another atom give it back."""
    return await bond.run(echo, text)


@atomizer.atom(id="tests.fails")
async def fails() -> None:
    """Fail."""
    raise ValueError("no")


def make() -> Broadcast:
    """A broadcast of one node."""
    return Broadcast("n", SystemClock())


async def rest_of(stream: EventStream) -> list[Event]:
    """Read a stream to its end."""
    return [event async for event in stream]


async def test_nothing_is_numbered_while_nobody_listens() -> None:
    """Without a listener no event is built."""
    broadcast = make()
    broadcast.emit(RuntimeStarted)
    stream = broadcast.stream(8)

    broadcast.emit(RuntimeStarted)

    assert (await anext(stream)).seq == 1


async def test_a_reader_gets_every_event_without_gaps() -> None:
    """The numbers of a reader that keeps up are gapless."""
    broadcast = make()
    stream = broadcast.stream(8)
    for _ in range(5):
        broadcast.emit(ElectronCompleted, electron_id="e")
    broadcast.end()

    assert [event.seq async for event in stream] == [1, 2, 3, 4, 5]


async def test_an_event_has_what_was_told() -> None:
    """It is built when it is read, of all that was said when it happened."""
    broadcast = make()
    stream = broadcast.stream(8)
    broadcast.emit(
        ElectronProgressed, electron_id="e", atom_id="a", conductor="c", attempt=2, done=0.5, total=1.0, note="half"
    )

    event = await anext(stream)

    assert event == ElectronProgressed(
        node="n",
        seq=1,
        at_ns=event.at_ns,
        electron_id="e",
        atom_id="a",
        conductor="c",
        attempt=2,
        done=0.5,
        total=1.0,
        note="half",
    )


@on_virtual_time
async def test_an_event_is_of_when_it_happened_and_not_of_when_it_is_read() -> None:
    """The reader may come an hour later."""
    clock = current_clock()
    broadcast = Broadcast("n", clock)
    stream = broadcast.stream(8)
    broadcast.emit(RuntimeStarted)
    happened = clock.utc_ns()
    await asyncio.sleep(3600)

    assert (await anext(stream)).at_ns == happened


async def test_a_reading_just_made_is_taken_for_the_time() -> None:
    """Whoever has read the clock for another reason need not read it again."""
    broadcast = make()
    stream = broadcast.stream(8)
    broadcast.tell(ElectronSent, 17, "e", "a", "c", 1)

    assert (await anext(stream)).at_ns == 17


@pytest.mark.parametrize("wanted", [EventFilter(), EventFilter(kinds=kinds_of(Event))])
async def test_a_slow_reader_loses_the_oldest_and_is_told(wanted: EventFilter) -> None:
    """I10, I12: a full ring drops the oldest and says how many."""
    broadcast = make()
    stream = broadcast.stream(3, wanted)
    for _ in range(10):
        broadcast.emit(ElectronCompleted, electron_id="e")
    broadcast.end()

    read = await rest_of(stream)

    assert isinstance(read[0], EventsLost)
    assert read[0].dropped == stream.dropped == 7
    assert [event.seq for event in read[1:]] == [8, 9, 10]


class Plain:
    """What a stream is meant to be: a deque, and a count of what fell out of it."""

    def __init__(self, buffer: int) -> None:
        self.kept: deque[int] = deque(maxlen=buffer)
        self.dropped = 0
        self.unreported = 0

    def keep(self, seq: int) -> None:
        """Keep the number of an event."""
        is_full = len(self.kept) == self.kept.maxlen
        self.dropped += is_full
        self.unreported += is_full
        self.kept.append(seq)

    def read(self) -> tuple[str, int]:
        """Read what comes next: how many were lost, or the number of an event."""
        lost, self.unreported = self.unreported, 0
        return ("lost", lost) if lost else ("seq", self.kept.popleft())


async def read_one(stream: EventStream) -> tuple[str, int]:
    """Read what comes next, as `Plain` has it."""
    event = await anext(stream)
    return ("lost", event.dropped) if isinstance(event, EventsLost) else ("seq", event.seq)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("wanted", [EventFilter(), EventFilter(kinds=kinds_of(Event))], ids=["whole", "partial"])
async def test_a_stream_keeps_and_drops_as_a_plain_queue_would(wanted: EventFilter, seed: int) -> None:
    """However telling and reading alternate, and others come and go."""
    random, broadcast = Random(seed), make()
    stream, plain = broadcast.stream(5, wanted), Plain(5)
    others: list[EventStream] = []
    seq = 0
    for _ in range(300):
        step = random.randrange(5)
        if step == 0 and plain.kept:
            assert await read_one(stream) == plain.read()
        elif step == 1:
            broadcast.tell_begun(1, "e", "a", "c", 1)
            for number in (seq + 1, seq + 2, seq + 3):
                plain.keep(number)
            seq += 3
        elif step == 2:
            others = others[1:] if others else [broadcast.stream(2), broadcast.stream(1, ERRORS)]
        else:
            broadcast.emit(ElectronCompleted, electron_id="e")
            seq += 1
            plain.keep(seq)
        assert stream.dropped == plain.dropped
        assert f" {len(plain.kept)} of 5 kept" in repr(stream)
    assert plain.dropped > 10


async def test_a_filtered_stream_gets_only_what_it_wants() -> None:
    """The error stream holds errors alone, however much else happens."""
    broadcast = make()
    stream = broadcast.stream(1, ERRORS)
    broadcast.emit(ElectronFailed, electron_id="b", error="ValueError: x")
    for _ in range(10):
        broadcast.emit(ElectronCompleted, electron_id="a")
    broadcast.end()

    assert [event.electron_id for event in await rest_of(stream)] == ["b"]
    assert stream.dropped == 0


async def test_what_nobody_wants_has_no_number() -> None:
    """With a reader of errors alone, errors are numbered one after the other."""
    broadcast = make()
    stream = broadcast.stream(8, ERRORS)
    for _ in range(3):
        broadcast.emit(ElectronCompleted)
        broadcast.emit(ElectronFailed, error="x")
    broadcast.end()

    assert [event.seq for event in await rest_of(stream)] == [1, 2, 3]


async def test_streams_share_the_numbers_of_their_node() -> None:
    """A filtered one shows gaps; one of everything, opened at any time, shows none."""
    broadcast = make()
    errors = broadcast.stream(8, ERRORS)
    first = broadcast.stream(8)
    broadcast.emit(ElectronCompleted)
    broadcast.emit(ElectronFailed, error="x")
    second = broadcast.stream(8)
    broadcast.emit(ElectronFailed, error="y")
    await first.aclose()
    broadcast.emit(ElectronCompleted)
    broadcast.end()

    assert [event.seq for event in await rest_of(errors)] == [2, 3]
    assert [event.seq for event in await rest_of(first)] == [1, 2, 3]
    assert [event.seq for event in await rest_of(second)] == [3, 4]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EventFilter(electron_id="e"), [("e", "a"), ("e", "b")]),
        (EventFilter(atom_id="a"), [("e", "a"), ("f", "a")]),
        (EventFilter(electron_id="e", atom_id="a"), [("e", "a")]),
        (EventFilter(electron_id="e", kinds=ERROR_KINDS), []),
        (EventFilter(atom_id="a", kinds=kinds_of("completed")), [("e", "a"), ("f", "a")]),
        (EventFilter(electron_id="nobody"), []),
    ],
)
async def test_a_filter_by_atom_and_electron_takes_what_fits_in_all_of_it(
    wanted: EventFilter, found: list[tuple[str, str]]
) -> None:
    """What is said in a filter holds together."""
    broadcast = make()
    stream = broadcast.stream(8, wanted)
    for electron_id, atom_id in (("e", "a"), ("e", "b"), ("f", "a"), ("", "")):
        broadcast.emit(ElectronCompleted, electron_id=electron_id, atom_id=atom_id)
    broadcast.end()

    assert [(event.electron_id, event.atom_id) for event in await rest_of(stream)] == found


@pytest.mark.parametrize(
    ("kinds", "meant"),
    [
        (ElectronFailed, {ElectronFailed}),
        ("failed", {ElectronFailed}),
        (["failed", ElectronSent], {ElectronFailed, ElectronSent}),
    ],
)
def test_kinds_are_classes_or_their_names(kinds: Kinds, meant: set[type[Event]]) -> None:
    """One or several."""
    assert kinds_of(kinds) == meant


def test_the_class_of_all_events_stands_for_every_kind() -> None:
    """A class stands for what is derived from it."""
    assert kinds_of(Event) == {getattr(events, name) for name in events.__all__ if name != "Event"}


def test_a_kind_that_is_none_is_refused() -> None:
    """With what may have been meant."""
    with pytest.raises(ValueError, match="'fialed'.*'failed'"):
        kinds_of("fialed")
    with pytest.raises(TypeError, match="atomizer.events"):
        kinds_of([int])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def test_a_forgotten_stream_listens_no_more() -> None:
    """A reader that went away costs nothing."""
    broadcast = make()
    stream = broadcast.stream(8)
    listened = broadcast.listening

    del stream
    gc.collect()

    assert listened
    assert not broadcast.listening
    assert not broadcast.routine


@pytest.mark.parametrize("wanted", [EventFilter(), ERRORS, EventFilter(electron_id="e")])
async def test_a_closed_stream_listens_no_more(wanted: EventFilter) -> None:
    """Even if somebody still holds it."""
    broadcast = make()
    streams = [broadcast.stream(8, wanted) for _ in range(2)]
    for stream in streams:
        listened = broadcast.listening
        await stream.aclose()

    assert listened
    assert not broadcast.listening
    assert not broadcast.routine


def test_a_reader_of_errors_does_not_ask_for_what_goes_well() -> None:
    """So that it costs nothing on the way of an electron."""
    broadcast = make()
    errors = broadcast.stream(8, ERRORS)
    before = broadcast.routine
    follows = broadcast.stream(8, EventFilter(electron_id="e"))

    assert (before, broadcast.routine, broadcast.listening) == (False, True, True)
    assert repr(errors) == repr(follows)


async def test_a_closed_stream_can_be_read_to_its_end() -> None:
    """Closing keeps what came before."""
    broadcast = make()
    async with broadcast.stream(8) as stream:
        broadcast.emit(RuntimeStarted)
    broadcast.emit(RuntimeStarted)

    assert len(await rest_of(stream)) == 1


def test_what_closed_and_forgotten_streams_have_dropped_still_counts() -> None:
    """The total of a node only grows."""
    broadcast = make()
    totals: list[int] = []
    for wanted in (EventFilter(), EventFilter(electron_id="e"), EventFilter(atom_id="a")):
        stream = broadcast.stream(1, wanted)
        for _ in range(3):
            broadcast.emit(ElectronCompleted, electron_id="e", atom_id="a")
        totals.append(broadcast.dropped)
        stream.end()
        totals.append(broadcast.dropped)
        del stream
        gc.collect()
        totals.append(broadcast.dropped)
    broadcast.end()

    assert [*totals, broadcast.dropped] == [2, 2, 2, 4, 4, 4, 6, 6, 6, 6]


@pytest.mark.parametrize("wanted", [ElectronFailed, "failed", lambda event: event.is_error])
async def test_waiting_for_an_event_drops_those_before_it(wanted: type[Event] | str | Callable[[Event], bool]) -> None:
    """By class, by name or by a function."""
    broadcast = make()
    stream = broadcast.stream(8)
    for kind in (ElectronSent, ElectronFailed, ElectronCompleted):
        broadcast.emit(kind)

    assert isinstance(await stream.wait_for(wanted), ElectronFailed)
    assert isinstance(await anext(stream), ElectronCompleted)


@on_virtual_time
async def test_waiting_for_an_event_that_comes_later() -> None:
    """It waits as long as it takes, and no longer."""
    broadcast = make()
    stream = broadcast.stream(8)
    loop = asyncio.get_running_loop()
    for delay, kind in ((10, ElectronSent), (20, ElectronFailed), (30, ElectronCompleted)):
        loop.call_later(delay, broadcast.emit, kind)
    before = loop.time()

    await stream.wait_for(ElectronFailed, timeout=25)

    assert loop.time() - before == pytest.approx(20)


@on_virtual_time
async def test_waiting_for_an_event_ends_after_its_time() -> None:
    """And the stream goes on."""
    broadcast = make()
    stream = broadcast.stream(8)
    asyncio.get_running_loop().call_later(10, broadcast.emit, ElectronFailed)

    with pytest.raises(TimeoutError, match="within 5 s"):
        await stream.wait_for(ElectronFailed, timeout=5)

    assert isinstance(await stream.wait_for(ElectronFailed, timeout=6), ElectronFailed)


async def test_what_is_there_is_found_in_no_time() -> None:
    """A timeout of nothing looks at what is kept."""
    broadcast = make()
    stream = broadcast.stream(8)
    broadcast.emit(ElectronFailed)

    assert isinstance(await stream.wait_for(ElectronFailed, timeout=0), ElectronFailed)
    with pytest.raises(TimeoutError):
        await stream.wait_for(ElectronFailed, timeout=0)


@on_virtual_time
async def test_waiting_for_an_event_tells_that_the_stream_has_ended() -> None:
    """Nothing more will come: waiting on would be for ever."""
    broadcast = make()
    stream = broadcast.stream(8)
    broadcast.emit(ElectronSent)
    asyncio.get_running_loop().call_later(10, broadcast.end)

    with pytest.raises(EventsEnded):
        await stream.wait_for(ElectronFailed)


async def test_a_function_that_times_out_itself_is_not_taken_for_the_wait() -> None:
    """What it raises is its caller's."""
    broadcast = make()
    stream = broadcast.stream(8)
    broadcast.emit(ElectronSent)

    def times_out(event: Event) -> bool:
        raise TimeoutError(event.kind)

    with pytest.raises(TimeoutError, match="^sent$"):
        await stream.wait_for(times_out, timeout=5)


# On a runtime


LIFE = ["sent", "received", "admitted", "bonded", "completed", "answered"]


@pytest.mark.parametrize("is_run", [True, False], ids=["at once", "by a worker"])
@pytest.mark.parametrize("atom", [echo, echo_later])
async def test_every_electron_tells_its_life_in_order(atom: atomizer.FunctionAtom, is_run: bool) -> None:
    """On the straight line, at once, and where the atom suspends: with seq and time that only grow."""
    async with Atomizer(atom) as runtime, runtime.events(atom=atom, buffer=1000) as stream:
        for _ in range(3):
            if is_run:
                await runtime.run(atom, "x")
            else:
                await (await runtime.send(atom, "x"))
    told = await rest_of(stream)

    assert [event.kind for event in told] == LIFE * 3
    assert len({event.electron_id for event in told}) == 3
    assert {event.attempt for event in told} == {1}
    assert {event.conductor for event in told[:5]} == {"memory"}
    assert [event.seq for event in told] == list(range(1, 19))
    assert [event.at_ns for event in told] == sorted(event.at_ns for event in told)


async def test_properties_and_events_agree_on_the_time() -> None:
    """The node reads the clock once for both."""
    async with Atomizer(echo) as runtime, runtime.events() as stream:
        properties = await (await runtime.send(echo, "x")).properties()
        received, bonded = await stream.wait_for(ElectronReceived), await stream.wait_for(ElectronBonded)
        completed = await stream.wait_for(ElectronCompleted)

    assert (received.at_ns, bonded.at_ns) == (properties.started_ns, properties.started_ns)
    assert completed.at_ns == properties.ended_ns


async def test_a_parent_is_bonded_before_its_child_is_sent() -> None:
    """What happens inside of an atom comes after its beginning and before its end."""
    async with Atomizer(spawns, echo) as runtime, runtime.events() as stream:
        await runtime.run(spawns, "x")
    told = [(event.kind, event.atom_id) for event in await rest_of(stream) if event.atom_id]

    parent, child = [(kind, "tests.spawns") for kind in LIFE], [(kind, "tests.echo") for kind in LIFE]
    assert told == [*parent[:4], *child, *parent[4:]]


async def test_a_reader_has_a_runtime_do_the_same() -> None:
    """I12: who listens, and to what, changes no outcome and no count."""
    seen: list[tuple[list[str], int, int]] = []
    for kinds in (None, "sent", Event, "blocked"):
        async with Atomizer(echo, fails) as runtime, runtime.events(kinds=kinds, buffer=2) as stream:
            results = [value async for value in runtime.map(echo, "abc", ordered=True)]
            await (await runtime.send(fails)).properties()
            statistics = runtime.statistics()
        seen.append((results, statistics.completed, statistics.failed))
        assert repr(stream).startswith("<EventStream ended")

    assert seen == [(["a", "b", "c"], 3, 1)] * 4


async def test_errors_can_be_asked_for_by_atom() -> None:
    """As everything else can."""
    async with Atomizer(echo, fails) as runtime:
        of_echo, of_fails = runtime.errors(atom=echo), runtime.errors(atom="tests.fails")
        await runtime.run(echo, "x")
        await (await runtime.send(fails)).properties()

    assert await rest_of(of_echo) == []
    assert [event.kind for event in await rest_of(of_fails)] == ["failed"]


async def test_an_electron_can_be_asked_for_before_it_is_sent() -> None:
    """By the id that it will have."""
    async with Atomizer(echo) as runtime:
        stream = runtime.events(electron="mine")
        await runtime.run(echo, "x")
        await runtime.run(echo.options(id="mine"), "x")

    assert [event.kind for event in await rest_of(stream)] == LIFE


async def test_following_one_electron_is_not_disturbed_by_others() -> None:
    """However many there are: its events are never dropped for theirs."""
    async with Atomizer(echo_later, settings=Settings(event_ring=5)) as runtime:
        handle = await runtime.send(echo_later, "x")
        stream = handle.events()
        for _ in range(20):
            await runtime.run(echo_later, "y")

    told = await rest_of(stream)
    assert {event.electron_id for event in told} == {handle.electron_id}
    assert [event.kind for event in told] == LIFE[1:]
    assert stream.dropped == 0


async def test_what_cannot_be_asked_for_is_refused() -> None:
    """At once, and not by an empty stream."""
    runtime = Atomizer(echo, conductor=MemoryConductor())
    with pytest.raises(ValueError, match="buffer=0"):
        runtime.events(buffer=0)
    with pytest.raises(ValueError, match="no kind of event"):
        runtime.events(kinds=("compleated",))
    with pytest.raises(TypeError, match="no atom"):
        runtime.events(atom=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@on_virtual_time
async def test_an_atom_that_waits_for_an_event_lends_its_slot() -> None:
    """With one slot, what it waits for can still happen."""
    runtime = Atomizer(echo, settings=Settings(slots=1))
    told = runtime.events(kinds=ElectronCompleted, atom=echo)

    @atomizer.atom(id="tests.waits")
    async def waits() -> str:
        return (await told.wait_for(ElectronCompleted, timeout=60)).electron_id

    async with runtime:
        await runtime.register(waits)
        waiting = await runtime.send(waits)
        await asyncio.sleep(1)
        asked = await runtime.send(echo, "x")

        assert await waiting == asked.electron_id


async def test_the_statistics_count_what_all_streams_have_dropped() -> None:
    """Also those that are gone."""
    async with Atomizer(echo) as runtime:
        async with runtime.events(buffer=1):
            await runtime.run(echo, "x")
        dropped = runtime.statistics().events_dropped
        await runtime.run(echo, "x")

        assert dropped == len(LIFE) - 1 == runtime.statistics().events_dropped


@pytest.mark.parametrize("kinds", [(), [], frozenset[str]()])
def test_no_kind_at_all_is_refused(kinds: Any) -> None:
    """On the wire it would mean every kind, and here none."""
    with pytest.raises(ValueError, match="None means every kind"):
        Atomizer().events(kinds=kinds)


@pytest.mark.parametrize("kinds", [3, b"failed", object(), (3,)])
def test_what_is_no_kind_is_refused(kinds: Any) -> None:
    """With what would be one."""
    with pytest.raises(TypeError, match="is no kind of event: give classes of atomizer.events, or their names"):
        Atomizer().events(kinds=kinds)


async def test_waiting_for_a_kind_that_is_not_there_is_refused() -> None:
    """It would never come."""
    stream = Atomizer().events()
    nothing: Any = None
    with pytest.raises(ValueError, match="'fialed': did you mean 'failed'"):
        await stream.wait_for("fialed", timeout=0)
    for wanted in (int, nothing):
        with pytest.raises(TypeError, match="is no kind of event"):
            await stream.wait_for(wanted, timeout=0)
