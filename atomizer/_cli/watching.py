"""`atomizer events`: what happens on the nodes of a fleet, line by line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ..masking import one_line
from .complaint import USAGE, Complaint
from .writing import event_line, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events import Event
    from ..runtime import Atomizer, EventStream

__all__ = ("Watch", "watch")


class Watch(NamedTuple):
    """What to watch."""

    errors: bool = False
    """Only what goes wrong, which nodes tell always."""
    kinds: tuple[str, ...] = ()
    """Only these kinds; none means every kind."""
    atom: str | None = None
    """Only what is about this atom."""
    electron: str | None = None
    """Only what is about this electron."""
    most: int | None = None
    """After how many events to end, those that were lost not among them; None means not before it is told to."""


async def watch(runtime: Atomizer, wanted: Watch, say: Callable[[str], None], *, as_json: bool) -> None:
    """
    Write what happens on the other nodes: until there were enough events, or SIGINT or SIGTERM comes.

    Args:
        runtime: What follows the fleet. Its own events are left out.
        wanted: What to write.
        say: Writes a line.
        as_json: Each as a JSON object.

    Raises:
        Complaint: There is no kind of that name, or both kinds and errors are asked for.
        Whatever `say` raises.
    """
    stream = _stream(runtime, wanted)
    failures: list[Exception] = []

    async def write() -> None:
        try:
            await _write(stream, runtime, wanted.most, say, as_json=as_json)
        except Exception as error:  # out of the group as itself
            failures.append(error)
        runtime.stop()

    async with stream, asyncio.TaskGroup() as group:
        writing = group.create_task(write(), name="atomizer events")
        await runtime.serve(signals=True)
        writing.cancel()
    if failures:
        raise failures[0]


def _stream(runtime: Atomizer, wanted: Watch) -> EventStream:
    if wanted.errors and wanted.kinds:
        raise Complaint("--errors is everything that goes wrong: say either that, or --kind", exit_code=USAGE)
    try:
        if wanted.errors:
            return runtime.fleet_errors(atom=wanted.atom, electron=wanted.electron)
        return runtime.fleet_events(kinds=wanted.kinds or None, atom=wanted.atom, electron=wanted.electron)
    except ValueError as error:
        raise Complaint(str(error), exit_code=USAGE) from error


async def _write(
    stream: EventStream, runtime: Atomizer, most: int | None, say: Callable[[str], None], *, as_json: bool
) -> None:
    written = 0
    async for event in stream:
        if event.node != runtime.name or event.kind == "lost":  # what this reader has lost is worth a line
            say(_line(event, as_json=as_json))
            written += event.kind != "lost"
        if written == most:
            return


def _line(event: Event, *, as_json: bool) -> str:
    line = event_line(event, as_json=as_json)
    if as_json:
        return line
    when = f"{moment(event.at)} " if event.at_ns else ""
    return f"{when}{one_line(event.node)} {line}"
