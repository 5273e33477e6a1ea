"""Atoms that do what no atom should do, each with what its asker must be told."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

import atomizer
from atomizer import Bond, Electron, Ending, FailureKind

from .cases import GATE, LEFT, VARIABLE, Answer, Leaked, abandoned, bad, current, gives, raises, refused, stopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

LIMIT = 0.05
"""Seconds that an atom of the kind that hangs may run."""
FLOOD = 100_000
"""Events that one atom tells in one go: about a second's worth."""


# Raising


@bad(raises("builtins.ValueError", "no"))
async def raises_an_error() -> None:
    """Do what most bad atoms do."""
    raise ValueError("no")


class Mute(Exception):
    """Has no words."""

    def __str__(self) -> str:
        raise RuntimeError("mute")


@bad(raises(f"{__name__}.Mute", "RuntimeError"))
async def raises_what_cannot_be_told() -> None:
    """Raise an exception whose `str()` raises."""
    raise Mute


class Last(Exception):
    """Its words are its last."""

    def __str__(self) -> str:  # noqa: PLE0307  # it does not get that far
        sys.exit(3)


@bad(raises(f"{__name__}.Last", "SystemExit"))
async def raises_what_exits_when_told() -> None:
    """Raise an exception whose `str()` ends the process."""
    raise Last


@bad(raises("builtins.UnicodeError", "?"))
async def raises_half_a_character() -> None:
    """Raise an exception whose text cannot be written as UTF-8."""
    raise UnicodeError("\ud800")


class Unnamed(type):
    """Gives its classes no name."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("nowhere")


class Nameless(Exception, metaclass=Unnamed):
    """Its type cannot be told."""


@bad(Answer(FailureKind.FAILED))
async def raises_what_has_no_name() -> None:
    """Raise an exception whose type cannot say where it is from."""
    raise Nameless("here")


@bad(Answer(FailureKind.FAILED, says="here"))
async def raises_what_is_named_by_half_a_character() -> None:
    """Raise an exception whose type's name cannot be written as UTF-8."""
    raise type("FromNowhere", (Exception,), {"__module__": "\ud800"})("here")


class Liar(Exception):
    """Will not say what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("guess")

    @__class__.setter
    def __class__(self, _: object) -> None:
        raise RuntimeError("no")


@bad(raises(f"{__name__}.Liar"))
async def raises_what_denies_its_class() -> None:
    """Raise an exception that `isinstance` cannot look at."""
    raise Liar


class Untraceable(Exception):
    """Lets nobody touch it."""

    def with_traceback(self, tb: Any) -> Any:
        """Refuse."""
        raise RuntimeError("hands off")

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError("hands off")


@bad(raises(f"{__name__}.Untraceable", "here"))
async def raises_what_will_not_be_touched() -> None:
    """Raise an exception that refuses to be given a traceback."""
    raise Untraceable("here")


class Uncaught(BaseException):
    """No `except Exception` sees it."""


@bad(raises(f"{__name__}.Uncaught", "past you"))
async def raises_a_base_exception() -> None:
    """Raise past `except Exception`."""
    raise Uncaught("past you")


@bad(raises("builtins.SystemExit", "3"))
async def exits() -> None:
    """End the process."""
    await asyncio.sleep(0)
    sys.exit(3)


@bad(raises("builtins.KeyboardInterrupt"))
async def interrupts() -> None:
    """End the process as Ctrl-C does."""
    raise KeyboardInterrupt


@bad(raises("builtins.GeneratorExit"))
async def raises_generator_exit() -> None:
    """Look like a coroutine that is being closed."""
    await asyncio.sleep(0)
    raise GeneratorExit


@bad(raises("asyncio.exceptions.CancelledError", "nobody else did"))
async def raises_cancelled() -> None:
    """Look cancelled."""
    raise asyncio.CancelledError


@bad(raises("asyncio.exceptions.CancelledError", "nobody else did"))
async def cancels_itself() -> None:
    """Cancel its own task, then wait."""
    cancel_current()
    await asyncio.sleep(0)


@bad(raises("builtins.RuntimeError", "StopIteration"))
async def raises_stop_iteration() -> None:
    """Look like an iterator at its end."""
    raise StopIteration(7)


@bad(raises("builtins.ExceptionGroup", "both (2 sub-exceptions)"))
async def raises_a_group() -> None:
    """Raise two at once."""
    raise ExceptionGroup("both", [ValueError("one"), Mute()])


@bad(raises("builtins.BaseExceptionGroup", "both (2 sub-exceptions)"))
async def raises_a_group_of_exits() -> None:
    """Raise two at once, one of which ends processes."""
    raise BaseExceptionGroup("both", [SystemExit(3), asyncio.CancelledError()])


SAME = ValueError("again")


@bad(raises("builtins.ValueError", "again"))
async def raises_the_same_object() -> None:
    """Raise one and the same exception object for every electron."""
    raise SAME


@bad(raises("builtins.RecursionError"))
async def recurses() -> None:
    """Call itself without end."""

    def deeper() -> None:
        deeper()

    deeper()


@bad(raises("builtins.MemoryError"))
async def takes_all_memory() -> None:
    """Ask for more memory than there is."""
    bytearray(1 << 62)


# Cancelling


@bad(stopped(), limit=LIMIT)
async def hangs() -> None:
    """Wait for nothing."""
    await asyncio.get_running_loop().create_future()


@bad(abandoned(), limit=LIMIT)
async def swallows_every_cancellation() -> None:
    """Go on, whatever it is told."""
    gate = GATE.get()
    while not gate.is_open:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            continue


@bad(gives("late"), limit=LIMIT)
async def swallows_one_cancellation() -> str:
    """Go on to its end when told to stop."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "late"


