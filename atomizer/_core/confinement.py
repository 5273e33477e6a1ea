"""Confinement: an atom with `isolation="process"` in its child process, as the coroutine that its flight drives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..payload import Payload

if TYPE_CHECKING:
    from ..electron import Electron
    from ..properties import Failure
    from .processes import Process

__all__ = ("FailedInChild", "run_in_process")


class FailedInChild(Exception):
    """
    What a child process answered in place of a result.

    Attributes:
        failure: The answer.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure)


async def run_in_process(process: Process, reference: str, electron: Electron) -> Payload:
    """
    Have a child process run an electron's atom. The payload goes as it came, the result comes as it is to be sent.

    Raises:
        FailedInChild: The atom failed, or its payload or its result was refused.
        ProcessDied: The process ended by itself.

    Cancellation: the process is killed, at once.
    """
    soft_limit = electron.soft_limit
    if soft_limit is not None and electron.limit is not None and soft_limit >= electron.limit:
        soft_limit = None  # it would only come into the way of the limit
    answer = await process.call(reference, electron.payload, electron.content_type, soft_limit)
    if answer.failure is not None:
        raise FailedInChild(answer.failure)
    return Payload(answer.body, answer.content_type)
