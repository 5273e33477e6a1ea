"""The line that holds a loop up is read from the frames of its thread."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atomizer import Atomizer
from atomizer._core.blocking_line import is_theirs, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType


@contextmanager
def frame_of(run: Callable[[threading.Event], object], *, settled_in: str) -> Generator[FrameType]:
    """Run something in a thread until it waits, and give the innermost frame of that."""
    go_on = threading.Event()
    thread = threading.Thread(target=run, args=(go_on,), daemon=True)
    thread.start()
    while (frame := sys._current_frames().get(thread.ident or 0)) is None or frame.f_code.co_name != settled_in:
        thread.join(0.001)
    try:
        yield frame
    finally:
        go_on.set()
        thread.join()


def holds_up(go_on: threading.Event) -> None:
    """Wait as no coroutine should."""
    go_on.wait()


async def calls_what_holds_up(go_on: threading.Event) -> None:
    """Do so in a coroutine."""
    holds_up(go_on)


def in_a_loop(go_on: threading.Event) -> None:
    """Hold a loop up."""
    asyncio.run(calls_what_holds_up(go_on))


def in_an_idle_loop(go_on: threading.Event) -> None:
    """Run a loop that only waits."""

    async def ticks() -> None:
        while not go_on.is_set():
            await asyncio.sleep(0.05)

    asyncio.run(ticks())


def test_the_line_is_the_innermost_that_is_not_the_librarys() -> None:
    """And it is told with the coroutine that it was called from."""
    with frame_of(in_a_loop, settled_in="wait") as frame:
        place = place_of(frame)

    assert place is not None
    assert (place.coroutine, place.file) == ("calls_what_holds_up", __file__)
    assert place.line == holds_up.__code__.co_firstlineno + 2


def test_a_function_is_named_where_there_is_no_coroutine() -> None:
    """A callback of the loop's."""

    def calls_back(go_on: threading.Event) -> None:
        async def main() -> None:
            called = asyncio.Event()
            asyncio.get_running_loop().call_soon(lambda: (holds_up(go_on), called.set()))
            await called.wait()

        asyncio.run(main())

    with frame_of(calls_back, settled_in="wait") as frame:
        place = place_of(frame)

    assert place is not None
    assert place.coroutine == "holds_up"


def test_what_only_the_library_does_is_named_by_its_innermost_line() -> None:
    """Better than nothing."""

    def calls_back(go_on: threading.Event) -> None:
        async def main() -> None:
            asyncio.get_running_loop().call_soon(go_on.wait)
            await asyncio.sleep(0)

        asyncio.run(main())

    with frame_of(calls_back, settled_in="wait") as frame:
        place = place_of(frame)

    assert place is not None
    assert (place.coroutine, place.file) == ("Condition.wait", threading.__file__)


def test_a_loop_that_has_nothing_to_do_stands_nowhere() -> None:
    """Nor does one that is not there."""
    with frame_of(in_an_idle_loop, settled_in="select") as frame:
        idle = place_of(frame)

    assert (idle, place_of(None)) == (None, None)


def test_code_is_known_by_where_it_lies() -> None:
    """Installed packages are others' code, though they lie inside of the library's folder."""
    library = asyncio.run.__code__
    installed = library.replace(co_filename=library.co_filename.replace("asyncio", "site-packages/asyncio"))

    assert [is_theirs(code) for code in (library, installed, Atomizer.stop.__code__, holds_up.__code__)] == [
        False,
        True,
        False,
        True,
    ]
