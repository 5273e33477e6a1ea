"""The three codecs: what they write, what they read, and what they refuse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import Struct, structs

from atomizer import events
from atomizer.codec import GO, MESSAGEPACK, NATIVE_JSON, Bounds, Codec, Unknown, codec_for
from atomizer.control import Cancel, Control, Inspect, Inspected, Interest, Ping, Pong
from atomizer.electron import JSON, RAW, Electron
from atomizer.errors import Malformed
from atomizer.events import ElectronFailed, ElectronProgressed, ElectronSent, Event, UnknownEvent
from atomizer.failure import Failure
from atomizer.inspection import BondReport, NodeReport
from atomizer.properties import Progress, Properties

if TYPE_CHECKING:
    from collections.abc import Callable

CODECS = (MESSAGEPACK, NATIVE_JSON, GO)
EVENT_KINDS: list[type[Event]] = [getattr(events, name) for name in events.__all__ if name != "Event"]

ELECTRON = Electron(id="i", atom_id="a.B")
FULL_ELECTRON = Electron(
    id="i", atom_id="a.B", sender="s", payload=b"\x00\xff", content_type=RAW, deadline_ns=2**63 - 1, budget=0.1,
    limit=1 / 3, copy_state=False, attempt=2, parent="p", trace="00-0af7-01", reply=False,
    soft_limit=0.3,
)  # fmt: skip
FAILURE = Failure(
    kind="a word of tomorrow",
    type="builtins.ValueError",
    message="é",
    trace="line 1",
    attempts=3,
    node="n",
    ending="killed",
)
FULL_PROPERTIES = Properties(
    electron_id="i", atom_id="a.B", started_ns=1, ended_ns=2**63 - 1, failure=FAILURE, attempt=3, node="n"
)

each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.content_type)


def writer(codec: Codec) -> Any:
    """Return what writes any value as a codec's bytes, so that a test can write what the codec would not."""
    return msgspec.msgpack.encode if codec is MESSAGEPACK else msgspec.json.encode


def written(codec: Codec, struct: type[Struct], said: dict[str, Any]) -> bytes:
    """Write what a struct would never hold. What it has no field for is a key more, or at the end of an array."""
    config = struct.__struct_config__
    tag = {config.tag_field: config.tag} if config.tag_field else {}
    if codec is MESSAGEPACK:
        fields = {field.name: None if field.required else field.default for field in structs.fields(struct)}
        return msgspec.msgpack.encode(list((tag | fields | said).values()))
    return msgspec.json.encode(tag | said)


@each_codec
@pytest.mark.parametrize("electron", [ELECTRON, FULL_ELECTRON, structs.replace(FULL_ELECTRON, copy_state=True)])
def test_electron_is_read_as_it_was_written(codec: Codec, electron: Electron) -> None:
    """With nothing said, and with everything."""
    assert codec.decode_electron(codec.encode_electron(electron)) == electron


@each_codec
@pytest.mark.parametrize("reply", [Properties(electron_id="i"), FULL_PROPERTIES, Progress(electron_id="i", done=0.5)])
def test_reply_is_read_as_it_was_written(codec: Codec, reply: Properties | Progress) -> None:
    """Properties come back as properties, and progress as progress."""
    assert codec.decode_reply(codec.encode_reply(reply)) == reply


@each_codec
@pytest.mark.parametrize(
    "control",
    [
        Cancel(electron_id="i"),
        Ping(asker="n", question="q"),
        Pong(question="q", report=NodeReport(node="m", atoms=("a.B",), conductors={"shop": "ready"})),
        Inspect(asker="n", question="q", electron_id="i"),
        Inspected(question="q", node="m", bonds=(BondReport(electron_id="i", deadline_ns=1, done=0.5),), left_out=3),
        Interest(follower="n", seconds=30.0, kinds=("failed", "dead"), atom_id="a.B", electron_id="i"),
    ],
    ids=lambda control: type(control).__name__,
)
def test_control_is_read_as_it_was_written(codec: Codec, control: Control) -> None:
    """Each kind comes back as itself."""
    assert codec.decode_control(codec.encode_control(control)) == control


