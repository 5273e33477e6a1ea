"""Whatever can be sent arrives as it was sent, by every codec, and is not larger than it must be."""

from __future__ import annotations

import base64
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from atomizer import events
from atomizer.codec import GO, MESSAGEPACK, NATIVE_JSON, decode_value, encode_value
from atomizer.control import Cancel, Control, Inspect, Inspected, Interest, Ping, Pong
from atomizer.electron import JSON, RAW, Electron
from atomizer.errors import Malformed
from atomizer.inspection import LONGEST_NOTE, BondReport, BondState, NodeReport
from atomizer.properties import Finite, Progress, Properties
from atomizer.testing import strategies

if TYPE_CHECKING:
    from atomizer.envelope import DeadLetter
    from atomizer.events import Event

CODECS = st.sampled_from([MESSAGEPACK, NATIVE_JSON, GO])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
moments = st.integers(0, 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | finite | texts,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(texts, parts, max_size=4),
    max_leaves=12,
)
space = st.text(" \t\r\n", max_size=2).map(str.encode)
bodies = st.one_of(
    st.binary(max_size=60),
    values.map(encode_value),
    st.builds(lambda before, value, after: before + encode_value(value) + after, space, values, space),
    st.sampled_from([b"null", b'"abcd"', b"1234", b'"aGVsbG8="', b"[" * 31 + b"]" * 31, b"[" * 32 + b"]" * 32]),
)
content_types = st.sampled_from([JSON, RAW, "text/plain"])

electrons = strategies.electrons(payload=bodies, content_type=content_types)
properties = strategies.properties(failed=False, result=bodies, content_type=content_types) | strategies.properties(
    failed=True
)
progress = strategies.progress()
dead_letters = strategies.dead_letters(body=bodies, content_type=content_types)
"""Whatever they hold, whatever their content type says of it."""

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
durations = st.floats(0.0, 1e10)
counts = st.integers(0, 2**40)
states = st.sampled_from(BondState).map(str) | st.text(max_size=32)
bond_reports = st.builds(
    BondReport,
    electron_id=texts,
    atom_id=texts,
    node=texts,
    conductor=texts,
    state=states,
    since_ns=moments,
    deadline_ns=st.none() | moments,
    attempt=st.integers(1, 2**31),
    parent=texts,
    sender=texts,
    done=st.none() | finite,
    total=st.none() | finite,
    note=st.text(st.characters(exclude_categories=["Cs"]), max_size=LONGEST_NOTE),
)
node_reports = st.builds(
    NodeReport,
    node=texts,
    state=states,
    since_ns=moments,
    host=texts,
    pid=counts,
    version=texts,
    python=texts,
    serves=st.booleans(),
    slots=counts,
    running=counts,
    waiting=counts,
    suspended=counts,
    abandoned=counts,
    outstanding=counts,
    completed=counts,
    failed=counts,
    atoms=st.lists(texts, max_size=3).map(tuple),
    atoms_left_out=counts,
    conductors=st.dictionaries(texts, texts, max_size=3),
    ok=st.booleans(),
    reasons=st.lists(texts, max_size=2).map(tuple),
    paused=st.lists(texts, max_size=2).map(tuple),
)
controls: st.SearchStrategy[Control] = st.one_of(
    st.builds(Cancel, electron_id=texts),
    st.builds(Ping, asker=ids, question=texts),
    st.builds(Pong, question=texts, report=node_reports),
    st.builds(Inspect, asker=ids, question=texts, electron_id=texts),
    st.builds(
        Inspected, question=texts, node=ids, bonds=st.lists(bond_reports, max_size=3).map(tuple), left_out=counts
    ),
    st.builds(
        Interest,
        follower=ids,
        seconds=durations,
        kinds=st.lists(texts, max_size=3).map(tuple),
        atom_id=texts,
        electron_id=texts,
    ),
)


