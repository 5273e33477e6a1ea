"""
A virtual clock: an event loop whose time jumps to the next timer whenever nothing is ready.

An hour of deadlines, pauses and retries passes in milliseconds, and a program made of coroutines alone takes the same
course in every run.

.. code-block:: python

    import asyncio
    from atomizer.testing.clock import VirtualClock, run


    async def an_hour(clock: VirtualClock) -> float:
        await asyncio.sleep(3600)
        return clock.monotonic()


    assert run(an_hour) == 3600.0

With this hook in `conftest.py`, pytest-asyncio runs every test on it; `current_clock()` gives a test its clock:

.. code-block:: python

    from atomizer.testing.clock import VirtualLoop


    def pytest_asyncio_loop_factories(config, item):
        return {"virtual": VirtualLoop}

What goes on outside the loop takes real time, and the virtual clock has to stand still for it. Calls that the loop
itself gives to a thread (`asyncio.to_thread`, `run_in_executor`) hold the clock by themselves. Of other threads (as
anyio's), child processes and sockets the loop cannot know whether they are at work: wait for those inside
`with clock.holding():`. While the clock is held the loop waits for real, each time at most `real_wait` seconds.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from math import inf, ulp
from pathlib import Path
from selectors import DefaultSelector
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager
    from selectors import SelectorKey
    from types import FrameType

__all__ = (
    "START_UTC",
    "Deadlock",
    "LeftOver",
    "VirtualClock",
    "VirtualLoop",
    "all_blocked",
    "current_clock",
    "on_virtual_time",
    "run",
)

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_UTC = datetime(2030, 1, 1, tzinfo=UTC)
"""The moment at which virtual time starts if nothing else is said."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REAL_WAIT = 5.0


def run(
    main: Callable[[VirtualClock], Coroutine[Any, Any, T]],
    *,
    start_utc: datetime = START_UTC,
    real_wait: float = _REAL_WAIT,
    allow_left_over: bool = False,
) -> T:
    """
    Run a program on a fresh virtual loop to its end, cancel what is left of it, and close the loop.

    Args:
        main: The program: an async function that takes the clock.
        start_utc: The moment at which it starts.
        real_wait: Real seconds that the loop waits for threads until it gives up.
        allow_left_over: Whether tasks may still wait when the program has ended. They are cancelled either way.

    Returns:
        What the program returned.

    Raises:
        Deadlock: Nothing could ever happen again.
        LeftOver: The program returned while some of its tasks still waited.
        RuntimeError: An event loop runs in this thread already.
        Whatever the program raises.
    """
    _refuse_inside_a_loop()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start_utc=start_utc, real_wait=real_wait)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)  # noqa: S101  # made one line above
        result = runner.run(main(loop.clock))
        left_over = () if allow_left_over else runner.run(_others_blocked())
        if left_over:
            raise LeftOver(left_over)
        return result


