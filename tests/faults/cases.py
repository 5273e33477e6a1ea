"""The cases of bad atoms: how one is entered in the table, what its asker must be told, and the good ones beside it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import atomizer
from atomizer import Bond, Ending, FailureKind, Options

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = (
    "CASES", "GATE", "GOOD", "LEFT", "MEETING", "VARIABLE", "Answer", "Case", "Gate", "Leaked", "abandoned", "bad",
    "current", "gives", "good_in_a_thread", "meets", "raises", "refused", "stopped",
)  # fmt: skip

F = TypeVar("F", bound=Any)


class Answer(NamedTuple):
    """What the asker must be told. Empty fields are not looked at."""

    kind: str = ""
    """The kind of the failure; empty means a result."""
    type: str = ""
    says: str = ""
    """Part of the failure's message."""
    ending: str = ""
    result: object = None


class Case(NamedTuple):
    """One bad atom."""

    atom: Any
    payload: tuple[object, ...]
    answer: Answer


CASES: dict[str, Case] = {}
"""All of them, by name."""


def gives(result: object = None) -> Answer:
    """Say that the atom's result comes back: what it did wrong, it did to nobody."""
    return Answer(result=result)


def raises(type: str, says: str = "") -> Answer:
    """Say that the atom failed."""
    return Answer(FailureKind.FAILED, type, says)


def stopped() -> Answer:
    """Say that the atom ran over its limit and came to its end."""
    return Answer(FailureKind.TIMED_OUT, says="limit", ending=Ending.STOPPED)


def abandoned() -> Answer:
    """Say that the atom ran over its limit and did not come to its end."""
    return Answer(FailureKind.TIMED_OUT, says="limit", ending=Ending.ABANDONED)


def refused(kind: FailureKind, says: str) -> Answer:
    """Say that what came in or would go out was refused."""
    return Answer(kind, says=says)


def bad(answer: Answer, *payload: object, limit: float | None = None) -> Callable[[F], F]:
    """Make an atom of a function, or take a class that is one, and enter it in the table."""

    def enter(written: F) -> F:
        name = written.__name__
        is_class = inspect.isclass(written)
        atom: Any = written if is_class else atomizer.atom(id=f"faults.{name}", options=Options(limit=limit))(written)
        CASES[name] = Case(atom, payload, answer)
        return written

    return enter


class Gate:
    """What stuck atoms are stuck at, until the test lets them go."""

    def __init__(self) -> None:
        self.is_open = False
        self.thread = threading.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def wait(self) -> asyncio.Future[None]:
        """Return a future that is done when the gate opens."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def open(self) -> None:
        """Let everything go."""
        self.is_open = True
        self.thread.set()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


GATE: ContextVar[Gate] = ContextVar("gate")
"""The gate of this run. A runtime gives its atoms the context it was entered in."""
VARIABLE: ContextVar[str] = ContextVar("variable", default="untouched")


class Leaked(Exception):
    """Raised in what an atom leaves behind: all that the loop's own handler may ever hear of."""


LEFT: list[asyncio.Task[None]] = []
"""Tasks that atoms have left: held, or the garbage collector would end them before they do harm."""


# The good ones


def current() -> asyncio.Task[Any]:
    """Return the task that runs this atom's code."""
    task = asyncio.current_task()
    assert task is not None
    return task


@atomizer.atom(id="faults.good")
async def good(number: int) -> int:
    """Triple a number, if nothing of anybody else's is to be seen."""
    assert VARIABLE.get() == "untouched"
    assert current().get_name() == "faults.good"
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
    assert current().cancelling() == 0
    return 3 * number


@atomizer.atom(id="faults.good_in_a_thread")
def good_in_a_thread(number: int) -> int:
    """Triple a number in a thread."""
    assert VARIABLE.get() == "untouched"
    return 3 * number


@atomizer.atom(id="faults.good_parent")
async def good_parent(bond: Bond, number: int) -> int:
    """Have a child triple a number."""
    return await bond.run(good, number)


MEETING: ContextVar[asyncio.Barrier] = ContextVar("meeting")
"""Where electrons that run at once meet."""


@atomizer.atom(id="faults.meets")
async def meets() -> None:
    """Wait until as many as there are slots run at once."""
    await MEETING.get().wait()


GOOD = (good, good_in_a_thread, good_parent)