@bad(
    Answer(FailureKind.TIMED_OUT, "builtins.ValueError", "on its way out it raised sorry", Ending.STOPPED), limit=LIMIT
)
async def raises_when_cancelled() -> None:
    """Make an error of being told to stop."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        raise ValueError("sorry") from None


class Stubborn(asyncio.Future[None]):
    """A future that cannot be cancelled."""

    def cancel(self, msg: Any = None) -> bool:
        """Refuse."""
        raise RuntimeError("not me")


@bad(abandoned(), limit=LIMIT)
async def waits_for_what_cannot_be_cancelled() -> None:
    """Wait for a future whose `cancel` raises."""
    stubborn = Stubborn()
    GATE.get().wait().add_done_callback(lambda _: stubborn.set_result(None))
    await stubborn


@types.coroutine
def yields(value: object) -> Generator[object, None, None]:
    """Give the event loop something it knows nothing of."""
    yield value


@bad(raises("builtins.RuntimeError", "7"))
async def yields_junk() -> None:
    """Wait for a number."""
    await yields(7)


@bad(Answer(FailureKind.FAILED))
async def cancels_itself_and_yields_junk() -> None:
    """Wait for a number while a cancellation is pending."""
    cancel_current()
    await yields(7)


@bad(raises("builtins.RuntimeError"))
async def waits_for_another_loop() -> None:
    """Wait for a future that belongs to nobody here."""
    other = asyncio.new_event_loop()
    try:
        await other.create_future()
    finally:
        other.close()


# Leaving things behind


@bad(gives())
async def leaves_a_timeout() -> None:
    """Enter a timeout and never leave it."""
    await asyncio.timeout(0.001).__aenter__()


@bad(gives())
async def leaves_a_scope() -> None:
    """Enter a cancel scope and never leave it."""
    anyio.CancelScope(deadline=anyio.current_time() + 0.001).__enter__()


@bad(gives())
async def leaves_a_cancelled_scope() -> None:
    """Enter a cancel scope, cancel it, and never leave it: anyio then cancels again and again."""
    scope = anyio.CancelScope()
    scope.__enter__()
    scope.cancel()


@bad(gives())
async def leaves_a_task_group() -> None:
    """Enter a task group, start a task in it, and never leave it."""
    group = anyio.create_task_group()
    await group.__aenter__()
    group.start_soon(wait_for_the_gate)


@bad(gives())
async def leaves_a_call() -> None:
    """Have its own task cancelled when it is over."""
    asyncio.get_running_loop().call_later(0.001, current().cancel)


async def numbers() -> AsyncIterator[int]:
    """Hold a timeout over every yield."""
    async with asyncio.timeout(0.001):
        for number in range(10):
            yield number


@bad(gives(0))
async def leaves_a_generator() -> int:
    """Read half a generator that holds a timeout."""
    async for number in numbers():
        return number
    return -1


@bad(gives())
async def leaves_tasks() -> None:
    """Leave tasks that raise, and cancel it, when it is over."""

    async def fails() -> None:
        await asyncio.sleep(0.001)
        raise Leaked

    async def cancels(task: asyncio.Task[Any]) -> None:
        await asyncio.sleep(0.001)
        task.cancel()

    LEFT.extend((asyncio.create_task(fails()), asyncio.create_task(cancels(current()))))


@bad(gives())
async def leaves_children(bond: Bond) -> None:
    """Send an electron that never ends, and end without waiting for it."""
    await bond.send("faults.hangs")


@bad(gives())
async def leaves_its_marks() -> None:
    """Change a context variable and the task's name."""
    VARIABLE.set("changed")
    current().set_name("changed")


class Sticky:
    """Raises when it is let go."""

    def __del__(self) -> None:
        raise Leaked("let go")


@bad(gives())
async def leaves_what_raises_when_let_go() -> None:
    """Leave an object whose `__del__` raises."""
    sticky = Sticky()
    del sticky


@bad(gives(FLOOD))
async def tells_too_much(bond: Bond) -> int:
    """Tell a flood of progress, without ever waiting."""
    for number in range(FLOOD):
        bond.progress(number)
    return FLOOD


@bad(Answer(FailureKind.FAILED, "builtins.ValueError", "nan"))
async def tells_no_number(bond: Bond) -> None:
    """Tell a progress that is no number."""
    bond.progress(float("nan"))


# Returning


