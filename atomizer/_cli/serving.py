"""`atomizer run`: a node that serves the atoms of its targets until it is told to stop."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast

from ..errors import AtomizerBug, ConductorError, RegistrationRefused
from ..masking import one_line
from ..runtime import Atomizer
from ..telemetry import line_logger, log_electrons
from .complaint import BAD_TARGET, FINDING, NO_CONDUCTOR, Complaint
from .conductors import chosen, is_out_of_reach
from .fields import settings_of
from .targets import collect, registry_of
from .visiting import note_to
from .writing import event_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..runtime import EventStream
    from ..telemetry import Logger, Style
    from .voice import Voice

__all__ = ("serve_targets",)

_NAMED = 8  # atoms in the line for people
_OUT_OF_REACH = (
    "the conductor is in the memory of this process, so nobody else can reach these atoms: "
    "name another with --conductor URL or ATOMIZER_URL"
)


def serve_targets(
    targets: Sequence[str], url: str | None, given: Mapping[str, object], voice: Voice, *, log: Style | None = None
) -> None:
    """
    Serve the atoms of targets: until the first SIGTERM or SIGINT, then to the end of what is under way.

    Args:
        targets: As in `module` or `module:name`.
        url: The conductor; None leaves it to the targets, to `ATOMIZER_URL`, and to memory.
        given: Settings that count more than the environment's.
        voice: Where the lines go.
        log: How each electron is logged, among the notes; None logs what goes wrong alone.

    Raises:
        Complaint: Something is not as it should be.
    """
    items = collect(targets)
    registry_of(items)  # refuses what cannot be served, before anything is connected
    settings = settings_of(given)
    conductor = chosen(url, settings, items)
    try:
        runtime = Atomizer(*items, conductor=conductor, settings=settings)
    except RegistrationRefused as error:  # two conductors of one name
        raise Complaint(str(error), exit_code=BAD_TARGET) from error
    logger = None if log is None else line_logger(voice.note, log)
    if is_out_of_reach(conductor, items):
        _note(_OUT_OF_REACH, voice, logger)
    try:
        asyncio.run(_serve(runtime, voice, logger))
    except ExceptionGroup as group:  # nobody reads what is said
        raise group.exceptions[0] from group


def _note(text: str, voice: Voice, logger: Logger | None) -> None:
    if logger is not None:
        logger.warning(text)
    else:
        note_to(voice, text)


async def _serve(runtime: Atomizer, voice: Voice, logger: Logger | None) -> None:
    entered, failure = False, None
    telling = _tell(runtime.errors(), voice) if logger is None else log_electrons(runtime, logger)
    async with asyncio.TaskGroup() as group:
        group.create_task(telling, name="atomizer run: events")
        try:
            async with runtime:
                entered = True
                group.create_task(_announce(runtime, voice), name="atomizer run: ready")  # once signals are taken
                await runtime.serve(signals=True)
        except Exception as error:  # out of the group as itself
            failure = error
    if failure is not None:
        raise _complaint(failure, entered=entered) from failure
    _part(runtime, voice)


async def _announce(runtime: Atomizer, voice: Voice) -> None:
    now = runtime.statistics()
    if voice.as_json:
        voice.say(json.dumps({"state": "ready", "node": now.node, "conductors": now.conductors, "atoms": now.atoms}))
        return
    conductors = ", ".join(f"{name} ({state})" for name, state in now.conductors.items())
    atoms = ", ".join(now.atoms[:_NAMED]) + (" …" if len(now.atoms) > _NAMED else "")
    voice.say(one_line(f"ready: node {now.node}, conductor {conductors}, {len(now.atoms)} atoms: {atoms}"))


async def _tell(errors: EventStream, voice: Voice) -> None:
    async for event in errors:
        voice.note(event_line(event, as_json=voice.as_json))


def _part(runtime: Atomizer, voice: Voice) -> None:
    now, unwritten = runtime.statistics(), voice.unwritten
    if voice.as_json:
        figures = {"completed": now.completed, "failed": now.failed, "unwritten": unwritten}
        voice.say(json.dumps({"state": now.state, "node": now.node, **figures}))
    else:
        lines = f", {unwritten} lines could not be written" if unwritten else ""
        voice.say(one_line(f"stopped: node {now.node}, completed {now.completed}, failed {now.failed}{lines}"))


def _complaint(failure: Exception, *, entered: bool) -> Exception:
    """Say what a failure to start or to stop means for the user; our own bug keeps its traceback."""
    if isinstance(failure, AtomizerBug):
        return failure
    if isinstance(failure, ConductorError):
        return Complaint(str(failure), exit_code=NO_CONDUCTOR)
    reasons: tuple[Exception, ...] = (failure,)
    if isinstance(failure, ExceptionGroup):
        reasons = cast("ExceptionGroup[Exception]", failure).exceptions
    what = "; ".join(f"{type(each).__qualname__}: {each}" for each in reasons)
    if entered:
        return Complaint(f"stopped, but not every atom could be closed: {what}", exit_code=FINDING)
    return Complaint(f"an atom could not be opened: {what}", exit_code=BAD_TARGET)
