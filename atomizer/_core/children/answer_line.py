"""The child's end of the socket pair, which blocks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .framing import ANSWER, CHANNEL_LOST, LENGTH, PIECE, SPENT

if TYPE_CHECKING:
    import socket

__all__ = ("AnswerLine",)


class AnswerLine:
    """
    Receives requests, and sends answers.

    Attributes:
        number: That of the request which is answered next.
        is_spent: Whether the parent knows that this process is not to be used again.
    """

    def __init__(self, end: socket.socket) -> None:
        self.number = 0
        self.is_spent: bool = False
        self._end = end
        self._buffer = memoryview(bytearray(PIECE))
        self._pid = os.getpid()

    def receive(self) -> memoryview | None:
        """
        Wait for a frame. It is good until the next is asked for.

        Returns:
            The frame; None if the parent says that it is enough, or is gone.
        """
        have = self._fill(self._buffer, 0, LENGTH.size)
        if have < LENGTH.size:
            return None
        end = LENGTH.size + int(LENGTH.unpack_from(self._buffer)[0])
        frame = self._buffer
        if end > PIECE:
            frame = memoryview(bytearray(end))
            frame[:have] = self._buffer[:have]
        if self._fill(frame, have, end) < end or end == LENGTH.size:
            return None
        return frame[LENGTH.size : end]

    def _fill(self, frame: memoryview, have: int, least: int) -> int:
        while have < least:
            count = self._end.recv_into(frame[have:])
            if not count:
                break
            have += count
        return have

    def send(self, kind: int, body: bytes) -> None:
        """Send an answer. What cannot be sent ends this process: there is nobody else to tell."""
        if os.getpid() != self._pid:  # an atom forked, and forgot to end the copy
            os._exit(0)
        head = ANSWER.pack(kind, self.number, len(body))
        try:
            if len(body) < PIECE:
                self._end.sendall(head + body)
            else:
                self._end.sendall(head)
                self._end.sendall(body)
        except OSError:
            os._exit(CHANNEL_LOST)

    def be_spent(self) -> None:
        """Say, once, that this process is not to be used again: the parent can start another meanwhile."""
        if not self.is_spent:
            self.is_spent = True
            self.send(SPENT, b"")

    def detach(self) -> None:
        """Leave the socket open until the process has ended: the parent waits for that."""
        self._end.detach()