@bad(refused(FailureKind.RESULT_REFUSED, "object"))
async def returns_an_object() -> object:
    """Return what is nothing but itself."""
    return object()


@bad(refused(FailureKind.RESULT_REFUSED, "object"))
async def returns_a_set_of_objects() -> object:
    """Return a set of such things."""
    return {object()}


@bad(refused(FailureKind.RESULT_REFUSED, "holds itself"))
async def returns_a_cycle() -> object:
    """Return a list that holds itself."""
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@bad(refused(FailureKind.RESULT_REFUSED, "nan"))
async def returns_no_number() -> object:
    """Return NaN, which JSON does not have."""
    return [float("nan")]


@bad(refused(FailureKind.RESULT_REFUSED, "surrogate"))
async def returns_half_a_character() -> object:
    """Return half of a surrogate pair."""
    return "\ud800"


@bad(refused(FailureKind.RESULT_REFUSED, f"{9 * 1024 * 1024:,} bytes"))
async def returns_too_much() -> bytes:
    """Return more than is allowed."""
    return bytes(9 * 1024 * 1024)


class Trap(dict[str, object]):
    """Raises when somebody looks into it."""

    def items(self) -> Any:
        """Raise."""
        raise Leaked("hands off")


@bad(raises(f"{Leaked.__module__}.Leaked", "hands off"))
async def returns_a_trap() -> object:
    """Return what runs code that raises when it is encoded."""
    return Trap(inside=object())


class Exit(dict[str, object]):
    """Ends the process when somebody looks into it."""

    def items(self) -> Any:
        """Exit."""
        sys.exit(3)


@bad(raises("builtins.SystemExit", "3"))
async def returns_an_exit() -> object:
    """Return what runs code that ends the process when it is encoded."""
    return Exit(inside=object())


# In a thread


@bad(raises("builtins.SystemExit", "3"))
def exits_in_a_thread() -> None:
    """End the process from a thread."""
    sys.exit(3)


@bad(raises("builtins.RuntimeError", "StopIteration"))
def raises_stop_iteration_in_a_thread() -> None:
    """Look like an iterator at its end, from a thread."""
    raise StopIteration(7)


@bad(abandoned(), limit=LIMIT)
def hangs_in_a_thread() -> None:
    """Never come back: a thread cannot be stopped from outside."""
    GATE.get().thread.wait(60)


class Held(Exception):
    """Holds itself."""


@bad(raises(f"{__name__}.Held", "round and round"))
def raises_a_cycle_in_a_thread() -> None:
    """Raise an exception that is its own cause, and is held by what it holds."""
    error = Held("round and round")
    error.__cause__ = error
    error.held = {"by": error}  # type: ignore[attr-defined]
    raise error


@bad(gives())
def leaves_a_thread() -> None:
    """Leave a thread that waits for the gate."""
    threading.Thread(target=GATE.get().thread.wait, args=(60,), daemon=True).start()


# Before it is called


class Picky(msgspec.Struct):
    """Raises what decoders do not expect."""

    word: str

    def __post_init__(self) -> None:
        if self.word == "exit":
            sys.exit(3)
        raise LookupError(self.word)


@bad(refused(FailureKind.PAYLOAD_REFUSED, "LookupError"), {"word": "lookup"})
async def takes_what_raises(picky: Picky) -> None:
    """Take an argument whose type raises when it is made."""


@bad(raises("builtins.SystemExit", "3"), {"word": "exit"})
async def takes_what_exits(picky: Picky) -> None:
    """Take an argument whose type ends the process when it is made."""


@bad(refused(FailureKind.STATE_REFUSED, "no instance"))
class RaisesWhenMade(atomizer.Atom, id="faults.RaisesWhenMade"):
    """Cannot be made."""

    def __init__(self) -> None:
        raise ValueError("no instance")

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Never get here."""


@bad(refused(FailureKind.STATE_REFUSED, "SystemExit"))
class ExitsWhenMade(atomizer.Atom, id="faults.ExitsWhenMade"):
    """Ends the process when it is made."""

    def __init__(self) -> None:
        sys.exit(3)

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Never get here."""


@bad(refused(FailureKind.STATE_REFUSED, "Mute"))
class CannotBeToldWhenMade(atomizer.Atom, id="faults.CannotBeToldWhenMade"):
    """Cannot be made, and will not say why."""

    def __init__(self) -> None:
        raise Mute

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Never get here."""


@bad(refused(FailureKind.STATE_REFUSED, "ValueError"))
class CannotBeWrittenWhenMade(atomizer.Atom, id="faults.CannotBeWrittenWhenMade"):
    """Cannot be made, and says why in what UTF-8 cannot carry."""

    def __init__(self) -> None:
        raise ValueError("\ud800")

    async def process(self, conductor: Bond, electron: Electron) -> None:
        """Never get here."""


# What they share


def cancel_current() -> None:
    """Cancel the task that runs this atom's code."""
    current().cancel()


async def wait_for_the_gate() -> None:
    """Wait until the test lets everything go."""
    await GATE.get().wait()