def on_virtual_time(program: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """
    Make a plain function of an async one, which runs it as `run` does; `current_clock()` gives it its clock.

    As a decorator it puts a single test on virtual time, whatever runs the tests.
    """

    @wraps(program)
    def run_program(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(lambda _: program(*args, **kwargs))

    return run_program


async def all_blocked() -> None:
    """
    Wait until every other task is blocked: nothing is ready, and the next timer lies in the future.

    This orders the steps of a test without a sleep. The clock does not move meanwhile; while it is held, this waits for
    what holds it.

    Raises:
        RuntimeError: The running loop is no `VirtualLoop`.
    """
    await _current_loop().idle()


def current_clock() -> VirtualClock:
    """
    Return the clock of the virtual loop that runs here.

    Raises:
        RuntimeError: The running loop is no `VirtualLoop`, or none runs.
    """
    return _current_loop().clock


class VirtualClock:
    """
    The time of a virtual loop, as `Settings(clock=…)` takes it. It moves when the loop has nothing else to do.

    To let time pass, sleep: `await asyncio.sleep(3600)` returns at once, an hour later.
    """

    def __init__(self, loop: VirtualLoop, start_utc: datetime = START_UTC) -> None:
        if start_utc.tzinfo is None:
            raise ValueError(f"the start has no time zone: say {start_utc.isoformat()!r} in UTC")
        self._loop = loop
        self._start_ns = (start_utc - _EPOCH) // timedelta(microseconds=1) * 1_000

    def __repr__(self) -> str:
        return f"<VirtualClock at {self.monotonic():g} s>"

    def monotonic(self) -> float:
        """Return the seconds since the loop was made."""
        return self._loop.time()

    def utc_ns(self) -> int:
        """Return the UTC moment, in nanoseconds since 1970."""
        return self._start_ns + round(self._loop.time() * 1e9)

    def holding(self) -> AbstractContextManager[None]:
        """
        Hold the clock while something outside the loop is awaited: a thread, a child process, a socket.

        To be entered on the loop's own thread. What is ready still runs; no timer comes until all holders have left.
        """
        return self._loop.holding()


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An asyncio loop on virtual time, which starts at 0.

    Running it raises `Deadlock` when nothing is ready, no timer is set, and nothing comes from outside either.

    Args:
        start_utc: The moment at which it starts.
        real_wait: Real seconds that it waits for threads until it gives up.

    Attributes:
        clock: Its time.
    """

    # Two names of asyncio's own loop, which has no other way to be told.
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self, *, start_utc: datetime = START_UTC, real_wait: float = _REAL_WAIT) -> None:
        self._now = 0.0
        self._holds = 0
        self._real_wait = real_wait
        self._idlers: list[asyncio.Future[None]] = []
        self._older_threads = set(threading.enumerate())
        super().__init__(_IdlingSelector(self._decide_when_idle, self._give_up))
        self._move_to(0.0)
        try:
            self.clock: VirtualClock = VirtualClock(self, start_utc)
        except ValueError:
            self.close()
            raise

    def time(self) -> float:
        """Return the virtual seconds since this loop was made."""
        return self._now

    @contextmanager
    def holding(self) -> Generator[None]:
        """Hold the clock; see `VirtualClock.holding`."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    def idle(self) -> asyncio.Future[None]:
        """Return a future that is done as soon as nothing is ready; see `all_blocked`."""
        idler = self.create_future()
        self._idlers.append(idler)
        return idler

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call a function in a thread, as every loop does, and hold the clock until it has returned."""
        future = super().run_in_executor(executor, func, *args)
        self._holds += 1
        future.add_done_callback(self._release)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's own
        """End the threads of the default executor. It is `real_wait` that bounds this: a timeout would be virtual."""
        with self.holding():
            await super().shutdown_default_executor()

    def _decide_when_idle(self) -> float:
        """
        Decide what comes when nothing is ready: go on, jump to the next timer, wait for real, or give up.

        Returns:
            Real seconds to wait for something from outside; 0 means go on at once.
        """
        if self._holds:
            return self._real_wait
        if self._wake_idlers():
            return 0.0
        upcoming = self._scheduled[0].when() if self._scheduled else inf
        if upcoming < inf:
            self._move_to(upcoming)
            return 0.0
        if self._younger_threads():  # one of them may be the last hope; waiting costs nothing but the error's delay
            return self._real_wait
        raise self._give_up()

    def _give_up(self) -> Deadlock:
        return Deadlock(_waiting(asyncio.all_tasks(self)), threads=self._younger_threads())

    def _move_to(self, when: float) -> None:
        self._now = when
        # A timer comes at its very moment, not a little before: whoever reads the clock then and finds that it is too
        # early would set a timer for the rest, and so on, while virtual time stands still.
        self._clock_resolution = ulp(when)

    def _wake_idlers(self) -> bool:
        idlers, self._idlers = [idler for idler in self._idlers if not idler.done()], []
        for idler in idlers:
            idler.set_result(None)
        return bool(idlers)

    def _release(self, _: asyncio.Future[Any]) -> None:
        self._holds -= 1

    def _younger_threads(self) -> tuple[str, ...]:
        return tuple(thread.name for thread in threading.enumerate() if thread not in self._older_threads)


class Deadlock(RuntimeError):
    """
    A virtual loop cannot go on: nothing is ready, no timer is set, or what the clock was held for did not come.

    Attributes:
        tasks: The tasks that wait, each with the line it waits at.
        threads: The names of the threads that were started since the loop was made and live.
    """

    def __init__(self, tasks: Sequence[str], *, threads: Sequence[str] = ()) -> None:
        self.tasks: tuple[str, ...] = tuple(tasks)
        self.threads: tuple[str, ...] = tuple(threads)
        super().__init__(self.tasks, self.threads)

    def __str__(self) -> str:
        head = "nothing is ready, no timer may come and nothing came from outside: this would wait for ever"
        threads = f"threads alive: {', '.join(self.threads)}; slow ones need a longer real_wait"
        return "\n  ".join((head, *self.tasks, *([threads] if self.threads else [])))


class LeftOver(RuntimeError):
    """
    A program ended while some of its tasks still waited for something; they were cancelled.

    Attributes:
        tasks: Those tasks, each with the line it waited at.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks: tuple[str, ...] = tuple(tasks)
        super().__init__(self.tasks)

    def __str__(self) -> str:
        head = "the program has ended and these tasks have not: end them in it, or say allow_left_over=True"
        return "\n  ".join((head, *self.tasks))


class _IdlingSelector(DefaultSelector):
    """The selector of this machine, which asks what to do where another would wait."""

    def __init__(self, decide: Callable[[], float], give_up: Callable[[], Deadlock]) -> None:
        super().__init__()
        self._decide = decide
        self._give_up = give_up

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Return what is ready. Nothing means: look again, for time has moved."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        seconds = self._decide()
        if not seconds:
            return ready
        ready = super().select(seconds)
        if not ready:
            raise self._give_up()
        return ready


async def _others_blocked() -> tuple[str, ...]:
    """Say which other tasks are left when everything that can go on has done so."""
    await all_blocked()
    return _waiting(asyncio.all_tasks() - {asyncio.current_task()})


def _waiting(tasks: Iterable[asyncio.Task[Any]]) -> tuple[str, ...]:
    ordered = sorted(tasks, key=lambda task: (len(task.get_name()), task.get_name()))
    return tuple(f"{task.get_name()} waits at {' > '.join(_lines(task)) or 'its start'}" for task in ordered)


def _lines(task: asyncio.Task[Any]) -> Iterator[str]:
    """Yield the lines a task is at, from its own coroutine to the innermost one that it awaits."""
    awaited: object = task.get_coro()
    while awaited is not None:
        frame, awaited = _step_in(awaited)
        if frame is not None:
            yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}"


def _step_in(awaited: object) -> tuple[FrameType | None, object]:
    """Return the frame of something that is awaited, and what it awaits in turn."""
    for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
        if hasattr(awaited, inner):
            return getattr(awaited, f"{kind}_frame"), getattr(awaited, inner)
    return None, None


def _current_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        return loop
    raise RuntimeError(
        f"this runs on a {type(loop).__name__}, not on a VirtualLoop: put the test on one with `on_virtual_time`, "
        "or all tests of pytest-asyncio with `atomizer_virtual_time = true` in pytest's settings"
    )


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a loop runs in this thread already: call run() from a plain function")