def event_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Build events of a kind, each field by its type."""
    by_name: dict[str, st.SearchStrategy[Any]] = {"at_ns": moments, "done": finite, "total": st.none() | finite}
    by_type: dict[Any, st.SearchStrategy[Any]] = {int: st.integers(0, 2**63 - 1), bool: st.booleans(), Finite: finite}
    fields = {member.name: by_name.get(member.name, by_type.get(member.type, texts)) for member in structs.fields(kind)}
    return st.builds(kind, **fields)


batches = st.lists(
    st.one_of([event_of(getattr(events, name)) for name in events.__all__ if name != "Event"]), max_size=5
).map(tuple)


@given(CODECS, electrons)
def test_electron_arrives_as_it_was_sent(codec: Any, electron: Electron) -> None:
    """Every field, and the payload byte for byte."""
    assert codec.decode_electron(codec.encode_electron(electron)) == electron


@given(CODECS, properties | progress)
def test_reply_arrives_as_it_was_sent(codec: Any, reply: Properties | Progress) -> None:
    """Results byte for byte, and failures whole."""
    assert codec.decode_reply(codec.encode_reply(reply)) == reply


@given(CODECS, controls)
def test_control_arrives_as_it_was_sent(codec: Any, control: Control) -> None:
    """Whatever electrons and nodes are called, and however many of them there are."""
    assert codec.decode_control(codec.encode_control(control)) == control


@given(CODECS, dead_letters)
def test_dead_letter_arrives_as_it_was_sent(codec: Any, letter: DeadLetter) -> None:
    """Its body byte for byte, and all that went wrong."""
    assert codec.decode_dead_letter(codec.encode_dead_letter(letter)) == letter


@given(CODECS, batches)
def test_events_arrive_as_they_were_sent(codec: Any, batch: tuple[Event, ...]) -> None:
    """All kinds, in order."""
    assert codec.decode_events(codec.encode_events(batch)) == batch


@given(electrons)
def test_payload_arrives_at_a_go_node_byte_for_byte(electron: Electron) -> None:
    """By the rule of Go's reader: without its outer quotes it is base64, or else it is the text itself."""
    members = msgspec.json.decode(GO.encode_electron(electron), type=dict[str, Raw])

    text = bytes(members.get("payload", b""))
    try:
        read = base64.b64decode(text.strip(b'"'), validate=True)
    except ValueError:
        read = text

    assert read == electron.payload


@given(space, values, space)
def test_result_that_is_json_is_the_same_json_to_a_go_node(before: bytes, value: Any, after: bytes) -> None:
    """Go unmarshals what stands there, so white space around it does no harm."""
    answer = Properties(electron_id="i", result=before + encode_value(value) + after)

    assert json.loads(GO.encode_reply(answer))["result"] == value


@given(values)
def test_value_arrives_as_it_was_sent(value: Any) -> None:
    """As JSON has it."""
    assert decode_value(msgspec.json.Decoder(Any), encode_value(value)) == value


@given(values, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_value_with_a_hole_is_never_sent_as_null(value: Any, number: float) -> None:
    """Wherever NaN or infinity hides."""
    holed = {"kept": value, "hidden": [value, {"here": number}]}

    try:
        encode_value(holed)
    except ValueError as refused:
        assert str(refused).endswith("at `$.hidden[1].here`")
    else:
        raise AssertionError("it was sent")


@given(CODECS, st.binary(max_size=200))
def test_bytes_of_any_sort_are_read_or_malformed(codec: Any, body: bytes) -> None:
    """Nothing else ever comes out of a reader."""
    for read in (
        codec.decode_electron,
        codec.decode_reply,
        codec.decode_control,
        codec.decode_events,
        codec.decode_dead_letter,
    ):
        try:
            read(body)
        except Malformed as error:
            assert error.path.startswith("$")


def test_numbers_of_these_tests_reach_the_edges() -> None:
    """The largest float there is travels too."""
    far = Progress(electron_id="i", done=sys.float_info.max, total=-sys.float_info.max)

    assert MESSAGEPACK.decode_reply(MESSAGEPACK.encode_reply(far)) == far
