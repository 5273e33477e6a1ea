"""Events go to whoever listens, and steer nothing."""

from __future__ import annotations

import gc

from atomizer import SystemClock
from atomizer._core.broadcast import Broadcast
from atomizer.events import ElectronCompleted, ElectronFailed, EventsLost, RuntimeStarted


def make() -> Broadcast:
    """A broadcast of one node."""
    return Broadcast("n", SystemClock())


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


async def test_a_slow_reader_loses_the_oldest_and_is_told() -> None:
    """I10, I12: a full ring drops the oldest and says how many."""
    broadcast = make()
    stream = broadcast.stream(3)
    for _ in range(10):
        broadcast.emit(ElectronCompleted, electron_id="e")
    broadcast.end()

    events = [event async for event in stream]

    assert isinstance(events[0], EventsLost)
    assert events[0].dropped == stream.dropped == 7
    assert [event.seq for event in events[1:]] == [8, 9, 10]


async def test_a_filtered_stream_gets_only_what_it_wants() -> None:
    """The error stream holds errors alone."""
    broadcast = make()
    stream = broadcast.stream(8, lambda event: event.is_error)
    broadcast.emit(ElectronCompleted, electron_id="a")
    broadcast.emit(ElectronFailed, electron_id="b", error="ValueError: x")
    broadcast.end()

    assert [event.electron_id async for event in stream] == ["b"]


def test_a_forgotten_stream_listens_no_more() -> None:
    """A reader that went away costs nothing."""
    broadcast = make()
    stream = broadcast.stream(8)
    listened = broadcast.listening

    del stream
    gc.collect()

    assert listened
    assert not broadcast.listening


async def test_a_closed_stream_can_be_read_to_its_end() -> None:
    """Closing keeps what came before."""
    broadcast = make()
    async with broadcast.stream(8) as stream:
        broadcast.emit(RuntimeStarted)
    broadcast.emit(RuntimeStarted)

    assert len([event async for event in stream]) == 1