@each_codec
@pytest.mark.parametrize(
    "said",
    [
        {"control": "ping"},
        {"control": "ping", "asker": ""},
        {"control": "ping", "asker": "n" * 257},
        {"control": "inspect", "asker": 1},
        {"control": "inspected", "question": "q", "node": "m", "bonds": [{}]},
        {"control": "pong", "question": "q", "report": {"node": "m", "running": -1}},
        {"control": "interest", "follower": "n", "seconds": -1.0},
        {"control": "interest", "follower": "n", "seconds": 1.0, "kinds": ["x"] * 257},
    ],
    ids=str,
)
def test_control_that_is_out_of_bounds_is_malformed(codec: Codec, said: dict[str, Any]) -> None:
    """An answer goes to somebody, a count is none below zero, and nothing has more parts than it may."""
    with pytest.raises(Malformed):
        codec.decode_control(writer(codec)(said))


@each_codec
def test_events_are_read_as_they_were_written(codec: Codec) -> None:
    """Every kind in one batch, in order; an empty batch is one too."""
    batch = tuple(kind(node="n", seq=number) for number, kind in enumerate(EVENT_KINDS))

    assert codec.decode_events(codec.encode_events(batch)) == batch
    assert codec.decode_events(codec.encode_events([])) == ()


@each_codec
@pytest.mark.parametrize("content_type", [JSON, RAW, "text/plain"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b" 1",
        b"1\n",
        b'"a"',
        b'{"a": 1}',
        b"nope",
        b'"\xff"',
        b"\x00",
        b'{"a"',
        b"[" * 40,
        bytes(range(256)),
    ],
)
def test_bytes_arrive_unchanged(codec: Codec, body: bytes, content_type: str) -> None:
    """Whatever payload and result are, and whatever they claim to be."""
    electron = structs.replace(ELECTRON, payload=body, content_type=content_type)
    properties = Properties(electron_id="i", result=body, content_type=content_type)

    assert codec.decode_electron(codec.encode_electron(electron)) == electron
    assert codec.decode_reply(codec.encode_reply(properties)) == properties


@pytest.mark.parametrize(
    ("body", "content_type", "written"),
    [
        (b'{"a": 1}', JSON, b'"payload":{"a": 1}'),
        (b"null", JSON, b'"payload":null'),
        (b"\x00", RAW, b'"payload":"AA==","content_type":"application/octet-stream"'),
        (b"1", RAW, b'"payload":"MQ==","content_type":"application/octet-stream"'),
        (b"nope", JSON, b'"payload":"bm9wZQ==","payload_encoding":"base64"'),
        (b"1 ", JSON, b'"payload":"MSA=","payload_encoding":"base64"'),
        (b"", RAW, b'"content_type":"application/octet-stream"'),
    ],
)
def test_native_json_shows_json_and_wraps_the_rest(body: bytes, content_type: str, written: bytes) -> None:
    """Content type JSON means the value itself, any other base64; JSON that cannot stand there is marked."""
    electron = structs.replace(ELECTRON, payload=body, content_type=content_type)

    assert NATIVE_JSON.encode_electron(electron) == b'{"id":"i","atom_id":"a.B",' + written + b"}"


def test_nested_payload_does_not_count_twice() -> None:
    """A payload as deep as the bounds allow travels in an envelope that does not add to it."""
    electron = structs.replace(ELECTRON, payload=b"[" * 32 + b"]" * 32, content_type=JSON)

    for codec in CODECS:
        assert codec.decode_electron(codec.encode_electron(electron)) == electron


@each_codec
def test_unknown_fields_are_passed_over(codec: Codec) -> None:
    """A newer node may say more than we know."""
    write = writer(codec)
    more = {"of": [1, {"tomorrow": None}]}
    electron = {"id": "i", "atom_id": "a"} | ({"atomid": "a"} if codec is GO else {}) | {"zzz": more}
    failure = {"kind": "failed", "zzz": more}

    assert codec.decode_electron(written(codec, Electron, electron)) == Electron(id="i", atom_id="a")
    assert codec.decode_reply(
        written(codec, Properties, {"electron_id": "i", "failure": failure, "zzz": more})
    ) == Properties(electron_id="i", failure=Failure(kind="failed"))
    assert codec.decode_reply(written(codec, Progress, {"electron_id": "i", "done": 1.0, "zzz": more})) == Progress(
        electron_id="i", done=1.0
    )
    assert codec.decode_control(write({"control": "cancel", "electron_id": "i", "zzz": more})) == Cancel(
        electron_id="i"
    )
    assert codec.decode_events(write([{"kind": "sent", "zzz": more}])) == (ElectronSent(),)


