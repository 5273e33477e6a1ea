"""OpenTelemetry spans around every attempt, with OpenTelemetry's own kit."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import atomizer
from atomizer import Atomizer, Bond, Electron, Settings
from atomizer.telemetry import OpenTelemetry
from atomizer.testing.clock import current_clock, on_virtual_time

from .atoms import Echo, add, double, fail, hang, in_thread, stubborn
from .child_atoms import fail_apart, square_apart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


class Recorder:
    """OpenTelemetry, set up for one test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")
        otel = OpenTelemetry(self.provider)
        self.hooks: Mapping[str, Any] = {"around": otel.around, "trace": otel.trace}

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that are over, in the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        [found] = [span for span in self.spans() if span.name == name]
        return found


def own(span: ReadableSpan) -> tuple[int, int]:
    """Return the ids of a span: of its trace, and its own."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def parent(span: ReadableSpan) -> tuple[int, int] | None:
    """Return the ids of a span's parent."""
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


@atomizer.atom(id="spans.both")
async def both(bond: Bond) -> int:
    """Ask two children: a coroutine, and a function in a thread."""
    return await bond.run(double, 1) + await bond.run(twice_in_thread, 2)


@atomizer.atom(id="spans.twice_in_thread")
def twice_in_thread(bond: Bond, number: int) -> int:
    """Ask a child from a thread."""
    return bond.blocking.run(double, number)


@atomizer.atom(id="spans.current")
async def current() -> str:
    """Say which span an atom sees."""
    return format(trace.get_current_span().get_span_context().span_id, "x")


async def test_attempt_is_a_span_of_its_atoms_name() -> None:
    """Kind CONSUMER, with attributes as the conventions for messaging have them."""
    recorder = Recorder()
    async with Atomizer(add, settings=Settings(name="till-1"), **recorder.hooks) as runtime:
        await runtime.run(add.options(id="7"), 1, 2)

    span = recorder.span("tests.add")
    assert span.kind is SpanKind.CONSUMER
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "messaging.system": "atomizer",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "tests.add",
        "messaging.message.id": "7",
        "atomizer.attempt": 1,
        "atomizer.sender": "till-1",
    }


@pytest.mark.parametrize(
    ("atom", "given"), [(add, {"a": 1, "b": 2}), (double, 4), (in_thread, 5), (Echo, b"6"), (square_apart, 7)]
)
async def test_span_of_an_attempt_is_a_child_of_its_senders(atom: Any, given: Any) -> None:
    """Of the span that was the current one when it was sent, whatever kind of atom it is."""
    recorder = Recorder()
    async with Atomizer(atom, **recorder.hooks) as runtime:
        with recorder.tracer.start_as_current_span("request"):
            await runtime.run(atomizer.atom_id(atom), given)

    assert parent(recorder.span(atomizer.atom_id(atom))) == own(recorder.span("request"))


async def test_spans_nest_as_electrons_do() -> None:
    """A child's span is in that of its parent, through threads too."""
    recorder = Recorder()
    async with Atomizer(both, double, twice_in_thread, settings=Settings(slots=1), **recorder.hooks) as runtime:
        with recorder.tracer.start_as_current_span("request"):
            assert await runtime.run(both) == 6

    in_order = [span.name for span in recorder.spans()]
    first, second = (span for span in recorder.spans() if span.name == "tests.double")
    assert in_order == ["tests.double", "tests.double", "spans.twice_in_thread", "spans.both", "request"]
    assert parent(first) == own(recorder.span("spans.both"))
    assert parent(second) == own(recorder.span("spans.twice_in_thread"))
    assert parent(recorder.span("spans.twice_in_thread")) == own(recorder.span("spans.both"))
    assert parent(recorder.span("spans.both")) == own(recorder.span("request"))
    assert (recorder.span("spans.both").attributes or {})["messaging.message.id"] == (first.attributes or {})[
        "atomizer.parent"
    ]


async def test_atom_sees_the_span_of_its_attempt_and_nothing_stays_behind() -> None:
    """What an atom's own instrumentation makes is a child of it."""
    recorder = Recorder()
    async with Atomizer(current, **recorder.hooks) as runtime:
        seen = await runtime.run(current)

    assert seen == format(own(recorder.span("spans.current"))[1], "x")
    assert not trace.get_current_span().get_span_context().is_valid


async def test_span_of_an_attempt_is_no_longer_the_current_one_when_its_hook_is_left() -> None:
    """So that it can be part of a hook of an application's own."""
    recorder = Recorder()
    around = recorder.hooks["around"]
    seen: list[bool] = []

    @asynccontextmanager
    async def more(bond: Bond) -> AsyncIterator[None]:
        async with around(bond):
            yield
        seen.append(trace.get_current_span().get_span_context().is_valid)

    async with Atomizer(add, around=more) as runtime:
        await runtime.run(add, 1, 2)

    assert [span.name for span in recorder.spans()] == ["tests.add"]
    assert seen == [False]


