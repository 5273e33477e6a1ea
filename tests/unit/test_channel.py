"""The runtime's end of the socket pair to a child process."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from atomizer._core.children.channel import Channel
from atomizer._core.children.framing import (
    ANSWER,
    CALL,
    JSON_RESULT,
    LENGTH,
    RAW_RESULT,
    Request,
    read_request,
    write_request,
)

if TYPE_CHECKING:
    from collections.abc import Generator


class Line(NamedTuple):
    """A channel, the other end of it, and what it handed on."""

    channel: Channel
    end: socket.socket
    answers: list[tuple[int, bytes]]
    ends: list[bool]


@contextmanager
def line(most: int = 1_000_000) -> Generator[Line]:
    """Open a channel."""
    ours, theirs = socket.socketpair()
    answers: list[tuple[int, bytes]] = []
    ends: list[bool] = []
    channel = Channel(
        asyncio.get_running_loop(), ours, most, lambda *answer: answers.append(answer), lambda: ends.append(True)
    )
    with theirs:
        yield Line(channel, theirs, answers, ends)
    channel.close()
    channel.close()


def answer(kind: int, body: bytes, number: int = 0) -> bytes:
    """Write an answer as a child does."""
    return ANSWER.pack(kind, number, len(body)) + body


async def test_a_request_is_read_as_it_was_written() -> None:
    """The payload follows as it is."""
    request = Request(CALL, 1 << 62, "module:näme", "application/json", b"payload", 1.5)
    with line() as (channel, end, _, _):
        channel.send(write_request(request), request.payload)
        received = end.recv(1_000)

    assert LENGTH.unpack_from(received)[0] == len(received) - LENGTH.size
    assert read_request(memoryview(received)[LENGTH.size :]) == request


async def test_answers_are_put_together_wherever_they_are_torn() -> None:
    """Byte by byte, or two at once."""
    sent = answer(JSON_RESULT, b"[1]") + answer(RAW_RESULT, b"")
    with line() as (channel, end, answers, ends):
        for each in sent:
            end.send(bytes([each]))
            channel.drain()
        end.send(sent + answer(RAW_RESULT, b"two")[:-1])
        channel.drain()
        end.send(b"o")
        channel.drain()

    assert answers == [(JSON_RESULT, b"[1]"), (RAW_RESULT, b"")] * 2 + [(RAW_RESULT, b"two")]
    assert not ends


@pytest.mark.parametrize(
    ("sent", "is_garbled", "last_words"),
    [
        (b"", False, b""),
        (answer(JSON_RESULT, b"[1]")[:-1], False, b""),
        (b"Fatal Python error: " + b"x" * 20_000, False, b"Fatal Python error: " + b"x" * 15_980),
        (ANSWER.pack(JSON_RESULT, 0, 1_000_001), True, b""),
        (answer(JSON_RESULT, b"[1]", number=1), True, b""),
        (b"Fatal " + answer(JSON_RESULT, b"[1]"), True, b""),
    ],
)
async def test_an_end_is_told_once(sent: bytes, is_garbled: bool, last_words: bytes) -> None:
    """When the other end is closed, whatever was sent before, or when what comes is no answer."""
    with line() as (channel, end, answers, ends):
        end.send(sent)
        if not is_garbled:
            end.shutdown(socket.SHUT_WR)
        while not ends:
            await asyncio.sleep(0)
        channel.drain()

    assert (ends, answers) == ([True], [])
    assert (channel.is_garbled, channel.last_words) == (is_garbled, last_words)


async def test_sending_to_an_end_that_is_closed_is_no_error() -> None:
    """It is told as an end."""
    with line() as (channel, end, _, ends):
        end.close()
        channel.send(b"head", b"payload" * 100_000)
        while not ends:
            await asyncio.sleep(0)

    assert ends == [True]


async def test_what_does_not_fit_is_sent_when_there_is_room() -> None:
    """In order, and to its end."""
    payload = bytes(range(256)) * 8_000
    received = b""
    with line() as (channel, end, _, _):
        end.setblocking(False)
        channel.send(b"head", payload)
        while len(received) < len(payload) + 4:
            await asyncio.sleep(0)
            try:
                received += end.recv(100_000)
            except BlockingIOError:
                continue

    assert received == b"head" + payload
