"""The bond as it is while its atom runs."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

from .bond import Blocking, Bond
from .conductor import Frame, Lane, Route
from .errors import ConductorError
from .properties import Progress

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from ._core.flight import Flight
    from ._core.tasks import Tasks
    from .asker import Asker
    from .electron import Electron
    from .failure import Failure
    from .handle import Handle
    from .results import Results
    from .settings import Settings

__all__ = ("RunningBond",)


class RunningBond(Bond):
    """A bond on one flight. It asks through the runtime, for the flight's electron as the parent."""

    __slots__ = ("_asker", "_clock", "_flight", "_loop", "_patience", "_sending", "_tasks", "_told")

    def __init__(
        self, flight: Flight, *, asker: Asker, settings: Settings, tasks: Tasks, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._flight = flight
        flight.progress = None  # that of an attempt before
        self._asker = asker
        self._clock = settings.clock
        self._patience = settings.confirm_timeout
        self._tasks = tasks
        self._loop = loop
        self._told: Progress | None = None
        self._sending = False

    def __repr__(self) -> str:
        return f"<Bond of {self.electron.id!r} with {self.electron.atom_id!r}>"

    @property
    def electron(self) -> Electron:
        """The electron this atom is bonded with."""
        electron = self._flight.electron
        assert electron is not None  # noqa: S101  # a bond is made of a decoded electron
        return electron

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong in the attempts before this one."""
        return self.electron.failures

    def time_left(self) -> float:
        """Return the seconds until the limit or the deadline, whichever comes first."""
        return inf if self._flight.until == inf else self._flight.until - self._clock.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether this atom has been asked to stop."""
        return self._flight.told is not None or self._flight.softened

    @property
    def blocking(self) -> Blocking:
        """The same ways to ask, for an atom that runs in a thread."""
        return BlockingBond(self._flight, self._asker, self._loop)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how far this atom is. Never waits."""
        self._told = self._flight.progress = Progress(electron_id=self.electron.id, done=done, total=total, note=note)
        if _on_loop(self._loop):
            self._tell()
        else:
            self._loop.call_soon_threadsafe(self._tell)

    def _run(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        self._refuse_in_a_thread("run")
        return self._asker.run(self._flight, atom, args, kwargs)

    def _send(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Handle[Any]]:
        self._refuse_in_a_thread("send")
        return self._asker.send(self._flight, atom, args, kwargs)

    def _map(self, atom: Any, items: Any, **kwargs: Any) -> Results[Any]:
        self._refuse_in_a_thread("map")
        return self._asker.map(self._flight, atom, items, **kwargs)

    def _refuse_in_a_thread(self, verb: str) -> None:
        if not _on_loop(self._loop):
            instead = "map" if verb == "map" else "run"
            raise RuntimeError(f"bond.{verb} is for coroutines; in a thread say bond.blocking.{instead}(…)")

    def _tell(self) -> None:
        """Send the newest progress; while one is on its way, the next only replaces what comes after it."""
        if self._sending or self._told is None or not self._flight.delivery.reply_to:
            return
        frame = self._frame(self._told)
        self._told = None
        if not self._flight.link.send_nowait(frame):
            self._sending = True
            self._tasks.start(self._send_progress(frame), f"atomizer progress {self.electron.id}")

    async def _send_progress(self, frame: Frame) -> None:
        try:
            await self._flight.link.send(frame, self._clock.monotonic() + self._patience)
        except ConductorError:
            return  # progress may be lost: the properties are what counts
        finally:
            self._sending = False
        self._tell()

    def _frame(self, progress: Progress) -> Frame:
        delivery, codec = self._flight.delivery, self._flight.link.conductor.codec
        return Frame(
            Route(Lane.REPLY, delivery.reply_to), codec.encode_reply(progress), codec.content_type, delivery.id
        )


class BlockingBond(Blocking):
    """A bond for a thread: it has the loop do the asking, and waits for it."""

    def __init__(self, flight: Flight, asker: Asker, loop: asyncio.AbstractEventLoop) -> None:
        self._flight = flight
        self._asker = asker
        self._loop = loop

    def _run(self, atom: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._wait(self._asker.run(self._flight, atom, args, kwargs))

    def _map(self, atom: Any, items: Any, kwargs: dict[str, Any]) -> Iterator[Any]:
        results = self._asker.map(self._flight, atom, items, **kwargs)
        try:
            while True:
                try:
                    yield self._wait(anext(results))
                except StopAsyncIteration:
                    return
        finally:
            self._wait(results.aclose())

    def _wait(self, coroutine: Any) -> Any:
        if _on_loop(self._loop):
            coroutine.close()
            raise RuntimeError("bond.blocking is for atoms that run in a thread; here say `await bond.run(…)`")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def _on_loop(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
