"""Atoms that the tests have child processes run."""

from __future__ import annotations

import asyncio
import atexit
import builtins
import contextlib
import contextvars
import ctypes
import fcntl
import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import atomizer

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="as it was")
kept: list[bytes] = []


@atomizer.atom(id="tests.multiply")
def multiply(number: int, *, times: int = 2) -> int:
    """Multiply a number, as a function atom."""
    return number * times


@atomizer.atom(id="tests.square_apart", isolation="process")
def square_apart(number: int) -> int:
    """Square a number, in a child process wherever it is asked."""
    return number * number


@atomizer.atom(id="tests.fail_apart", isolation="process")
def fail_apart(text: str) -> None:
    """Raise in a child process."""
    raise ValueError(text)


def reverse(data: bytes) -> bytes:
    """Turn bytes round, as a plain function."""
    return data[::-1]


async def which_loop() -> int:
    """Say which loop this runs on."""
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop())


def pid() -> int:
    """Say in which process this runs."""
    return os.getpid()


def fail(text: str) -> None:
    """Raise."""
    raise ValueError(text)


class Odd(BaseException):
    """What `except Exception` does not catch."""


def fail_oddly(how: str) -> None:
    """Raise what ends a program."""
    errors = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "odd": Odd("even")}
    raise errors.get(how, asyncio.CancelledError())


async def task_exits() -> None:
    """Have a task raise what ends a loop."""

    async def leave() -> None:
        sys.exit(5)

    async with asyncio.TaskGroup() as group:
        group.create_task(leave())


def touch(path: str) -> None:
    """Leave a mark."""
    Path(path).touch()


def function() -> object:
    """Return what cannot be written."""
    return function


def big(size: int) -> bytes:
    """Return so many bytes."""
    return b"x" * size


def with_bond(bond: atomizer.Bond, number: int) -> int:
    """Ask for what a child process does not have."""
    return number


def ring(path: str) -> None:
    """Tell the test that this runs."""
    Path(path).write_bytes(b".")


def hang(bell: str, path: str) -> None:
    """Be busy, and then leave a mark."""
    ring(bell)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        pass
    touch(path)


def hang_with_child(bell: str) -> None:
    """Start a program that inherits the bell, and be busy."""
    with Path(bell).open("wb", buffering=0) as end:
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[end.fileno()])
        end.write(b".")
        threading.Event().wait(20)


def run_long() -> str:
    """Be busy until told that it is too long."""
    try:
        while True:
            pass
    except atomizer.SoftLimitReached as error:
        return f"saved after {error.soft_limit} s"


def run_too_long() -> None:
    """Be busy."""
    while True:
        pass


async def wait_long() -> str:
    """Wait until told that it is too long."""
    try:
        await asyncio.Event().wait()
    except atomizer.SoftLimitReached:
        await asyncio.sleep(0)
        return "saved"
    return "not reached"


async def wait_too_long() -> None:
    """Wait."""
    await asyncio.Event().wait()


async def run_too_long_on_the_loop() -> None:
    """Be busy in a coroutine."""
    while True:
        pass