async def test_span_in_which_the_runtime_was_opened_is_nobodys_parent() -> None:
    """An electron that carries no trace begins one."""
    recorder = Recorder()
    with recorder.tracer.start_as_current_span("start-up"):
        runtime = Atomizer(add, both, double, twice_in_thread, **recorder.hooks)
        await runtime.__aenter__()
    await runtime.run(add, 1, 2)
    await runtime.run(both)
    await runtime.__aexit__(None)

    assert recorder.span("tests.add").parent is None
    assert recorder.span("spans.both").parent is None
    assert len({own(span)[0] for span in recorder.spans()}) == 3


async def test_trace_goes_from_node_to_node() -> None:
    """It is in the electron, so any conductor carries it."""
    asking, serving = Recorder(), Recorder()
    hub = atomizer.MemoryConductor()
    async with (
        Atomizer(add, conductor=hub, **serving.hooks),
        Atomizer(conductor=hub, serve=False, **asking.hooks) as runtime,
    ):
        with asking.tracer.start_as_current_span("request"):
            await runtime.run(add, 1, 2)

    assert parent(serving.span("tests.add")) == own(asking.span("request"))


async def test_failure_is_the_status_with_its_secrets_masked_and_no_traceback() -> None:
    """What an atom raised, in `error.type` and the message."""
    recorder = Recorder()
    async with Atomizer(fail, **recorder.hooks) as runtime:
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(fail, "no way to amqp://me:geheim@host/")

    span = recorder.span("tests.fail")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no way to amqp://me:***@host/")
    assert (span.attributes or {})["error.type"] == "builtins.ValueError"
    assert span.events == ()


async def test_failure_of_a_child_process_is_what_was_raised_there() -> None:
    """As it will be answered."""
    recorder = Recorder()
    async with Atomizer(fail_apart, **recorder.hooks) as runtime:
        with pytest.raises(atomizer.AtomFailed):
            await runtime.run(fail_apart, "eight")

    span = recorder.span("tests.fail_apart")
    assert span.status.description == "eight"
    assert (span.attributes or {})["error.type"] == "builtins.ValueError"


@on_virtual_time
async def test_attempt_that_is_stopped_says_why() -> None:
    """Over its limit, over its soft limit, cancelled."""
    recorder = Recorder()
    async with Atomizer(hang, settings=Settings(clock=current_clock()), **recorder.hooks) as runtime:
        for late in (hang.options(limit=2.0), hang.options(limit=9.0, soft_limit=1.0)):
            with pytest.raises(atomizer.AtomTimedOut):
                await runtime.run(late)
        handle = await runtime.send(hang)
        await asyncio.sleep(1)
        await handle.cancel()
        await handle.properties()

    assert [(span.attributes or {})["error.type"] for span in recorder.spans()] == [
        "timed_out",
        "timed_out",
        "cancelled",
    ]
    assert {span.status.status_code for span in recorder.spans()} == {StatusCode.ERROR}


@on_virtual_time
async def test_span_of_an_atom_that_never_ended_is_ended_without_a_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """Its coroutine is left where it stands when the runtime stops, and closed in another context than its own."""
    recorder = Recorder()
    settings = Settings(clock=current_clock(), grace=1.0, cancel_grace=1.0, settle_grace=1.0)
    async with Atomizer(stubborn, settings=settings, **recorder.hooks) as runtime:
        handle = await runtime.send(stubborn)
        await asyncio.sleep(1)
    with pytest.raises(atomizer.NotRunning):
        await handle

    del handle, runtime
    gc.collect()
    assert [span.name for span in recorder.spans()] == ["tests.stubborn"]
    assert caplog.records == []


@pytest.mark.parametrize("carried", ["", "nonsense", f"00-{0:032x}-{0:016x}-01"])
async def test_electron_whose_trace_cannot_be_read_begins_one(carried: str) -> None:
    """Another node may have written anything."""
    recorder = Recorder()
    hub = atomizer.MemoryConductor()
    async with Atomizer(add, conductor=hub, **recorder.hooks), hub.connect() as connection:
        electron = Electron(id="1", atom_id="tests.add", payload=b'{"a":1,"b":2}', trace=carried)
        body = hub.codec.encode_electron(electron)
        route = atomizer.Route(atomizer.Lane.WORK, "tests.add")
        await connection.send(atomizer.Frame(route, body, hub.codec.content_type, "1"))

    assert recorder.span("tests.add").parent is None


def test_without_opentelemetry_it_is_said_what_to_install() -> None:
    """The extra's name, and nothing that hides another missing package."""
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from atomizer.telemetry import OpenTelemetry, log_electrons\n"
        "try:\n"
        "    OpenTelemetry()\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout == "spans need OpenTelemetry: pip install 'atomizer-engine[otel]'\n"


def test_telemetry_loads_neither_of_its_libraries_before_it_is_asked_to() -> None:
    """Who imports it for one pays nothing for the other."""
    program = "import sys, atomizer.telemetry; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert not {"structlog", "opentelemetry"} & set(done.stdout.split())
