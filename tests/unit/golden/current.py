"""What the wire looks like now: the schema of everything that travels, and sample bodies in every codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, structs

from atomizer import events, go_dialect
from atomizer.codec import GO, MESSAGEPACK, NATIVE_JSON, Codec
from atomizer.control import Cancel, Control, Inspect, Inspected, Interest, Ping, Pong
from atomizer.electron import RAW, Electron
from atomizer.envelope import DeadLetter
from atomizer.events import ElectronFailed, ElectronProgressed, ElectronSent, UnknownEvent
from atomizer.failure import Failure
from atomizer.inspection import BondReport, NodeReport
from atomizer.properties import Progress, Properties
from atomizer.trials import FailureMode, Trials

SCHEMA = Path(__file__).with_name("schema.json")
BODIES = Path(__file__).with_name("bodies.json")

CODECS = {"messagepack": MESSAGEPACK, "native json": NATIVE_JSON, "go": GO}

STRUCTS: tuple[Any, ...] = (
    Electron,
    Properties,
    Failure,
    Progress,
    Cancel,
    Ping,
    Pong,
    Inspect,
    Inspected,
    Interest,
    NodeReport,
    BondReport,
    FailureMode,
    Trials,
    DeadLetter,
    *(getattr(events, name) for name in events.__all__ if name != "Event"),
    NATIVE_JSON._electron.wire,  # type: ignore[attr-defined]
    NATIVE_JSON._properties.wire,  # type: ignore[attr-defined]
    NATIVE_JSON._progress.wire,  # type: ignore[attr-defined]
    go_dialect._ElectronForm,
    go_dialect._PropertiesForm,
)

SAMPLES: dict[str, Any] = {
    "electron, least": Electron(id="i", atom_id="a.B"),
    "electron, from the tour": Electron(
        id="host-1-af31-7", atom_id="montecarlopi.Toss", sender="host-1-af31", payload=b'{"seed":7}', limit=1.5
    ),
    "electron, most": Electron(
        id="i",
        atom_id="a.B",
        sender="s",
        payload=b"\x00\xff",
        content_type=RAW,
        deadline_ns=1_800_000_000_000_000_000,
        budget=0.25,
        limit=2.5,
        copy_state=False,
        attempt=2,
        parent="p",
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        reply=False,
    ),
    "electron, with a soft limit": Electron(id="i", atom_id="a.B", limit=2.5, soft_limit=2.0),
    "electron, tried before": Electron(
        id="i",
        atom_id="a.B",
        attempt=2,
        trials=Trials(
            mode=FailureMode(
                kind="retry", attempts=3, pause=0.1, growth=2.0, jitter=0.5, on=("builtins.ConnectionError",)
            ),
            failures=(Failure(kind="failed", type="builtins.ConnectionError", message="away", node="n"),),
            again=True,
            replayed=1,
        ),
    ),
    "dead letter": DeadLetter(
        electron_id="i",
        reason="failed",
        body=b"\x00\xff",
        content_type="application/vnd.atomizer.v1+msgpack",
        atom_id="a.B",
        route="a.B",
        conductor="memory",
        node="n",
        sender="s",
        attempts=2,
        failures=(Failure(kind="failed", message="away", node="n"), Failure(kind="timed_out", node="n")),
        replayed=1,
        died_ns=1_800_000_000_000_000_000,
    ),
    "properties, least": Properties(electron_id="i"),
    "properties, a result": Properties(
        electron_id="i",
        atom_id="a.B",
        started_ns=1_615_734_566_535_897_932,
        ended_ns=1_615_734_568_000_000_000,
        result=b'{"value":1}',
        node="n",
    ),
    "properties, bytes": Properties(electron_id="i", result=b"\x00\xff", content_type=RAW),
    "properties, a failure": Properties(
        electron_id="i",
        atom_id="a.B",
        failure=Failure(
            kind="timed_out",
            type="builtins.ValueError",
            message="é",
            trace="line 1",
            attempts=3,
            node="n",
            ending="killed",
        ),
        attempt=3,
        node="n",
    ),
    "progress": Progress(electron_id="i", done=0.5, total=2.0, note="half of a half"),
    "cancel": Cancel(electron_id="i"),
    "ping": Ping(asker="n", question="q"),
    "pong": Pong(
        question="q",
        report=NodeReport(
            node="m",
            state="stopping",
            since_ns=1_800_000_000_000_000_000,
            host="h",
            pid=7,
            version="1.0",
            python="3.11.7",
            serves=False,
            slots=8,
            running=1,
            waiting=2,
            suspended=3,
            abandoned=4,
            outstanding=5,
            completed=6,
            failed=7,
            atoms=("a.B",),
            atoms_left_out=1,
            conductors={"memory": "ready"},
            ok=False,
            reasons=("the runtime is stopping",),
            paused=("a.B",),
        ),
    ),
    "inspect": Inspect(asker="n", question="q", electron_id="i"),
    "inspected": Inspected(
        question="q",
        node="m",
        bonds=(
            BondReport(electron_id="i"),
            BondReport(
                electron_id="i",
                atom_id="a.B",
                node="m",
                conductor="memory",
                state="suspended",
                since_ns=1_800_000_000_000_000_000,
                deadline_ns=1_800_000_001_000_000_000,
                attempt=2,
                parent="p",
                sender="s",
                done=0.5,
                total=2.0,
                note="half of a half",
            ),
        ),
        left_out=3,
    ),
    "interest": Interest(follower="n", seconds=30.0, kinds=("failed", "dead"), atom_id="a.B", electron_id="i"),
    "events": (
        ElectronSent(node="n", seq=1, at_ns=5, electron_id="i", atom_id="a.B", conductor="memory", attempt=1),
        ElectronFailed(error="boom", failure="failed"),
        ElectronProgressed(done=0.5),
        UnknownEvent(unknown_kind="newer"),
    ),
}


def schema() -> dict[str, Any]:
    """List every struct that travels: form, tag, and its fields in order with their types, bounds and defaults."""
    return {struct.__name__: struct_as_data(struct) for struct in STRUCTS}


def struct_as_data(struct: Any) -> dict[str, Any]:
    """Show a struct as its bodies have it."""
    config = struct.__struct_config__
    fields = {member.encode_name: field_as_data(member) for member in structs.fields(struct)}
    return {
        "form": "array" if config.array_like else "map",
        "tag": f"{config.tag_field}: {config.tag}" if config.tag_field else None,
        "fields": fields,
    }


def field_as_data(member: structs.FieldInfo) -> dict[str, Any]:
    """Show a field: its type as JSON Schema has it, and what it is when it is left out."""
    (kind,), _ = msgspec.json.schema_components([member.type])
    if "anyOf" in kind:  # msgspec's versions differ in the order, which means nothing
        kind["anyOf"].sort(key=str)
    default = "required" if member.required else "{}" if member.default_factory is dict else repr(member.default)
    return {"type": kind, "default": "left out" if isinstance(member.default, Raw) else default}


def bodies() -> dict[str, dict[str, str]]:
    """Write every sample in every codec: JSON as it is, MessagePack in hexadecimal."""
    return {
        sample: {name: as_text(write(codec, value)) for name, codec in CODECS.items()}
        for sample, value in SAMPLES.items()
    }


def as_text(body: bytes) -> str:
    """Show a body so that a golden file can hold it."""
    return body.decode() if body[:1] in (b"{", b"[") else body.hex(" ")


def as_body(text: str) -> bytes:
    """Turn back what `as_text` shows."""
    return text.encode() if text[0] in "{[" else bytes.fromhex(text)


def write(codec: Codec, value: Any) -> bytes:
    """Write a sample as what it is."""
    if isinstance(value, Electron):
        return codec.encode_electron(value)
    if isinstance(value, Properties | Progress):
        return codec.encode_reply(value)
    if isinstance(value, DeadLetter):
        return codec.encode_dead_letter(value)
    return codec.encode_control(value) if isinstance(value, Control) else codec.encode_events(value)


def read(codec: Codec, value: Any, body: bytes) -> object:
    """Read a body as what its sample is."""
    if isinstance(value, Electron):
        return codec.decode_electron(body)
    if isinstance(value, Properties | Progress):
        return codec.decode_reply(body)
    if isinstance(value, DeadLetter):
        return codec.decode_dead_letter(body)
    return codec.decode_control(body) if isinstance(value, Control) else codec.decode_events(body)
