"""The trace context that electrons carry: `Atomizer(…, trace=…)`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atomizer
from atomizer import Atomizer, Bond, Electron
from atomizer._core.trace_context import Tracing
from atomizer.events import RuntimeFaulted

from .atoms import add

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIRST = f"00-{1:032x}-{1:016x}-01"
SECOND = f"00-{1:032x}-{2:016x}-01"
moment: ContextVar[str] = ContextVar("moment", default="")


@atomizer.atom(id="tracing.carried")
async def carried(bond: Bond) -> str:
    """Say what its electron carries."""
    return bond.electron.trace


@atomizer.atom(id="tracing.carried_in_thread")
def carried_in_thread(bond: Bond) -> list[str]:
    """Say what it carries, and what its child does."""
    return [bond.electron.trace, bond.blocking.run(carried)]


@atomizer.atom(id="tracing.of_children")
async def of_children(bond: Bond) -> list[str]:
    """Say what it carries, and what its children do: one that it waits for, and one that is detached."""
    detached = await bond.run(carried.options(detached=True))
    return [bond.electron.trace, await bond.run(carried), detached]


@asynccontextmanager
async def a_moment_later(bond: Bond) -> AsyncIterator[None]:
    """Make a span of the attempt, as it were."""
    moment.set(SECOND if bond.electron.trace == FIRST else "")
    yield


async def test_electron_without_a_parent_carries_what_is_said_of_the_moment() -> None:
    """Asked in the caller's context, once for each electron."""
    async with Atomizer(carried, trace=moment.get) as runtime:
        before = await runtime.run(carried)
        moment.set(FIRST)
        plain, limited, by_id = (
            await runtime.run(carried),
            await runtime.run(carried.options(limit=5.0)),
            await runtime.run("tracing.carried"),
        )

    assert (before, plain, limited, by_id) == ("", FIRST, FIRST, FIRST)


@pytest.mark.parametrize("atom", [of_children, carried_in_thread])
async def test_children_carry_what_their_parent_carries(atom: Any) -> None:
    """Without a hook the moment inside of an atom is the runtime's, and none of the electron's."""
    moment.set(SECOND)
    async with Atomizer(atom, carried, trace=moment.get) as runtime:
        moment.set(FIRST)
        seen = await runtime.run(atom)

    assert set(seen) == {FIRST}


@pytest.mark.parametrize("atom", [of_children, carried_in_thread])
async def test_with_a_hook_children_carry_what_is_said_of_their_moment(atom: Any) -> None:
    """The span of the attempt is their parent's, in a thread too."""
    async with Atomizer(atom, carried, trace=moment.get, around=a_moment_later) as runtime:
        moment.set(FIRST)
        own, *of_the_children = await runtime.run(atom)

    assert own == FIRST
    assert set(of_the_children) == {SECOND}


async def test_child_of_which_nothing_is_said_carries_what_its_parent_carries() -> None:
    """A hook may leave an attempt out."""

    @asynccontextmanager
    async def left_out(_: Bond) -> AsyncIterator[None]:
        moment.set("")
        yield

    async with Atomizer(of_children, carried, trace=moment.get, around=left_out) as runtime:
        moment.set(FIRST)
        seen = await runtime.run(of_children)

    assert set(seen) == {FIRST}


def broken() -> str:
    """Raise, as somebody's tracing may."""
    raise LookupError("token=secret")


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (broken, "trace= raised LookupError"),
        (lambda: "00-abc-def-01", "no W3C traceparent"),
        (lambda: FIRST + "-" + "x" * 300, "no W3C traceparent"),
        (lambda: FIRST + "\r\nX: y", "no W3C traceparent"),
        (lambda: None, "no W3C traceparent"),
        (FIRST.encode, "no W3C traceparent"),
    ],
)
async def test_bad_trace_context_is_left_out_and_told_once(trace: Any, why: str) -> None:
    """It never keeps an electron from being sent."""
    runtime = Atomizer(carried, trace=trace)
    errors = runtime.errors()
    async with runtime:
        seen = [await runtime.run(carried) for _ in range(3)]

    told = [event async for event in errors]
    assert seen == ["", "", ""]
    assert [type(event) for event in told] == [RuntimeFaulted]
    assert why in told[0].inner
    assert "secret" not in told[0].inner


@given(st.text() | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", fullmatch=True))
def test_what_is_carried_can_be_sent(said: str) -> None:
    """What is let through is ASCII, printable, and within the bounds of the wire."""
    complaints: list[str] = []

    trace = Tracing(lambda: said, for_children=True, complain=complaints.append).carried(None)

    assert trace in (said, "")
    assert trace.isascii()
    assert len(trace) <= 256
    assert trace == "" or trace.isprintable()
    assert bool(complaints) == (trace != said)


def test_parent_is_not_forgotten_over_a_bad_trace_context() -> None:
    """What cannot be used counts as nothing said."""
    parent = Electron(id="1", atom_id="a", trace=FIRST)

    assert Tracing(broken, for_children=True, complain=lambda _: None).carried(parent) == FIRST


async def test_without_trace_electrons_carry_nothing() -> None:
    """Off by default."""
    moment.set(FIRST)
    async with Atomizer(add, carried) as runtime:
        assert await runtime.run(carried) == ""