@each_codec
def test_unknown_kinds_are_named(codec: Codec) -> None:
    """So that they can be counted and passed over."""
    write = writer(codec)

    assert codec.decode_reply(write({"reply": "partial", "part": [1]})) == Unknown("partial")
    assert codec.decode_control(write({"control": "restart", "of": "i"})) == Unknown("restart")


@each_codec
def test_event_of_an_unknown_kind_keeps_what_all_events_have(codec: Codec) -> None:
    """It does not spoil its batch."""
    newer = {"kind": "newer", "node": "n", "seq": 7, "electron_id": "i", "what": [1]}

    batch = codec.decode_events(writer(codec)([{"kind": "sent"}, newer, {"kind": "failed", "error": "e"}]))

    assert batch == (
        ElectronSent(),
        UnknownEvent(unknown_kind="newer", node="n", seq=7, electron_id="i"),
        ElectronFailed(error="e"),
    )


@each_codec
@pytest.mark.parametrize(
    ("batch", "path"),
    [
        ([{"kind": "sent", "seq": "x"}], "$[0].seq"),
        ([{"kind": "sent"}, {"kind": "newer", "seq": 1}, {"kind": "sent", "attempt": 1.5}], "$[2].attempt"),
        ([{"kind": "newer", "seq": "x"}], "$[0].seq"),
        ([{"kind": "sent"}, {"seq": 1}], "$[1]"),
        ([{"kind": 3}], "$[0].kind"),
        ([3], "$[0]"),
        ({}, "$"),
    ],
)
def test_event_that_cannot_be_read_is_pointed_at(codec: Codec, batch: object, path: str) -> None:
    """By its place in the batch."""
    with pytest.raises(Malformed) as refused:
        codec.decode_events(writer(codec)(batch))

    assert refused.value.path == path


@pytest.mark.parametrize("codec", [MESSAGEPACK, NATIVE_JSON], ids=lambda codec: codec.content_type)
@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"limit": "1s"}, "$.limit"),
        ({"limit": -1.0}, "$.limit"),
        ({"deadline_ns": -1}, "$.deadline_ns"),
        ({"attempt": 0}, "$.attempt"),
        ({"id": ""}, "$.id"),
        ({"id": "x" * 257}, "$.id"),
        ({"atom_id": None}, "$.atom_id"),
        ({"copy_state": 1}, "$.copy_state"),
        ({"payload": "not base64!", "content_type": RAW}, "$.payload"),
    ],
)
def test_electron_that_cannot_be_read_says_where(codec: Codec, said: dict[str, object], path: str) -> None:
    """The path names the field."""
    with pytest.raises(Malformed) as refused:
        codec.decode_electron(written(codec, Electron, {"id": "i", "atom_id": "a"} | said))

    assert refused.value.path == path


@each_codec
@pytest.mark.parametrize("body", [b"", b"\xc1", b"nope", b"[]", b'{"id":', b"\xff\xfe", b'"', b"\x00"])
def test_bytes_that_are_nothing_are_malformed(codec: Codec, body: bytes) -> None:
    """Whoever reads them."""
    for read in (codec.decode_electron, codec.decode_reply, codec.decode_control):
        with pytest.raises(Malformed):
            read(body)
    if body != b"[]":
        with pytest.raises(Malformed):
            codec.decode_events(body)


@each_codec
def test_every_reader_keeps_the_bounds(codec: Codec) -> None:
    """Size and depth are looked at before anything is read."""
    write = writer(codec)
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    body = write(
        {"id": "i", "atom_id": "a", "atomid": "a", "electron_id": "i", "reply": "x", "control": "x", "zzz": deep}
    )

    for read in (codec.decode_electron, codec.decode_reply, codec.decode_control, codec.decode_events):
        with pytest.raises(Malformed, match="deep"):
            read(body)
        with pytest.raises(Malformed, match="bound of 10"):
            read(body, Bounds(max_bytes=10))