def last(seconds: float) -> float:
    """Be busy for some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return seconds


def hold(megabytes: int) -> int:
    """Use memory, and go on holding it."""
    kept.append(bytes(range(256)) * (megabytes * 4096))
    return os.getpid()


def use(megabytes: int) -> int:
    """Use memory, and let go of it."""
    hold(megabytes)
    kept.clear()
    return os.getpid()


def end(code: int) -> None:
    """End the process without a word."""
    os._exit(code)


def end_by(number: int) -> None:
    """End the process by a signal."""
    os.kill(os.getpid(), number)
    threading.Event().wait(20)


def crash() -> None:
    """Read where nothing is."""
    ctypes.string_at(0)


def close_everything() -> None:
    """Close descriptors that somebody else has opened."""
    os.closerange(3, 1000)


def write_everywhere() -> None:
    """Write to descriptors that somebody else has opened."""
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, b"\x07" * 20)
        except OSError:
            continue


def fork_and_return() -> int:
    """Fork, and let the copy run on."""
    if os.fork() == 0:
        return 0
    os.wait()
    return 1


def litter() -> str:
    """Change everything that can be changed."""
    handlers = [signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM)]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    was = (
        f"{variable.get()}, {Path.cwd()}, {os.umask(0)}, {handlers}, {blocked}, {os.environ.get('LITTER')}, {sys.argv}"
    )
    print("printed", end="")
    variable.set("changed")
    os.chdir("/")
    os.environ["LITTER"] = "left"
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout = sys.stderr = io.StringIO()
    return was


def set_timer(timer: int, seconds: float) -> None:
    """Have a signal come."""
    signal.setitimer(timer, seconds)


def leave_thread() -> int:
    """Leave a thread that runs on."""
    threading.Thread(target=threading.Event().wait, args=(20,), daemon=True).start()
    return os.getpid()


def close_output() -> int:
    """Close what belongs to all."""
    sys.stdout.close()
    return os.getpid()


async def leave_stubborn_task() -> int:
    """Leave a task that is not to be cancelled."""

    async def stay() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(20)

    leave_stubborn_task.task = asyncio.create_task(stay())  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    return os.getpid()


async def leave_task_that_cleans_up(mark: str) -> None:
    """Leave a task that needs some time to end."""

    async def clean_up() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(0.05)
            touch(mark)

    leave_task_that_cleans_up.task = asyncio.create_task(clean_up())  # type: ignore[attr-defined]
    await asyncio.sleep(0)


def use_thread() -> int:
    """Start a thread, and wait for no more than its end."""
    thread = threading.Thread(target=threading.Event().wait, args=(0.001,))
    thread.start()
    return os.getpid()


async def use_threads_of_the_loop() -> int:
    """Call what blocks."""
    return await asyncio.to_thread(os.getpid)


def forge() -> int:
    """Write what looks like an answer."""
    body = b"5"
    for kind in range(1, 7):
        for descriptor in range(3, 100):
            with contextlib.suppress(OSError):
                os.write(descriptor, struct.pack("!BQQ", kind, 1, len(body)) + body)
    return 1


def save_until(bell: str) -> str:
    """Be busy until told that it is too long, and then save until nobody listens to the bell."""
    try:
        while True:
            pass
    except atomizer.SoftLimitReached:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        with Path(bell).open("wb", buffering=0) as end, contextlib.suppress(BrokenPipeError):
            while True:
                end.write(b".")
                threading.Event().wait(0.001)
    return "saved"


async def in_group(is_busy: bool) -> list[str]:
    """Be told in the body of a task group."""
    said: list[str] = []

    async def clean_up() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(0.01)
            said.append("child")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(clean_up())
            await asyncio.sleep(0)
            while is_busy:
                sum(range(100))  # a bare loop is no part of the block to CPython 3.13, when a signal comes
    except* atomizer.SoftLimitReached:  # some Pythons make a group of it if the body itself was told
        said.append("caught")
    return said


def start_program(bell: str) -> None:
    """Start a program that inherits the bell, and leave it."""
    with Path(bell).open("wb", buffering=0) as end:
        subprocess.Popen(["sleep", "20"], pass_fds=[end.fileno()])
        end.write(b".")


def break_python() -> None:
    """Change what nobody can do without."""
    builtins.len = lambda _: 1 // 0  # type: ignore[assignment]


@atomizer.atom(id="tests.litter_on_the_loop")
async def litter_on_the_loop(mark: str) -> str:
    """Leave a task and a timer behind."""
    was = f"{variable.get()}, {len(asyncio.all_tasks())} task"
    variable.set("changed")
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(0, task.cancel)

    async def later() -> None:
        await asyncio.sleep(20)
        touch(mark)

    litter_on_the_loop.tasks = asyncio.create_task(later())  # type: ignore[attr-defined]
    return was


def dispositions() -> str:
    """Say how a program that this starts treats the signals to stop."""
    program = "import signal as s; print(s.getsignal(s.SIGINT) is s.default_int_handler, s.getsignal(s.SIGTERM) == 0)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def mark_at_exit(path: str) -> None:
    """Leave a mark when the program ends in peace."""
    atexit.register(touch, path)


def wait_for_nothing() -> None:
    """Say who this is, and wait."""
    print(os.getpid(), flush=True)
    threading.Event().wait(20)


def wait_without_the_kernel() -> None:
    """Have the kernel forget what to do when the parent dies, and wait."""
    for descriptor in range(3, 20):
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_ASYNC)
    wait_for_nothing()


def wait_with_the_interpreter() -> None:
    """Keep every other thread from running."""
    print(os.getpid(), flush=True)
    ctypes.PyDLL(None).usleep(20_000_000)


def start_program_and_wait() -> None:
    """Start a program, say who it is and who this is, and wait."""
    print(subprocess.Popen(["sleep", "20"]).pid)
    wait_for_nothing()


def start_program_and_keep_the_interpreter() -> None:
    """Start a program, and keep every other thread from running."""
    print(subprocess.Popen(["sleep", "20"]).pid)
    wait_with_the_interpreter()
