"""The runtime's end of the socket pair to a child process. It never blocks: the event loop says when it can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .framing import ANSWER, CRASH, PIECE

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

__all__ = ("Channel",)

_WORDS_MOST = 16_000


class Channel:
    """
    Sends frames to a child, one at a time, and hands on its answers.

    Args:
        most: How many bytes an answer may have.
        on_answer: Called with the kind and the body of each answer.
        on_end: Called once, when nothing more will come: the other end is closed, or what comes is no answer.

    Attributes:
        last_words: What a crashing child wrote to its end.
        is_garbled: Whether what came was no answer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        end: socket.socket,
        most: int,
        on_answer: Callable[[int, bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self.last_words = b""
        self.is_garbled = False
        self._loop = loop
        self._socket = end
        self._descriptor = end.fileno()
        self._most = most
        self._on_answer = on_answer
        self._on_end = on_end
        self._unsent: list[memoryview] = []
        self._is_writing = False
        self._head = b""
        self._number = 0
        self._kind = 0
        self._body: bytearray | None = None
        self._room = memoryview(b"")
        end.setblocking(False)
        loop.add_reader(self._descriptor, self._read)

    def send(self, head: bytes, payload: bytes, number: int = 0) -> None:
        """
        Send a frame, in as many steps as it takes, once the one before has arrived.

        Nothing is waited for, and an end that is closed is no error here: `on_end` tells of it.

        Args:
            head: What comes first.
            payload: What follows it as it is.
            number: That of the request, which answers have from now on.
        """
        self._number = number
        if self._descriptor < 0:
            return
        if len(payload) < PIECE:
            self._unsent = [memoryview(head + payload)]
        else:
            self._unsent = [memoryview(head), memoryview(payload)]
        self._write()

    def drain(self) -> None:
        """Hand on what has come already."""
        while self._read():
            pass

    def close(self) -> None:
        """Let go of the socket. Doing it again does nothing."""
        self._stop()
        self._unsent.clear()
        self._socket.close()

    def _write(self) -> None:
        while self._unsent:
            part = self._unsent[0]
            try:
                sent = self._socket.send(part)
            except BlockingIOError:
                sent = 0
            except OSError:  # the other end is closed
                self._unsent.clear()
                break
            if sent < len(part):
                self._unsent[0] = part[sent:]
                return self._wait_to_write()
            del self._unsent[0]
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._descriptor)
        return None

    def _wait_to_write(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._descriptor, self._write)

    def _read(self) -> bool:
        """Read once. Returns whether there may be more."""
        if self._descriptor < 0:
            return False
        try:
            more = self._receive() if self._body is None else self._fill(self._body)
        except BlockingIOError:
            return False
        except OSError:  # as an end
            more = False
        if not more:
            self._end()
        return more

    def _receive(self) -> bool:
        data = self._socket.recv(PIECE)
        return bool(data) and self._take(self._head + data)

    def _take(self, data: bytes) -> bool:
        """Take answers apart. Returns whether they were any."""
        if self.last_words or data.startswith(CRASH):
            self.last_words = (self.last_words + data)[:_WORDS_MOST]
            return True
        if len(data) < ANSWER.size or CRASH.startswith(data):
            self._head = data
            return True
        self._head = b""
        kind, number, length = ANSWER.unpack_from(data)
        if number != self._number or length > self._most:
            self.is_garbled = True
            return False
        end = ANSWER.size + length
        if len(data) < end:
            self._begin(kind, length, data[ANSWER.size :])
            return True
        self._on_answer(kind, data[ANSWER.size : end])
        return len(data) == end or self._take(data[end:])

    def _begin(self, kind: int, length: int, first: bytes) -> None:
        """Make room for a long answer, so that it is copied once."""
        self._kind, self._body = kind, bytearray(length)
        self._body[: len(first)] = first
        self._room = memoryview(self._body)[len(first) :]

    def _fill(self, body: bytearray) -> bool:
        count = self._socket.recv_into(self._room)
        self._room = self._room[count:]
        if count and not self._room:
            self._body = None
            self._on_answer(self._kind, bytes(body))
        return count > 0

    def _end(self) -> None:
        if self._descriptor >= 0:  # an answer may have led to a close
            self._stop()
            self._on_end()

    def _stop(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
        self._descriptor = -1
