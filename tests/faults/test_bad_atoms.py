"""I7: whatever one atom does, all other electrons resolve as if it had not, and its own asker is told what happened."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import TYPE_CHECKING, Any

import pytest

from atomizer import Atomizer, Settings

from . import bad_atoms  # noqa: F401  # importing them enters them
from .cases import CASES, GATE, GOOD, LEFT, MEETING, VARIABLE, Answer, Case, Gate, Leaked, good_in_a_thread, meets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atomizer import Handle, Properties

SLOTS = 64
SETTINGS = Settings(slots=SLOTS, cancel_grace=0.25, confirm_timeout=30.0)
PATIENCE = 55.0
"""Seconds after which a run that has lost an electron is given up."""

TIMES = 5
"""How many electrons each bad atom gets among the good ones."""
OFTEN = {"raises_the_same_object": 200}
"""Those that are bad only when there are many."""

unraisable = pytest.mark.filterwarnings("ignore:.*Sticky:pytest.PytestUnraisableExceptionWarning")
"""One atom leaves an object whose `__del__` raises: Python tells that as a warning."""
STICKY = {"leaves_what_raises_when_let_go"}


@unraisable
async def test_bad_atoms_among_ten_thousand_good_electrons_harm_nobody() -> None:
    """Every good electron has its value, every bad one its failure, and the node is as it was."""
    calls: list[Case] = [good_case(number) for number in range(10_000)] + [
        case for name, case in CASES.items() for _ in range(OFTEN.get(name, TIMES))
    ]
    random.Random(20).shuffle(calls)

    await run_among_each_other(calls)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[unraisable] * (name in STICKY)) for name in CASES])
async def test_a_bad_atom_harms_nobody(name: str) -> None:
    """Each kind by itself, so that a failure has a name."""
    calls = [CASES[name], *(good_case(number) for number in range(2 * SLOTS)), CASES[name]]

    await run_among_each_other(calls)


async def test_an_atom_in_a_thread_is_whole_whenever_threads_switch() -> None:
    """Its thread may run before whoever called it takes another step."""
    usual = sys.getswitchinterval()

    sys.setswitchinterval(1e-6)
    try:
        async with Atomizer(good_in_a_thread, settings=SETTINGS) as runtime:
            results = [result async for result in runtime.map(good_in_a_thread, range(5_000), ordered=True)]
    finally:
        sys.setswitchinterval(usual)

    assert results == [3 * number for number in range(5_000)]


def good_case(number: int) -> Case:
    """Ask one of the good atoms: most often the plain one."""
    atom = GOOD[0] if number % 8 else GOOD[number // 8 % len(GOOD)]
    return Case(atom, (number,), Answer(result=3 * number))


async def run_among_each_other(calls: list[Case]) -> None:
    """Ask for everything at once in one runtime, and look at what came of it and of the runtime."""
    GATE.set(gate := Gate())
    MEETING.set(asyncio.Barrier(SLOTS))
    heard = listen_to_the_loop()
    registrations: set[Any] = {case.atom for case in (*CASES.values(), *calls)} | {*GOOD, meets}

    async with asyncio.timeout(PATIENCE), Atomizer(*registrations, settings=SETTINGS) as runtime:
        handles = [(case, await runtime.send(case.atom, *case.payload)) for case in calls]
        wrong = [line for case, handle in handles if (line := await difference(case, handle))]
        gate.open()
        while runtime.statistics().abandoned or runtime.statistics().running or runtime.statistics().outstanding:
            await asyncio.sleep(0)
        await meet(runtime)
        statistics = runtime.statistics()
    await let_go(LEFT)

    assert not wrong
    assert (statistics.running, statistics.suspended, statistics.outstanding) == (0, 0, 0)
    assert [error for error in heard if not isinstance(error, Leaked)] == []
    assert VARIABLE.get() == "untouched"


def listen_to_the_loop() -> list[BaseException | str]:
    """Hear what reaches the event loop's own handler: nothing of the runtime's may."""
    heard: list[BaseException | str] = []

    def hear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        heard.append(context.get("exception") or context["message"])

    asyncio.get_running_loop().set_exception_handler(hear)
    return heard


async def difference(case: Case, handle: Handle[Any]) -> str:
    """Say in what an outcome differs from what it must be; nothing if in nothing."""
    properties = await handle.properties()
    expected, got = case.answer, answer_of(properties)
    pairs = zip(Answer._fields, expected, got, strict=True)
    off = [name for name, want, have in pairs if not is_as_wanted(name, want, have)]
    return f"{handle.atom_id}: {', '.join(off)}: {got} is not {expected}" if off else ""


def answer_of(properties: Properties) -> Answer:
    """Bring an outcome into the form of the table."""
    failure = properties.failure
    if failure is None:
        return Answer(result=properties.value())
    return Answer(failure.kind, failure.type, failure.message, failure.ending)


def is_as_wanted(name: str, want: object, have: object) -> bool:
    """Compare one field of an answer."""
    if name in ("kind", "result"):
        return want == have
    return str(want) in str(have) if name == "says" else not want or want == have


async def meet(runtime: Atomizer) -> None:
    """Have as many electrons as there are slots wait for each other: no worker may be missing."""
    handles = [await runtime.send(meets) for _ in range(SLOTS)]
    for handle in handles:
        await handle


async def let_go(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for the tasks that atoms have left."""
    if left := [*tasks]:
        LEFT.clear()
        await asyncio.wait(left)