@each_codec
def test_own_bounds_count(codec: Codec) -> None:
    """A node may bear more than the default, or less."""
    nested: object = 1
    for _ in range(40):
        nested = [nested]
    body = written(codec, Electron, {"id": "i", "atom_id": "a", "atomid": "a", "zzz": nested})

    assert codec.decode_electron(body, Bounds(max_depth=41)).id == "i"
    with pytest.raises(Malformed):
        codec.decode_electron(body, Bounds(max_depth=40))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_is_none_is_not_read(number: float) -> None:
    """MessagePack could carry it; no field takes it."""
    electron = {"id": "i", "atom_id": "a"}
    progress = {"electron_id": "i", "done": 1.0}
    write = msgspec.msgpack.encode

    for read, body in (
        (MESSAGEPACK.decode_electron, written(MESSAGEPACK, Electron, electron | {"limit": number})),
        (MESSAGEPACK.decode_electron, written(MESSAGEPACK, Electron, electron | {"budget": number})),
        (MESSAGEPACK.decode_reply, written(MESSAGEPACK, Progress, progress | {"done": number})),
        (MESSAGEPACK.decode_reply, written(MESSAGEPACK, Progress, progress | {"total": number})),
        (MESSAGEPACK.decode_events, write([{"kind": "progressed", "done": number}])),
        (MESSAGEPACK.decode_events, write([{"kind": "progressed", "total": number}])),
    ):
        with pytest.raises(Malformed, match="Expected `float"):
            read(body)


@each_codec
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_is_none_is_not_written(codec: Codec, number: float) -> None:
    """JSON would carry it as null, and readers refuse it: the sender hears of it."""
    writes: list[Callable[[], bytes]] = [
        lambda: codec.encode_electron(structs.replace(ELECTRON, limit=number)),
        lambda: codec.encode_electron(structs.replace(ELECTRON, budget=number)),
        lambda: codec.encode_reply(Progress(electron_id="i", done=number)),
        lambda: codec.encode_reply(Progress(electron_id="i", done=1.0, total=number)),
        lambda: codec.encode_events([ElectronSent(), ElectronProgressed(done=number)]),
        lambda: codec.encode_events([ElectronProgressed(total=number)]),
    ]

    for write in writes:
        with pytest.raises(ValueError, match="cannot be written"):
            write()


@each_codec
@pytest.mark.parametrize(
    "said",
    [
        {"id": "\ud800"},
        {"deadline_ns": object()},
        {"trace": {1: object()}},
    ],
)
def test_electron_that_cannot_be_written_is_a_value_error(codec: Codec, said: dict[str, Any]) -> None:
    """Whatever the encoder itself calls it; constructors do not check types, so somebody must."""
    electron = structs.replace(ELECTRON, **said)

    with pytest.raises(ValueError, match="Electron cannot be written"):
        codec.encode_electron(electron)


@each_codec
def test_moment_that_is_none_cannot_be_written(codec: Codec) -> None:
    """A number no format has room for is a value error too."""
    with pytest.raises(ValueError, match="Properties cannot be written"):
        codec.encode_reply(structs.replace(FULL_PROPERTIES, started_ns=10**6000))


@each_codec
def test_codec_is_found_by_its_content_type(codec: Codec) -> None:
    """Exactly, and by nothing else; its name is in its repr."""
    assert codec_for(codec.content_type) is codec
    assert codec.content_type in repr(codec)


@pytest.mark.parametrize(
    "content_type", ["", "application/json; charset=utf-8", "APPLICATION/JSON", "text/html", "x" * 999]
)
def test_other_content_types_have_no_codec(content_type: str) -> None:
    """The message names those that have one, and shows no more of a foreign text than it needs."""
    with pytest.raises(Malformed, match=r"send one of .*v1\+msgpack, .*v1\+json, application/json") as refused:
        codec_for(content_type)

    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("done", "total", "said"), [(1, 40, "1 of 40"), (12_345_678, None, "12345678"), (0.5, 1, "0.5 of 1")]
)
def test_progress_in_whole_numbers_reads_as_whole_numbers(done: float, total: float | None, said: str) -> None:
    """They travel as numbers of any kind."""
    progress = Progress(electron_id="i", done=done, total=total)

    assert str(NATIVE_JSON.decode_reply(NATIVE_JSON.encode_reply(progress))) == said
