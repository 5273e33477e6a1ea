"""
Child processes for atoms that are to be killed when their time is up: a pool of them, warm, and each used many times.

A turn is waited for in order. Who comes to it has a child process alone, until it is given back; one who does not want
its answer any more kills it. What must be replaced is replaced before it is needed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from anyio import get_cancelled_exc_class
from msgspec import structs

from ...bounds import DEFAULT_BOUNDS, Bounds
from ...electron import JSON
from ...errors import NotRunning
from .child_process import Answer, ChildProcess
from .death import ProcessDied
from .framing import ChildSettings
from .launching import main_module
from .main_module import refuse_while_loading

if TYPE_CHECKING:
    from ...failure import Failure
    from ..tasks import Tasks

__all__ = ("Answer", "ProcessDied", "Processes", "Taken")

_LEAVE_SECONDS = 2.0
_REAP_SECONDS = 1.0
_KNOWN_MOST = 256

Place: TypeAlias = "asyncio.Future[ChildProcess | ProcessDied]"


class Processes:
    """
    A pool of child processes.

    Args:
        name: Whose they are, for names of tasks.
        most: How many may run atoms at once.
        calls_each: Each is replaced after so many calls; 0 means never.
        memory_each: One that holds more bytes of resident memory after a call is replaced; 0 means never.
        max_payload_bytes: The largest result.
        tasks: Where the ends of those that are replaced are waited for.
        bounds: What a payload may weigh.

    Attributes:
        started: How many were started.
        killed: How many of them were killed in the middle of a call.

    Raises:
        RuntimeError: This is a child process, and it is loading the program's main module.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        *,
        most: int,
        calls_each: int,
        memory_each: int,
        max_payload_bytes: int,
        tasks: Tasks,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        refuse_while_loading()
        self.started: int = 0
        self.killed: int = 0
        self._loop = loop
        self._name = name
        self._most = most
        self._calls_each = calls_each
        argv = [os.fsencode(argument) for argument in sys.argv]
        self._settings = ChildSettings(main_module(), argv, [], max_payload_bytes, memory_each, bounds)
        self._tasks = tasks
        self._known: dict[str, None] = {}
        self._turns: deque[Place] = deque()
        self._idle: deque[ChildProcess] = deque()
        self._busy: set[ChildProcess] = set()
        self._starting: set[ChildProcess] = set()
        self._ending: set[ChildProcess] = set()
        self._replaced: set[ChildProcess] = set()
        self._is_closed = False

    @property
    def alive(self) -> int:
        """How many children there are, whatever they do."""
        return len(self._busy) + len(self._idle) + len(self._starting) + len(self._ending)

    @property
    def busy(self) -> int:
        """How many are taken."""
        return len(self._busy)

    @property
    def idle(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    def __repr__(self) -> str:
        return f"<Processes {self._name!r}: {self.busy} busy, {self.idle} idle, {len(self._starting)} starting>"

    def take_nowait(self) -> Taken | None:
        """Take a child process that is idle and warm, if there is one for whom nobody waits."""
        return Taken(self, self._lend()) if not self._is_closed and self._can_lend() else None

    async def take(self) -> Taken:
        """
        Wait for one's turn, and take a child process. It is idle and warm, or started for this.

        One that could not be started is handed out all the same: its `call` says why.

        Raises:
            NotRunning: The pool is closed.

        Cancellation: the turn goes to the next; a process that was started for it is idle when it is ready.
        """
        if self._is_closed:
            raise NotRunning("the runtime has stopped, and its child processes with it")
        if (process := self.take_nowait()) is not None:
            return process
        turn: Place = self._loop.create_future()
        self._turns.append(turn)
        self._serve()
        get_cancelled_exc_class()  # loads what anyio needs for its first scope: now, and not when a call is killed
        try:
            return Taken(self, await turn)
        except asyncio.CancelledError:
            self._leave_queue(turn)
            raise

    async def close(self, seconds: float) -> None:
        """
        End all child processes: the idle ones by themselves, the others at once. All are reaped.

        Args:
            seconds: How long idle ones have; then they are killed.

        Cancellation: all are killed.
        """
        self._is_closed = True
        while self._turns:
            if not (turn := self._turns.popleft()).done():
                turn.set_exception(NotRunning("the runtime stops, and its child processes with it"))
        for child in (*self._starting, *self._busy):
            child.kill("was killed: the runtime stops")
        for child in self._idle:
            child.ask_to_leave()
        everyone = {*self._starting, *self._busy, *self._idle, *self._ending}
        self._idle.clear()
        try:
            await _all_ended(everyone, seconds)
        finally:
            for child in everyone:
                child.kill()
        await _all_ended(everyone, _REAP_SECONDS)

    def give_back(self, child: ChildProcess) -> None:
        """Take a child process back, and hand it on, or see that there is another instead."""
        self._busy.discard(child)
        if child.is_calling or self._is_closed:
            child.kill()
        if child.is_over:
            self.killed += child.is_killed and not self._is_closed
            self._replace(child)
        elif child.is_spent or 0 < self._calls_each <= child.calls:
            self._replace(child)
            self._tasks.start(child.leave(_LEAVE_SECONDS), f"{self._name} lets child {child.pid} end")
        else:
            self._idle.append(child)
        self._serve()

    def learn(self, reference: str) -> None:
        """Have a function that can be called loaded by what is started from now on, before it counts as ready."""
        if reference not in self._known and len(self._known) < _KNOWN_MOST:
            self._known[reference] = None

    def _can_lend(self) -> bool:
        while self._idle and self._idle[-1].is_over:  # it has just ended, and is about to be reaped
            self._ending.add(self._idle.pop())
        return bool(self._idle) and len(self._busy) < self._most

    def _lend(self) -> ChildProcess:
        """Take the one that was used last: its caches are warm, and one that was started ahead waits until needed."""
        child = self._idle.pop()
        self._busy.add(child)
        if self._calls_each and self._calls_left(child) <= self._calls_each // 10:
            self._replace_ahead(child)
        return child

    def _calls_left(self, child: ChildProcess) -> int:
        return self._calls_each - child.calls - 1

    def _replace_ahead(self, child: ChildProcess) -> None:
        """Start the successor of a child process that still runs something."""
        if child not in self._replaced and not self._is_closed:
            self._replaced.add(child)
            self._start()

    def _replace(self, child: ChildProcess) -> None:
        if not child.ended.done():
            self._ending.add(child)
        if child in self._replaced:
            self._replaced.discard(child)
        elif not self._is_closed:
            self._start()

    def _serve(self) -> None:
        """Give child processes to those whose turn it is, and start as many as are missing."""
        while self._turns and self._can_lend():
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(self._lend())
        while len(self._starting) < min(len(self._turns), self._most - len(self._busy)):
            if (died := self._start()) is not None:
                self._fail(died)

    def _start(self) -> ProcessDied | None:
        """Start a child process. Returns what there is instead, if that is not possible."""
        settings = structs.replace(self._settings, references=list(self._known))
        try:
            child = ChildProcess(self._loop, settings, self._has_started, self._replace_ahead, self._has_ended)
        except OSError as error:
            return ProcessDied(f"could not be started: {error}")
        self.started += 1
        self._starting.add(child)
        return None

    def _has_started(self, child: ChildProcess) -> None:
        self._starting.discard(child)
        self._idle.appendleft(child)
        self._serve()

    def _has_ended(self, child: ChildProcess, died: ProcessDied) -> None:
        self._ending.discard(child)
        if child in self._idle:
            self._idle.remove(child)
        if child in self._starting:
            self._starting.discard(child)
            self._fail(died)
            self._serve()

    def _fail(self, died: ProcessDied) -> None:
        """Tell the next in turn why there is no child process. A turn is worth one start, so this comes to an end."""
        while self._turns:
            if not (turn := self._turns.popleft()).done():
                turn.set_result(died)
                return

    def _leave_queue(self, turn: Place) -> None:
        if turn in self._turns:
            self._turns.remove(turn)
        if turn.cancel() or turn.cancelled() or turn.exception() is not None:
            return
        child = turn.result()
        if isinstance(child, ChildProcess):
            self.give_back(child)


async def _all_ended(children: set[ChildProcess], seconds: float) -> None:
    if children:
        await asyncio.wait({child.ended for child in children}, timeout=seconds)


class Taken:
    """A child process from when it is taken until it is given back."""

    __slots__ = ("_child", "_is_given_back", "_pool")

    def __init__(self, pool: Processes, child: ChildProcess | ProcessDied) -> None:
        self._pool = pool
        self._child = child
        self._is_given_back = False

    def has_loaded(self, reference: str) -> bool:
        """Whether it calls a function without importing anything first."""
        return isinstance(self._child, ProcessDied) or self._child.has_loaded(reference)

    async def load(self, reference: str) -> Failure | None:
        """
        Have a function loaded, and wait for it: for a minute at most, then the process is killed.

        Args:
            reference: The function as `module:qualname`; `__main__` is the program's main module.

        Returns:
            Why it cannot be loaded; None if it is.

        Raises:
            ProcessDied: The process ended meanwhile, or could not be started.

        Cancellation: the process is killed, at once.
        """
        if isinstance(self._child, ProcessDied):
            raise self._child
        failure = await self._child.load(reference)
        if failure is None:
            self._pool.learn(reference)
        return failure

    async def call(self, reference: str, payload: bytes, content_type: str, soft_limit: float | None = None) -> Answer:
        """
        Have a function called in the child process, and wait for what becomes of it. It is loaded first if it must be.

        Args:
            reference: The function as `module:qualname`; `__main__` is the program's main module.
            payload: Its arguments, encoded as `content_type` says.
            content_type: JSON, or raw bytes.
            soft_limit: Seconds after which `SoftLimitReached` is raised in it; None means never.

        Raises:
            ProcessDied: The process ended meanwhile, or could not be started.

        Cancellation: the process is killed, at once.
        """
        if isinstance(self._child, ProcessDied):
            raise self._child
        if not self._child.has_loaded(reference):
            failure = await self.load(reference)
            if failure is not None:
                return Answer(b"", JSON, failure)
        return await self._child.call(reference, content_type, payload, soft_limit or 0.0)

    def give_back(self) -> None:
        """Let the next have it. One that is dead or worn out is replaced. Giving it back again does nothing."""
        if not self._is_given_back and isinstance(self._child, ChildProcess):
            self._is_given_back = True
            self._pool.give_back(self._child)
